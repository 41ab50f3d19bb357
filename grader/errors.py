"""The tree of what can go wrong.

GraderError
+-- LabError         the lab or the command is wrong: exit 2
+-- SubmissionError  the submission breaks a named rule: exit 3
|   +-- Unsupported  honest but beyond us, a person looks: exit 5
+-- InfraError       ours or the machine's, never a score: exit 4

An error carries a code and facts, not a sentence: `grader.words` says it in the reader's language,
and only `cli` and `server` do so.
"""

from __future__ import annotations

Fact = str | int | float | bool | None


class GraderError(Exception):
    """Something with a code in `grader/words/*.toml` and the facts that its sentence needs."""

    exit_code = 4

    def __init__(self, code: str, **facts: Fact) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts

    def __str__(self) -> str:
        details = ", ".join(f"{key}={value!r}" for key, value in self.facts.items())
        return f"{self.code}({details})"


class LabError(GraderError):
    """The lab, the path or the option given is wrong."""

    exit_code = 2


class SubmissionError(GraderError):
    """The submission breaks a rule. `stage` tells which part of the grader refuses it."""

    exit_code = 3

    def __init__(self, code: str, *, stage: str = "policy", **facts: Fact) -> None:
        super().__init__(code, **facts)
        self.stage = stage


class Unsupported(SubmissionError):
    """An honest file that we cannot read yet: a person looks, nobody gets a zero for it."""

    exit_code = 5


class InfraError(GraderError):
    """The engine, the disk or the grader failed: retried, never scored."""

    exit_code = 4
