"""The Dockerfile that the engine gets: our own words for what the student's one means, and nothing else."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from grader.dockerfile import scope
from grader.dockerfile.expand import UNKNOWN, BadWord, expand, quoted, uses_newer_forms
from grader.dockerfile.heredoc import opener
from grader.dockerfile.mounts import Mount, mounts
from grader.dockerfile.scope import StageScope, State, Step
from grader.dockerfile.sources import has_wildcard, plain
from grader.dockerfile.tree import Dockerfile, Heredoc, Instruction
from grader.errors import SubmissionError, Unsupported

RESERVED = ".grader/"
_LONGEST_LINE = 65_000
_EXTRA = 1 << 20
_MODE = re.compile(r"[0-7]{3,4}|[ugoa]*[-+=][rwxXst]*(?:,[ugoa]*[-+=][rwxXst]*)*")
_FILE_NAME = re.compile(r"(?!\.{1,2}$)[\w.-]{1,100}")
# The script comes as an argument, so that nothing in it needs quoting and no file stays in the image.
_RUN_SCRIPT = (
    'd=$(mktemp -d) && printf %s "$1" > "$d/run" && chmod 755 "$d" "$d/run" && "$d/run"; s=$?; rm -rf "$d"; exit "$s"'
)


@dataclass(frozen=True)
class Emitted:
    """`lines` holds the student's line of each instruction of `text`; `extra` the files to add to the context."""

    text: str
    lines: tuple[int, ...]
    extra: dict[str, str] = field(default_factory=dict)


def emit(dockerfile: Dockerfile, stages: tuple[StageScope, ...], base_image_id: str) -> Emitted:
    """Write a checked Dockerfile for the classic builder, over the base with this id."""
    writer = _Writer(dockerfile, stages, base_image_id)
    needed = _needed(stages)
    for stage in stages:
        if stage.number in needed:
            writer.stage(stage)
    header = [f"# escape={writer.escape}"] if writer.escape != "\\" else []
    for line, text in writer.rows:
        if len(text.encode()) > _LONGEST_LINE or text.endswith(writer.escape):
            raise Unsupported("dockerfile_feature", line=line, feature=text[:80])
    text = "\n".join([*header, *(text for _, text in writer.rows)]) + "\n"
    return Emitted(text, tuple(line for line, _ in writer.rows), writer.extra)


def _needed(stages: tuple[StageScope, ...]) -> set[int]:
    """Give the stages that the last one builds on or copies from; newer builders leave the others out."""
    needed: set[int] = set()
    ahead = [stages[-1].number]
    while ahead:
        stage = stages[ahead.pop()]
        if stage.number in needed:
            continue
        needed.add(stage.number)
        ahead += [] if stage.parent is None else [stage.parent]
        for step in stage.steps:
            source = step.instruction.flag("from")
            number = scope.find_stage(source, stages[: stage.number]) if source else None
            ahead += [] if number is None else [number]
    return needed


