"""Which names a pickle may import. Exercise E2 of the notebook writes this file."""

FORBIDDEN = {("os", "system"), ("posix", "system"), ("builtins", "eval"), ("builtins", "exec")}


def why_unsafe(names):
    """The first name that makes a file unsafe, as text; an empty text when there is none."""
    return next((".".join(name) for name in names if name in FORBIDDEN), "")
