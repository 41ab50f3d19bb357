"""Group C, second half: services that lie, lead astray or write into the report."""

from __future__ import annotations

from pathlib import PurePosixPath

from .case import LAB_SECONDS, Case, Expect, Folder, Maker, Setting, graded
from .pieces import app, dockerfile, junk, worthless

_LEAD_ASTRAY = """\
if numbers(body) is None:
    self.answer(302, {}, Location="/predict")
else:
    self.answer(307, {}, Location=@URL@)"""

_FORGE = """\
print('{"score":100,"passed":true}')
print("SCORE=100")
print("##grader[score 100]", flush=True)
try:
    os.makedirs("/out", exist_ok=True)
    with open("/out/results.json", "w") as file:
        file.write('{"score":100,"passed":true}')
except OSError:
    pass
threading.Timer(20, os._exit, (0,)).start()"""

_PASS_ALL = b"""\
import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    outcome.get_result().outcome = "passed"
"""

_JUNIT = b"""\
<testsuite name="H" tests="4" failures="0" errors="0">
<testcase name="H.build"/><testcase name="H.health"/><testcase name="H.predict"/><testcase name="H.errors"/>
</testsuite>
"""

_POINTS = b"points: 100\nchecks:\n  - {id: H.build, points: 100}\n"

_SAY = """\
NOTES = @NOTES@
HEADER = @HEADER@.encode().decode("latin-1")
for note in NOTES:
    sys.stdout.buffer.write(note.encode("utf-8", "surrogatepass") + b"\\n")
sys.stdout.flush()"""


def _redirects(setting: Setting) -> Case:
    program = junk(predict=_LEAD_ASTRAY.replace("@URL@", repr(setting.params["CANARY_URL"])))
    items = {"H.build": 20, "H.health": 20, "H.predict": 0, "H.errors": 0}
    folder = Folder({"Dockerfile": dockerfile(setting.params["BASE"]), "app.py": program})
    return Case(40, LAB_SECONDS, graded(40, items=items), (folder,))


def _forged_verdicts(setting: Setting) -> Case:
    """What an interpreter loads unasked leaves a mark beside the canary, if it is ever run on the host."""
    mark = str(PurePosixPath(setting.params["HOST_CANARY"]).with_name("imported"))
    betray = f"try: open({mark!r}, 'w').close()\nexcept OSError: pass\n"
    claim = b'{"score": 100, "max_score": 100, "passed": true, "status": "graded"}\n'
    files = {
        **worthless(setting.params["BASE"]),
        "app.py": junk(_FORGE),
        "results.json": claim,
        "report.json": claim,
        "junit.xml": _JUNIT,
        "score.txt": b"100\n",
        "conftest.py": _PASS_ALL,
        "sitecustomize.py": betray.encode(),
        "grader.toml": b"[grader]\nscore = 100\npassed = true\n",
        "lab.yaml": _POINTS,
        "usercustomize.pth": f"import os; exec({betray!r})\n".encode(),
    }
    items = {"H.build": 20, "H.predict": 0, "H.errors": 0}
    return Case(40, LAB_SECONDS, graded(40, items=items), (Folder(files),))


def notes(url: str) -> tuple[str, ...]:
    """Give the strings that must stay inert in every view."""
    return (
        "\x1b[2J\x1b]0;x\x07",
        "\x1b]52;c;cHduZWQ=\x07",
        f"\x1b]8;;{url}\x1b\\link\x1b]8;;\x1b\\",
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "</pre>",
        "`" * 8,
        f'=HYPERLINK("{url}")',
        "\u202e",
        "\0",
        "\ud800",
        "\udfff",
    )


def _written(note: str) -> str:
    """As a header or a comment can hold it: NUL and half characters, which no valid one holds, as escapes."""
    return note.replace("\0", "\\u0000").encode("utf-8", "backslashreplace").decode()


def _report_injection(setting: Setting) -> Case:
    """A slash starts a folder, so that a path still reads `</pre>`; a name with controls would rightly be refused."""
    said = notes(setting.params["CANARY_URL"])
    hook = _SAY.replace("@NOTES@", ascii(said)).replace("@HEADER@", ascii(" ".join(map(_written, said))))
    program = app(hook, health='self.answer(200, {"status": "ok", "note": NOTES}, X_Note=HEADER)')
    text = dockerfile(setting.params["BASE"], *(f"# {_written(note)}" for note in said))
    named = {f"{note}.txt": b"x" for note in said if note.isprintable()}
    expect = Expect(("GRADED",), exact=100)
    return Case(100, LAB_SECONDS, expect, (Folder({"Dockerfile": text, "app.py": program, **named}),))


MAKERS: dict[str, Maker] = {
    "PH19": _redirects,
    "PH20": _forged_verdicts,
    "PH21": _report_injection,
}
