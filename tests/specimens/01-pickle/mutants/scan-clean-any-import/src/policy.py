"""No pickle may import anything."""


def why_unsafe(names):
    """The first name that is imported, as text; an empty text when there is none."""
    return next((".".join(map(str, name)) for name in names), "")
