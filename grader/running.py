"""The one interpreter of a plan: builds, starts, measures; returns the evidence and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from grader.engines.base import BuildRequest, Built, ImageInfo
from grader.engines.owned import Owned
from grader.errors import InfraError
from grader.executing import Desk, execute
from grader.images.kept import keep_layers
from grader.probes import PROBES
from grader.probes.box import Box
from grader.probes.building import build_result
from grader.probes.context import DOCKERFILE, write_context
from grader.probes.image import image_section, layer_rows
from grader.probes.inputs import Pool
from grader.probes.memory import held_to_memory
from grader.probes.models import place_model
from grader.probes.rig import Kit, Rig
from grader.probes.starting import Started, start_image
from grader.probes.submission import submission_section
from grader.records import Build, Evidence, Json, Lab, Plan, RunClass, Span, Staged, Start

BUILD_CLASSES: dict[str, RunClass] = {
    "timeout": "BUILD_TIMEOUT", "memory": "BUILD_LIMIT", "output": "BUILD_LIMIT", "disk": "BUILD_LIMIT",
    "size": "BUILD_LIMIT",
}  # fmt: skip
MIB = 1024 * 1024
SPARE_MODEL = "constant"


@dataclass(frozen=True)
class Workshop:
    """What running needs beside the plan: an engine's owned resources, our images, a work folder, frozen models."""

    owned: Owned
    kit: Kit
    work: Path
    cache: Path
    models: Path
    pool: Pool
    progress: Callable[[str, str], None]


@dataclass
class Notebook:
    """What has been measured so far, and when."""

    began: float = field(default_factory=time.monotonic)
    sections: dict[str, dict[str, Json]] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    run_class: RunClass = "GRADED"

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        start = time.monotonic() - self.began
        try:
            yield
        finally:
            self.spans.append(Span(name=name, start=round(start, 3), end=round(time.monotonic() - self.began, 3)))


def run(plan: Plan, staged: Staged, lab: Lab, shop: Workshop | Desk | None) -> Evidence:
    """The evidence of a plan. Without a workshop (no engine) only the submitted files are looked at.

    A lab with notebooks takes a desk instead.

    Raises `InfraError` when the engine or the machine fails; a student's failure is evidence.
    """
    notes = Notebook()
    notes.sections["submission"] = submission_section(staged, plan, lab.collect)
    if lab.kind == "notebook":
        return run_notebooks(plan, staged, lab, shop if isinstance(shop, Desk) else None, notes)
    assert not isinstance(shop, Desk)
    if plan.build is None:
        notes.sections["build"] = {"result": nothing_to_build(plan)}
        notes.run_class = "BUILD_FAIL"
    elif shop is not None:
        Running(plan, plan.build, staged, lab, shop, notes).all()
    return Evidence(
        lab=lab.id,
        run_class=notes.run_class,
        sections=notes.sections,
        engine=shop.owned.engine.label if shop else None,
        seed=plan.seed,
        base=shop.kit.base if shop else None,
        timeline=tuple(notes.spans),
    )


def run_notebooks(plan: Plan, staged: Staged, lab: Lab, desk: Desk | None, notes: Notebook) -> Evidence:
    """The evidence of a notebook lab, the submission's section in `notes` already."""
    done = execute(plan, staged, lab, desk, notes.span) if desk else None
    return Evidence(
        lab=lab.id,
        run_class=done.run_class if done else "GRADED",
        sections=notes.sections | (done.sections if done else {}),
        engine=desk.room.label if desk else None,
        seed=plan.seed,
        base=desk.room.identity if desk else None,
        timeline=tuple(notes.spans),
    )


def nothing_to_build(plan: Plan) -> dict[str, Json]:
    return {"ok": False, "problem": plan.problem, "line": None, "instruction": None, "facts": {}, "log": "",
            "base_asked": None, "seconds": 0.0}  # fmt: skip


