"""A Dockerfile that the builder reads in one way and the grader in another: the hole behind every policy."""

from __future__ import annotations

import time

import pytest

from grader.dockerfile.expand import BadWord, TooLong, UnknownValue, expand, quoted, uses_newer_forms
from grader.dockerfile.heredoc import opener
from grader.dockerfile.parse import parse
from grader.dockerfile.tree import Instruction
from grader.errors import SubmissionError, Unsupported


def read(text: str | bytes) -> tuple[Instruction, ...]:
    return parse(text if isinstance(text, bytes) else text.encode()).instructions


def shape(text: str | bytes) -> list[tuple[int, str, str]]:
    return [(each.line, each.keyword, each.text) for each in read(text)]


def mistake(text: str | bytes) -> SubmissionError:
    with pytest.raises(SubmissionError) as raised:
        read(text)
    assert not isinstance(raised.value, Unsupported)
    assert raised.value.code == "dockerfile_syntax"
    return raised.value


def test_windows_line_ends_and_a_missing_last_one_change_nothing() -> None:
    """PV01."""
    text = "FROM python:3.11\nRUN a \\\n  b\nRUN <<EOF\nc\nEOF\nCMD x"
    assert read(text.replace("\n", "\r\n")) == read(text)
    assert read("\ufeff" + text) == read(text)


def test_keywords_in_any_case_and_blanks_in_front() -> None:
    assert shape("  from\tpython:3.11\n\trUn  x  ") == [(1, "FROM", "python:3.11"), (2, "RUN", "x")]


def test_comments_and_blank_lines_inside_continuations_vanish() -> None:
    text = "FROM x\nRUN a && \\\n# FROM evil\n\n   # indented\n  b \\  \n\n  c\nCMD y"
    assert shape(text) == [(1, "FROM", "x"), (2, "RUN", "a &&   b   c"), (9, "CMD", "y")]


def test_a_continuation_may_start_in_the_keyword_and_end_with_the_file() -> None:
    assert shape("FR\\\nOM x\nRUN a \\") == [(1, "FROM", "x"), (3, "RUN", "a")]


def test_a_doubled_backslash_does_not_continue() -> None:
    assert shape("FROM x\nRUN a\\\\\nRUN b") == [(1, "FROM", "x"), (2, "RUN", "a\\\\"), (3, "RUN", "b")]


def test_a_comment_ending_in_a_backslash_hides_nothing() -> None:
    assert shape("# note \\\nFROM x\nRUN a # not a comment") == [(2, "FROM", "x"), (3, "RUN", "a # not a comment")]


def test_the_escape_directive_changes_continuations() -> None:
    parsed = parse(b"# syntax=docker/dockerfile:1\n#Escape = `\nFROM x\nRUN a `\n  b\nRUN c\\\nRUN d\n")
    assert parsed.escape == "`" and parsed.syntax == (1, "docker/dockerfile:1")
    assert [each.text for each in parsed.instructions] == ["x", "a   b", "c\\", "d"]


@pytest.mark.parametrize(
    "text", ["\n# escape=`\nFROM x\nRUN a\\\nb", "# a comment\n# escape=`\nFROM x\nRUN a\\\nb", "FROM x\nRUN a\\\nb"]
)
def test_a_directive_after_anything_else_is_a_comment(text: str) -> None:
    assert read(text)[-1].text == "ab"


@pytest.mark.parametrize(
    "text", ["# escape=x\nFROM a", "# escape=`\n# escape=\\\nFROM a", "# syntax=a\n#syntax=b\nFROM a"]
)
def test_bad_directives_are_mistakes(text: str) -> None:
    mistake(text)


def test_a_syntax_directive_below_a_shebang_is_seen() -> None:
    assert parse(b"#!/usr/bin/env x\n# syntax=evil/frontend\nFROM a").syntax == (2, "evil/frontend")
    assert parse(b"# check=skip=all\n# syntax = evil rest\nFROM a").syntax == (2, "evil")


