"""The documented Dockerfile grammar, whole: what this reads is what the builder would have read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from grader.dockerfile import heredoc
from grader.dockerfile.tree import Heredoc, Instruction, Parsed
from grader.errors import SubmissionError, Unsupported

_BLANK = re.compile(r"[\t\v\f\r ]+")
_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*")
_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*")
_TEXTS = {"RUN", "COPY", "ADD"}
_JSON = {"RUN", "CMD", "ENTRYPOINT", "SHELL", "COPY", "ADD", "VOLUME"}
_LISTS = {"FROM", "COPY", "ADD", "EXPOSE", "VOLUME"}
_COPY_FLAGS = {"from", "chown", "chmod", "link", "parents", "exclude"}
_FLAGS = {
    "FROM": {"platform"},
    "RUN": {"mount", "network", "security", "device"},
    "COPY": _COPY_FLAGS,
    "ADD": _COPY_FLAGS - {"from", "parents"} | {"checksum", "keep-git-dir", "unpack"},
    "HEALTHCHECK": {"interval", "timeout", "start-period", "start-interval", "retries"},
}
_REPEATED = {"mount", "exclude", "device"}
_ARGUMENTS = {"FROM": 1, "COPY": 2, "ADD": 2, "RUN": 1, "ENV": 1, "LABEL": 1, "ARG": 1, "WORKDIR": 1, "USER": 1,
              "EXPOSE": 1, "VOLUME": 1, "SHELL": 1, "STOPSIGNAL": 1, "MAINTAINER": 1, "ONBUILD": 1, "HEALTHCHECK": 1,
              "CMD": 0, "ENTRYPOINT": 0}  # fmt: skip


def parse(data: bytes) -> Parsed:
    """Read a Dockerfile; its mistakes are the student's, with their line, as the builder would find them."""
    # Comments may be in any encoding: only what is used must be UTF-8, and that is checked at the end.
    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    if "\0" in text:
        raise _mistake(1, text.split("\n")[0].replace("\0", ""))
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    escape, syntax = _directives(lines)
    instructions = tuple(_instructions(lines, escape))
    _check_order(instructions)
    for instruction in instructions:
        _check_text(instruction)
    return Parsed(escape, syntax, instructions)


def _directives(lines: list[str]) -> tuple[str, tuple[int, str] | None]:
    """Give the escape sign and the `syntax` line, which newer builders also find below a `#!` line."""
    escape, syntax, seen = "\\", None, set[str]()
    shebang = lines[0].startswith("#!")
    for number, line in enumerate(lines[shebang:], 1 + shebang):
        found = _DIRECTIVE.fullmatch(line.lstrip())
        key = found[1].lower() if found else ""
        if found is None or key not in ("syntax", "escape", "check"):
            break
        if key in seen or (key == "escape" and found[2] not in ("\\", "`")):
            raise _mistake(number, line)
        seen.add(key)
        if key == "syntax":
            syntax = (number, found[2].split(" ")[0])
        elif key == "escape" and not shebang:
            escape = found[2]
    return escape, syntax


def _instructions(lines: list[str], escape: str) -> Iterator[Instruction]:
    continued = re.compile(rf"(?:(?<=[^{re.escape(escape)}])|^){re.escape(escape)}[ \t]*$")
    at = 0
    while at < len(lines):
        line, start = "" if _is_comment(lines[at]) else lines[at].lstrip(), at
        at += 1
        if not line:
            continue
        joined = continued.sub("", line)
        open_ended = joined != line
        while open_ended and at < len(lines):
            line = lines[at]
            at += 1
            if _is_comment(line) or not line.strip():
                continue
            piece = continued.sub("", line)
            open_ended = piece != line
            joined += piece
        if not joined.strip():
            continue
        instruction = _instruction(start + 1, joined, escape)
        if instruction.keyword in _TEXTS | {"ONBUILD"} and instruction.json is None and "<<" in joined:
            bodies, at = _bodies(lines, at, heredoc.openers(joined), start + 1)
            instruction = _with_bodies(instruction, bodies)
        yield instruction


def _bodies(lines: list[str], at: int, openers: list[Heredoc], start: int) -> tuple[tuple[Heredoc, ...], int]:
    filled = []
    for opener in openers:
        body = []
        while True:
            if at >= len(lines):
                raise _mistake(start, f"<<{opener.name}")
            line = lines[at]
            at += 1
            if (line.lstrip("\t") if opener.chomp else line) == opener.name:
                break
            body.append(line + "\n")
        filled.append(Heredoc(opener.name, "".join(body), opener.expand, opener.chomp))
    return tuple(filled), at


def _with_bodies(instruction: Instruction, bodies: tuple[Heredoc, ...]) -> Instruction:
    return Instruction(
        instruction.line, instruction.keyword, instruction.text, instruction.flags, None, instruction.words, bodies
    )


