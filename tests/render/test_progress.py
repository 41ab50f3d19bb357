"""Progress talks to a terminal only, and never lets a detail act on it."""

from __future__ import annotations

import io
import re
import time

import pytest
from rich.console import Console

from grader.records import Lang
from grader.render.progress import Progress


def shown(lang: Lang = "en", terminal: bool = True) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100, color_system=None, legacy_windows=False)
    with Progress(lang, console) as progress:
        progress("build", "python:3.11-slim")
        progress("build", "\x1b]0;owned\x07 [red]step[/red]")
        time.sleep(0.3)  # the bar redraws ten times a second
        progress("measure", "normal: latency")
        progress("unheard-of")
    return out.getvalue()


def test_a_pipe_gets_nothing() -> None:
    assert shown(terminal=False) == ""


@pytest.mark.parametrize(("lang", "words"), [("en", "Building your image"), ("fr", "Construction de votre image")])
def test_each_step_leaves_a_line_with_its_time(lang: Lang, words: str) -> None:
    assert re.search(rf"✓ {words}  \d+[.,]?\d*\u00a0s", shown(lang))
    assert "unheard-of" in shown(lang)


def test_a_detail_cannot_act() -> None:
    out = shown()
    assert "\\u{1b}]0;owned\\u{7} [red]step[/red]" in out
    assert "\x1b]" not in out and "\x07" not in out


def test_a_step_that_failed_is_not_ticked_off() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, color_system=None, legacy_windows=False)
    with pytest.raises(RuntimeError), Progress("en", console) as progress:
        progress("stage")
        progress("build")
        raise RuntimeError
    assert "✓ Reading your files" in out.getvalue()
    assert "✓ Building" not in out.getvalue()


def test_outside_its_context_it_is_silent() -> None:
    Progress("en")("build")
