"""What a build says about the submission: the problem by name, the student's own line, the facts."""

from __future__ import annotations

import re

from grader.engines.base import Built
from grader.images.wheels import course_packages
from grader.records import Build, DockerfileFacts, Json

LOG_TAIL = 8192
# Bounded on purpose: a log is the student's bytes, and an unbounded pattern would take hours on the wrong ones.
MISSING_COPY = re.compile(
    r"(?:COPY|ADD) failed: (?:.{0,200}?stat (?:/\S{1,200}/docker-builder\d+/)?(?P<path>.{1,400}?): file does not exist|"
    r"no source files were specified)"
)
NO_VERSION = re.compile(
    r"Could not find a version that satisfies the requirement (?P<package>[^\s(]{1,200})[^\n]{0,200}?"
    r"\(from versions: (?P<has>[^)\n]{0,2000})\)"
)
OFFLINE = re.compile(
    r"Unable to locate package (?P<apt>[^\s\x1b]+)|Could not resolve host|"
    r"Temporary failure (?:in name resolution|resolving)|Network is unreachable|has no installation candidate"
)
NO_USER = re.compile(
    r"unable to find user (?P<user>[^:]+):|.{0,200}can't find (?:uid|gid) for (?:user|group) (?P<owner>[^:]+):"
)
SAID_BY_ENGINE = (("copy_missing", MISSING_COPY), ("user_unknown", NO_USER))
SAID_BY_COMMAND = (("package_missing", NO_VERSION), ("package_offline", OFFLINE))
# The engine or the command may not name what is missing: then the instruction stands for it.
UNNAMED = {"copy_missing": "path", "package_offline": "command"}


def build_result(built: Built, build: Build, facts: DockerfileFacts | None, seconds: float) -> dict[str, Json]:
    """The evidence `build.result`."""
    problem, named_facts = explain(built)
    line = build.lines[built.step - 1] if built.step and built.step <= len(build.lines) else None
    instruction = next((i.text[:400] for i in facts.instructions if i.line == line), None) if facts else None
    return {
        "ok": built.image is not None,
        "problem": problem,
        "line": line,
        "instruction": instruction,
        "facts": {UNNAMED[problem]: instruction, **named_facts} if problem in UNNAMED and instruction else named_facts,
        "log": built.log[-LOG_TAIL:],
        "base_asked": build.base_asked,
        "seconds": round(seconds, 3),
    }


def explain(built: Built) -> tuple[str | None, dict[str, Json]]:
    """Why the build failed, from the engine's message and the log; both are the student's bytes."""
    if built.problem not in ("failed", "refused"):
        return built.problem, {}
    for problem, pattern in SAID_BY_ENGINE:
        if match := pattern.match(built.message):
            return problem, named(match)
    # Only the last step's output: an earlier one may have complained and gone on.
    _, _, said = built.log[-LOG_TAIL:].rpartition("\nStep ")
    for problem, pattern in SAID_BY_COMMAND:
        if match := pattern.search(said):
            facts = named(match)
            if facts.get("available") == "none":
                return "package_unknown", facts | {"packages": ", ".join(course_packages())}
            return problem, facts
    return "run_failed", {"message": built.message[:400]}


def named(match: re.Match[str]) -> dict[str, Json]:
    """The match's groups under the names that the words use."""
    found = {key: value for key, value in match.groupdict().items() if value}
    renamed = {"has": "available", "apt": "command", "owner": "user"}
    return {renamed.get(key, key): value[:400] for key, value in found.items()} | {"text": match[0][:400]}