def _instruction(line: int, joined: str, escape: str) -> Instruction:
    keyword, _, rest = _partition(joined.strip())
    keyword = keyword.upper()
    if keyword not in _ARGUMENTS:
        raise _mistake(line, joined)
    flags, text = _flags(rest)
    text = text.strip()
    if keyword == "ONBUILD":
        return Instruction(line, keyword, rest.strip())
    _check_flags(line, joined, keyword, flags)
    strings = _strings(line, text) if keyword in _JSON and text.startswith("[") else None
    words: tuple[str, ...] = strings or ()
    if strings is None and keyword in _LISTS:
        words = tuple(word for word in _BLANK.split(text) if word)
    elif keyword in ("ENV", "LABEL", "ARG"):
        words = _pairs(line, text, keyword, escape)
    count = len(words) if keyword in _LISTS | {"ENV", "LABEL", "ARG"} or strings is not None else bool(text)
    if count < _ARGUMENTS[keyword] or (keyword == "SHELL" and not strings):
        raise _mistake(line, joined)
    if keyword == "FROM":
        _check_from(line, joined, words)
    return Instruction(line, keyword, text, flags, strings, words)


def _partition(text: str) -> tuple[str, str, str]:
    found = _BLANK.search(text)
    return (text[: found.start()], found[0], text[found.end() :]) if found else (text, "", "")


def _flags(text: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """Split the `--flag=value` words in front, quotes and backslashes in them resolved."""
    flags: list[tuple[str, str]] = []
    at = 0
    while True:
        at += len(text[at:]) - len(text[at:].lstrip())
        if not text.startswith("--", at):
            return tuple(flags), text[at:]
        word, at = _flag(text, at)
        if word == "--":
            return tuple(flags), text[at:]
        name, equals, value = word[2:].partition("=")
        flags.append((name.lower(), value if equals else "true"))


def _flag(text: str, at: int) -> tuple[str, int]:
    word, quote = "", ""
    while at < len(text) and (quote or not text[at].isspace()):
        char = text[at]
        at += 1
        if char == "\\":
            word += text[at : at + 1]
            at += 1
        elif quote or char in "\"'":
            if char == quote:
                quote = ""
            elif quote:
                word += char
            else:
                quote = char
        else:
            word += char
    return word, at


def _check_flags(line: int, joined: str, keyword: str, flags: tuple[tuple[str, str], ...]) -> None:
    names = [name for name, _ in flags]
    once = [name for name in names if name not in _REPEATED]
    if set(names) - _FLAGS.get(keyword, set()) or len(set(once)) < len(once):
        raise _mistake(line, joined)


def _strings(line: int, text: str) -> tuple[str, ...] | None:
    """Give the JSON form; None where the text only looks like one, such as `[ -f x ] && ...`."""
    try:
        values = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(value, str) for value in values):
        raise _mistake(line, text)
    return tuple(values)


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _pairs(line: int, text: str, keyword: str, escape: str) -> tuple[str, ...]:
    words = tuple(_quoted_words(text, escape))
    if keyword == "ARG":
        if any(word.startswith("=") for word in words):
            raise _mistake(line, text)
        return words
    if words and "=" not in words[0]:
        name, blank, value = _partition(text)
        if not blank:
            raise _mistake(line, text)
        return (f"{name}={value}",)
    if any("=" not in word or word.startswith("=") for word in words):
        raise _mistake(line, text)
    return words


def _quoted_words(text: str, escape: str) -> Iterator[str]:
    """Split at blanks outside quotes; quotes and escapes stay in the words."""
    word, quote, at, there = "", "", 0, False
    while at < len(text):
        char = text[at]
        if char.isspace() and not quote:
            if word or there:
                yield word
            word, there, at = "", False, at + 1
            continue
        if char == escape and quote != "'":
            if at + 1 < len(text):
                word += text[at : at + 2]
            at += 2
            continue
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote, there = char, True
        word += char
        at += 1
    if word or there:
        yield word


def _check_from(line: int, joined: str, words: tuple[str, ...]) -> None:
    if len(words) == 3 and words[1].lower() == "as" and _STAGE_NAME.fullmatch(words[2].lower()):
        return
    if len(words) != 1:
        raise _mistake(line, joined)


def _check_order(instructions: tuple[Instruction, ...]) -> None:
    for instruction in instructions:
        if instruction.keyword == "FROM":
            return
        if instruction.keyword != "ARG":
            raise _mistake(instruction.line, f"{instruction.keyword} {instruction.text}")
    if instructions:
        raise _mistake(instructions[-1].line, "ARG")


def _check_text(instruction: Instruction) -> None:
    pieces = [instruction.text, *instruction.words, *(value for _, value in instruction.flags)]
    pieces += [part for text in instruction.heredocs for part in (text.name, text.body)]
    for piece in pieces:
        try:
            piece.encode("utf-8")
        except UnicodeEncodeError:
            raise Unsupported("dockerfile_unreadable", line=instruction.line) from None


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _mistake(line: int, text: str) -> SubmissionError:
    shown = text.encode("utf-8", "replace").decode().strip()
    return SubmissionError("dockerfile_syntax", line=line, text=shown[:200])