class _Writer:
    def __init__(self, dockerfile: Dockerfile, stages: tuple[StageScope, ...], base: str) -> None:
        self.escape = dockerfile.parsed.escape
        self.rows: list[tuple[int, str]] = []
        self.extra: dict[str, str] = {}
        self._context = dockerfile.context
        self._stages = stages
        self._base = base
        self._helpers = 0

    def stage(self, stage: StageScope) -> None:
        """Write one stage, and before it the helper stages that it copies from."""
        base = self._base if stage.parent is None else f"s{stage.parent}"
        rows = [(stage.line, f"FROM {base} AS s{stage.number}")]
        for name, value in stage.inherited.items():
            if UNKNOWN not in value:
                rows.append((stage.line, f"ARG {name}={self._quoted(value)}"))
        states = [*(step.state for step in stage.steps), stage.last]
        for step, after in zip(stage.steps, states[1:], strict=True):
            rows += [(step.instruction.line, text) for text in self._step(step, after, stage)]
        self.rows += rows

    def _step(self, step: Step, after: State, stage: StageScope) -> Iterator[str]:
        instruction = step.instruction
        match instruction.keyword:
            case "RUN":
                yield from self._binds(step)
                yield "RUN " + _json(_command(instruction, step.state.shell))
            case "CMD" | "ENTRYPOINT":
                yield f"{instruction.keyword} {_json(_start(instruction, step.state.shell))}"
            case "SHELL":
                yield "SHELL " + _json(instruction.words)
            case "COPY" | "ADD":
                yield from self._copy(step, stage)
            case "WORKDIR":
                yield "WORKDIR " + self._quoted(after.workdir)
            case "USER":
                yield "USER " + self._word(instruction.text, step)
            case "ENV":
                yield "ENV " + self._environment(step)
            case "ARG":
                yield from (f"ARG {text}" for text in self._arguments(step, after))
            case _:
                # EXPOSE and VOLUME are facts; HEALTHCHECK, STOPSIGNAL, LABEL and MAINTAINER would speak to our tools.
                return

    def _word(self, text: str, step: Step) -> str:
        """Leave a word to the engine, unless an older engine cannot read it."""
        if uses_newer_forms(text) or text.endswith(self.escape):
            return self._quoted(scope.known(text, step.state, step.instruction, self.escape))
        return text

    def _quoted(self, value: str) -> str:
        return value if re.fullmatch(r"[\w./:@%+,-]+", value, re.ASCII) else quoted(value, self.escape)

    def _environment(self, step: Step) -> str:
        text = step.instruction.text
        if not uses_newer_forms(text) and not text.endswith(self.escape):
            return text
        pairs = (pair.partition("=") for pair in step.instruction.words)
        known = ((name, scope.known(value, step.state, step.instruction, self.escape)) for name, _, value in pairs)
        return " ".join(f"{name}={quoted(value, self.escape)}" for name, value in known)

    def _arguments(self, step: Step, after: State) -> Iterator[str]:
        for pair in step.instruction.words:
            name, equals, value = pair.partition("=")
            if equals:
                yield f"{name}={self._word(value, step)}"
            elif name in after.args and UNKNOWN not in after.args[name]:
                yield f"{name}={quoted(after.args[name], self.escape)}"
            else:
                yield name

    def _binds(self, step: Step) -> Iterator[str]:
        """Copy the single files that a RUN mounts; a cache or a tmpfs starts empty and may be left out."""
        for mount in mounts(step.instruction):
            if mount.kind != "bind":
                continue
            source = plain(scope.known(mount.source, step.state, step.instruction, self.escape))
            folder = not source or any(path.startswith(source + "/") for path in self._context)
            if mount.stage is not None or folder:
                raise _beyond(step.instruction, f"--mount={mount.text}")
            yield "COPY " + _json([self._quoted(source), self._target(mount, step)])

    def _target(self, mount: Mount, step: Step) -> str:
        return self._quoted(scope.known(mount.target, step.state, step.instruction, self.escape))

    def _copy(self, step: Step, stage: StageScope) -> Iterator[str]:
        instruction = step.instruction
        for name in ("parents", "exclude"):
            if (instruction.flag(name) or "false") != "false":
                raise _beyond(instruction, f"--{name}")
        sources = [self._source(word, number, step) for number, word in enumerate(instruction.words[:-1])]
        target = self._word(instruction.words[-1], step)
        start = self._from(instruction, stage)
        if instruction.flag("chmod") is not None:
            start, sources = self._with_modes(step, start, sources)
        owner = instruction.flag("chown")
        if owner is not None:
            owner = self._word(owner, step)
            if re.search(r"[\s\"'\\]", owner):
                raise _beyond(instruction, f"--chown={owner}")
            start += f"--chown={owner} "
        yield f"COPY {start}{_json([*sources, target])}"

    def _from(self, instruction: Instruction, stage: StageScope) -> str:
        name = instruction.flag("from")
        if name is None:
            return ""
        return f"--from=s{scope.find_stage(name, self._stages[: stage.number])} "

    def _source(self, word: str, number: int, step: Step) -> str:
        announced = opener(word) if step.instruction.heredocs else None
        if announced is None:
            return self._word(word, step)
        heredoc = next(each for each in step.instruction.heredocs if each.name == announced.name)
        if not _FILE_NAME.fullmatch(heredoc.name):
            raise _beyond(step.instruction, f"<<{heredoc.name}")
        path = f"{RESERVED}{step.instruction.line}-{number}/{heredoc.name}"
        self.extra[path] = self._content(heredoc, step)
        return self._quoted(path)

    def _content(self, heredoc: Heredoc, step: Step) -> str:
        body = _body(heredoc)
        if not heredoc.expand:
            return body
        try:
            text = expand(body, step.state.values, quotes=False)
        except BadWord:
            raise SubmissionError("dockerfile_syntax", line=step.instruction.line, text=f"<<{heredoc.name}") from None
        except (ValueError, RecursionError):
            raise _beyond(step.instruction, f"<<{heredoc.name}") from None
        if UNKNOWN in text or sum(map(len, self.extra.values())) > _EXTRA:
            raise _beyond(step.instruction, f"<<{heredoc.name}")
        return text

    def _with_modes(self, step: Step, start: str, sources: list[str]) -> tuple[str, list[str]]:
        """Set modes in a helper stage: as root whatever the user is, and without a second copy in the image."""
        instruction = step.instruction
        mode = scope.known(instruction.flag("chmod") or "", step.state, instruction, self.escape)
        if not _MODE.fullmatch(mode):
            raise SubmissionError("dockerfile_syntax", line=instruction.line, text=f"--chmod={mode}"[:200])
        name = f"c{self._helpers}"
        self._helpers += 1
        rows, ready = [f"FROM {self._base} AS {name}"], []
        for number, source in enumerate(sources):
            path = scope.known(source, step.state, instruction, self.escape)
            wild = has_wildcard(path)
            last = "" if wild else posixpath.basename(plain(path)) or "all"
            place = f"/c/{number}/{last}"
            rows.append(f"COPY {start}{_json([self._quoted(path), self._quoted(place)])}")
            ready.append(self._quoted(place))
        rows.append("RUN " + _json(["chmod", "-R", mode, "/c"]))
        self.rows += [(instruction.line, row) for row in rows]
        return f"--from={name} ", ready


def _command(instruction: Instruction, shell: tuple[str, ...]) -> list[str]:
    """Give what a RUN executes, its inline texts included."""
    if instruction.json is not None:
        return list(instruction.json)
    texts = instruction.heredocs
    if not texts:
        return [*shell, instruction.text]
    if opener(instruction.text) is None:
        return [*shell, instruction.text + "".join(f"\n{text.body}{text.name}" for text in texts)]
    body = _body(texts[0])
    if body.startswith("#!"):
        return ["/bin/sh", "-c", _RUN_SCRIPT, "heredoc", body]
    return [*shell, body]


def _start(instruction: Instruction, shell: tuple[str, ...]) -> list[str]:
    if instruction.json is not None:
        return list(instruction.json)
    return [*shell, instruction.text] if instruction.text else []


def _body(heredoc: Heredoc) -> str:
    return re.sub(r"(?m)^\t+", "", heredoc.body) if heredoc.chomp else heredoc.body


def _json(words: list[str] | tuple[str, ...]) -> str:
    return json.dumps(words, ensure_ascii=False)


def _beyond(instruction: Instruction, feature: str) -> Unsupported:
    return Unsupported("dockerfile_feature", line=instruction.line, feature=feature[:200])
