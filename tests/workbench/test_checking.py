"""Checks from the notebook: a real process of a stand-in grader, every trouble one sentence, never a grade."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import workbench as wb
from workbench import checking
from workbench.session import Session

Begin = Callable[..., Session]
ROOT = Path(__file__).resolve().parents[2]
HINTS = ["Think of the shape.", "See `dynamic_axes`.", "dynamic_axes={'image': {0: 'n'}}"]


def _item(item: str, outcome: str, **more: Any) -> dict[str, Any]:
    points = {"points": 2.0 if outcome == "passed" else 0.0, "max_points": 2.0, "visibility": "public"}
    return {"id": item, "outcome": outcome, "cause": None, "facts": {}, "message": "", "hints": [], **points} | more


def _failed(item: str = "dynbatch", cause: str = "fixed", **more: Any) -> dict[str, Any]:
    return _item(item, "failed", cause=cause, message="The batch is fixed at 1.", hints=HINTS) | more


def _report(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "schema": "grader/report/1", "lab": "02-onnx", "submission": {"source": "x", "digest": "sha256:1"},
        "status": "graded", "class": "GRADED", "score": 13.0, "max_score": 17.0, "items": list(items),
        "rejection": None,
    } | more  # fmt: skip


def test_the_grader_is_asked_for_one_exercise_of_this_folder(begin: Begin, stand_in: Any, out: Path) -> None:
    stand_in.answers(_report(_item("names", "passed")))
    checking.check(begin(grader=stand_in.command, lang="fr"), "L02.E1")
    assert stand_in.seen["argv"] == [
        "run", "02-onnx", str(out), "--engine", "local", "--exercise", "E1", "--format", "json", "--lang", "fr",
    ]  # fmt: skip
    assert stand_in.seen["cwd"] == str(out)


def test_the_grader_is_not_asked_for_colours_as_a_kernel_is(
    begin: Begin, stand_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    stand_in.answers(_report(_item("names", "passed")))
    checking.check(begin(grader=stand_in.command), "L02.E1")
    assert stand_in.seen["colour"] == [None, "1"]


def test_expected_found_and_hint_are_shown(begin: Begin, stand_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    home = stand_in.folder.parent / "checkout"
    (home / "labs" / "02-onnx").mkdir(parents=True)
    (home / "pyproject.toml").write_text("")
    (home / "labs" / "02-onnx" / "lab.toml").write_text(
        '[[item]]\nid = "dynbatch"\ntitle = { en = "Any batch", fr = "Tout lot" }\n'
    )
    monkeypatch.setenv("GRADER_HOME", str(home))
    stand_in.answers(_report(_failed(), _item("names", "passed")))
    text = checking.check(begin(grader=stand_in.command), "L02.E1").plain()
    for part in ("not yet", "Expected: Any batch", "Found: The batch is fixed at 1.", f"Hint 1 of 3: {HINTS[0]}",
                 "found – names"):  # fmt: skip
        assert part in text
    assert HINTS[1] not in text
    assert stand_in.seen["home"] == str(home)


def test_no_total_and_no_points_are_ever_shown(begin: Begin, stand_in: Any) -> None:
    stand_in.answers(_report(_failed(), _item("names", "passed"), _item("opset", "partial", message="Nearly.")))
    card = checking.check(begin(grader=stand_in.command), "L02.E1")
    for shown in (card.html(), card.plain()):
        assert not re.search(r"\b(13|17|2\.0|score|points?|grade|mark)\b", re.sub(r"<[^>]*>", " ", shown))


def test_all_found_is_said_in_one_line(begin: Begin, stand_in: Any) -> None:
    stand_in.answers(_report(_item("names", "passed"), _item("other", "skipped", cause="not_asked")))
    text = checking.check(begin(grader=stand_in.command), "L02.E1").plain()
    assert "All that this exercise asks for was found." in text
    assert "other" not in text


@pytest.mark.parametrize(
    ("outcome", "said"),
    [("skipped", "not looked at here"), ("error", "our fault"), ("blocked", "waits for"), ("partial", "partly there")],
)
def test_each_outcome_is_said_in_words_and_none_is_taken_for_success(
    begin: Begin, stand_in: Any, outcome: str, said: str
) -> None:
    stand_in.answers(_report(_item("names", outcome, message="Why.", cause="some")))
    text = checking.check(begin(grader=stand_in.command), "L02.E1").plain()
    assert said in text
    assert "Why." in text
    assert "All that" not in text


def test_a_new_attempt_at_the_same_fault_gets_the_next_hint_and_the_same_attempt_the_same(
    begin: Begin, stand_in: Any
) -> None:
    session, steps = begin(grader=stand_in.command), []
    for digest in ("a", "a", "b", "c", "d"):
        stand_in.answers(_report(_failed(), submission={"digest": digest}))
        steps.append(re.search(r"Hint (\d) of 3", checking.check(session, "L02.E1").plain())[1])  # type: ignore[index]
    assert steps == ["1", "1", "2", "3", "3"]
    stand_in.answers(_report(_failed(cause="other"), submission={"digest": "e"}))
    assert "Hint 1 of 3" in checking.check(session, "L02.E1").plain(), "another fault has its own first hint"


def test_hints_come_one_by_one_and_are_logged_in_the_folder_only(begin: Begin, stand_in: Any, out: Path) -> None:
    session = begin(grader=stand_in.command)
    stand_in.answers(_report(_failed()))
    texts = [checking.hint(session, "L02.E1").plain() for _ in range(4)]  # the first one checks
    assert "Found:" in texts[0]
    assert [next(hint for hint in HINTS if hint in text) for text in texts] == [HINTS[0], HINTS[1], HINTS[2], HINTS[2]]
    assert "the last hint" in texts[2]
    assert "the last hint" not in texts[1]
    assert sorted(os.listdir(out)) == [".workbench.json"]
    uses = json.loads((out / ".workbench.json").read_text(encoding="utf-8"))["log"]["hints"]
    assert [use["hint"] for use in uses] == [1, 2, 3]


def test_the_second_fault_has_its_hints_after_the_first_fault_s(begin: Begin, stand_in: Any) -> None:
    session = begin(grader=stand_in.command)
    stand_in.answers(_report(_failed("one", hints=["a1"]), _item("two", "failed", cause="c", hints=["b1", "b2", "b3"])))
    checking.check(session, "L02.E1")
    assert [checking.hint(session, "L02.E1").plain().splitlines()[1] for _ in range(2)] == [
        "Hint 2 of 3: b2", "Hint 3 of 3: b3",
    ]  # fmt: skip


def test_no_hint_is_left_where_all_was_found(begin: Begin, stand_in: Any) -> None:
    session = begin(grader=stand_in.command)
    stand_in.answers(_report(_item("names", "passed")))
    checking.check(session, "L02.E1")
    assert "left nothing open" in checking.hint(session, "L02.E1").plain()


@pytest.mark.parametrize(
    "content",
    [b"", b'{"checks', b"[]", b'{"checks": 3}', b'{"checks": {"E1": 3}, "log": {"hints": 3}}',
     b'{"checks": {"E1": {"open": [3, {}, {"item": 1, "hints": [1, "h"], "told": "x"}]}}}', b'{"lab": "other"}'],
)  # fmt: skip
def test_a_log_of_hints_that_was_torn_or_edited_begins_anew(
    begin: Begin, stand_in: Any, out: Path, content: bytes
) -> None:
    session = begin(grader=stand_in.command)
    stand_in.answers(_report(_failed()))
    for act in (checking.check, checking.hint):
        (out / ".workbench.json").write_bytes(content)
        assert "int" in act(session, "L02.E1").plain()  # Hint, or another sentence on hints; no error
    checking.check(session, "L02.E1")
    json.loads((out / ".workbench.json").read_bytes())


TRACEBACK = "Traceback (most recent call last):\n  File \"grader/x.py\", line 3\nKeyError: 'secret'\n"


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"err": "Lab 02-onnx is not there.\n", "code": 2}, "Nothing was checked: Lab 02-onnx is not there."),
        ({"err": "Preparing\n\x1b[31mNo \u202elab.\n", "code": 2}, "Nothing was checked: \ufffd[31mNo \ufffdlab."),
        ({"err": TRACEBACK, "code": 1}, "stopped without an answer (exit code 1)"),
        ({"out": "half a rep", "code": 0}, "stopped without an answer (exit code 0)"),
        ({"out": "\udcff\udcfe", "code": 0}, "stopped without an answer"),
        ({"out": "[" * 100_000, "code": 0}, "stopped without an answer"),
        ({"out": "{}", "code": 0}, "stopped without an answer"),
        ({"out": '{"schema": "grader/report/9", "items": []}'}, "stopped without an answer"),
        ({"code": 4}, "stopped without an answer (exit code 4)"),
        ({"err": "/usr/bin/python: No module named grader\n", "code": 1}, "The grader is not installed"),
    ],
)
def test_every_trouble_of_the_grader_is_one_sentence(
    begin: Begin, stand_in: Any, plan: dict[str, Any], said: str
) -> None:
    stand_in.answers(**plan)
    card = checking.check(begin(grader=stand_in.command), "L02.E1")
    assert said in card.plain()
    assert len(card.plain().splitlines()) == 2
    assert "secret" not in card.plain()


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (_report(status="rejected", rejection={"rule": "link", "message": "A link."}), "Nothing was checked: A link."),
        (_report(status="infra", rejection={"rule": "x", "message": "Full."}), "your work is not at fault: Full."),
        (_report(status="review", rejection={"rule": "odd"}), "Nothing was checked: odd"),
        (_report(), "has nothing to check for L02.E1"),
        (_report(_item("names", "skipped", cause="not_asked")), "has nothing to check for L02.E1"),
        (_report(3, {"id": "x"}, {"id": "y", "outcome": "new"}), "has nothing to check"),  # type: ignore[arg-type]
        (_report(_item("names", "failed", message=3, hints="no", id=None, cause=[])), "not what was expected"),
        (_report(_failed(), submission=None, rejection=[]), "Hint 1 of 3"),
    ],
)  # fmt: skip
def test_a_report_that_judges_nothing_or_is_odd_is_one_sentence(
    begin: Begin, stand_in: Any, report: dict[str, Any], said: str
) -> None:
    stand_in.answers(report)
    assert said in checking.check(begin(grader=stand_in.command), "L02.E1").plain()


def test_what_a_student_s_file_says_is_shown_as_text(begin: Begin, stand_in: Any) -> None:
    stand_in.answers(_report(_failed(message="<script>alert(1)</script>", hints=["<b>x</b>"])))
    html = checking.check(begin(grader=stand_in.command), "L02.E1").html()
    assert "<script" not in html
    assert "<b>" not in html


@pytest.mark.parametrize("seconds", [0, -1, "60", None, float("inf"), True])
def test_a_deadline_that_is_none_is_refused(begin: Begin, seconds: Any) -> None:
    begin()
    with pytest.raises(wb.WorkbenchError, match="`seconds`"):
        wb.check("L02.E1", seconds)


def test_a_notebook_that_the_grader_runs_starts_no_grader(
    begin: Begin, stand_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADER_WORKROOM", "1")
    stand_in.answers(_report())
    text = checking.check(begin(grader=stand_in.command), "L02.E1").plain()
    assert "being run by the grader" in text
    assert not (stand_in.folder / "seen.json").exists()


def test_the_grader_tells_what_it_runs_that_it_does() -> None:
    """The other end of the test above: the name is the one that the grader's workrooms set."""
    from grader.workrooms.talk import ENVIRONMENT

    assert checking._INSIDE in ENVIRONMENT


def test_the_checkout_is_found_from_the_work_folder_or_the_grader(
    begin: Begin, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench import labs

    monkeypatch.chdir(out)
    assert labs.find_home(begin()) == ROOT, "where the installed grader is, when nothing else is near"
    home = out / "mine"
    (home / "labs").mkdir(parents=True)
    (home / "pyproject.toml").write_text("")
    (home / "work").mkdir()
    assert labs.find_home(begin(out_dir=home / "work")) == home
    monkeypatch.setenv("GRADER_HOME", str(ROOT))
    assert labs.find_home(begin(out_dir=home / "work")) == ROOT
