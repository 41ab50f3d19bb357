"""File patterns as the container tools read them, matched in a time that no pattern can stretch."""

from __future__ import annotations

import re

_DEEP = 4


class BadPattern(ValueError):
    """The builder itself refuses this pattern."""


class SlowPattern(ValueError):
    """A pattern with so many `**` that matching it could take long."""


def compile_glob(pattern: str) -> re.Pattern[str]:
    """Give the regular expression of a pattern for whole paths: `*` stays in one folder, `**` crosses them."""
    if pattern.startswith("**") and not re.search(r"[*?\[\\]", pattern[2:]) and pattern[2:3] not in ("", "/"):
        # Such as `**log`: any path that ends so, as the tools have it.
        return re.compile(".*" + re.escape(pattern[2:]), re.DOTALL)
    result, at, deep = "", 0, 0
    while at < len(pattern):
        if pattern.startswith("**", at):
            deep += 1
            at += 3 if pattern.startswith("/", at + 2) else 2
            result += ".*" if at >= len(pattern) else "(?:.*/)?"
        elif pattern[at] == "*":
            at += 1
            end = _literal_end(pattern, at)
            literal = _literal(pattern, at, end)
            # All but the last star of a folder's name may stop at the first match: no way back, no long search.
            again = pattern.startswith("*", end) and not pattern.startswith("**", end)
            result += f"(?>[^/]*?{literal})" if again else f"[^/]*{literal}"
            at = end
        else:
            end = _literal_end(pattern, at)
            end = end if end > at else at + 1
            result += _literal(pattern, at, end)
            at = end
    if deep > _DEEP:
        raise SlowPattern(pattern)
    return re.compile(result, re.DOTALL)


def _literal_end(pattern: str, at: int) -> int:
    """Give the end of the stretch without stars; after a star it also ends at the next slash."""
    while at < len(pattern) and pattern[at] != "*":
        if pattern[at] == "\\":
            at += 1
        elif pattern[at] == "[":
            at = _class_end(pattern, at)
        elif pattern[at] == "/":
            return at + 1
        at += 1
    return min(at, len(pattern))


def _literal(pattern: str, at: int, end: int) -> str:
    result = ""
    while at < end:
        char = pattern[at]
        if char == "\\":
            if at + 1 >= len(pattern):
                raise BadPattern(pattern)
            at += 1
            result += re.escape(pattern[at])
        elif char == "?":
            result += "[^/]"
        elif char == "[":
            close = _class_end(pattern, at)
            result += _class(pattern[at + 1 : close])
            at = close
        else:
            result += re.escape(char)
        at += 1
    return result


def _class_end(pattern: str, at: int) -> int:
    at += 2 if pattern.startswith("^", at + 1) else 1
    while at < len(pattern) and pattern[at] != "]":
        at += 2 if pattern[at] == "\\" else 1
    if at >= len(pattern):
        raise BadPattern(pattern)
    return at


def _class(text: str) -> str:
    inverse, text = text.startswith("^"), text.removeprefix("^")
    items = re.findall(r"(\\.|[^\\\-])(?:-(\\.|[^\\\-]))?", text, re.DOTALL)
    if not items or "".join(low + ("-" + high if high else "") for low, high in items) != text:
        raise BadPattern(text)
    result = ""
    for low, high in items:
        first, last = low[-1], (high or low)[-1]
        if first > last:
            raise BadPattern(text)
        result += re.escape(first) + (f"-{re.escape(last)}" if high else "")
    return f"[{'^' if inverse else ''}{result}]"
