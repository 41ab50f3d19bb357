"""A torn, stale or foreign result that is taken for a mark."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from grader.errors import InfraError, LabError
from grader.records import Digests, Evidence, Report, ReportSubmission, Verdict
from grader.store import Run, Store, result_key

KEY = result_key("sha256:a", "sha256:b", "0.1.0", "sha256:c", "normal")


def _report(**changes: object) -> Report:
    data = {
        "lab": "05-docker", "submission": ReportSubmission(source="x"), "status": "graded", "class": "GRADED",
        "score": 18.0, "max_score": 20.0, "digests": Digests(lab="sha256:b"), "grader": "0.1.0", "seed": 7,
    }  # fmt: skip
    return Report.model_validate(data | changes)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def _run(store: Store, lab: str = "05-docker", **changes: object) -> Run:
    run = store.new_run(lab)
    run.write("report.json", _report(**changes))
    return run


def test_what_is_written_is_read_back(store: Store) -> None:
    run = store.new_run("05-docker")
    evidence = Evidence(lab="05-docker", seed=7, sections={"build": {"result": {"ok": True, "log": "é\x1b\ud800"}}})
    verdicts = (Verdict(item="a", outcome="passed", share=1), Verdict(item="b", outcome="failed", share=0, cause="x"))
    run.write("evidence.json", evidence)
    run.write("verdicts.json", verdicts)
    run.write("report.json", _report())
    run.write("report.html", "<p>é</p>")
    assert run.read_evidence().sections["build"]["result"]["log"] == "é\x1b?"
    assert run.read_verdicts() == verdicts
    assert run.read_report() == _report()
    assert (run.path / "report.html").read_text(encoding="utf-8") == "<p>é</p>"


def test_a_name_cannot_leave_the_run(store: Store) -> None:
    run = store.new_run("05-docker")
    for name in ("../x", "/tmp/x", "evidence/../../x"):
        with pytest.raises(ValueError, match="not a name"):
            run.write(name, "x")


def test_ids_sort_by_time_and_do_not_clash(store: Store) -> None:
    ids = [store.new_run("05-docker").id for _ in range(50)]
    assert len(set(ids)) == 50
    assert [name.split("-")[0] for name in ids] == sorted(name.split("-")[0] for name in ids)


def test_a_run_without_a_report_is_shown_as_interrupted(store: Store) -> None:
    store.new_run("05-docker")
    assert [run.interrupted for run in store.list()] == [True]
    with pytest.raises(LabError) as caught:
        store.list()[0].read_report()
    assert caught.value.code == "run_incomplete"


def test_a_damaged_file_is_named(store: Store) -> None:
    run = _run(store)
    (run.path / "report.json").write_text('{"schema": "grader/rep')
    with pytest.raises(LabError) as caught:
        run.read_report()
    assert (caught.value.code, caught.value.facts["file"]) == ("run_damaged", "report.json")
    (run.path / "verdicts.json").write_text("{}{")
    with pytest.raises(LabError):
        run.read_verdicts()


@pytest.mark.parametrize("moment", ["open", "fsync", "replace"])
def test_a_full_disk_leaves_the_old_report_and_no_debris(
    store: Store, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _run(store, score=18.0)
    before = sorted(path.name for path in run.path.iterdir())

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open" if moment == "open" else f"os.{moment}", full)
        with pytest.raises(InfraError) as caught:
            run.write("report.json", _report(score=3.0))
    assert caught.value.code == "disk_full"
    assert run.read_report().score == 18.0
    assert sorted(path.name for path in run.path.iterdir()) == before


def test_the_bytes_are_on_disk_before_the_name_is(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    real_fsync, real_replace = os.fsync, os.replace
    run = store.new_run("05-docker")

    def fsync(handle: int) -> None:
        calls.append("folder" if os.path.isdir(f"/proc/self/fd/{handle}") else "file")
        real_fsync(handle)

    def replace(old: str, new: str) -> None:
        calls.append("rename")
        real_replace(old, new)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    run.write("report.json", _report())
    assert calls == ["file", "rename", "folder"]


def test_a_run_is_found_by_id_beginning_path_or_as_the_latest(store: Store) -> None:
    first, second = _run(store), _run(store, lab="04-api")
    assert store.find().id == second.id
    assert store.find(first.id).path == first.path
    assert store.find(first.id[:-1]).path == first.path
    assert store.find(str(first.path)).path == first.path.resolve()
    assert [run.id for run in store.list()] == [second.id, first.id]


def test_a_run_that_is_not_there_or_not_clear_is_not_guessed(store: Store) -> None:
    with pytest.raises(LabError) as caught:
        store.find()
    assert caught.value.code == "no_runs"
    _run(store), _run(store)
    for argument, code in (("2", "ambiguous_run"), ("x", "unknown_run"), ("", "unknown_run"), ("/", "unknown_run")):
        with pytest.raises(LabError) as caught:
            store.find(argument)
        assert caught.value.code == code


def test_the_ledgers_of_living_runs_are_not_runs(store: Store) -> None:
    run = _run(store)
    (store.active / run.id).mkdir(parents=True)
    assert [each.path for each in store.list()] == [run.path]


def test_pruning_keeps_the_newest_of_each_lab_and_what_still_runs(store: Store) -> None:
    old, living, new, other = _run(store), store.new_run("05-docker"), _run(store), _run(store, lab="04-api")
    (store.active / living.id).mkdir(parents=True)
    store.remember(KEY, old)
    assert store.prune(1) == (old.id,)
    assert {run.id for run in store.list()} == {living.id, new.id, other.id}
    assert store.recall(KEY) is None
    assert not list(store.root.glob("*/.*")), "neither half-removed runs nor dead index entries stay"


def test_a_result_is_reused_until_it_changes_or_vanishes(store: Store) -> None:
    run = _run(store)
    assert store.recall(KEY) is None
    store.remember(KEY, run)
    recalled = store.recall(KEY)
    assert recalled is not None and recalled.path == run.path
    torn = (run.path / "report.json").read_bytes()
    (run.path / "report.json").write_bytes(torn[:-20])
    assert store.recall(KEY) is None
    (run.path / "report.json").write_bytes(torn.replace(b"18.0", b"20.0"))
    assert store.recall(KEY) is None
    (run.path / "report.json").unlink()
    assert store.recall(KEY) is None


def test_a_torn_index_entry_answers_nothing(store: Store) -> None:
    store.remember(KEY, _run(store))
    entry = next((store.root / ".index").glob("*.json"))
    for damage in (b"", b'{"lab": "05', b"[]", b'{"lab": 1, "run": 2}', b"\xff"):
        entry.write_bytes(damage)
        assert store.recall(KEY) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "infra", "class": "INFRA", "score": None},
        {"status": "review", "class": "UNSUPPORTED", "score": None},
        {"provisional": True},
    ],
)
def test_a_mark_that_is_not_final_is_never_reused(store: Store, changes: dict[str, object]) -> None:
    store.remember(KEY, _run(store, **changes))
    assert store.recall(KEY) is None


def test_each_part_of_the_key_counts() -> None:
    parts = ("a", "b", "c", "d", "e")
    keys = {result_key(*parts[:i], "x", *parts[i + 1 :]) for i in range(5)} | {result_key(*parts)}
    assert len(keys) == 6


def test_a_key_is_never_a_path(store: Store) -> None:
    with pytest.raises(ValueError, match="not a result key"):
        store.recall("sha256:../../etc/passwd")
