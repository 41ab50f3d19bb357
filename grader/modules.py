"""A lab's own trusted Python files, executed from the source that stands there now."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any
from uuid import uuid4

from grader.errors import LabError


def marked(path: Path, mark: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The functions of the module at `path` that carry `mark`, each with what the mark says."""
    for value in vars(_import(path)).values():
        name = getattr(value, mark, None)
        if callable(value) and isinstance(name, str):
            yield name, value


class _FreshLoader(SourceFileLoader):
    """Compiles the source that stands there now, and leaves no compiled copy in the lab's folder."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _import(path: Path) -> ModuleType:
    """The module at `path` under a name of its own, known to the interpreter only while it is being executed."""
    name = f"_lab_{path.stem}_{uuid4().hex}"
    loader = _FreshLoader(name, str(path))
    spec = spec_from_loader(name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up while they are made
    try:
        loader.exec_module(module)
    except Exception as error:
        problem = {"exception": type(error).__name__, "problem": str(error)}
        raise LabError("lab_checks_fail", path=str(path), **problem) from error
    finally:
        del sys.modules[name]
    return module
