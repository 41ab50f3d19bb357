"""A build whose output is torn, endless or forged, and how its end is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.engines import build
from grader.engines.base import BuildRequest
from grader.engines.build import Transcript, conclude, events, parameters
from grader.engines.watchdog import MIB
from grader.errors import InfraError
from grader.records import Limits

REQUEST = BuildRequest(Path("c.tar"), "Dockerfile", "t:1", Limits(build_memory_mib=64))


def transcript(*texts: str, heard: list[tuple[str, bool]] | None = None, **last: Any) -> Transcript:
    """What is known after a build that printed these lines and ended so."""
    images = heard if heard is not None else []
    made = Transcript(lambda image, own: images.append((image, own)))
    for text in texts:
        made.take({"stream": text})
    if last:
        made.take(last)
    return made


@given(st.lists(st.dictionaries(st.text(), st.integers(), min_size=1), max_size=8), st.data())
def test_events_are_the_same_wherever_the_stream_is_torn(rows: list[dict[str, int]], data: st.DataObject) -> None:
    stream = b"".join(json.dumps(row).encode() + b"\r\n" for row in rows)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[first:last] for first, last in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert list(events(iter(pieces))) == rows


def test_a_last_line_without_its_end_is_still_read() -> None:
    assert list(events(iter([b'{"stream": "a"}\n{"aux"', b': {"ID": "x"}}']))) == [
        {"stream": "a"},
        {"aux": {"ID": "x"}},
    ]


@pytest.mark.parametrize("line", [b"half a li", b'{"stream": "ab', b"[1, 2]", b"7", b"\xff\xfe", b"[" * 50_000])
def test_a_line_that_is_no_event_is_plain_output(line: bytes) -> None:
    (found,) = events(iter([line, b"\n"]))
    assert found == {"stream": line.decode("utf-8", "replace")}


def test_a_line_without_end_neither_fills_the_memory_nor_breaks_the_build() -> None:
    def chunks() -> Any:
        yield b'{"stream": "'
        for _ in range(300):
            yield b"x" * 65536
        yield b'"}\n{"stream": "after"}\n'

    found = list(events(chunks()))
    assert found[-1] == {"stream": "after"}
    assert max(len(event["stream"]) for event in found) < 5 * MIB
    assert sum(len(event["stream"]) for event in found) > 300 * 65536


def test_the_step_and_the_images_of_every_stage_are_followed() -> None:
    heard: list[tuple[str, bool]] = []
    made = transcript(
        "Step 1/4 : FROM sha256:1 AS one\n", " ---> 111111111111\n",
        "Step 2/4 : RUN a\n", " ---> Running in abcabcabcabc\n", " ---> 222222222222\n",
        "Step 3/4 : FROM sha256:1\n", " ---> 111111111111\n",
        "Step 4/4 : COPY --from=one /a /a\n", " ---> Using cache\n", " ---> 333333333333\n",
        heard=heard,
    )  # fmt: skip
    assert made.step == 4
    assert made.heads == ("222222222222", "333333333333")
    assert heard == [("222222222222", True), ("333333333333", False)]


def test_a_stage_that_made_no_image_keeps_none() -> None:
    assert transcript("Step 1/2 : FROM sha256:1\n", " ---> 111111111111\n", "Step 2/2 : RUN false\n").heads == ()


def test_the_log_keeps_its_end_and_cuts_long_lines() -> None:
    made = transcript("x" * 100_000, *["y" * 1000 + "\n"] * 3000, "the end\n")
    assert len(made.log) <= MIB
    assert made.log.endswith("the end\n")
    assert len(transcript("x" * 100_000).log) == build.LINE_LIMIT
    assert made.total > 3_000_000


def test_the_end_of_a_build_is_told_by_why_it_was_stopped_first() -> None:
    error = {"error": "returned a non-zero code: 137", "errorDetail": {"code": 137}}
    assert conclude(transcript(**error), "timeout").problem == "timeout"
    assert conclude(transcript(**error), None).problem == "memory"
    assert conclude(transcript(error="no", errorDetail={"code": 1}), None).problem == "failed"
    assert conclude(transcript(error="no"), None).message == "no"
    assert conclude(transcript(aux={"ID": "sha256:2"}), None).image == "sha256:2"


def test_a_build_that_just_stops_talking_is_the_engine_s_fault() -> None:
    with pytest.raises(InfraError) as caught:
        conclude(transcript("Step 1/2 : FROM sha256:1\n"), None)
    assert caught.value.code == "engine_gone"


@pytest.mark.parametrize(
    "text",
    [
        "No such image: sha256:1",
        'unable to find image "sha256:1"',
        "unknown parent image ID sha256:1",
        "No such container: x",
    ],
)
def test_what_the_engine_lost_is_not_the_student_s_fault(text: str) -> None:
    with pytest.raises(InfraError) as caught:
        conclude(transcript(error=text), None)
    assert caught.value.code == "image_vanished"


def test_a_forged_error_in_the_output_is_only_output() -> None:
    made = transcript('{"error": "No such image: x"}\n', aux={"ID": "sha256:2"})
    assert conclude(made, None).image == "sha256:2"


def test_every_limit_of_a_build_is_in_the_query() -> None:
    query = parameters(REQUEST, "/grader-build")
    assert query["memory"] == query["memswap"] == 64 * MIB
    assert (query["networkmode"], query["pull"], query["forcerm"], query["version"]) == ("none", "false", "true", "1")
    assert query["cgroupparent"] == "/grader-build"
    ulimits = {row["Name"]: row["Hard"] for row in json.loads(query["ulimits"])}
    assert ulimits == {"fsize": 512 * MIB, "nofile": 1024, "core": 0}
    assert not {"buildargs", "extrahosts", "squash"} & set(query)
    assert "cgroupparent" not in parameters(REQUEST, None)


def test_a_parent_group_is_made_only_where_cgroups_are_of_the_first_kind() -> None:
    assert build.pids_group({"CgroupVersion": "2", "CgroupDriver": "cgroupfs"}) is None
    assert build.pids_group({"CgroupVersion": "1", "CgroupDriver": "systemd"}) is None
