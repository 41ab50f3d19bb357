"""The order of the steps, and nothing else: stage, plan, run, judge, summarise, store."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from grader import __version__
from grader.code import code_digest
from grader.engines.base import Engine
from grader.engines.owned import Owned
from grader.engines.reaper import Kind, Ledger, Reaper
from grader.errors import InfraError, SubmissionError, Unsupported
from grader.executing import Desk
from grader.judging import judge
from grader.lab import asked_items
from grader.planning import plan
from grader.probes.inputs import read_pool
from grader.probes.rig import Kit
from grader.records import Evidence, Lab, Lang, Plan, Report, Staged, Submission
from grader.render.html import render_html
from grader.render.json import render_json
from grader.reporting import About, infra, rejected, review, summarise, worded
from grader.running import Workshop, run
from grader.staging import stage
from grader.store import Run, Store, result_key
from grader.workrooms import Workroom

Progress = Callable[[str, str], None]
NO_BASE = "none"


@dataclass(frozen=True)
class Site:
    """Where grading happens: the checkout, the stored runs, the engine (None where there is none), our images.

    Notebooks and models run in the `room`.
    """

    home: Path
    cache: Path
    store: Store
    engine: Engine | None
    kit: Kit | None
    progress: Progress
    room: Workroom | None = None

    @property
    def common(self) -> Path:
        return self.home / "labs" / "common"


@dataclass(frozen=True)
class Options:
    """What the caller may choose about one grading."""

    seed: int
    lang: Lang = "en"
    only: str | None = None
    fresh: bool = False
    keep: bool = False
    no_cache: bool = False
    exercise: str | None = None


@dataclass(frozen=True)
class Graded:
    """A report and the folder that holds all that led to it. `reused` when an earlier run answered."""

    report: Report
    run: Run
    reused: bool = False


def grade(lab: Lab, submission: Submission, site: Site, options: Options) -> Graded:
    """Grade one submission. Raises `LabError` for wrong use; every other trouble is in the report."""
    reap(site)
    folder = site.store.new_run(lab.id)
    with Ledger(site.store.active, folder.id) as ledger:
        work = site.store.work / folder.id
        ledger.intend("folder", str(work))
        try:
            return _grade(lab, submission, site, options, folder, ledger, work)
        finally:
            if not options.keep:
                shutil.rmtree(work, ignore_errors=True)
            ledger.removed("folder", str(work))


def _grade(
    lab: Lab, submission: Submission, site: Site, options: Options, folder: Run, ledger: Ledger, work: Path
) -> Graded:
    staged: Staged | None = None
    evidence: Evidence | None = None
    try:
        staged = stage(submission, work / "submission")
        folder.write("staged.json", staged)
        key = result_key(staged.digest, lab.digest, code_digest(), images_of(site), asked_for(options))
        if not options.fresh and (earlier := site.store.recall(key)) is not None:
            shutil.rmtree(folder.path)
            return Graded(worded(earlier.read_report(), lab, options.lang), earlier, reused=True)
        planned = plan(
            lab, staged, base_of(site), options.seed, options.no_cache, asked_items(lab, options.only, options.exercise)
        )
        folder.write("plan.json", planned)
        evidence = gather(planned, staged, lab, site, ledger, work)
        folder.write("evidence.json", evidence)
        verdicts = judge(lab, evidence, options.only, options.exercise)
        folder.write("verdicts.json", verdicts)
        report = summarise(lab, staged, evidence, verdicts, **about(submission, evidence, site, options))
    except Unsupported as error:
        report = review(lab, staged, error, **about(submission, None, site, options))
    except SubmissionError as error:
        report = rejected(lab, staged, error, **about(submission, None, site, options))
    except InfraError as error:
        report = infra(lab, staged, error, **about(submission, None, site, options))
    store(folder, report, evidence, lab, options.lang)
    if report.status == "graded":
        site.store.remember(key, folder)
    return Graded(report, folder)


def gather(planned: Plan, staged: Staged, lab: Lab, site: Site, ledger: Ledger, work: Path) -> Evidence:
    """The evidence of a plan, with everything that was made on the engine removed again."""
    if site.room is not None and lab.kind == "notebook":
        return run(planned, staged, lab, Desk(site.room, site.common, work, site.progress))
    if site.engine is None or site.kit is None:
        return run(planned, staged, lab, None)
    pool = read_pool(site.common / "digits.safetensors")
    with Owned(site.engine, ledger) as owned:
        shop = Workshop(owned, site.kit, work, site.cache, site.common / "models", pool, site.progress)
        return run(planned, staged, lab, shop)


def regrade(earlier: Run, lab: Lab, site: Site, lang: Lang) -> Graded:
    """Judge stored evidence again, in a run folder of its own; starts nothing."""
    before = earlier.read_report()
    staged, evidence = earlier.read_staged(), earlier.read_evidence()
    folder = site.store.new_run(lab.id)
    folder.write("staged.json", staged)
    folder.write("plan.json", earlier.read_plan())
    folder.write("evidence.json", evidence)
    verdicts = judge(lab, evidence)
    folder.write("verdicts.json", verdicts)
    options = Options(seed=before.seed, lang=lang)
    report = summarise(
        lab, staged, evidence, verdicts, **about(Submission(source=staged.source), evidence, site, options)
    )
    store(folder, report, evidence, lab, lang)
    return Graded(report, folder)


def store(folder: Run, report: Report, evidence: Evidence | None, lab: Lab, lang: Lang) -> None:
    """The views first, the report last: a run counts as finished once `report.json` stands."""
    folder.write("report.html", render_html(report, evidence, lab, lang))
    folder.write("report.json", render_json(report))


def about(submission: Submission, evidence: Evidence | None, site: Site, options: Options) -> About:
    return About(
        source=submission.source,
        grader=__version__,
        engine=evidence.engine if evidence else site.engine.label if site.engine else None,
        seed=options.seed,
        seconds=seconds(evidence),
        lang=options.lang,
    )


def seconds(evidence: Evidence | None) -> dict[str, float]:
    """How long the build and everything after it took."""
    if evidence is None or not evidence.timeline:
        return {}
    build = sum(span.end - span.start for span in evidence.timeline if span.name == "build")
    return {"build": round(build, 3), "run": round(max(span.end for span in evidence.timeline) - build, 3)}


def images_of(site: Site) -> str:
    """The images that a result depends on."""
    if site.room is not None:
        return site.room.identity
    return f"{site.kit.base} {site.kit.driver} {site.kit.yardstick}" if site.kit else NO_BASE


def asked_for(options: Options) -> str:
    """The part of a lab that was asked for, in the key of a result."""
    return f"exercise {options.exercise}" if options.exercise else options.only or ""


def base_of(site: Site) -> str:
    return site.kit.base if site.kit else NO_BASE


def reap(site: Site) -> None:
    """Remove what runs that died have left on the disk and, where there is one, on the engine."""
    Reaper(site.store.active, site.engine or _NoEngine(), site.store.work).reap()


class _NoEngine:
    """Leaves what stands on an engine to a run that has one."""

    def remove(self, kind: Kind, name: str) -> None:
        raise InfraError("engine_gone", doing=f"remove a {kind}")
