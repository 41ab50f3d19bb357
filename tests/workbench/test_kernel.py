"""In a real notebook kernel: what is displayed, in HTML and in text, and that an error is one sentence."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

SETUP = """import workbench as wb
wb.begin(lab="02-onnx", out_dir={out!r}, lang={lang!r}, fast=True, grader={grader!r})"""
CELLS = {
    "refused": 'wb.measure({"a": lambda: sum(range(2000)), "b": lambda: None}, bet="L02.B1")',
    "open": 'wb.bet("L02.B1", value=..., unit="x", confidence=...)',
    "bet": 'wb.bet("L02.B1", value=3, unit="x", confidence=70)',
    "measured": 'm = wb.measure({"a": lambda: sum(range(2000)), "b": lambda: None}, bet="L02.B1")\nm',
    "myth": 'wb.myth("L02.M1", "« Plus <vite> »", "faux", {"en": "always", "fr": "toujours"}, measured=m)',
    "figure": """import matplotlib.pyplot as plt
fig, axes = plt.subplots()
axes.plot([1, 2], [3, 1])
wb.figure(fig, caption="Time by batch", alt="A line that falls", data={"batch": [1, 2], "ms": [3, 1]})""",
    "twice": 'wb.ask("L02.Q1", ["a", "b"])\nwb.check("L02.E1")',
    "own": "1 / 0",
}


def _run(out: Path, lang: str, grader: list[str]) -> dict[str, list[dict[str, Any]]]:
    setup = SETUP.format(out=str(out), lang=lang, grader=grader)
    cells = [nbformat.v4.new_code_cell(source) for source in (setup, *CELLS.values())]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, kernel_name="python3", allow_errors=True).execute()
    return {name: cell.outputs for name, cell in zip(("setup", *CELLS), notebook.cells, strict=True)}


@pytest.fixture(scope="module", params=["en", "fr"])
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "work").mkdir()
    grader = folder / "grader.py"
    grader.write_text("import sys\nsys.exit('Le TP <b>02</b> manque.')\n", encoding="utf-8")
    outputs = _run(folder / "work", request.param, [sys.executable, str(grader)])
    return {"lang": request.param, "out": folder / "work", "outputs": outputs}


def _only(ran: dict[str, Any], name: str) -> dict[str, str]:
    """The MIME bundle of the one output of a cell."""
    (output,) = ran["outputs"][name]
    assert output.output_type in ("display_data", "execute_result"), output
    return dict(output.data)


def test_each_card_is_displayed_once_in_html_and_in_text(ran: dict[str, Any]) -> None:
    for name in ("setup", "bet", "measured", "myth", "figure"):
        shown = _only(ran, name)
        assert shown["text/html"].startswith(f'<section lang="{ran["lang"]}"')
        assert shown["text/plain"]
        assert "<section" not in shown["text/plain"]


@pytest.mark.parametrize(
    ("name", "en", "fr"),
    [("refused", "Place your bet L02.B1 first", "Placez d'abord votre pari L02.B1"),
     ("open", "Bet L02.B1 is still open", "Le pari L02.B1 est encore ouvert")],
)  # fmt: skip
def test_an_error_is_one_sentence_and_no_traceback(ran: dict[str, Any], name: str, en: str, fr: str) -> None:
    (output,) = ran["outputs"][name]
    assert (output.output_type, output.ename) == ("error", "WorkbenchError")
    assert len(output.traceback) == 1
    assert output.traceback[0].startswith(fr if ran["lang"] == "fr" else en)
    assert "File" not in output.traceback[0]


def test_an_error_of_the_student_keeps_its_traceback(ran: dict[str, Any]) -> None:
    (output,) = ran["outputs"]["own"]
    assert output.ename == "ZeroDivisionError"
    assert len(output.traceback) > 1
    assert "division by zero" in output.traceback[-1]


def test_a_figure_is_shown_once_with_its_text(ran: dict[str, Any]) -> None:
    html = _only(ran, "figure")["text/html"]
    assert 'alt="A line that falls"' in html
    assert html.count("<img") == 1
    assert "<figcaption>Time by batch</figcaption>" in html


def test_two_cards_of_one_cell_are_both_shown(ran: dict[str, Any]) -> None:
    ask, check = ran["outputs"]["twice"]
    assert "L02.Q1" in ask.data["text/plain"]
    assert "Le TP <b>02</b> manque." in check.data["text/plain"]
    assert "&lt;b&gt;02" in check.data["text/html"]


def test_what_was_measured_was_kept(ran: dict[str, Any]) -> None:
    results = json.loads((ran["out"] / "results.json").read_text(encoding="utf-8"))
    assert set(results["measures"]["L02.B1"]["samples"]) == {"a", "b"}
    assert results["notes"]["L02.M1"]["verdict"] == "faux"
