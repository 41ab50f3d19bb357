"""Reading cards: choices, an answer that is kept, and whether it is right."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import workbench as wb
from workbench import questions
from workbench.session import Session

Begin = Callable[..., Session]


def test_a_reading_card_lists_its_choices_and_keeps_the_answer(
    begin: Begin, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin()
    wb.ask("L02.Q1", ["red", "blue"], answer=...)
    assert "Write the number of your choice, 1 to 2" in capsys.readouterr().out
    assert not (out / "answers.json").exists()
    wb.ask("L02.Q1", ["red", "blue"], answer=" Blue ")
    assert "Your answer is kept: “blue”" in capsys.readouterr().out
    kept = json.loads((out / "answers.json").read_text(encoding="utf-8"))["questions"]["L02.Q1"]
    assert (kept["answer"], kept["choice"]) == ("blue", 2)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a lab 02 whose first question has an answer."""
    folder = tmp_path / "checkout" / "labs" / "02-onnx"
    folder.mkdir(parents=True)
    (tmp_path / "checkout" / "pyproject.toml").write_text("")
    (folder / "questions.toml").write_text(
        '[Q1]\nright = 2\nbecause = { en = "It <i>says</i> so.", fr = "C\'est écrit." }\n'
        '[Q2]\nright = "red"\n[Q3]\nright = "green"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("GRADER_HOME", str(tmp_path / "checkout"))
    return folder


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("L02.Q1", 2, "“blue” is right. It <i>says</i> so."), ("L02.Q1", "red", "“red” is not it. It <i>says</i> so."),
        ("L02.Q2", 1, "“red” is right."), ("L02.Q2", 2, "“blue” is not it."),
        ("L02.Q3", 1, "is kept"), ("L02.Q4", 1, "is kept"),
    ],
)  # fmt: skip
def test_a_reading_card_says_whether_it_is_right(
    begin: Begin, checkout: Path, name: str, answer: Any, said: str
) -> None:
    card = questions.ask(begin(), name, ["red", "blue"], answer, None)
    assert said in card.plain()
    assert "<i>" not in card.html()


def test_choices_and_question_come_in_the_notebook_s_language(begin: Begin) -> None:
    choices = {"en": ["red", "blue"], "fr": ["rouge", "bleu"]}
    card = questions.ask(begin(lang="fr"), "L02.Q1", choices, None, {"en": "Which?", "fr": "Laquelle ?"})
    assert "Laquelle ?" in card.plain()
    assert "rouge" in card.plain()
    assert "red" not in card.plain()


@pytest.mark.parametrize("content", ["[Q1", "[Q1]\nright = true", "Q1 = 3", "[Q1]\nright = 9"])
def test_answers_that_are_broken_in_the_lab_break_no_notebook(begin: Begin, checkout: Path, content: str) -> None:
    (checkout / "questions.toml").write_text(content)
    assert "is kept" in questions.ask(begin(), "L02.Q1", ["red", "blue"], 1, None).plain()


@pytest.mark.parametrize(
    ("choices", "answer", "said"),
    [
        (None, 1, "`choices`"), (["a"], 1, "`choices`"), ("ab", 1, "`choices`"), (["a", "a"], 1, "`choices`"),
        ({"fr": ["a", "b"]}, 1, "`choices`"), (["a", "b"], 3, "`answer`"), (["a", "b"], 0, "`answer`"),
        (["a", "b"], "c", "`answer`"), (["a", "b"], True, "`answer`"), (["a", "b"], [1], "`answer`"),
    ],
)  # fmt: skip
def test_a_wrong_answer_form_is_named(begin: Begin, out: Path, choices: Any, answer: Any, said: str) -> None:
    begin()
    with pytest.raises(wb.WorkbenchError, match=said):
        wb.ask("L02.Q1", choices, answer)
    assert not (out / "answers.json").exists()
