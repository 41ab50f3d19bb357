"""Before others' work is graded: memory, processes and system calls are held here, shown by trying once a boot."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path

from grader.code import code_digest
from grader.doctor.finding import Finding
from grader.doctor.trials import ESSENTIAL, try_out
from grader.durable import write_whole
from grader.engines.base import Engine
from grader.errors import InfraError
from grader.records import Lang
from grader.words import say

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
KEPT = "enforced.json"


def require_enforced(engine: Engine, image: str, cache: Path, active: Path, lang: Lang) -> None:
    """Raises `InfraError` where this engine does not hold a container to its limits.

    What was shown is kept for the same engine, kernel, boot and settings; that something did not hold is tried anew
    each time, since somebody may have mended it.
    """
    key = circumstances(engine)
    if key == shown(cache):
        return
    for finding in try_out(engine, image, active, ESSENTIAL):
        if finding.state != "holds":
            raise refusal(finding, lang)
    with suppress(InfraError):  # where nothing can be kept, each run pays a second
        write_whole(cache / KEPT, json.dumps({"enforced": key}).encode())


def refusal(finding: Finding, lang: Lang) -> InfraError:
    """What does not hold, or was not shown to, and what to do, in the reader's words."""
    do = say(finding.do, lang, finding.facts) if finding.do else ""
    return InfraError("unsafe_engine", what=say(finding.what, lang, finding.facts), do=do)


def circumstances(engine: Engine) -> str:
    """A digest of all that an earlier trial depends on."""
    about = engine.about()
    try:
        boot = BOOT_ID.read_text().strip()
    except OSError:  # no Linux: the engine's own kernel and identity have to do
        boot = ""
    code = code_digest(("engines/settings.py", "engines/seccomp.json", "doctor"))
    parts = [about.identity, *(f"{name} {version}" for name, version in sorted(about.versions.items())), boot, code]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def shown(cache: Path) -> str | None:
    try:
        found = json.loads((cache / KEPT).read_text(encoding="utf-8"))
        return str(found["enforced"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
