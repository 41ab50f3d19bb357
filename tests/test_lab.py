"""A lab that is found by mistake, or a broken one that loads, grades a whole class wrongly."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from grader import words
from grader.errors import LabError
from grader.lab import checks_digest, find_lab, load_lab, near_miss

LABS = Path(__file__).parent / "fixtures" / "labs"


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return Path(shutil.copytree(LABS / "90-tiny", tmp_path / "labs" / "90-tiny"))


def _edit(lab: Path, old: str, new: str) -> None:
    text = (lab / "lab.toml").read_text(encoding="utf-8")
    assert old in text
    (lab / "lab.toml").write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    "argument", ["90", "090", "tiny", "90-tiny", "labs/90", "labs/90-tiny", "labs/90/", "./labs/90"]
)
def test_a_lab_is_found_by_number_slug_or_folder(argument: str) -> None:
    assert find_lab(argument, LABS) == (LABS / "90-tiny").resolve()


def test_a_lab_elsewhere_is_found_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = Path(shutil.copytree(LABS / "91-other", tmp_path / "mine"))
    assert find_lab(str(elsewhere), LABS) == elsewhere.resolve()
    monkeypatch.chdir(elsewhere)
    assert find_lab(".", LABS) == elsewhere.resolve()
    monkeypatch.chdir(tmp_path)
    assert find_lab("mine", LABS) == elsewhere.resolve()


@pytest.mark.parametrize(
    "argument", ["", "99", "..", "../labs", "labs/../90", "/", "9" * 5000, "tiny\n", "a\0b", "a\0b/c", "*", "90-"]
)
def test_a_name_that_means_no_lab_is_refused(argument: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LabError) as caught:
        find_lab(argument, LABS)
    assert caught.value.code == "unknown_lab"


def test_a_near_miss_is_named() -> None:
    with pytest.raises(LabError) as caught:
        find_lab("tinny", LABS)
    assert caught.value.facts["near"] == "90-tiny"
    assert near_miss("vissibility", ["points", "visibility"]) == "visibility"


def test_a_link_among_the_labs_is_not_a_lab(tiny: Path) -> None:
    (tiny.parent / "92-link").symlink_to(tiny)
    with pytest.raises(LabError):
        find_lab("92", tiny.parent)


def test_two_labs_with_one_number_are_not_guessed_between(tiny: Path) -> None:
    shutil.copytree(tiny, tiny.parent / "90-twin")
    with pytest.raises(LabError) as caught:
        find_lab("90", tiny.parent)
    assert caught.value.code == "ambiguous_lab"


def test_the_rubric_is_read_as_written() -> None:
    lab = load_lab(LABS / "90-tiny")
    assert [(item.id, item.points, item.needs) for item in lab.items] == [
        ("build", 4, ()), ("nonroot", 8, ("build",)), ("answers", 8, ("nonroot",)),
    ]  # fmt: skip
    assert lab.starts["normal"].options == {"answers": {"inputs": 50}}
    assert set(lab.starts["normal"].probes) == {"answers", "processes"}, "a probe's own table is enough to ask for it"
    assert lab.max_score == 20


BREAKS = {
    "an unknown key": ("minutes = 10", "minuts = 10", "lab_unknown_key", "minutes"),
    "an unknown key of an item": ('visibility = "hidden"', 'vissibility = "hidden"', "lab_unknown_key", "answers"),
    "an unknown key of a start": ('probes = ["processes"]', 'probe = "processes"', "lab_unknown_key", "start.normal"),
    "a missing key": ("minutes = 10\n", "", "lab_missing_key", "minutes"),
    "a number as text": ("points = 4", 'points = "4"', "lab_wrong_type", "build"),
    "no points": ("points = 4", "points = 0", "lab_wrong_type", "points"),
    "endless points": ("points = 4", "points = inf", "lab_broken", "inf"),
    "a wrong kind": ('kind = "image"', 'kind = "picture"', "lab_choice", "image"),
    "an item twice": ('id = "nonroot"', 'id = "build"', "lab_item_twice", "build"),
    "a need of nothing": ('needs = ["build"]', 'needs = ["biuld"]', "lab_need_unknown", "build"),
    "a circle": ('id = "build"\n', 'id = "build"\nneeds = ["answers"]\n', "lab_needs_cycle", "build -> answers"),
    "a cause in one language": ('fr = "{process} tourne avec l\'uid 0."\n', "", "lab_cause_words", "nonroot"),
    "an empty sentence": ('en = "{process} runs as uid 0."', 'en = " "', "lab_cause_words", "nonroot"),
    "two hints": ('["Un.", "Deux.", "Trois."]', '["Un.", "Deux."]', "lab_hints", "copy_missing"),
    "four hints": ('["Un.", "Deux.", "Trois."]', '["1", "2", "3", "4"]', "lab_hints", "copy_missing"),
    "an id that is a path": ('id = "build"', 'id = "../build"', "lab_bad_name", "../build"),
    "broken TOML": ("minutes = 10", "minutes = ", "lab_broken", "lab.toml"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_lab_says_where_and_what(name: str, tiny: Path) -> None:
    old, new, code, told = BREAKS[name]
    _edit(tiny, old, new)
    with pytest.raises(LabError) as caught:
        load_lab(tiny)
    assert caught.value.code == code
    for lang in ("en", "fr"):
        sentence = words.say(code, lang, caught.value.facts)
        assert told in sentence and "{" not in sentence.replace("{process}", "")


def test_a_lab_without_items_is_refused(tiny: Path) -> None:
    text = (tiny / "lab.toml").read_text(encoding="utf-8")
    (tiny / "lab.toml").write_text(text[: text.index("[[item]]")], encoding="utf-8")
    with pytest.raises(LabError) as caught:
        load_lab(tiny)
    assert caught.value.facts["key"] == "item"


@pytest.mark.parametrize("file", ["lab.toml", "checks.py", "private/checks.py", "private/labels.json"])
def test_a_change_that_may_change_a_verdict_changes_the_digest(file: str, tiny: Path) -> None:
    before = load_lab(tiny).digest
    with open(tiny / file, "a", encoding="utf-8") as handle:
        handle.write("\n# changed\n")
    assert load_lab(tiny).digest != before


def test_prose_does_not_change_the_digest(tiny: Path) -> None:
    before = load_lab(tiny).digest
    (tiny / "README.md").write_text("# Better words", encoding="utf-8")
    assert load_lab(tiny).digest == before


def test_a_model_of_the_course_changes_the_digest(tiny: Path) -> None:
    before = load_lab(tiny).digest
    models = tiny.parent / "common" / "models"
    models.mkdir(parents=True)
    (models / "fast.onnx").write_bytes(b"weights")
    assert load_lab(tiny).digest != before


def test_the_digest_of_the_checks_ignores_what_only_the_run_sees(tiny: Path) -> None:
    lab = load_lab(tiny)
    before = checks_digest(lab)
    _edit(tiny, "inputs = 50", "inputs = 60")
    assert checks_digest(load_lab(tiny)) == before
    _edit(tiny, "points = 4", "points = 5")
    assert checks_digest(load_lab(tiny)) != before
