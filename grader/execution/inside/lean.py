"""What runs a notebook, imported lean: where notebook.py begins, or sooner in a sandbox that waits for its job."""

import gc
import sys
from types import ModuleType

# Half of what would be imported is never used here: addresses of the web, dates, Hadoop, a debugger. The cells find it.
ABSENT = ("rfc3987_syntax", "rfc3986_validator", "isoduration", "pyarrow", "debugpy")
HOLLOW = ("requests",)  # papermill names it without a need


def load() -> None:
    """Import papermill and the kernel, and hold back what neither needs; once is enough."""
    if "papermill" in sys.modules:
        return
    gc.disable()  # nothing of it is ever collected: a seventh of the time went into looking
    sys.modules.update({name: ModuleType(name) for name in HOLLOW})
    for name in ABSENT:
        sys.modules[name] = None  # type: ignore[assignment]
    import ipykernel.kernelapp  # noqa: F401
    import papermill
    import papermill.clientwrap  # noqa: F401

    gc.freeze()
    gc.enable()


def restore() -> None:
    """From now on, what was held back can be imported."""
    for name in (*ABSENT, *HOLLOW):
        held = sys.modules.get(name)
        if held is None or held.__spec__ is None:
            sys.modules.pop(name, None)


load()
