"""What a Dockerfile must not reach: other images, other hosts, the kernel's folders, more rights."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from grader import words
from grader.dockerfile import check_policy, emit, facts, read_dockerfile
from grader.errors import SubmissionError, Unsupported
from grader.records import Staged, StagedFile

Make = Callable[..., Staged]

START = "FROM python:3.11-slim\n"
BAD = "evil/base:1"


def refusal(staged: Staged) -> SubmissionError:
    with pytest.raises(SubmissionError) as raised:
        dockerfile = read_dockerfile(staged)
        assert dockerfile is not None
        check_policy(dockerfile)
    error = raised.value
    assert error.stage == "policy" and words.known(error.code)
    for lang in ("en", "fr"):
        assert "{" not in words.say(error.code, lang, error.facts).replace(str(error.facts.get("text", "")), "")
    return error


def passes(staged: Staged) -> None:
    dockerfile = read_dockerfile(staged)
    assert dockerfile is not None
    check_policy(dockerfile)
    rows = emit(dockerfile, "sha256:" + "0" * 64).text.splitlines()
    assert not any(BAD in row for row in rows if row.startswith(("FROM", "COPY")))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"FROM {BAD}", 1),
        (f"FROM {BAD} AS x\nFROM x", 1),
        (f"ARG B\nFROM ${{B:-{BAD}}}\nRUN cp /secret.txt /app.txt || true", 2),
        (f"ARG B={BAD}\nFROM $B", 2),
        ("FROM scratch", 1),
        ("FROM ubuntu", 1),
        ("FROM python-evil:3", 1),
        ("FROM evil/python:3", 1),
        ("FROM registry.invalid/library/python:3", 1),
        ("FROM python:3.11@sha256:abc", 1),
        ("FROM Python:3.11", 1),
        ("FROM later\nFROM python:3 AS later", 1),
        ("FROM x AS x", 1),
        ("FROM 0", 1),
        ("FROM python:3.11\nFROM 0", 2),
        ("fr\\\nom " + BAD, 1),
        (f"# escape=`\nFROM python:3`\n.11 AS a\nFROM {BAD}", 4),
        (f"FROM python:3.11\nRUN <<EOF\nEOF\nFROM {BAD}", 4),
        ("ARG B\nFROM $B", 2),
    ],
)
def test_unapproved_bases_are_found_in_any_disguise(make: Make, text: str, line: int) -> None:
    """PH07 and PH08."""
    error = refusal(make(text))
    assert (error.code, error.facts["line"]) == ("base", line)
    assert error.facts["allowed"] == "python:*"


@pytest.mark.parametrize(
    "text",
    [
        "FROM python",
        "FROM python:3.11-slim-bookworm",
        "FROM library/python:3",
        "FROM docker.io/library/python:3.12",
        "FROM docker.io/python:3",
        f"FROM python:3.11-slim@sha256:{'a' * 64}",
        "FROM --platform=$BUILDPLATFORM python:3.11 AS A\nFROM a",
        "ARG V=3.11\nARG IMG=python:${V}-slim\nFROM ${IMG}",
        "FROM python:3 AS build\nFROM python:3\nCOPY --from=BUILD /a /b\nCOPY --from=0 /a /c",
        "# syntax=docker/dockerfile:1.7-labs\nFROM python:3",
        f"FROM python:3\nRUN <<EOF\nFROM {BAD}\nEOF",
        f"FROM python:3\n# FROM {BAD}",
        "FROM python:3\nWORKDIR /app/proc\nWORKDIR ../process",
        "FROM python:3\nRUN --network=none --security=sandbox x",
        'FROM python:3\nVOLUME /data ["x"]',
        "FROM python:3 AS amd64\nFROM python:3 AS arm64\nFROM ${TARGETARCH}",
    ],
)
def test_what_honest_files_do_is_allowed(make: Make, text: str) -> None:
    passes(make(text))


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (f"COPY --from={BAD} /secret.txt /app/s.txt", "from"),
        ("COPY --from=python:3.11 /a /b", "from"),
        ("COPY --from=1 /a /b", "from"),
        ("COPY --from=00 /a /b", "from"),
        ("COPY --from=$X /a /b", "from"),
        ("COPY --from= /a /b", "from"),
        ("ADD http://127.0.0.1:9/x /app/", "add"),
        ("add HTTPS://x/y z /app/", "add"),
        ("ADD git@github.com:a/b.git /x", "add"),
        ("ADD https://github.com/a/b.git#main /x", "add"),
        ('ADD ["http://x/y", "/z"]', "add"),
        ("ADD ${U:-http://x/y} /z", "add"),
        ("ADD missing.tar.gz /x", "add"),
        ("ADD --unpack=true a /x", "add"),
        ("ADD git://x/y /z", "add"),
        ("ADD ftp://x/y /z", "add"),
        ("RUN --mount=type=secret,id=x cat /run/secrets/x", "mount"),
        ("RUN --mount=type=ssh x", "mount"),
        (f"RUN --mount=type=bind,from={BAD},target=/x cp /x/secret.txt /", "mount"),
        (f"RUN --mount=from={BAD},target=/x x", "mount"),
        (f"RUN --mount=type=cache,from={BAD},target=/x x", "mount"),
        ("RUN --mount=type=$T,target=/x x", "mount"),
        ("RUN --network=host curl x", "network"),
        ("RUN --security=insecure x", "security"),
        ("RUN --device=vendor/x y", "security"),
        ("ONBUILD RUN x", "onbuild"),
        ("onbuild COPY <<EOF /x\nEOF", "onbuild"),
        ("WORKDIR /proc/self/fd/8", "workdir"),
        ("WORKDIR proc", "workdir"),
        ("WORKDIR /a/../sys", "workdir"),
        ("WORKDIR //dev", "workdir"),
        ("WORKDIR ${X:-/proc}/self", "workdir"),
        ("WORKDIR ${PATH:+/proc}", "workdir"),
        ('WORKDIR "/proc"', "workdir"),
        ("VOLUME /proc", "volume"),
        ('VOLUME ["/data", "/sys/x"]', "volume"),
        ("VOLUME /data /dev/shm", "volume"),
    ],
)
def test_each_forbidden_reach_has_its_name(make: Make, line: str, code: str) -> None:
    """PH09, PH10 and the rest of the list."""
    error = refusal(make(START + line))
    assert (error.code, error.facts["line"]) == (code, 2)


def test_a_working_folder_reached_in_steps_or_through_a_parent_stage(make: Make) -> None:
    text = "FROM python:3 AS a\nENV P=/pr\nWORKDIR /\nFROM a\nARG O=oc\nWORKDIR ${P}${O}\n"
    assert refusal(make(text)).facts == {"line": 6, "path": "/proc"}


def test_a_working_folder_that_only_the_engine_knows_goes_to_a_person(make: Make) -> None:
    assert isinstance(refusal(make(START + "WORKDIR $PATH")), Unsupported)


@pytest.mark.parametrize(
    "line",
    ["# syntax=canary.invalid/frontend:1", "#SYNTAX = docker/dockerfile-upstream:x", "# syntax=docker/dockerfile.evil"],
)
def test_other_frontends_are_refused(make: Make, line: str) -> None:
    """PH11."""
    error = refusal(make(f"{line}\n{START}"))
    assert (error.code, error.facts["line"]) == ("syntax", 1)


def archive(mode: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:  # type: ignore[call-overload]
        tar.addfile(tarfile.TarInfo("a"))
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("source", ["data.bin", "*.bin", "./data.b?n", "${N:-data.bin}"])
def test_add_of_an_archive_is_refused_whatever_its_name(make: Make, mode: str, source: str) -> None:
    assert refusal(make(f"{START}ADD {source} /x/", {"data.bin": archive(mode)})).code == "add"


def test_add_of_other_files_is_a_copy(make: Make) -> None:
    files = {"data.csv.gz": gzip.compress(b"a,b\n" * 100), "app/model.tar": archive("w"), "x.py": "1"}
    staged = make(f"{START}ADD data.csv.gz x.py /d/\nADD app /app\n", files)
    dockerfile = read_dockerfile(staged)
    assert dockerfile is not None
    check_policy(dockerfile)
    text = emit(dockerfile, "sha256:0").text
    assert "ADD" not in text and 'COPY ["data.csv.gz", "x.py", "/d/"]' in text


def test_numbers_on_both_sides_of_their_limits(make: Make, tmp_path: Path) -> None:
    passes(make(START + "RUN x\n" * 99))
    for text, code in (
        (START + "RUN x\n" * 100, "instructions"),
        (START * 9, "stages"),
        (START + "#" * 65_536, "dockerfile_size"),
    ):
        Path(tmp_path / "out/Dockerfile").write_text(text)
        assert refusal(resized(make_again(tmp_path))).code == code
    for text in (START * 8, START + "#" * (65_536 - len(START))):
        Path(tmp_path / "out/Dockerfile").write_text(text)
        passes(resized(make_again(tmp_path)))


def make_again(tmp_path: Path) -> Path:
    return tmp_path / "out"


def resized(root: Path) -> Staged:
    size = (root / "Dockerfile").stat().st_size
    file = StagedFile(path="Dockerfile", size=size, sha256="")
    return Staged(source="x", root=str(root), digest="", files=(file,))


def test_variables_that_double_are_refused_before_the_engine_sees_them(make: Make) -> None:
    assert refusal(make(START + "ENV A=0123456789\n" + "ENV A=$A$A$A$A\n" * 40)).code == "variable"


def test_a_path_that_doubles_is_refused_though_its_value_is_unknown(make: Make) -> None:
    assert refusal(make(START + "ENV PATH=$PATH:$PATH:$PATH\n" * 20)).code == "variable"


def test_a_hostile_file_costs_neither_time_nor_memory(make: Make, tmp_path: Path) -> None:
    files = {f"f{number}": "" for number in range(1500)}
    make(None, files)
    for text in (
        START + "ENV " + " ".join(f"v{number}=$v" for number in range(5000)),
        START + f"ENV A={'x' * 20_000}\nENV " + " ".join(f"v{number}=$A" for number in range(3000)),
        START + "ARG " + " ".join(f"v{number}" for number in range(5000)),
        START + "ADD " + "*a*a*a*b " * 5000 + "/x",
        START + "ADD *a*b*c*d /x\n" * 3000,
        START + "ENV A=" + "${A:-" * 12_000,
        START + "RUN " + "\\ " * 30_000 + "<<EOF",
        START + "COPY --chmod=755 " + "a " * 30_000 + "/x",
        START + "ENV A=" + "$" * 60_000,
    ):
        (tmp_path / "out/Dockerfile").write_text(text)
        start = time.process_time()
        with contextlib.suppress(SubmissionError):
            passes(resized(tmp_path / "out"))
        assert time.process_time() - start < 5, text[:60]


@pytest.mark.parametrize("text", [None, "", "# only a comment\n", "# syntax=docker/dockerfile:1\n\n"])
def test_no_dockerfile_is_no_error(make: Make, text: str | None) -> None:
    assert read_dockerfile(make(text)) is None


def test_the_lower_case_name_counts_and_a_containerfile_does_not(make: Make) -> None:
    staged = make(None, {"dockerfile": START, "Containerfile": f"FROM {BAD}"})
    dockerfile = read_dockerfile(staged)
    assert dockerfile is not None and facts(dockerfile).path == "dockerfile"


def test_two_candidates_or_a_folder_in_its_place_are_refused(make: Make, tmp_path: Path) -> None:
    staged = make(START, {})
    twins = tuple(StagedFile(path=name, size=10, sha256="") for name in ("Dockerfile", "dockerfile"))
    assert refusal(staged.model_copy(update={"files": twins})).code == "candidates"
    inside = (StagedFile(path="Dockerfile/x", size=1, sha256=""),)
    assert refusal(staged.model_copy(update={"files": inside})).code == "dockerfile_special"


def test_facts_tell_what_the_student_wrote(make: Make) -> None:
    text = (
        "ARG V=3.11\nFROM --platform=linux/amd64 python:${V}-slim AS Build\n"
        "RUN --mount=type=cache,target=/c pip \\\n  install x\n"
        "FROM build\nRUN <<EOF\npip list\nEOF\nEXPOSE 8000\n"
    )
    dockerfile = read_dockerfile(make(text))
    assert dockerfile is not None
    found = facts(dockerfile)
    assert [(stage.line, stage.base, stage.name, stage.earlier) for stage in found.stages] == [
        (2, "python:3.11-slim", "build", False),
        (5, "build", None, True),
    ]
    assert [(each.line, each.keyword) for each in found.instructions] == [
        (1, "ARG"),
        (2, "FROM"),
        (3, "RUN"),
        (5, "FROM"),
        (6, "RUN"),
        (9, "EXPOSE"),
    ]
    assert found.instructions[2].text == "--mount=type=cache,target=/c pip   install x"
    assert found.instructions[4].text == "<<EOF\npip list\nEOF"
