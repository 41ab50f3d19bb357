"""Variables, quotes and escapes of one word, as the builder reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Stands for text that only the engine knows, such as the base image's PATH; it taints what is made of it.
UNKNOWN = "\uf8ff"
_DIGITS, _NAME = re.compile(r"[0-9]+"), re.compile(r"\w+")
_SPECIAL = "@*#?-$!0"
_LONGEST = 1 << 16
_LONGEST_SEARCHED = 256


class BadWord(ValueError):
    """The builder itself refuses this word."""


class UnknownValue(ValueError):
    """The word depends on a value that only the engine knows, or on more work than a Dockerfile deserves."""


class TooLong(ValueError):
    """The word grows beyond 64 KiB: variables that double themselves fill the engine's memory."""


def expand(word: str, values: Mapping[str, str], escape: str = "\\", quotes: bool = True) -> str:
    """Give the word with its variables replaced, its quotes (where `quotes`) and escapes taken away."""
    return _Reader(word, values, escape, quotes).until(None, False)


def uses_newer_forms(text: str) -> bool:
    """Tell whether `${...}` is used in a form that older builders refuse, such as `${name#pattern}`."""
    return re.search(r"\$\{(?:\w+|[@*#?$!-])(?:[^}:\w]|:[^-+?])", text) is not None


def quoted(value: str, escape: str = "\\") -> str:
    """Give a word that the builder reads back as exactly `value`."""
    return '"' + re.sub(f'(["$]|{re.escape(escape)})', lambda found: escape + found[0], value) + '"'


class _Reader:
    def __init__(self, word: str, values: Mapping[str, str], escape: str, quotes: bool) -> None:
        self._word, self._values, self._escape, self._quotes = word, values, escape, quotes
        self._at = 0

    def _peek(self) -> str:
        return self._word[self._at : self._at + 1]

    def _next(self) -> str:
        char = self._peek()
        self._at += 1
        return char

    def until(self, stop: str | None, keep_escapes: bool) -> str:
        """Read up to `stop`, or to the end; join what the pieces stand for."""
        result: list[str] = []
        size = 0
        while char := self._peek():
            size += len(result[-1]) if result else 0
            if size > _LONGEST:
                raise TooLong(self._word[:80])
            if char == stop:
                self._at += 1
                return "".join(result)
            if char == "$":
                result.append(self._dollar())
            elif char == "'" and self._quotes:
                result.append(self._single())
            elif char == '"' and self._quotes:
                result.append(self._double())
            elif char == self._escape:
                self._at += 1
                result.append((char if keep_escapes else "") + self._next())
            else:
                result.append(self._next())
        if stop is not None:
            raise BadWord(f"no {stop}")
        text = "".join(result)
        if len(text) > _LONGEST:
            raise TooLong(self._word[:80])
        return text

    def _single(self) -> str:
        end = self._word.find("'", self._at + 1)
        if end < 0:
            raise BadWord("no '")
        text = self._word[self._at + 1 : end]
        self._at = end + 1
        return text

    def _double(self) -> str:
        result: list[str] = []
        size = 0
        self._at += 1
        while char := self._peek():
            size += len(result[-1]) if result else 0
            if size > _LONGEST:
                raise TooLong(self._word[:80])
            if char == '"':
                self._at += 1
                return "".join(result)
            if char == "$":
                result.append(self._dollar())
                continue
            self._at += 1
            if char == self._escape:
                following = self._peek()
                if not following:
                    continue
                if following in ('"', "$", self._escape):
                    char = self._next()
            result.append(char)
        raise BadWord('no "')

    def _dollar(self) -> str:
        self._at += 1
        if self._peek() != "{":
            name = self._name()
            return self._values.get(name, "") if name else "$"
        self._at += 1
        if self._peek() in ("", "{", "}", ":"):
            raise BadWord("bad substitution")
        name = self._name()
        sign = self._next()
        if sign == "}":
            return self._values.get(name, "")
        if sign == "/":
            return self._replace(name)
        empty_counts = sign != ":"
        sign = sign if empty_counts else self._next()
        if sign not in ("-", "+", "?", "#", "%"):
            raise BadWord("unsupported modifier")
        word = self.until("}", sign in "#%")
        return self._modified(name, sign, word, empty_counts)

    def _modified(self, name: str, sign: str, word: str, empty_counts: bool) -> str:
        value = self._values.get(name, "")
        there = name in self._values and (empty_counts or value != "")
        if sign == "+":
            return word if there else ""
        if sign == "-":
            return value if there else word
        if sign == "?":
            if not there:
                raise BadWord(f"{name}: {word}")
            return value
        greedy = word.startswith(sign)
        return _trim(value, word[1:] if greedy else word, sign == "#", greedy)

    def _replace(self, name: str) -> str:
        everywhere = self._peek() == "/"
        self._at += everywhere
        pattern, new = self.until("/", True), self.until("}", True)
        value = self._values.get(name, "")
        _check_searched(value, pattern)
        found = re.compile(_regex(pattern), re.DOTALL)
        return found.sub(lambda _: new, value, count=0 if everywhere else 1)

    def _name(self) -> str:
        found = _DIGITS.match(self._word, self._at) or _NAME.match(self._word, self._at)
        char = self._peek()
        name = found[0] if found else char if char and char in _SPECIAL else ""
        self._at += len(name)
        return name


def _trim(value: str, pattern: str, front: bool, greedy: bool) -> str:
    # The shortest or longest stretch is found by trying each length.
    _check_searched(value, pattern)
    whole = re.compile(_regex(pattern), re.DOTALL)
    lengths = range(len(value) + 1)
    for length in reversed(lengths) if greedy else lengths:
        if whole.fullmatch(value[:length] if front else value[len(value) - length :]):
            return value[length:] if front else value[: len(value) - length]
    return value


def _check_searched(value: str, pattern: str) -> None:
    # A search goes back and forth: two stars in a short text keep it quick.
    if UNKNOWN in value or len(value) > _LONGEST_SEARCHED or pattern.count("*") > 2:
        raise UnknownValue(pattern)


def _regex(pattern: str) -> str:
    result, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\" and at + 1 < len(pattern):
            at += 1
            result += re.escape(pattern[at])
        else:
            result += ".*" if char == "*" else "." if char == "?" else re.escape(char)
        at += 1
    return result
