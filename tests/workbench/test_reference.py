"""The reference pages: their samples run, their files have the shapes shown, nothing of the surface is left out."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import workbench

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
PAGES = {"en": REFERENCE / "workbench.md", "fr": REFERENCE / "workbench.fr.md"}
PUBLIC = [name for name in workbench.__all__ if name != "WorkbenchError"]


def _blocks(lang: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGES[lang].read_text(encoding="utf-8"), re.S | re.M)


def _shape(value: Any) -> Any:
    """Keys and types; what stands for any name (contenders, variables) aside."""
    if isinstance(value, dict):
        return {key: _shape(one) for key, one in value.items() if key not in ("env", "onnxruntime", "torch", "time")}
    if isinstance(value, list):
        return [*{type(one).__name__ for one in value}]
    return "number" if isinstance(value, int | float) else type(value).__name__


@pytest.fixture(scope="module", params=["en", "fr"])
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The page's samples as one program, in a process of its own; what it printed, and its files."""
    folder = tmp_path_factory.mktemp(request.param)
    marked = "tempfile.mkdtemp()"
    source = "\n".join(_blocks(request.param, "python"))
    assert source.count(marked) == 1
    (folder / "page.py").write_text(source.replace(marked, repr(str(folder))), encoding="utf-8")
    alone = {"GRADER_WORKROOM": "1", "GRADER_HOME": str(folder)}  # no grader, no lab of this checkout
    done = subprocess.run(
        [sys.executable, "-W", "error::SyntaxWarning", str(folder / "page.py")], cwd=folder, capture_output=True,
        text=True, timeout=120, env={**alone, "MPLBACKEND": "agg", "PYTHONUTF8": "1", "HOME": str(folder)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {"lang": request.param, "folder": folder, "text": done.stdout}


def test_the_samples_run_and_show_what_the_page_says(ran: dict[str, Any]) -> None:
    words = {
        "en": ("Locked: 3 x", "Your bet: 3 x", "Verdict: ça dépend", "In words: Two bars", "Your answer is kept"),
        "fr": ("Enregistré\u00a0: 3 x", "ONNX", "Votre pari\u00a0: 3 x", "Verdict\u00a0: ça dépend",
               "En mots\u00a0: Deux barres"),
    }  # fmt: skip
    for part in words[ran["lang"]]:
        assert part in ran["text"]


def test_the_files_have_the_shapes_that_the_page_shows(ran: dict[str, Any]) -> None:
    answers, results = (json.loads(block) for block in _blocks(ran["lang"], "json"))
    for name, shown in (("answers.json", answers), ("results.json", results)):
        made = json.loads((ran["folder"] / name).read_text(encoding="utf-8"))
        assert _shape(made) == _shape(shown), name


def test_both_pages_have_the_same_samples_and_files() -> None:
    def without_words(source: str) -> str:
        tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                node.value = "text"
        return ast.dump(tree)

    assert [*map(without_words, _blocks("en", "python"))] == [*map(without_words, _blocks("fr", "python"))]
    assert _blocks("en", "json") == _blocks("fr", "json")


@pytest.mark.parametrize("lang", PAGES)
def test_every_call_and_every_parameter_stands_on_the_page(lang: str) -> None:
    text = PAGES[lang].read_text(encoding="utf-8")
    for name in PUBLIC:
        assert re.search(rf"^## .*`{name}`", text, re.M), name
        for parameter in inspect.signature(getattr(workbench, name)).parameters:
            positional = parameter in ("id", "key", "value", "contenders", "fig", "unit", "confidence")
            assert positional or f"`{parameter}`" in text or f"{parameter}=" in text, f"{name}({parameter})"


@pytest.mark.parametrize("lang", PAGES)
def test_the_numbers_on_the_page_are_those_of_the_code(lang: str) -> None:
    from workbench import bets, checking, figures, session, timing

    text = re.sub(r"\s+", " ", PAGES[lang].read_text(encoding="utf-8"))
    most = {"en": "at most {} rows", "fr": "{} lignes au plus"}[lang]
    assert most.format(figures.MOST_ROWS) in text
    assert f"({checking.SECONDS:g})" in text
    assert {"en": "the latest {}", "fr": "les {} dernières"}[lang].format(bets.MOST_REMARKS) in text
    least = {"en": "at least {}", "fr": "au moins {}"}[lang]
    assert least.format(session.LEAST_REPEATS) in text
    assert least.format(timing.LEAST_WARMUP) in text
    assert {"en": "up to {} timed", "fr": "jusqu'à {} appels"}[lang].format(timing._MOST_CALLS) in text
    assert {"en": "less than {:g} ms", "fr": "moins de {:g} ms"}[lang].format(timing._LONG_MS) in text
    about = {"en": "about {:g} ms in all, {:g} with `fast`", "fr": "environ {:g} ms en tout, {:g} avec `fast`"}[lang]
    assert about.format(timing._TURN_MS, timing._FAST_TURN_MS) in text
