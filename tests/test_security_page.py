"""A page that promises what nothing tests, or that tells of settings which are no longer those."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from grader.engines.base import RunRequest
from grader.engines.settings import host_config
from grader.records import Limits
from tests.bench import figures

ROOT = Path(__file__).resolve().parents[1]
PAGES = {lang: ROOT / "docs" / "explanation" / f"security{ending}.md" for lang, ending in (("en", ""), ("fr", ".fr"))}
CAMPAIGNS = re.compile(r"tests/(?:corpus|bench)/results/")  # written by measurements, not by hand


def paths(lang: str) -> list[str]:
    return re.findall(r"`((?:tests|grader)/[^`]+)`", PAGES[lang].read_text(encoding="utf-8"))


@pytest.mark.parametrize("lang", PAGES)
def test_every_file_that_a_promise_leans_on_is_there(lang: str) -> None:
    missing = [path for path in paths(lang) if not CAMPAIGNS.fullmatch(path) and not (ROOT / path).exists()]
    assert missing == []
    links = re.findall(r"\]\(([^)#:]+)\)", PAGES[lang].read_text(encoding="utf-8"))
    assert [link for link in links if not (PAGES[lang].parent / link).is_file()] == []


@pytest.mark.parametrize("lang", PAGES)
def test_the_figures_are_those_of_the_stored_rows(lang: str) -> None:
    assert PAGES[lang].read_text(encoding="utf-8") == figures.written(lang)  # python -m tests.bench.figures


def test_both_pages_promise_the_same() -> None:
    assert paths("en") == paths("fr")
    rows = {lang: page.read_text(encoding="utf-8").count("\n| ") for lang, page in PAGES.items()}
    assert rows["en"] == rows["fr"] > 40


@pytest.mark.parametrize("lang", PAGES)
def test_every_setting_of_a_container_has_its_reason(lang: str) -> None:
    page = PAGES[lang].read_text(encoding="utf-8")
    for setting in host_config(RunRequest(image="i", name="n")):
        assert f"`{setting}`" in page


@pytest.mark.parametrize("lang", PAGES)
def test_the_figures_are_those_of_the_code(lang: str) -> None:
    page = PAGES[lang].read_text(encoding="utf-8").replace("Mio", "MiB").replace("Gio", "GiB")
    limits = Limits()
    assert f"| {limits.run_memory_mib} MiB" in page
    assert f"`PidsLimit` | {limits.pids} |" in page
    assert f"`/tmp` {limits.tmp_mib} MiB" in page
    assert limits.build_memory_mib == 1024 and "1 GiB" in page
    assert f"{limits.build_seconds:.0f} seconds" in page or f"{limits.build_seconds:.0f} secondes" in page
    assert f"{limits.build_output_mib} MiB" in page
