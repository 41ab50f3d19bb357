"""Which words of an instruction open a text inside the Dockerfile."""

from __future__ import annotations

import re

from grader.dockerfile.expand import BadWord, expand
from grader.dockerfile.tree import Heredoc

_OPENER = re.compile(r"\d*<<(-?)\s*([^<]*)")
_BAD_SUBSTITUTION = re.compile(r"\$\{(?:[{}:]|$)")


def openers(line: str) -> list[Heredoc]:
    """Give the texts that an instruction's line announces, in order, their bodies still empty."""
    found = (opener(word) for word in _words(line))
    return [heredoc for heredoc in found if heredoc is not None]


def opener(word: str) -> Heredoc | None:
    """Give the text that one word announces: `<<EOF`, `<<-EOF`, `<<"EOF"`, with a file number in front or not."""
    found = _OPENER.fullmatch(word)
    if found is None or len(_words(found[2])) != 1:
        return None
    raw = found[2].strip()
    name = re.sub(r"\\(.)", r"\1", raw) if not re.search("[\"']", raw) else _unquoted(raw)
    return Heredoc(name, "", expand=name.count('"') + name.count("'") == raw.count('"') + raw.count("'"),
                   chomp=bool(found[1]))  # fmt: skip


def _unquoted(raw: str) -> str:
    # A variable's name in a delimiter stays as it stands.
    try:
        return expand(raw.replace("$", "\\$") if "'" not in raw else raw, {})
    except BadWord:
        return raw


def _words(line: str) -> list[str]:
    """Split as a shell would, quotes kept; nothing at all where a quote stays open, as the builder does."""
    words, word, quote, at = [], "", "", 0
    while at < len(line):
        char = line[at]
        if char == "\\" and quote != "'":
            word += line[at : at + 2]
            at += 2
            continue
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        if quote != "'" and _BAD_SUBSTITUTION.match(line, at):
            return []
        if char.isspace() and not quote:
            if re.fullmatch(r"\d*<<-?", word):
                # Blanks may stand between the sign and the delimiter.
                at += 1
                continue
            if word:
                words.append(word)
            word = ""
        else:
            word += char
        at += 1
    return [] if quote else [*words, word] if word else words