def test_heredocs_hide_instructions_in_them() -> None:
    """PV08."""
    text = 'FROM x\nRUN <<EOF\nset -e\nFROM y\nEOF\nCOPY <<"EOF" /app/conf.json\n{"a": "$b"}\nEOF\nCMD z'
    run, copy = read(text)[1:3]
    assert [each.line for each in read(text)] == [1, 2, 6, 9]
    assert (run.heredocs[0].body, run.heredocs[0].expand) == ("set -e\nFROM y\n", True)
    assert (copy.heredocs[0].body, copy.heredocs[0].expand) == ('{"a": "$b"}\n', False)


def test_several_heredocs_in_one_instruction() -> None:
    copy = read("FROM x\nCOPY <<a <<-'b' /d/\n1\na\n\t2\n\tb\nRUN y")[1]
    assert [(each.name, each.body, each.chomp) for each in copy.heredocs] == [("a", "1\n", False), ("b", "\t2\n", True)]


@pytest.mark.parametrize(
    "line",
    ['RUN echo "<<EOF"', "RUN cat <<<EOF", "RUN a<<EOF", "RUN echo $((1<<2))", "RUN echo it's <<EOF", "CMD <<EOF"],
)
def test_what_only_looks_like_a_heredoc_is_none(line: str) -> None:
    assert [each.keyword for each in read(f"FROM x\n{line}\nRUN y")] == ["FROM", line.split()[0], "RUN"]


def test_a_json_form_has_no_heredoc() -> None:
    assert len(read('FROM x\nRUN ["cat", "<<EOF"]\nRUN y')) == 3


@pytest.mark.parametrize(
    ("word", "name", "expands"),
    [
        ("<<EOF", "EOF", True),
        ("<<'E F'", "E F", False),
        ('3<<-"X"', "X", False),
        ("<<$E", "$E", True),
        ("<< EOF", "EOF", True),
    ],
)
def test_heredoc_delimiters(word: str, name: str, expands: bool) -> None:
    found = opener(word)
    assert found is not None and (found.name, found.expand) == (name, expands)


@pytest.mark.parametrize("word", ["<<", "<<-", "<<a b", "x<<EOF", "<<<x", "a"])
def test_words_that_open_no_heredoc(word: str) -> None:
    assert opener(word) is None


def test_json_forms_and_what_only_looks_like_one() -> None:
    text = (
        'FROM x\nCMD ["a", "b\\n\\u00e9"]\nRUN [ -f /x ] && echo\nENTRYPOINT []\nCOPY ["a b", "/c d/"]\nRUN ["a", NaN]'
    )
    _, cmd, run, entry, copy, nan = read(text)
    assert (cmd.json, run.json, entry.json, nan.json) == (("a", "b\né"), None, (), None)
    assert copy.words == ("a b", "/c d/")


def test_flags_with_quotes_and_their_end() -> None:
    run = read(
        'FROM --platform=linux/amd64 x AS y\nRUN --mount=type=cache,target=/a --mount="type=tmpfs,target=/b c" -- --z'
    )[1]
    assert [value for _, value in run.flags] == ["type=cache,target=/a", "type=tmpfs,target=/b c"]
    assert run.text == "--z"


def test_pairs_of_env_and_arg() -> None:
    text = 'ARG a b=c\nFROM x\nENV A=1 B="x y" C=\'z\' D=e\\ f\nENV OLD style  value\nARG Q="a b"'
    assert [each.words for each in read(text)] == [
        ("a", "b=c"),
        ("x",),
        ("A=1", 'B="x y"', "C='z'", "D=e\\ f"),
        ("OLD=style  value",),
        ('Q="a b"',),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "FROM x\nRUM pip install y",
        "RUN x",
        "ARG a",
        "FROM",
        "FROM a b",
        "FROM a AS",
        "FROM a AS 9",
        "FROM a as b c",
        "FROM x\nCOPY a",
        "FROM x\nCOPY --fram=y a b",
        "FROM x\nCOPY --from=a --from=b c d",
        "FROM x\nENV",
        "FROM x\nENV A",
        "FROM x\nENV A=1 B",
        "FROM x\nWORKDIR",
        "FROM x\nRUN <<EOF\nnever closed",
        'FROM x\nCMD ["a", 1]',
        "FROM x\nSHELL sh",
        "FROM x\nLABEL =a",
        "FROM x\nRUN",
        "\0FROM x",
        "F\0R\0O\0M\0 \0x\0",
        "FROM x\nCMD --flag x",
        "// syntax=evil\nFROM x",
    ],
)
def test_what_docker_refuses_too_is_a_mistake_of_the_student(text: str) -> None:
    mistake(text)


