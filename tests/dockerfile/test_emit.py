"""An honest Dockerfile that means something else once rewritten costs a student points."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from grader.dockerfile import Emitted, check_policy, emit, read_dockerfile
from grader.errors import SubmissionError, Unsupported
from grader.records import Staged

Make = Callable[..., Staged]
START = "FROM python:3.11-slim\n"
BASE = "sha256:" + "0" * 64
MIXTURES = 3000


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


PIECES = [
    "FROM python:3",
    "FROM evil/base:1",
    "from evil AS x",
    "FROM python:3 AS evil",
    "FROM evil",
    "COPY --from=evil a b",
    "COPY a b",
    "RUN <<EOF",
    "RUN cat <<'A' <<-B",
    "EOF",
    "A",
    "B",
    "\tB",
    "RUN x \\",
    "# FROM evil",
    "# escape=`",
    "# escape=\\",
    "RUN y `",
    "  ",
    "ENV A=b\\\\",
    "ENV A=${B:-evil}",
    "ARG B=evil",
    "FROM ${B:-python:3}",
    "ONBUILD RUN z",
    'RUN ["a", "FROM evil"]',
    'CMD ["FROM evil',
    "COPY <<E /x",
    "E",
    "ADD http://evil/x /y",
    "\\",
    "`",
    "WORKDIR /${A}",
    "USER a",
    "F\\",
    "ROM evil",
    "RUN --mount=type=bind,from=evil,target=/x y",
    "COPY --chmod=755 a b",
    'SHELL ["sh"]',
    "\ufeff",
    "RUN x\\\\",
    "EXPOSE 1",
]


def test_no_source_but_ours_survives_in_any_mixture(make: Make, tmp_path: Path) -> None:
    """Whatever passes the policy names the course base and our stages only, on lines that cannot be joined."""
    staged, chance, passed = make(START, {"a": ""}), random.Random(11), 0
    for _ in range(MIXTURES):
        text = "\n".join(["FROM python:3"] * chance.randint(0, 1) + chance.choices(PIECES, k=chance.randint(1, 7)))
        data = text.encode().replace(b"\n", chance.choice([b"\n", b"\r\n"]))
        (tmp_path / "out/Dockerfile").write_bytes(data)
        try:
            emitted = written(staged)
        except (SubmissionError, AssertionError) as error:
            assert isinstance(error, SubmissionError) or read_dockerfile(staged) is None
            continue
        passed += 1
        rows = [row for row in emitted.text.splitlines() if not row.startswith("# escape=")]
        assert len(rows) == len(emitted.lines)
        for row in rows:
            assert re.match(
                rf"FROM ({BASE}|s\d) AS [sc]\d$|(RUN|CMD|SHELL) \[.*\]$|(ENV|ARG|USER|WORKDIR) |COPY ", row
            ), row
            assert not row.startswith("COPY --from") or re.match(r"COPY --from=[sc]\d ", row)
            assert not row.rstrip().endswith("\\" if "# escape" not in emitted.text else "`")
    assert passed > MIXTURES // 50
