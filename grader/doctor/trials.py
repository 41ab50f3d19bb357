"""What a container can do here that it must not: small containers of ours try it, and their answers are judged.

A container's answer is a claim, but these are our containers: nothing of a student is in them.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from grader.doctor.finding import Finding, State
from grader.engines.base import Engine, RunRequest
from grader.engines.owned import Owned
from grader.engines.reaper import Ledger
from grader.errors import Fact

LIMITS = {"memory_mib": 64, "pids": 32, "tmp_mib": 8}
ESSENTIAL = ("memory", "pids", "seccomp")
ATTEMPTS = (*ESSENTIAL, "disk", "readonly", "network", "rights", "climb")
ROOT, NOBODY = "0:0", "65534:65534"
SECONDS = 30.0
SCRIPT = Path(__file__).with_name("inside.py")
Answer = dict[str, Any]


def try_out(engine: Engine, image: str, active: Path, attempts: Sequence[str] = ATTEMPTS) -> tuple[Finding, ...]:
    """One finding an attempt, in the order asked for. The containers are gone afterwards, killed or not."""
    with Ledger(active, f"doctor-{secrets.token_hex(6)}") as ledger, Owned(engine, ledger) as owned:
        # Root is the strongest student; only climbing to root must start below it.
        answers = ask(owned, request(image, ROOT, [name for name in attempts if name != "climb"]))
        if "climb" in attempts:
            answers |= ask(owned, request(image, NOBODY, ["climb"]))
    return tuple(judge(name, answers.get(name)) for name in attempts)


def request(image: str, user: str, attempts: Sequence[str]) -> RunRequest:
    """The settings of a student's container, with limits small enough to be passed quickly."""
    asked = json.dumps({"attempts": list(attempts), "limits": LIMITS})
    return RunRequest(
        image=image, name="", trusted=True, user=user, init=False,
        command=("python", "-I", "-c", SCRIPT.read_text(encoding="utf-8"), asked),
        tmpfs={"/tmp": f"size={LIMITS['tmp_mib']}m,nr_inodes=8192,mode=1777,nosuid,nodev,exec"},
        memory_mib=LIMITS["memory_mib"], pids=LIMITS["pids"],
    )  # fmt: skip


def ask(owned: Owned, wanted: RunRequest) -> dict[str, Answer]:
    """The answers by attempt. One that ended the whole container by its memory has been stopped, too."""
    sandbox = owned.start("doctor", wanted)
    state = sandbox.wait(SECONDS)
    answers = dict(filter(None, map(read_line, sandbox.log().splitlines())))
    owned.remove(sandbox.name)
    if state.oom and "memory" not in answers:
        answers["memory"] = {"killed": True, "taken_mib": None, "limit_mib": LIMITS["memory_mib"]}
    return answers


def read_line(line: str) -> tuple[str, Answer] | None:
    try:
        answer = json.loads(line)
        return str(answer.pop("id")), answer
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # a traceback, or half a line


def judge(name: str, answer: Answer | None) -> Finding:
    """Whether what was tried was stopped. An attempt without a whole answer shows nothing."""
    try:
        held, facts = JUDGES[name](answer or {})
        state: State = "holds" if held else "fails"
    except (KeyError, TypeError, ValueError):
        state, facts = "unknown", {}
    return Finding(name, state, f"doctor_{name}_{state}", None if state == "holds" else todo(name, state), facts)


def todo(name: str, state: State) -> str:
    """The code of what to do: one that was not tried is tried, one that fails is a matter of the engine's set-up."""
    if state == "unknown":
        return "doctor_untried_do"
    return f"doctor_{name}_do" if name in ESSENTIAL else "doctor_trial_do"


def _memory(answer: Answer) -> tuple[bool, dict[str, Fact]]:
    return answer["killed"] is True, {"taken": answer["taken_mib"], "limit": answer["limit_mib"]}


def _pids(answer: Answer) -> tuple[bool, dict[str, Fact]]:
    held = answer["refused"] == "EAGAIN" and answer["forked"] < answer["limit"]
    return held, {"forked": answer["forked"], "limit": answer["limit"]}


def _seccomp(answer: Answer) -> tuple[bool, dict[str, Fact]]:
    reached = ", ".join(map(str, answer["reached"]))
    return answer["mode"] == "2" and not reached, {"reached": reached or "-", "mode": answer["mode"]}


def _disk(answer: Answer) -> tuple[bool, dict[str, Fact]]:
    held = answer["refused"] == "ENOSPC" and answer["written_mib"] <= answer["limit_mib"]
    return held, {"written": answer["written_mib"], "limit": answer["limit_mib"]}


def _readonly(answer: Answer) -> tuple[bool, dict[str, Fact]]:
    return not answer["written"], {"folders": ", ".join(map(str, answer["written"])) or "-"}


def _network(answer: Answer) -> tuple[bool, dict[str, Fact]]:
    found = [*answer["interfaces"], *answer["sockets"], *(["routes"] if answer["routes"] else [])]
    return not found, {"found": ", ".join(map(str, found)) or "-"}


def _rights(answer: Answer) -> tuple[bool, dict[str, Fact]]:
    return not answer["capabilities"], {"found": ", ".join(map(str, answer["capabilities"])) or "-"}


def _climb(answer: Answer) -> tuple[bool, dict[str, Fact]]:
    facts: dict[str, Fact] = {"program": answer["program"], "uid": answer["uid"]}
    if answer["program"] is None:  # nothing to climb with: the kernel's own word
        return answer["no_new_privileges"] == "1", facts
    return answer["uid"] != 0 and answer["no_new_privileges"] == "1", facts


JUDGES: dict[str, Callable[[Answer], tuple[bool, dict[str, Fact]]]] = {
    "memory": _memory, "pids": _pids, "seccomp": _seccomp, "disk": _disk, "readonly": _readonly, "network": _network,
    "rights": _rights, "climb": _climb,
}  # fmt: skip
