"""An honest Dockerfile that means something else once rewritten costs a student points."""

from __future__ import annotations

import io
import json
import re
import tarfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.dockerfile import Emitted, check_policy, emit, kept_files, read_dockerfile
from grader.errors import SubmissionError, Unsupported
from grader.records import Staged

Make = Callable[..., Staged]
Build = Callable[[Staged], str]
START = "FROM python:3.11-slim\n"
BASE = "sha256:" + "0" * 64


def written(staged: Staged, base: str = BASE) -> Emitted:
    dockerfile = read_dockerfile(staged)
    assert dockerfile is not None
    check_policy(dockerfile)
    return emit(dockerfile, base)


def rows(staged: Staged) -> list[tuple[int, str]]:
    emitted = written(staged)
    lines = [line for line in emitted.text.splitlines() if not line.startswith("#")]
    assert len(lines) == len(emitted.lines)
    return list(zip(emitted.lines, lines, strict=True))


def body(make: Make, text: str, files: dict[str, str] | None = None) -> list[str]:
    return [row for _, row in rows(make(START + text, files))][1:]


def test_the_reference_shape_keeps_its_lines(make: Make) -> None:
    """PV01, with Windows line ends."""
    text = (
        "# c\nFROM python:3.11-slim\nWORKDIR /app\nCOPY app.py /app/app.py\nEXPOSE 8000\n\n"
        'RUN a \\\n b\nCMD ["python","/app/app.py"]'
    )
    assert rows(make(text.replace("\n", "\r\n"))) == [
        (2, f"FROM {BASE} AS s0"),
        (3, "WORKDIR /app"),
        (4, 'COPY ["app.py", "/app/app.py"]'),
        (7, 'RUN ["/bin/sh", "-c", "a  b"]'),
        (9, 'CMD ["python", "/app/app.py"]'),
    ]


def test_what_speaks_to_our_tools_is_dropped(make: Make) -> None:
    text = (
        "HEALTHCHECK CMD x\nSTOPSIGNAL SIGKILL\nLABEL grader.run=1 a=b\nMAINTAINER me\nEXPOSE 80\nVOLUME /data\nRUN x"
    )
    assert body(make, text) == ['RUN ["/bin/sh", "-c", "x"]']


def test_stages_get_our_names_and_unused_ones_go(make: Make) -> None:
    """PV11."""
    text = (
        "FROM python:3 AS build\nRUN a\nFROM build AS test\nRUN pytest\nFROM python:3.12\n"
        "COPY --from=BUILD /a /a\nCOPY --from=0 /b /b\nCOPY --link=true --from=build /c /c\n"
    )
    assert rows(make(text)) == [
        (1, f"FROM {BASE} AS s0"),
        (2, 'RUN ["/bin/sh", "-c", "a"]'),
        (5, f"FROM {BASE} AS s2"),
        (6, 'COPY --from=s0 ["/a", "/a"]'),
        (7, 'COPY --from=s0 ["/b", "/b"]'),
        (8, 'COPY --from=s0 ["/c", "/c"]'),
    ]


def test_the_latest_stage_of_a_name_counts(make: Make) -> None:
    text = "FROM python:3 AS a\nRUN one\nFROM python:3 AS a\nRUN two\nFROM a\nRUN three"
    assert [row for _, row in rows(make(text))] == [
        f"FROM {BASE} AS s1",
        'RUN ["/bin/sh", "-c", "two"]',
        "FROM s1 AS s2",
        'RUN ["/bin/sh", "-c", "three"]',
    ]


def test_arguments_keep_their_scopes(make: Make) -> None:
    """PV12."""
    text = (
        'ARG IMG=python:3.11\nARG PY=python W="a $b"\nFROM ${IMG}\nARG PY\nARG W\nARG NONE OWN=x\nARG OTHER=${OWN}\n'
        "ENV RUNNER=$PY\nCMD exec $RUNNER /app/app.py"
    )
    assert [row for _, row in rows(make(text))] == [
        f"FROM {BASE} AS s0",
        'ARG PY="python"',
        'ARG W="a "',
        "ARG NONE",
        "ARG OWN=x",
        "ARG OTHER=${OWN}",
        "ENV RUNNER=$PY",
        'CMD ["/bin/sh", "-c", "exec $RUNNER /app/app.py"]',
    ]


def test_a_child_stage_inherits_the_arguments_of_its_parent(make: Make) -> None:
    found = rows(make("FROM python:3 AS a\nARG V='x y'\nFROM a\nRUN echo $V"))
    assert (3, 'ARG V="x y"') in found


