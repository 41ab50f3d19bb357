"""A sentence that is missing, or that says different things in two languages, reaches a student at the worst moment."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from grader import words

GRADER = Path(words.__file__).parents[1]
AREAS = sorted((GRADER / "words").glob("*.toml"))
ERRORS = ("LabError", "SubmissionError", "Unsupported", "InfraError", "GraderError", "Problem")


def _raised() -> dict[str, tuple[str, frozenset[str] | None]]:
    """Code -> where it is raised and with which facts (None where they are computed)."""
    found: dict[str, tuple[str, frozenset[str] | None]] = {}
    for path in sorted(GRADER.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ERRORS and isinstance(node.args[0].value, str):
                names = {keyword.arg for keyword in node.keywords}
                facts = None if None in names or name == "Problem" else frozenset(str(fact) for fact in names)
                found[f"{node.args[0].value}@{path.relative_to(GRADER)}:{node.lineno}"] = (node.args[0].value, facts)
    return found


RAISED = _raised()


@pytest.mark.parametrize("place", RAISED)
def test_every_error_that_is_raised_has_words_for_its_facts(place: str) -> None:
    code, facts = RAISED[place]
    assert words.known(code)
    shown = words.placeholders(words.template(code, "en"))
    assert shown == words.placeholders(words.template(code, "fr"))
    if facts is not None:
        assert shown <= facts, "the sentence shows a fact that this line does not give"


def test_the_walk_sees_errors_at_all() -> None:
    assert "unknown_lab" in {code for code, _ in RAISED.values()}


@pytest.mark.parametrize("area", AREAS, ids=lambda area: area.stem)
def test_each_sentence_says_the_same_in_both_languages(area: Path) -> None:
    for code, sentence in tomllib.loads(area.read_text(encoding="utf-8")).items():
        assert set(sentence) == {"en", "fr"}, code
        assert all(text.strip() for text in sentence.values()), code
        assert words.placeholders(sentence["en"]) == words.placeholders(sentence["fr"]), code


def test_no_area_overwrites_the_words_of_another() -> None:
    codes = [code for area in AREAS for code in tomllib.loads(area.read_text(encoding="utf-8"))]
    assert sorted(codes) == sorted(set(codes))


def test_a_missing_fact_or_code_is_shown_and_never_raises() -> None:
    assert "{root}" in words.say("unknown_run", "en", {"name": "x"})
    assert words.say("no_such_code", "fr", {}) == "no_such_code"


def test_a_fact_of_a_student_is_text_and_is_not_filled_again() -> None:
    shown = words.say("unknown_run", "en", {"name": "{root} {0.__class__}", "root": "/secret"})
    assert "{root} {0.__class__}" in shown
    assert shown.count("/secret") == 1


def test_numbers_read_as_in_the_reader_s_language() -> None:
    assert words.fill("{x}", {"x": 1.5}, "en") == "1.5"
    assert words.fill("{x}", {"x": 1.5}, "fr") == "1,5"
    assert words.fill("{x}", {"x": 0.0001}, "en") == "0.0001"
    assert words.fill("{x}", {"x": 2500000.0}, "en") == "2500000"
    assert words.fill("{x}", {"x": ["a", 2, None]}, "en") == "a, 2, -"


def test_a_fact_of_a_fixed_set_is_said_in_words_and_any_other_as_it_is() -> None:
    assert words.fill("{moment}", {"moment": "before_stop"}, "fr") == "juste avant son arrêt"
    assert words.fill("{moment} {process}", {"moment": "elsewhere", "process": "ready"}, "fr") == "elsewhere ready"
    assert words.fill("{problem}", {"problem": 3}, "en") == "3"


def test_what_is_measured_has_words_for_every_fact_of_a_fixed_set() -> None:
    """The words that the grader itself writes into facts, read off the lines that write them."""
    moments = re.compile(r'note_processes\("(\w+)"\)')
    problems = re.compile(r'(?:ExchangeError|failed)\("(\w+)"\)')
    sources = [path.read_text(encoding="utf-8") for path in sorted(GRADER.rglob("*.py"))]
    for kind, pattern, least in (("moment", moments, 3), ("problem", problems, 4)):
        found = {word for source in sources for word in pattern.findall(source)}
        assert len(found) >= least
        assert {word for word in found if not words.known(f"fact_{kind}_{word}")} == set()
    labs = [tomllib.loads(path.read_text(encoding="utf-8")) for path in GRADER.parent.glob("labs/*/lab.toml")]
    starts = {name for lab in labs for name in lab.get("start", {})}
    assert {name for name in starts if not words.known(f"fact_section_{name}")} == set()
