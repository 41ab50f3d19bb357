"""A law that is called proved although a mutant survives, or a proof that costs an hour each time a word changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from grader import pipeline
from grader.errors import InfraError, LabError
from grader.lab import load_lab, run_digest
from grader.pipeline import Options, Site
from grader.specimens import Matrix, Row, Tick, prove, render_matrix, render_tick
from grader.store import Store

LAB_ID = "95-toy"
CAUSE = """[item.causes.bad]
en = "{found}"
fr = "{found}"
hints = { en = ["1", "2", "3"], fr = ["1", "2", "3"] }
"""
CHECKS = """from grader.checks import Fail, Remark, check

def text(evidence, name):
    found = evidence["submission"]["texts"].get(name, "").strip()
    if found in ("", "bad"):
        raise Fail("bad" if found else "absent", found=found)
    return Remark("noted") if found == "noted" else 0.5 if found == "half" else None

@check("a")
def a(evidence):
    return text(evidence, "a")

@check("b")
def b(evidence):
    return text(evidence, "b")

@check("c")
def c(evidence):
    return text(evidence, "c")
"""


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def _item(name: str, points: int, needs: str = "") -> str:
    return f'[[item]]\nid = "{name}"\npoints = {points}\nneeds = [{needs}]\ntitle = {{ en = "x", fr = "x" }}\n{CAUSE}'


def _quiet(step: str, detail: str) -> None:
    pass


class Toy:
    """A checkout with one lab that needs no engine: three text files, `c` needs `a`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.lab_folder = home / "labs" / LAB_ID
        self.specimens = home / "tests" / "specimens" / LAB_ID
        head = f'id = "{LAB_ID}"\nkind = "image"\nminutes = 1\ntitle = {{ en = "Toy", fr = "Jouet" }}\n'
        collect = '[collect]\ntexts = ["a", "b", "c"]\n'
        rubric = "\n".join([head, collect, _item("a", 8), _item("b", 2), _item("c", 10, '"a"')])
        _write(self.lab_folder, {"lab.toml": rubric, "checks.py": CHECKS, "starter/readme": "start here"})
        _write(home / "solutions" / LAB_ID, {"a": "good", "b": "good", "c": "good"})
        self.mutant("a-bad", {"a": "bad"}, 'fails = ["a"]\nblocked = ["c"]\ncause = "bad"')
        self.mutant("b-absent", {"remove.txt": "b\n"}, 'fails = ["b"]\ncause = "absent"')
        self.mutant("c-half", {"c": "half"}, 'partial = ["c"]')
        self.alternative("noted", {"a": "noted", "b": "fine", "c": "fine"}, 'remarks = { a = "noted" }')
        _write(self.specimens / "null", {"b": "good", "expect.toml": 'earned = ["b"]\nfails = ["a"]\nscore = 2'})
        self.site = Site(
            home=home, cache=home / ".cache", store=Store(home / "runs"), engine=None, kit=None, progress=_quiet
        )

    def mutant(self, name: str, files: dict[str, str], expect: str) -> None:
        _write(self.specimens / "mutants" / name, {**files, "expect.toml": expect})

    def alternative(self, name: str, files: dict[str, str], expect: str = "") -> None:
        _write(self.specimens / "alternatives" / name, {**files, "expect.toml": expect})

    def prove(
        self, only: str | None = None, fresh: bool = False, progress: Callable[[Tick], None] | None = None
    ) -> Matrix:
        lab, options = load_lab(self.lab_folder), Options(seed=7, fresh=fresh)
        return prove(lab, self.site, options, only, progress or (lambda tick: None))

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.lab_folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The submissions that were truly run, in order."""
    seen: list[str] = []
    real = pipeline.run

    def counted(plan: object, staged: object, *rest: object) -> object:
        seen.append(Path(staged.source).name)  # type: ignore[attr-defined]
        return real(plan, staged, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "run", counted)
    return seen


def _row(matrix: Matrix, name: str) -> Row:
    return next(row for row in matrix.rows if row.name == name)


def test_a_law_that_holds(toy: Toy) -> None:
    matrix = toy.prove()
    assert [problem for row in matrix.rows for problem in row.problems] == []
    assert matrix.holds
    assert matrix.gaps == ()
    assert [row.kind for row in matrix.rows] == ["solution", "starter", "empty", "null", *["mutant"] * 3, "alternative"]
    assert [row.score for row in matrix.rows] == [20, 0, 0, 2, 2, 18, 15, 20]
    assert _row(matrix, "mutants/a-bad").outcomes == {"a": "failed", "b": "passed", "c": "blocked"}


def test_a_mutant_that_survives_is_reported(toy: Toy) -> None:
    toy.mutant("survivor", {"b": "still good"}, 'fails = ["b"]')
    matrix = toy.prove()
    assert _row(matrix, "mutants/survivor").problems == ("b: expected failed, got passed",)
    assert not matrix.holds


def test_a_mutant_that_kills_a_second_item_is_reported(toy: Toy) -> None:
    toy.mutant("greedy", {"a": "bad", "b": "bad"}, 'fails = ["a"]')
    assert _row(toy.prove(), "mutants/greedy").problems == ("b: expected passed, got failed (bad)",)


def test_an_item_lost_without_being_named_or_dependent_is_reported_however_it_was_lost(toy: Toy) -> None:
    toy.mutant("leak", {"b": "bad", "c": "half"}, 'fails = ["b"]')
    assert _row(toy.prove(), "mutants/leak").problems == ("c: expected passed, got partly passed",)


def test_a_failure_for_another_reason_is_reported(toy: Toy) -> None:
    toy.mutant("wrong-cause", {"b": "bad"}, 'fails = ["b"]\ncause = "absent"')
    assert _row(toy.prove(), "mutants/wrong-cause").problems == ("cause of b: expected absent, got bad",)


def test_partial_counts_as_failing_only_where_it_is_said(toy: Toy) -> None:
    toy.mutant("half", {"b": "half"}, 'fails = ["b"]')
    assert _row(toy.prove(), "mutants/half").problems == ("b: expected failed, got partly passed",)
    toy.mutant("half", {"b": "half"}, 'fails = ["b"]\npartial = ["b"]')
    assert toy.prove().holds


def test_an_alternative_may_hold_only_what_differs_from_the_solution(toy: Toy) -> None:
    toy.alternative("partly", {"a": "good"}, "over_solution = true")
    assert _row(toy.prove(), "alternatives/partly").problems == ()


def test_an_alternative_that_fails_is_reported(toy: Toy) -> None:
    toy.alternative("stranger", {"a": "good", "b": "good"})
    assert _row(toy.prove(), "alternatives/stranger").problems == ("c: expected passed, got failed (absent)",)


def test_a_remark_that_is_not_made_is_reported(toy: Toy) -> None:
    toy.alternative("plain", {"a": "good", "b": "good", "c": "good"}, 'remarks = { b = "noted" }')
    assert _row(toy.prove(), "alternatives/plain").problems == ("remark on b: expected noted, got -",)


def test_a_null_submission_that_earns_an_item_of_behaviour_is_reported(toy: Toy) -> None:
    _write(toy.specimens / "null", {"a": "good"})
    assert _row(toy.prove(), "null").problems == ("a: expected failed, got passed",)


def test_a_starter_that_scores_too_much_is_reported(toy: Toy) -> None:
    _write(toy.lab_folder / "starter", {"b": "good"})
    assert toy.prove().holds, "two points are allowed"
    _write(toy.lab_folder / "starter", {"a": "good"})
    assert _row(toy.prove(), "starter").problems == ("score: expected at most 2, got 10 (a, b)",)


def test_an_empty_folder_that_errors_breaks_the_law(toy: Toy) -> None:
    toy.edit("checks.py", '.get(name, "")', "[name]")
    row = _row(toy.prove(), "empty")
    assert row.problems[:2] == ("a: grader error (KeyError)", "b: grader error (KeyError)")
    assert row.state == "broken"


def test_an_item_without_a_mutant_and_a_missing_null_are_gaps(toy: Toy) -> None:
    for file in (toy.specimens / "mutants" / "c-half", toy.specimens / "null"):
        file.rename(toy.home / file.name)
    matrix = toy.prove()
    assert [gap.code for gap in matrix.gaps] == ["law_no_mutant", "law_no_null"]
    assert not matrix.holds


def test_trouble_of_the_machine_is_never_green(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise InfraError("disk_full", path="/x")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "run", broken)
        matrix = toy.prove()
    assert {row.state for row in matrix.rows} == {"unproved"}
    assert matrix.state == "unproved"
    assert not matrix.holds
    assert "The disk is full" in matrix.rows[0].problems[0]
    assert toy.prove().holds, "the next proof must run them again"


def test_what_cannot_be_assessed_here_is_not_proved(toy: Toy) -> None:
    toy.edit("checks.py", 'return text(evidence, "b")', 'return evidence["image"]["sizes"]')
    _write(toy.home / "solutions" / LAB_ID, {"Dockerfile": 'FROM python:3.11-slim\nCMD ["a"]\n'})
    row = _row(toy.prove(only="solution"), "solution")
    assert row.problems == ("not assessed (no_engine): b",)
    assert row.state == "unproved"


def test_new_checks_judge_the_stored_evidence_and_run_nothing(toy: Toy, runs: list[str]) -> None:
    assert toy.prove().holds
    assert len(runs) == 8
    toy.edit("checks.py", '("", "bad")', '("",)')
    toy.edit("lab.toml", 'title = { en = "x"', 'title = { en = "y"')
    matrix = toy.prove()
    assert len(runs) == 8
    assert {row.how for row in matrix.rows} == {"rejudged"}
    assert _row(matrix, "mutants/a-bad").problems == ("a: expected failed, got passed",)
    toy.edit("checks.py", '("",)', '("", "bad")')
    assert toy.prove().holds
    assert {row.how for row in toy.prove().rows} == {"reused"}
    assert len(runs) == 8


def test_a_check_that_crashed_is_mended_without_a_new_run(toy: Toy, runs: list[str]) -> None:
    toy.edit("checks.py", 'return text(evidence, "b")', 'return text(evidence, "b") / 0')
    assert not toy.prove().holds
    toy.edit("checks.py", " / 0", "")
    assert toy.prove().holds
    assert len(runs) == 8


def test_a_lab_that_measures_something_else_runs_again(toy: Toy, runs: list[str]) -> None:
    toy.prove()
    before = run_digest(load_lab(toy.lab_folder))
    toy.edit("lab.toml", '["a", "b", "c"]', '["a", "b", "c", "d"]')
    assert run_digest(load_lab(toy.lab_folder)) != before
    toy.prove()
    assert len(runs) == 16


def test_hidden_data_that_change_run_again_but_a_hidden_check_does_not(toy: Toy) -> None:
    before = run_digest(load_lab(toy.lab_folder))
    _write(toy.lab_folder / "private", {"checks.py": ""})
    assert run_digest(load_lab(toy.lab_folder)) == before
    _write(toy.lab_folder / "private", {"seeds.json": "[1]"})
    assert run_digest(load_lab(toy.lab_folder)) != before


def test_a_changed_specimen_runs_again_and_the_others_do_not(toy: Toy, runs: list[str]) -> None:
    toy.prove()
    toy.mutant("b-absent", {"a": "good, too"}, 'fails = ["b"]')
    assert toy.prove().holds
    assert runs[8:] == ["b-absent"]


def test_a_damaged_run_is_measured_again(toy: Toy, runs: list[str]) -> None:
    first = toy.prove()
    (toy.site.store.root / LAB_ID / first.rows[0].run / "evidence.json").write_text("{")
    (toy.site.store.root / LAB_ID / first.rows[0].run / "report.json").write_text("{")
    assert toy.prove().holds
    assert runs[8:] == ["solution"]


def test_a_proof_that_was_killed_goes_on_where_it_stopped(toy: Toy, runs: list[str]) -> None:
    def kill(tick: Tick) -> None:
        if tick.number == 4 and tick.row is None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy.prove(progress=kill)
    assert runs == ["solution", "starter", "empty"]
    assert list(toy.site.store.work.iterdir()) == []
    assert list(toy.site.store.active.iterdir()) == []
    assert toy.prove().holds
    assert len(runs) == 8


def test_fresh_runs_everything_again(toy: Toy, runs: list[str]) -> None:
    toy.prove()
    assert {row.how for row in toy.prove(fresh=True).rows} == {"ran"}
    assert len(runs) == 16


@pytest.mark.parametrize(
    ("only", "names"),
    [
        ("b-", ["mutants/b-absent"]),
        ("mutants/", ["mutants/a-bad", "mutants/b-absent", "mutants/c-half"]),
        ("*a*-*", ["mutants/a-bad", "mutants/b-absent", "mutants/c-half"]),
        ("solution", ["solution"]),
    ],
)
def test_a_selection_is_proved_alone(toy: Toy, only: str, names: list[str]) -> None:
    matrix = toy.prove(only=only)
    assert [row.name for row in matrix.rows] == names
    assert matrix.holds
    assert not (toy.site.store.root / LAB_ID / "law" / "matrix.json").exists(), "a part must not replace the whole"


@pytest.mark.parametrize(
    ("expect", "code"),
    [
        ('fails = ["bb"]', "specimen_item"),
        ('fail = ["b"]', "specimen_expect"),
        ("fails = ", "specimen_expect"),
        ("fails = []", "specimen_expect"),
        ('fails = "b"', "specimen_expect"),
    ],
)
def test_a_broken_expectation_is_refused_before_anything_runs(
    toy: Toy, runs: list[str], expect: str, code: str
) -> None:
    toy.mutant("broken", {"b": "bad"}, expect)
    with pytest.raises(LabError) as caught:
        toy.prove()
    assert caught.value.code == code
    assert runs == []


@pytest.mark.parametrize("name", ["missing", "../95-toy/b", "/etc/passwd"])
def test_a_removal_that_removes_nothing_or_leaves_the_folder_is_refused(toy: Toy, name: str) -> None:
    toy.mutant("broken", {"remove.txt": name}, 'fails = ["b"]')
    with pytest.raises(LabError, match="specimen_remove"):
        toy.prove()


def test_an_unknown_name_and_a_missing_solution_are_said(toy: Toy) -> None:
    with pytest.raises(LabError, match="specimen_unknown"):
        toy.prove(only="nonsense")
    (toy.home / "solutions" / LAB_ID).rename(toy.home / "elsewhere")
    with pytest.raises(LabError, match="specimen_folder"):
        toy.prove()


def test_the_table_shows_each_outcome_and_explains_each_difference(toy: Toy) -> None:
    toy.mutant("greedy", {"a": "bad", "b": "bad"}, 'fails = ["a"]')
    matrix = toy.prove()
    text = render_matrix(matrix, "en")
    line = next(line for line in text.splitlines() if "mutants/greedy" in line)
    assert line.split() == ["✗", "mutants/greedy", "X", "X", "b", "0"]
    assert "\n    b: expected passed, got failed (bad)\n" in text
    assert "The law does not hold. Specimens that differ: 1 of 9; not assessed in full: 0; gaps: 0" in text
    assert "attendu réussi, obtenu échoué (bad)" in render_matrix(matrix, "fr")
    assert "\x1b[" in render_matrix(matrix, "en", colour=True)


def test_a_whole_proof_is_kept(toy: Toy) -> None:
    matrix = toy.prove()
    folder = toy.site.store.root / LAB_ID / "law"
    data = json.loads((folder / "matrix.json").read_text(encoding="utf-8"))
    assert data["state"] == "held"
    assert Matrix.model_validate({key: value for key, value in data.items() if key != "state"}) == matrix
    assert "| mutants/a-bad | X | . | b | 2 | ✓ |" in (folder / "matrix.md").read_text(encoding="utf-8")
    assert not any(run.id == "law" for run in toy.site.store.list())


def test_progress_tells_how_far_it_is(toy: Toy) -> None:
    ticks: list[Tick] = []
    toy.prove(only="mutants/", progress=ticks.append)
    seen = [(tick.number, tick.total, tick.row is None) for tick in ticks]
    assert seen[:3] == [(1, 3, True), (1, 3, False), (2, 3, True)]
    assert render_tick(ticks[0], "en").startswith("  1/3  mutants/a-bad")
    assert render_tick(ticks[1], "en").startswith("✓     2  0")