def test_the_shell_of_a_stage_is_used_and_inherited(make: Make) -> None:
    text = 'FROM python:3 AS a\nSHELL ["/bin/bash", "-o", "pipefail", "-c"]\nFROM a\nRUN x | y\nENTRYPOINT z\nCMD'
    assert [row for _, row in rows(make(text))][-3:] == [
        'RUN ["/bin/bash", "-o", "pipefail", "-c", "x | y"]',
        'ENTRYPOINT ["/bin/bash", "-o", "pipefail", "-c", "z"]',
        "CMD []",
    ]


def test_no_text_of_a_student_can_become_an_instruction(make: Make) -> None:
    text = 'RUN echo \\\\\nRUN ["a", "b\\nFROM evil"]\nRUN <<E\nx\nFROM evil\nE\nENV A=b\\\\\nRUN echo <<X\nX\nCMD "x'
    for row in body(make, text):
        assert re.match(r"(RUN|CMD) \[.*\]$|ENV ", row) and not row.endswith("\\")


def test_heredocs_of_run(make: Make) -> None:
    """PV08."""
    text = (
        "RUN <<EOF\nset -e\nFROM x\nEOF\n"
        "RUN cat <<-A <<'B' > /x\n\ta $P\n\tA\nb\nB\n"
        "RUN <<-E\n\tone\n\tE\n"
        "RUN <<PY\n#!/usr/bin/env python3\nprint('x')\nPY\n"
    )
    commands = [json.loads(row.removeprefix("RUN ")) for row in body(make, text)]
    assert commands[0] == ["/bin/sh", "-c", "set -e\nFROM x\n"]
    assert commands[1] == ["/bin/sh", "-c", "cat <<-A <<'B' > /x\n\ta $P\nA\nb\nB"]
    assert commands[2] == ["/bin/sh", "-c", "one\n"]
    assert commands[3][-1] == "#!/usr/bin/env python3\nprint('x')\n"


def test_heredocs_of_copy_become_files_of_the_reserved_folder(make: Make) -> None:
    text = (
        'ARG A=1\nENV B="two"\nCOPY --chown=1:1 <<"q" <<u /app/\n$A\nq\n$A "$B" \\$A $C${D:-d}\nu\nADD <<x /y\nz\nx\n'
    )
    emitted = written(make(START + text))
    assert emitted.extra == {".grader/4-0/q": "$A\n", ".grader/4-1/u": '1 "two" $A d\n', ".grader/9-0/x": "z\n"}
    assert 'COPY --chown=1:1 [".grader/4-0/q", ".grader/4-1/u", "/app/"]' in emitted.text


@pytest.mark.parametrize("name", ["'../x'", "..", "'/etc/x'"])
def test_heredoc_names_that_are_paths_go_to_a_person(make: Make, name: str) -> None:
    end = name.strip("'")
    with pytest.raises(Unsupported):
        written(make(f"{START}COPY <<{name} /x/\ny\n{end}\n"))


def test_mounts_that_may_be_lowered(make: Make) -> None:
    text = (
        "WORKDIR /app\nRUN --mount=type=cache,target=/root/.cache --mount=type=tmpfs,target=/t "
        "--mount=type=bind,source=requirements.txt,target=requirements.txt pip install -r requirements.txt\n"
    )
    assert body(make, text, {"requirements.txt": ""})[1:] == [
        'COPY ["requirements.txt", "requirements.txt"]',
        'RUN ["/bin/sh", "-c", "pip install -r requirements.txt"]',
    ]


@pytest.mark.parametrize(
    "line",
    [
        "RUN --mount=type=bind,target=/src make",
        "RUN --mount=type=bind,source=app,target=/src make",
        "COPY --parents a b /c/",
        "COPY --exclude=*.txt . /c/",
        "COPY <<E /x\n$PATH\nE",
        "ENV A=${PATH%%:*}",
    ],
)
def test_what_cannot_be_lowered_goes_to_a_person(make: Make, line: str) -> None:
    with pytest.raises(Unsupported) as raised:
        written(make(START + line, {"app/x": ""}))
    assert raised.value.facts["line"] == 2


def test_modes_are_set_in_a_helper_stage_as_root(make: Make) -> None:
    text = "FROM python:3 AS a\nFROM python:3\nARG D=app\nUSER 1000\n"
    text += "COPY --chmod=755 --chown=me --from=a run.sh $D *.py /x/\nRUN y"
    assert rows(make(text, {"app/x": ""})) == [
        (1, f"FROM {BASE} AS s0"),
        (5, f"FROM {BASE} AS c0"),
        (5, 'COPY --from=s0 ["run.sh", "/c/0/run.sh"]'),
        (5, 'COPY --from=s0 ["app", "/c/1/app"]'),
        (5, 'COPY --from=s0 ["\\"*.py\\"", "/c/2/"]'),
        (5, 'RUN ["chmod", "-R", "755", "/c"]'),
        (2, f"FROM {BASE} AS s1"),
        (3, "ARG D=app"),
        (4, "USER 1000"),
        (5, 'COPY --from=c0 --chown=me ["/c/0/run.sh", "/c/1/app", "/c/2/", "/x/"]'),
        (6, 'RUN ["/bin/sh", "-c", "y"]'),
    ]