def test_a_mistake_names_the_students_line() -> None:
    assert mistake("FROM x\n\n# c\nRUN a \\\n b\nRUM c").facts["line"] == 6


def test_utf16_is_a_mistake() -> None:
    mistake("FROM x\nRUN y".encode("utf-16"))


def test_latin1_in_a_comment_is_read_and_elsewhere_a_person_looks() -> None:
    assert len(read("# caf\xe9\nFROM x\nRUN y".encode("latin-1"))) == 2
    with pytest.raises(Unsupported) as raised:
        read("FROM x\nRUN echo caf\xe9".encode("latin-1"))
    assert raised.value.facts == {"line": 2}
    with pytest.raises(Unsupported):
        read('FROM x\nCMD ["\\ud800"]')


def test_nothing_but_comments_gives_no_instruction() -> None:
    assert read(b"") == read("# a\n\n   \n# b") == ()


VALUES = {"A": "one", "E": "", "F": "a.tar.gz", "P": "\uf8ff" * 4}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("$A", "one"),
        ("${A}x", "onex"),
        ("$Ax", ""),
        ("\\$A", "$A"),
        ("'$A'", "$A"),
        ('"$A b"', "one b"),
        ('"\\x"', "\\x"),
        ("${N:-d}", "d"),
        ("${E:-d}", "d"),
        ("${E-d}", ""),
        ("${N-d}", "d"),
        ("${A:+y}", "y"),
        ("${E:+y}", ""),
        ("${E+y}", "y"),
        ("${N+y}", ""),
        ("${N:-${A}}", "one"),
        ("${N:-'a}b'}", "a}b"),
        ("${F%.*}", "a.tar"),
        ("${F%%.*}", "a"),
        ("${F#*.}", "tar.gz"),
        ("${F##*.}", "gz"),
        ("${F/tar/zip}", "a.zip.gz"),
        ("${A//[o]/x}", "one"),
        ("${F//./-}", "a-tar-gz"),
        ("$", "$"),
        ("a$", "a$"),
        ("$$", ""),
        ("$1x", "x"),
        ("a\\", "a"),
        ("${A:?no}", "one"),
        ("$A$A", "oneone"),
    ],
)
def test_words_expand_as_the_builder_expands_them(word: str, value: str) -> None:
    assert expand(word, VALUES) == value


@pytest.mark.parametrize("word", ["${", "${}", "${:x}", "${{a}}", "'a", '"a', "${A", "${A^^}", "${N:?}", "${A:x}"])
def test_words_that_the_builder_refuses(word: str) -> None:
    with pytest.raises(BadWord):
        expand(word, VALUES)


def test_the_unknown_taints_and_is_never_searched() -> None:
    assert "\uf8ff" in expand("/x:$P", VALUES)
    assert expand("${P:+set}", VALUES) == "set"
    with pytest.raises(UnknownValue):
        expand("${P##*}", VALUES)


def test_doubling_variables_are_stopped() -> None:
    with pytest.raises(TooLong):
        expand("$A" * 70_000, {"A": "x"})


def test_a_search_cannot_be_made_slow() -> None:
    start = time.process_time()
    for word in ("${V%%*a*b}", "${V//*a*b/c}", "${V##*a*b}"):
        expand(word, {"V": "a" * 256})
    with pytest.raises(UnknownValue):
        expand("${V##*a*b*c}", {"V": "a" * 256})
    assert time.process_time() - start < 5


@pytest.mark.parametrize("value", ["", "a b", "$A", 'q"q', "b\\s", "it's", "`x`", "${A:-b}"])
@pytest.mark.parametrize("escape", ["\\", "`"])
def test_quoting_is_undone_by_reading(value: str, escape: str) -> None:
    assert expand(quoted(value, escape), VALUES, escape) == value


def test_newer_forms_are_told_from_older_ones() -> None:
    assert all(map(uses_newer_forms, ["${A-b}", "x${A#y}", "${A/b/c}", "${A:-${B%c}}", "${A+b}"]))
    assert not any(map(uses_newer_forms, ["$A", "${A}", "${A:-b}", "${A:+b}", "${A:?b}", "a#b", "${A}-b"]))
