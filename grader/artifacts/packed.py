"""A skops file without skops: which types its schema would have loaded, read as plain JSON."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Any

from grader.artifacts import strict
from grader.artifacts.refused import Refused, shown

SCHEMA = "schema.json"
_MEMBERS = 2_000
_BYTES = 8 << 20
_DEPTH = 200


def read(data: bytes) -> dict[str, Any]:
    """The `skops` section: `types` (sorted, `module.name`), `loaders`, `protocol`, `members`; raises `Refused`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [member.filename for member in archive.infolist()]
            if len(names) > _MEMBERS or len(set(names)) != len(names):
                raise Refused("format", detail="members")
            with archive.open(SCHEMA) as file:
                raw = file.read(_BYTES + 1)
        schema = strict.load(raw, _BYTES, _DEPTH)
    except (zipfile.BadZipFile, zlib.error, KeyError, RuntimeError, ValueError, OSError, EOFError, RecursionError):
        raise Refused("format", detail=SCHEMA) from None
    if not isinstance(schema, dict):
        raise Refused("format", detail=SCHEMA)
    types: set[str] = set()
    loaders: set[str] = set()
    _collect(schema, types, loaders)
    return {
        "types": sorted(types),
        "loaders": sorted(loaders),
        "protocol": schema.get("protocol") if isinstance(schema.get("protocol"), int) else None,
        "members": [shown(name) for name in names],
    }


def _collect(value: Any, types: set[str], loaders: set[str]) -> None:
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            if "__class__" in value or "__module__" in value:
                types.add(shown(f"{value.get('__module__')}.{value.get('__class__')}"))
            if "__loader__" in value:
                loaders.add(shown(str(value["__loader__"])))
