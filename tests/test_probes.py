"""What goes into an engine and what is made of its words: one wrong byte, and something else is measured."""

from __future__ import annotations

import io
import json
import os
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grader.engines.base import Built
from grader.probes.building import build_result, explain
from grader.probes.context import DOCKERFILE, write_context
from grader.probes.inputs import SIDE, Pool, bodies, moved, read_pool
from grader.probes.models import MIB, padding_header, place_model, varint
from grader.records import Build, DockerfileFacts, Instruction, Staged, StagedFile

HERE = Path(__file__).parent
COMMON = HERE.parent / "labs" / "common"
FAST = COMMON / "models" / "fast.onnx"
MESSAGES: dict[str, dict[str, Any]] = json.loads((HERE / "fixtures" / "build_messages.json").read_text())
POOL = Pool(tuple(bytes([number]) * 784 for number in range(20)))


# --- models


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message: number and value, a varint or bytes."""
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = number()
        if key & 7 == 0:
            yield key >> 3, number()
        else:
            assert key & 7 == 2
            size = number()
            assert at + size <= len(data)
            yield key >> 3, data[at : at + size]
            at += size


def only(message: bytes, number: int) -> bytes:
    (found,) = [value for key, value in fields(message) if key == number]
    assert isinstance(found, bytes)
    return found


@pytest.mark.parametrize(("number", "written"), [(0, b"\0"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02")])
def test_varints_are_written_as_the_format_says(number: int, written: bytes) -> None:
    assert varint(number) == written


@pytest.mark.parametrize("size", [4, 128, 16 * 1024, MIB])
def test_padding_is_one_more_unused_tensor_of_the_graph(size: int) -> None:
    ((number, graph),) = fields(padding_header(size) + bytes(size))
    assert (number, type(graph)) == (7, bytes)
    assert isinstance(graph, bytes)
    tensor = dict(fields(only(graph, 5)))
    assert tensor == {1: size // 4, 2: 1, 8: b"pad", 9: bytes(size)}


def test_a_padded_model_grows_by_the_padding_and_keeps_its_beginning(tmp_path: Path) -> None:
    padded = place_model(FAST, tmp_path / "a", 2)
    assert padded.read_bytes().startswith(FAST.read_bytes())
    assert 2 * MIB < padded.stat().st_size - FAST.stat().st_size < 2 * MIB + 64


def test_a_padded_model_answers_as_before(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    images = np.random.default_rng(1).integers(0, 256, (16, SIDE, SIDE), dtype=np.uint8)
    answers = []
    for pad in (0, 4):
        path = place_model(FAST, tmp_path / str(pad), pad)
        answers.append(
            runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"image": images})
        )
    for before, after in zip(*answers, strict=True):
        assert np.array_equal(before, after)


def test_a_model_is_readable_by_every_user_of_the_container(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        path = place_model(FAST, tmp_path / "models", 0)
    finally:
        os.umask(before)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o644, 0o755)
    assert path.read_bytes() == FAST.read_bytes()


# --- inputs


def test_inputs_follow_the_seed_and_nothing_else() -> None:
    assert bodies(POOL, 30, 7, "normal:answers") == bodies(POOL, 30, 7, "normal:answers")


@pytest.mark.parametrize(("seed", "purpose"), [(8, "normal:answers"), (7, "normal:warm"), (7, "padded:answers")])
def test_inputs_of_another_seed_or_purpose_have_nothing_in_common(seed: int, purpose: str) -> None:
    assert not set(bodies(POOL, 30, 7, "normal:answers")) & set(bodies(POOL, 30, seed, purpose))


def test_no_input_comes_twice_and_each_keeps_the_contract() -> None:
    found = bodies(POOL, 200, 1, "x")
    assert len(set(found)) == 200
    for body in found:
        data = json.loads(body)
        assert list(data) == ["pixels"]
        assert len(data["pixels"]) == 784
        assert all(type(value) is int and 0 <= value <= 255 for value in data["pixels"])


def test_a_moved_image_comes_in_black_at_the_edges() -> None:
    image = bytes(range(1, 197)) * 4
    assert moved(image, 0, 0) == list(image)
    right_down = np.array(moved(image, 2, 1)).reshape(SIDE, SIDE)
    assert not right_down[0].any()
    assert not right_down[:, :2].any()
    assert np.array_equal(right_down[1:, 2:], np.frombuffer(image, np.uint8).reshape(SIDE, SIDE)[:-1, :-2])
    left_up = np.array(moved(image, -1, -2)).reshape(SIDE, SIDE)
    assert np.array_equal(left_up[:-2, :-1], np.frombuffer(image, np.uint8).reshape(SIDE, SIDE)[2:, 1:])


def test_only_held_out_digits_are_asked() -> None:
    pool = read_pool(COMMON / "digits.safetensors")
    record = json.loads((COMMON / "models" / "models.json").read_text())
    assert len(pool.images) == round(record["constant"]["held_out_correct"] / record["constant"]["held_out_accuracy"])
    assert {len(image) for image in pool.images} == {784}


# --- the engine's words

DERIVED = ("text", "message", "packages")


def built(name: str) -> Built:
    row = MESSAGES[name]
    return Built(None, row["problem"], row["message"], row["step"], row["log"])


@pytest.mark.parametrize("name", MESSAGES)
def test_what_the_engine_said_is_understood(name: str) -> None:
    """Messages and logs as Docker 20.10 wrote them for builds on the course base."""
    problem, facts = explain(built(name))
    assert problem == MESSAGES[name]["explained"]
    assert {key: value for key, value in facts.items() if key not in DERIVED} == MESSAGES[name]["facts"]


@pytest.mark.parametrize("problem", ["timeout", "memory", "output", "disk", "size"])
def test_a_build_that_was_stopped_is_not_explained_by_its_log(problem: str) -> None:
    log = MESSAGES["pip: a package that is not there"]["log"]
    assert explain(Built(None, problem, "", 3, log)) == (problem, {})


def test_a_build_that_worked_needs_no_explanation() -> None:
    assert explain(Built("sha256:1", None, "", None, "Unable to locate package curl")) == (None, {})


def test_a_command_cannot_speak_in_the_engine_s_name() -> None:
    log = "Step 3/3 : RUN x\nCOPY failed: stat x: file does not exist\nunable to find user x: no\n"
    assert (
        explain(Built(None, "failed", "The command '/bin/sh -c x' returned a non-zero code: 1", 3, log))[0]
        == "run_failed"
    )


@pytest.mark.parametrize(
    "text",
    [
        "COPY failed: stat " * 5000,
        "Could not find a version that satisfies the requirement " * 2000,
        "Could not find a version that satisfies the requirement " + "a" * 100_000,
        "Could not find a version that satisfies the requirement a (from versions: " * 2000,
        "can't find uid for user " * 5000,
        "Unable to locate package " + "\x1b" * 100_000,
    ],
)
def test_no_log_takes_long_to_read(text: str) -> None:
    started = time.process_time()
    explain(Built(None, "failed", text[:8192], 3, text))
    assert time.process_time() - started < 5


def test_a_failed_build_names_the_student_s_own_line() -> None:
    plan = Build(dockerfile="", lines=(2, 4, 9), context=(), base="sha256:1", base_asked="python:3.11-slim")
    facts = DockerfileFacts(
        path="Dockerfile",
        stages=(),
        instructions=(Instruction(line=9, keyword="COPY", text="COPY models/*.onnx /srv/"),),
    )
    result = build_result(built("copy of a pattern without a match"), plan, facts, 1.23456)
    assert (result["ok"], result["problem"], result["line"], result["seconds"]) == (False, "copy_missing", 9, 1.235)
    assert result["instruction"] == "COPY models/*.onnx /srv/"
    assert result["facts"]["path"] == "COPY models/*.onnx /srv/"
    named = build_result(built("copy of a file in a folder"), plan, facts, 0)
    assert named["facts"]["path"] == "app/model.onnx"


@pytest.mark.parametrize("step", [None, 0, 4, 999])
def test_a_step_that_is_not_in_the_dockerfile_has_no_line(step: int | None) -> None:
    plan = Build(dockerfile="", lines=(2, 4, 9), context=(), base="sha256:1", base_asked="python:3.11-slim")
    result = build_result(Built(None, "failed", "no", step, ""), plan, None, 0)
    assert (result["line"], result["instruction"]) == (None, None)


# --- the context


@pytest.fixture
def staged(tmp_path: Path) -> Staged:
    root = tmp_path / "staged"
    for path, data in {
        "app/main.py": b"print(1)",
        "app/data.json": b"{}",
        "run.sh": b"#!/bin/sh\n",
        "left": b"x",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    files = tuple(
        StagedFile(path=path, size=1, sha256="", executable=path == "run.sh")
        for path in ("app/data.json", "app/main.py", "left", "run.sh")
    )
    return Staged(source="s", root=str(root), digest="", files=files)


@pytest.fixture
def planned() -> Build:
    return Build(
        dockerfile="FROM sha256:1\n",
        lines=(1,),
        context=("app/main.py", "app/data.json", "run.sh"),
        extra={".grader/heredoc-1": "echo hi\n"},
        base="sha256:1",
        base_asked="python:3.11",
    )


def members(data: bytes) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = {}
        for member in tar:
            content = tar.extractfile(member)
            found[member.name] = (member, content.read() if content else b"")
        return found


def test_equal_content_gives_an_equal_context(staged: Staged, planned: Build, tmp_path: Path) -> None:
    first = write_context(planned, staged, tmp_path / "1.tar").read_bytes()
    for path in Path(staged.root).rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o777)
    assert write_context(planned, staged, tmp_path / "2.tar").read_bytes() == first


def test_the_context_holds_what_was_kept_with_neutral_marks(staged: Staged, planned: Build, tmp_path: Path) -> None:
    found = members(write_context(planned, staged, tmp_path / "1.tar").read_bytes())
    ours = {".grader", ".grader/heredoc-1", DOCKERFILE, ".dockerignore"}
    assert set(found) == {"app", "app/main.py", "app/data.json", "run.sh"} | ours
    assert {(member.uid, member.gid, member.uname) for member, _ in found.values()} == {(0, 0, "")}
    modes = {name: member.mode for name, (member, _) in found.items()}
    assert (modes["app"], modes["app/main.py"], modes["run.sh"]) == (0o755, 0o644, 0o755)
    assert found[DOCKERFILE][1] == b"FROM sha256:1\n"
    assert found["app/main.py"][1] == b"print(1)"
    assert list(found).index("app") < list(found).index("app/main.py")


@pytest.mark.parametrize(("path", "added"), [("app/main.py", b"\n# touched\n"), ("app/data.json", b"\n")])
def test_a_touched_file_differs_and_nothing_else(
    staged: Staged, planned: Build, tmp_path: Path, path: str, added: bytes
) -> None:
    before = members(write_context(planned, staged, tmp_path / "1.tar").read_bytes())
    after = members(write_context(planned, staged, tmp_path / "2.tar", path).read_bytes())
    assert after[path][1] == before[path][1] + added
    assert {name for name in before if before[name][1] != after[name][1]} == {path}
    assert (Path(staged.root) / path).read_bytes() == before[path][1]


def test_our_dockerfile_is_hidden_from_a_copy_of_everything(staged: Staged, planned: Build, tmp_path: Path) -> None:
    """Also where the student's own ignore file does not end with a line feed."""
    (Path(staged.root) / ".dockerignore").write_bytes(b"*.pkl")
    file = StagedFile(path=".dockerignore", size=5, sha256="")
    staged = staged.model_copy(update={"files": (*staged.files, file)})
    planned = planned.model_copy(update={"context": (*planned.context, ".dockerignore")})
    found = members(write_context(planned, staged, tmp_path / "1.tar").read_bytes())
    assert found[".dockerignore"][1].split() == [b"*.pkl", DOCKERFILE.encode()]
