"""Grade every specimen, or judge again what an earlier proof measured, and keep the table."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from grader import __version__
from grader.code import MEASURING, code_digest
from grader.durable import write_whole
from grader.engines.reaper import Ledger
from grader.errors import LabError, SubmissionError
from grader.judging import judge
from grader.lab import run_digest
from grader.pipeline import Graded, Options, Site, base_of, grade, images_of, regrade
from grader.records import Lab, ReportItem, Submission, Verdict
from grader.reporting import worded
from grader.specimens.comparing import compare, unproved_items
from grader.specimens.folders import Specimen, materialise, select, specimens_of
from grader.specimens.matrix import How, Matrix, Row, Tick
from grader.specimens.table import render_markdown
from grader.staging import stage
from grader.store import Run, result_key

LAW = "law"


def silent(tick: Tick) -> None:
    """The progress of a proof that nobody watches."""


def prove(
    lab: Lab, site: Site, options: Options, only: str | None = None, progress: Callable[[Tick], None] = silent
) -> Matrix:
    """The table of all specimens (or those that `only` names by glob or prefix), each compared with its expectation.

    What an earlier proof measured is used again unless `options.fresh`. A whole proof is also written to the store.
    """
    specimens = specimens_of(lab, site.home)
    chosen = select(specimens, only)
    began = time.monotonic()
    rows: list[Row] = []
    with _workbench(site) as bench:
        for number, specimen in enumerate(chosen, 1):
            progress(Tick(number, len(chosen), specimen.name))
            row = _row(_Proof(lab, site, replace(options, only=None), bench), specimen)
            rows.append(row)
            progress(Tick(number, len(chosen), specimen.name, row))
    matrix = Matrix(
        lab=lab.id,
        lab_digest=lab.digest,
        grader=__version__,
        engine=site.engine.label if site.engine else None,
        base=base_of(site),
        only=only,
        items=tuple(item.id for item in lab.items),
        rows=tuple(rows),
        gaps=unproved_items(lab, specimens) if only is None else (),
        seconds=round(time.monotonic() - began, 1),
    )
    if only is None:
        _keep(matrix, site, options)
    return matrix


@dataclass(frozen=True)
class _Proof:
    """What the steps of one proof share."""

    lab: Lab
    site: Site
    options: Options
    bench: Path

    @property
    def measured(self) -> Path:
        """Where it is noted which run measured what."""
        return self.site.store.root / self.lab.id / LAW / "measured"


def _row(proof: _Proof, specimen: Specimen) -> Row:
    folder = proof.bench / specimen.name
    materialise(specimen, folder)
    began = time.monotonic()
    graded, how = _graded(proof, Submission(source=str(folder)))
    shutil.rmtree(folder)
    report = graded.report
    return Row(
        name=specimen.name,
        kind=specimen.kind,
        score=report.score,
        outcomes={item.id: item.outcome for item in report.items},
        findings=compare(proof.lab, specimen, report),
        run=graded.run.id,
        how=how,
        seconds=round(time.monotonic() - began, 1),
    )


def _graded(proof: _Proof, submission: Submission) -> tuple[Graded, How]:
    """The result of a stored run, of its evidence judged anew, or of a new run: the first of these that is whole."""
    note = _note(proof, submission)
    if note is not None and not proof.options.fresh and (earlier := _measured(proof, note)) is not None:
        report = earlier.read_report()
        if report.digests.lab == proof.lab.digest and report.items and _whole(report.items):
            return Graded(worded(report, proof.lab, proof.options.lang), earlier, reused=True), "reused"
        if _whole(judge(proof.lab, earlier.read_evidence())):
            again = regrade(earlier, proof.lab, proof.site, proof.options.lang)
            _remember(note, again.run)
            return again, "rejudged"
    graded = grade(proof.lab, submission, proof.site, proof.options)
    if note is not None and (graded.run.path / "evidence.json").is_file():
        _remember(note, graded.run)
    return graded, "reused" if graded.reused else "ran"


def _note(proof: _Proof, submission: Submission) -> Path | None:
    """The file that names the run of this submission under all that decides what a run measures; None if refused."""
    staged = proof.bench / "staged"
    try:
        digest = stage(submission, staged).digest
    except SubmissionError:
        return None
    shutil.rmtree(staged)
    key = result_key(digest, run_digest(proof.lab), code_digest(MEASURING), images_of(proof.site), "")
    return proof.measured / f"{key.removeprefix('sha256:')}.json"


def _measured(proof: _Proof, note: Path) -> Run | None:
    try:
        run = Run(proof.site.store.root / proof.lab.id / json.loads(note.read_bytes())["run"])
        run.read_report(), run.read_staged(), run.read_plan(), run.read_evidence()
    except (OSError, ValueError, KeyError, TypeError, LabError):
        return None  # pruned or damaged: it is measured again
    return run


def _remember(note: Path, run: Run) -> None:
    write_whole(note, json.dumps({"run": run.id}).encode())


def _whole(judged: Iterable[ReportItem | Verdict]) -> bool:
    """Whether the evidence held all that the checks asked for. A check that crashes is mended without a new run."""
    return all(one.outcome != "skipped" and one.cause != "unmeasured" for one in judged)


@contextmanager
def _workbench(site: Site) -> Iterator[Path]:
    """A folder for the submissions, removed at the end or, after a kill, by the next run's reaper."""
    name = f"{LAW}-{secrets.token_hex(4)}"
    bench = site.store.work / name
    with Ledger(site.store.active, name) as ledger:
        ledger.intend("folder", str(bench))
        try:
            bench.mkdir(parents=True)
            yield bench
        finally:
            shutil.rmtree(bench, ignore_errors=True)
            ledger.removed("folder", str(bench))


def _keep(matrix: Matrix, site: Site, options: Options) -> None:
    folder = site.store.root / matrix.lab / LAW
    data = matrix.model_dump(mode="json") | {"state": matrix.state}
    write_whole(folder / "matrix.json", (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode())
    write_whole(folder / "matrix.md", render_markdown(matrix, options.lang).encode())