def empty_volumes(plan: Plan, section: dict[str, Json]) -> tuple[str, ...]:
    """The declared volumes in which the image has no files: a memory disk over the others would hide these."""
    files = ["/" + row["path"].lstrip("/") for row in section["files"]["files"]]
    declared = plan.starts[0].volumes if plan.starts else ()
    return tuple(path for path in declared if not any(file.startswith(path + "/") for file in files))


class Running:
    """One plan being carried out."""

    def __init__(self, plan: Plan, build: Build, staged: Staged, lab: Lab, shop: Workshop, notes: Notebook) -> None:
        self.plan = plan
        self.build = build
        self.staged = staged
        self.lab = lab
        self.shop = shop
        self.notes = notes
        self.engine = shop.owned.engine

    def all(self) -> None:
        """Build, look at the image, start it as often as planned, build once more."""
        with ExitStack() as at_the_end:
            with ThreadPoolExecutor(1) as aside:
                # The yardstick starts while the submission builds: neither is being measured yet.
                yardstick = aside.submit(self._rig) if self.plan.starts else None
                image = self._build()
                rig, helper = yardstick.result() if yardstick is not None else (None, "")
            if rig is not None:
                at_the_end.callback(rig.close)
            if image is not None:
                self._look_and_start(image, rig, helper)

    def _look_and_start(self, image: ImageInfo, rig: Rig | None, helper: str) -> None:
        with self.notes.span("image"):
            kit = self.shop.kit
            self.notes.sections["image"] = image_section(self.engine, image, kit.base, kit.yardstick)
        if rig is not None:
            self._starts(rig, helper, image, empty_volumes(self.plan, self.notes.sections["image"]))
        if self.plan.rebuild is not None:
            self._rebuild(image, self.plan.rebuild)

    def _rig(self) -> tuple[Rig, str]:
        rig = Rig(self.shop.owned, self.shop.kit, self.lab.service, self.plan.limits)
        folder = self.shop.work / "models" / "yardstick"
        place_model(self._model("fast"), folder, 0)
        return rig, rig.start_yardstick(folder)

    def _model(self, name: str) -> Path:
        return self.shop.models / f"{name}.onnx"

    def _build(self) -> ImageInfo | None:
        self.shop.progress("build", self.build.base_asked)
        started = time.monotonic()
        with self.notes.span("build"):
            built = self._engine_build("first", None)
        self.notes.sections["build"] = {
            "result": build_result(built, self.build, self.plan.dockerfile, time.monotonic() - started)
        }
        if built.image is None:
            self.notes.run_class = BUILD_CLASSES.get(built.problem or "", "BUILD_FAIL")
            return None
        image = self.engine.images.find(built.image)
        if image is None:
            raise InfraError("image_vanished")
        return image

    def _engine_build(self, role: str, touched: str | None) -> Built:
        tag = f"{self.shop.owned.name(role)}:run"
        context = write_context(self.build, self.staged, self.shop.work / f"{role}.tar", touched)
        # The second build shows what the layer cache keeps: even an exam may use what its own first build left.
        fresh = self.build.no_cache and touched is None
        request = BuildRequest(context, DOCKERFILE, tag, self.plan.limits, fresh)
        built = self.shop.owned.build(request)
        context.unlink()
        if not self.build.no_cache:
            keep_layers(self.engine, self.shop.cache, built.heads)
        if built.image is not None and (reason := self._too_big(built.image)):
            return Built(None, "size", reason, None, built.log, built.heads)
        return built

    def _too_big(self, image: str) -> str | None:
        """Which ceiling of an image's size or configuration is passed, if any."""
        found, base = self.engine.images.find(image), self.engine.images.find(self.shop.kit.base)
        if found is None or base is None:
            raise InfraError("image_vanished")
        if found.size - base.size > self.plan.limits.image_mib * MIB:
            return "bytes"
        ceilings = {"layers": (found.diff_ids, 100), "volumes": (found.volumes, 8), "ports": (found.ports, 32)}
        return next((name for name, (rows, limit) in ceilings.items() if len(rows) > limit), None)

    def _starts(self, rig: Rig, yardstick: str, image: ImageInfo, volumes: tuple[str, ...]) -> None:
        """Every planned start; when the first does not serve, nothing can be measured on the others."""
        profile = "hardened"
        for number, planned in enumerate(self.plan.starts):
            start = planned.model_copy(update={"volumes": volumes})
            self.shop.progress("start", start.name)
            with self.notes.span(start.name):
                section = self._start(rig, yardstick, image, start, profile)
            self.notes.sections[start.name] = section
            ready = section["ready"]
            if number == 0:
                profile = ready["profile"]
                if not ready["ok"]:
                    self.notes.run_class = "RUN_LIMIT" if ready["oom"] else "NOT_READY"
                    return

    def _start(self, rig: Rig, yardstick: str, image: ImageInfo, start: Start, profile: str) -> dict[str, Json]:
        wanted = "default_caps" if start.spec.caps == "default" else profile
        section = self._attempt(rig, yardstick, image, start, wanted)
        ended = section["ready"]["problem"] == "exited"
        if ended and wanted == "hardened" and image.user.split(":")[0] in ("", "0", "root"):
            # It may be an entry script that drops its rights: give it just what that takes.
            second = self._attempt(rig, yardstick, image, start, "drops_root")
            return second if second["ready"]["ok"] else section
        return section

    def _attempt(self, rig: Rig, yardstick: str, image: ImageInfo, start: Start, profile: str) -> dict[str, Json]:
        folder = self.shop.work / "models" / start.name
        place_model(self._model(start.spec.model), folder, start.spec.pad_mib)
        watch = self.engine.host.watch(folder, "model.onnx")
        try:
            started = start_image(rig, start, image, folder, profile, watch)
            section: dict[str, Json] = {"ready": started.ready}
            if started.ready["ok"] and started.helper is not None:
                box = Box(start, started.sandbox, started.helper, rig, self.engine.host, yardstick, self.shop.pool,
                          self.plan.seed, folder, self._model(SPARE_MODEL), watch, started.ready)  # fmt: skip
                self._measure(box, section)
            self._end(rig, started)
            return section
        finally:
            if watch is not None:
                watch.close()

    def _measure(self, box: Box, section: dict[str, Json]) -> None:
        box.ready["cpu_ms"] = round(box.cpu_ms(), 3)
        box.note_processes("ready")
        with held_to_memory(box.sandbox) as watchman:
            for name in box.start.spec.probes:
                self.shop.progress("measure", f"{box.start.name}: {name}")
                with self.notes.span(f"{box.start.name}.{name}"):
                    section[name] = PROBES[name](box, box.start.spec.options.get(name, {}))
        box.note_processes("before_stop")
        state = box.sandbox.state()
        if watchman.acted or (not state.running and "stop" not in section):
            section["died"] = {"exit_code": state.exit_code, "oom": state.oom or watchman.acted}
            self.notes.run_class = "RUN_LIMIT" if section["died"]["oom"] else self.notes.run_class

    def _end(self, rig: Rig, started: Started) -> None:
        self.shop.owned.remove(started.sandbox.name)
        if started.helper is not None:
            rig.forget(started.helper)

    def _rebuild(self, image: ImageInfo, touched: str) -> None:
        self.shop.progress("rebuild", touched)
        before = [layer for layer in self.engine.images.layers(image.id, self.shop.kit.base) if layer.own]
        began = self.engine.now()
        with self.notes.span("rebuild"):
            built = self._engine_build("second", touched)
        if built.image is None:
            self.notes.sections["rebuild"] = {"result": {"ok": False, "problem": built.problem, "touched": touched}}
            return
        after = [layer for layer in self.engine.images.layers(built.image, self.shop.kit.base) if layer.own]
        rows = {"before": layer_rows(tuple(before)), "after": layer_rows(tuple(after))}
        self.notes.sections["rebuild"] = {"result": {"ok": True, "touched": touched, "began": began, **rows}}
