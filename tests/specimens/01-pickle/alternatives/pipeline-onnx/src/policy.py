"""Which names a pickle may import: a list of what is allowed can be complete, a list of what is forbidden cannot."""

ALLOWED = {
    ("collections", "OrderedDict"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("torch", "FloatStorage"),
    ("torch._utils", "_rebuild_tensor_v2"),
}


def why_unsafe(names):
    """The first name that makes a file unsafe, as text; an empty text when there is none."""
    return next((".".join(map(str, name)) for name in names if name not in ALLOWED), "")