@pytest.mark.parametrize("mode", ["9", "rwx", "$X", "755;rm"])
def test_a_mode_that_is_none_is_the_students_mistake(make: Make, mode: str) -> None:
    with pytest.raises(SubmissionError, match="dockerfile_syntax"):
        written(make(f"{START}COPY --chmod={mode} a /b"))


def test_newer_variables_are_resolved_for_the_older_builder(make: Make) -> None:
    text = 'ARG V=1.2.3\nENV M=${V%%.*} N="${X-a b}"\nARG Z=${V#*.}\nCOPY ${V//./-} /x\nWORKDIR /w/$M\nUSER ${U-1000}'
    assert body(make, text)[1:] == [
        'ENV M="1" N="a b"',
        "ARG Z=2.3",
        'COPY ["1-2-3", "/x"]',
        "WORKDIR /w/1",
        "USER 1000",
    ]


def test_the_escape_sign_is_kept(make: Make) -> None:
    text = "# escape=`\nFROM python:3\nENV A=C:\\x B=a` b\nWORKDIR /a b\nRUN x `\n y\n"
    emitted = written(make(text))
    assert emitted.text.splitlines() == [
        "# escape=`",
        f"FROM {BASE} AS s0",
        "ENV A=C:\\x B=a` b",
        'WORKDIR "/a b"',
        'RUN ["/bin/sh", "-c", "x  y"]',
    ]


def test_a_line_longer_than_the_engine_reads_goes_to_a_person(make: Make) -> None:
    with pytest.raises(Unsupported):
        written(make(START + "RUN echo " + '"' * 40_000))


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    docker = pytest.importorskip("docker")
    try:
        client = docker.from_env(timeout=120)
        client.images.get("grader/base:3.11")
    except Exception as error:
        pytest.skip(f"no engine with the course base: {error}")
    yield client
    client.close()


@pytest.fixture
def build(engine: Any) -> Iterator[Callable[[Staged], Any]]:
    """Build a submission for real and run a shell command in it; leave no image behind."""
    made: list[str] = []
    base = engine.images.get("grader/base:3.11").id

    def run(staged: Staged, command: str | None = None) -> str:
        emitted = written(staged, base)
        tag = f"grader-test-emit-{uuid.uuid4().hex[:12]}"
        context = pack(staged, emitted)
        steps = engine.api.build(
            fileobj=context,
            custom_context=True,
            dockerfile=".grader/Dockerfile",
            tag=tag,
            network_mode="none",
            rm=True,
            forcerm=True,
            decode=True,
            nocache=True,
        )
        log = ""
        for step in steps:
            log += step.get("stream", "")
            made.extend(re.findall(r"---> ([0-9a-f]{12})\n", step.get("stream", "")))
            assert "error" not in step, (emitted.text, log, step)
        assert len(re.findall(r"^Step \d+/", log, re.M)) == len(emitted.lines)
        made.append(tag)
        options = {"remove": True, "network_mode": "none"}
        if command is None:
            output = engine.containers.run(tag, **options)
        else:
            output = engine.containers.run(tag, [command], entrypoint=["/bin/sh", "-c"], **options)
        return str(output.decode())

    yield run
    for image in reversed(made):
        if not base.startswith(f"sha256:{image}"):
            try:
                engine.images.remove(image, force=True)
            except Exception as error:
                assert "No such image" in str(error) or "dependent" in str(error)


def pack(staged: Staged, emitted: Emitted) -> io.BytesIO:
    buffer = io.BytesIO()
    executable = {file.path: file.executable for file in staged.files}
    files = {path: Path(staged.root, path).read_bytes() for path in kept_files(staged)}
    files |= {path: text.encode() for path, text in emitted.extra.items()} | {
        ".grader/Dockerfile": emitted.text.encode()
    }
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), 0o755 if executable.get(path) else 0o644
            tar.addfile(member, io.BytesIO(data))
    buffer.seek(0)
    return buffer


