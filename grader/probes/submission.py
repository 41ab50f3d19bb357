"""What the submitted files say by themselves."""

from __future__ import annotations

from pathlib import Path

from grader.records import Collect, Json, Plan, Staged

MAX_TEXT = 64 * 1024


def submission_section(staged: Staged, plan: Plan, collect: Collect) -> dict[str, Json]:
    """The evidence section `submission`."""
    present = {file.path for file in staged.files}
    return {
        "files": [file.model_dump(include={"path", "size", "sha256"}) for file in staged.files],
        "texts": {name: read_text(Path(staged.root, name)) for name in collect.texts if name in present},
        "dockerfile": plan.dockerfile.model_dump(mode="json") if plan.dockerfile else None,
        "decoys": {"planted": list(collect.decoys), "kept": list(plan.kept_decoys)},
    }


def read_text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MAX_TEXT).decode("utf-8", "replace")