@pytest.mark.engine
def test_the_engine_builds_heredocs_mounts_and_scripts(make: Make, build: Callable[..., str]) -> None:
    """PV08 on the real builder."""
    text = """# syntax=docker/dockerfile:1
ARG WHO=world
FROM python:3.11-slim
ARG WHO
WORKDIR /app
RUN <<EOF
set -e
echo one > /app/one
FROM=two; echo $FROM $WHO >> /app/one
EOF
RUN cat <<A <<'B' > /dev/null && cat > /app/cat <<C
A
B
$WHO
C
RUN <<PY
#!/usr/bin/env python3
import os
open("/app/py", "w").write(os.getcwd() + " it's \\"$WHO\\"\\n")
PY
COPY <<"EOF" /app/conf.json
{"a": "$WHO"}
EOF
COPY <<plain <<x /app/
hello $WHO ${NONE:-none}
plain
y
x
RUN --mount=type=cache,target=/root/.cache --mount=type=bind,source=req.txt,target=req.txt cp req.txt got
USER 10001
RUN <<SH
#!/bin/sh
id -u > /tmp/who
SH
CMD cat one cat py conf.json plain x got /tmp/who; ls -A /tmp
"""
    expected = 'one\ntwo world\nworld\n/app it\'s "$WHO"\n{"a": "$WHO"}\nhello world none\ny\nreq\n10001\nwho\n'
    assert build(make(text, {"req.txt": "req\n"})) == expected


@pytest.mark.engine
def test_the_engine_sets_modes_owners_and_stages(make: Make, build: Callable[..., str]) -> None:
    """PV06, PV11 and `--chmod` on the real builder, as a user who is not root."""
    text = """FROM python:3.11-slim AS build
RUN mkdir -p /out/sub && echo a > /out/a && echo b > /out/sub/b
FROM python:3.11-slim AS unused
RUN exit 1
FROM python:3.11-slim
ENV D="/ap p" T=a\\ b
WORKDIR $D
USER 10001:10001
COPY --from=build /out/a first
COPY --from=0 --chmod=750 --chown=10001:10001 /out tree
COPY --chmod=755 run.sh ./
COPY --chmod=0555 run.sh renamed
COPY --chmod=u+x,go-rwx *.sh lib /many/
COPY --chmod=700 <<EOF /many/inline
x
EOF
COPY . .
WORKDIR sub
CMD ["/ap p/run.sh", "arg"]
"""
    files = {
        "run.sh": "#!/bin/sh\npwd; echo $T $1\n",
        "b.sh": "",
        "lib/deep/x": "",
        ".dockerignore": "lib\n!lib/deep\nDocker*",
    }
    staged = make(text, files)
    check = "cd '/ap p'; stat -c '%a %u %n' first tree/a tree/sub renamed /many/*; ls"
    assert build(staged, check).splitlines() == [
        "644 0 first",
        "750 10001 tree/a",
        "750 10001 tree/sub",
        "555 0 renamed",
        "700 0 /many/b.sh",
        "700 0 /many/deep",
        "700 0 /many/inline",
        "700 0 /many/run.sh",
        "b.sh",
        "first",
        "lib",
        "renamed",
        "run.sh",
        "sub",
        "tree",
    ]


@pytest.mark.engine
def test_the_engine_agrees_on_variables_and_quotes(make: Make, build: Callable[..., str]) -> None:
    """PV12: what the grader resolves and what it leaves to the engine give the same values."""
    text = r"""ARG IMG=python:3.11-slim
ARG PY=python
FROM ${IMG} AS parent
ARG KEPT="a b"
FROM parent
ARG PY
ARG V=1.2.3
ENV RUNNER=$PY M=${V%%.*} S="x  y" Q='$PY' E=a\ b OLD=${NONE:-"d e"} P=${PY:+yes} W=${V/2/two}
ENV LEGACY a  "b" $PY
ENV PATH=/opt/x:$PATH
RUN echo "$KEPT" > /kept
WORKDIR ${V:+/w}/$M
SHELL ["/bin/bash", "-c"]
RUN [[ $V == 1.* ]] && echo "$V" > v
CMD exec $RUNNER -c "import os; print([os.environ[k] for k in 'RUNNER M S Q E OLD P W LEGACY'.split()], os.getcwd(), \
  os.environ['PATH'][:20], open('v').read(), open('/kept').read())"
"""
    values = "['python', '1', 'x  y', '$PY', 'a b', 'd e', 'yes', '1.two.3', 'a  b python']"
    expected = f"{values} /w/1 /opt/x:/usr/local/bi 1.2.3\n a b\n\n"
    assert build(make(text)) == expected


@pytest.mark.engine
def test_the_engine_starts_an_entry_script_whose_mode_was_lost(make: Make, build: Callable[..., str]) -> None:
    """PV13, with the backquote as escape sign and Windows line ends in the Dockerfile."""
    text = (
        "# escape=`\nFROM python:3.11-slim\nWORKDIR /app\nADD run.sh app.py ./\nRUN chmod `\n  +x /app/run.sh\n"
        'ENV WIN=C:\\dir\nENTRYPOINT ["/app/run.sh"]\nCMD ["--port","8000"]'
    )
    files = {
        "run.sh": '#!/bin/sh\nexec python app.py "$@"\n',
        "app.py": "import os, sys; print(sys.argv, os.environ['WIN'])\n",
    }
    assert build(make(text.replace("\n", "\r\n"), files)) == "['app.py', '--port', '8000'] C:\\dir\n"
