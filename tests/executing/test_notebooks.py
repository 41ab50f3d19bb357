"""A notebook or a model that is not run, stops or cheats, and earns marks or is not told where and why it failed."""

from __future__ import annotations

from typing import Any

import pytest

from grader import words
from grader.outcomes import OF_EXECUTIONS, OF_MODELS

from ..books import FIT, SAVE, book, cell, drop
from .conftest import Counting, Give, items, section

R = {"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}}
DEEP = b'{"nbformat": 4, "metadata": ' + b"[" * 100_000 + b"]" * 100_000 + b', "cells": []}'
NEVER_RUN = {
    "text": (b"# not a notebook\n", "not_a_notebook", {"where": "JSON"}),
    "nothing": (b"", "not_a_notebook", {"where": "JSON"}),
    "other JSON": (b'{"r2": 1}', "not_a_notebook", {"where": "nbformat"}),
    "a list": (b"[1, 2]", "not_a_notebook", {"where": "nbformat"}),
    "no cells": (b'{"nbformat": 4, "metadata": {}}', "not_a_notebook", {"where": "cells"}),
    "a broken cell": (book({"cell_type": "code", "source": 3}), "not_a_notebook", {"where": "cell 2"}),
    "too deep": (DEEP, "not_a_notebook", {"where": "size"}),
    "too large": (book("#" + "x" * (21 << 20)), "not_a_notebook", {"where": "size"}),
    "too many cells": (book(*["1"] * 2001), "not_a_notebook", {"where": "cells"}),
    "format 3": (book(nbformat=3), "old_format", {"nbformat": 3}),
    "no kernel": (book(FIT, metadata={}), "no_kernel", {"kernel": "-"}),
    "an empty kernel name": (book(FIT, metadata={"kernelspec": {"name": " "}}), "no_kernel", {"kernel": "-"}),
    "another language": (book("x <- 1", metadata=R), "no_kernel", {"kernel": "R"}),
}


@pytest.mark.parametrize(("notebook", "cause", "facts"), NEVER_RUN.values(), ids=NEVER_RUN)
def test_what_is_no_python_notebook_is_not_run(
    give: Give, room: Counting, notebook: bytes, cause: str, facts: dict[str, Any]
) -> None:
    graded = give(notebook)
    assert (graded.report.run_class, graded.report.status) == ("NB_ERROR", "graded")
    found = items(graded)["exec"]
    assert (found.outcome, found.cause, room.jobs) == ("failed", cause, [])
    assert facts.items() <= found.facts.items() and "train.ipynb" in found.message
    assert items(graded)["model"].cause == "missing"
    assert section(graded, "train")["outputs"]["model.onnx"]["problem"] == "missing"


STOPS = {
    "an error": (["raise ValueError('no')", SAVE], "NB_ERROR", "cell_error", {"cell": 2, "error": "ValueError"}),
    "a made-up error": (
        ["class Row17Is3(Exception): pass\nraise Row17Is3"], "NB_ERROR", "cell_error", {"error": "Exception"},
    ),
    "a syntax error": (["def"], "NB_ERROR", "cell_error", {"cell": 2, "error": "SyntaxError"}),
    "an endless cell": (["while True: pass", "1"], "NB_TIMEOUT", "cell_timeout", {"cell": 2, "limit": 4}),
    "an endless cell that will not hear": (
        ["import time\nwhile True:\n  try: time.sleep(1)\n  except BaseException: pass"],
        "NB_TIMEOUT", "cell_timeout", {"cell": 2},
    ),
    "a kernel that kills itself": (
        ["print('all good')", "import os; os.kill(os.getpid(), 9)", "1"],
        "NB_ERROR", "cell_killed", {"cell": 3},
    ),
    "a gigabyte of output": (
        ["for number in range(1000): print('x' * 1_000_000)", "1"], "NB_LIMIT", "cell_output", {"cell": 2},
    ),
    "a gigabyte at file level": (
        ["import os\nwhile True: os.write(1, b'x' * 1_000_000)"], "NB_LIMIT", None, {},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("cells", "run_class", "cause", "facts"), STOPS.values(), ids=STOPS)
def test_a_notebook_that_stops_is_told_where_and_why(
    give: Give, cells: list[str], run_class: str, cause: str | None, facts: dict[str, Any]
) -> None:
    graded = give(book(*cells))
    found = items(graded)["exec"]
    assert (graded.report.run_class, found.outcome) == (run_class, "failed")
    assert cause is None or found.cause == cause
    assert facts.items() <= found.facts.items()
    assert items(graded)["model"].cause == "missing"
    assert all(not row["executed"] for row in section(graded, "train")["cells"][len(cells) + 1 :])


def test_outputs_baked_in_are_no_evidence(give: Give) -> None:
    stream = {"output_type": "stream", "name": "stdout", "text": "accuracy 0.99"}
    baked = [cell("1", outputs=[stream], execution_count=number) for number in (3, 4)]
    graded = give(book("import os; os._exit(0)", *baked))
    assert items(graded)["exec"].outcome == "failed" and graded.report.run_class == "NB_ERROR"
    assert [row["executed"] for row in section(graded, "train")["cells"][2:]] == [False, False]


def test_printing_success_earns_what_printing_can(give: Give) -> None:
    graded = give(book("print('R2: 0.9999')", drop("metrics.json", b'{"r2": 1.0}')), exercise=None)
    outcomes = {name: item.outcome for name, item in items(graded).items()}
    assert outcomes == {"exec": "passed", "model": "failed", "score": "blocked", "tool": "passed"}
    assert (items(graded)["model"].cause, graded.report.run_class) == ("missing", "GRADED")


WRONG = {
    "text": (drop("model.onnx", b"weights"), "format"),
    "a pickle": (drop("model.onnx", b"cposix\nsystem\n(S'true'\ntR."), "format"),
    "a link": ("import os; os.symlink('/etc/passwd', f'{out_dir}/model.onnx')", "link"),
    "a pipe": ("import os; os.mkfifo(f'{out_dir}/model.onnx')", "special"),
    "weights elsewhere": (
        FIT + "from onnx.external_data_helper import set_external_data\n"
        "model.graph.initializer[0].raw_data = b'0' * 12\n"
        "set_external_data(model.graph.initializer[0], '../../../../etc/passwd')\n"
        "open(f'{out_dir}/model.onnx', 'wb').write(model.SerializeToString())",
        "external",
    ),
}


@pytest.mark.parametrize(("source", "rule"), WRONG.values(), ids=WRONG)
def test_a_wrong_artefact_is_refused_unopened(give: Give, room: Counting, source: str, rule: str) -> None:
    graded = give(book(source))
    found = items(graded)
    assert (graded.report.run_class, found["exec"].outcome) == ("ARTIFACT_REJECT", "passed")
    assert (found["model"].cause, found["model"].facts) == ("rejected", {"file": "model.onnx", "rule": rule})
    assert found["model"].message == words.say(f"rejected_{rule}", "en", {"file": "model.onnx"})
    assert len(room.jobs) == 1, "the model was never run"


def test_a_model_that_does_not_fit_is_told_what_it_lacks(give: Give) -> None:
    graded = give(
        book(FIT.replace('["n", 3]', '["n", 4]').replace("[3, 1], weights.tolist()", "[4, 1], [0.0] * 4"), SAVE),
        exercise="E2",
    )
    found = items(graded)["score"]
    assert (found.outcome, found.cause) == ("failed", "model_shape") and found.facts["run"] == "rows"


def test_the_truth_stays_with_the_grader(give: Give, room: Counting) -> None:
    truth = section(give(book(FIT, SAVE), exercise=None), "model")["rows"]["truth"]
    assert len(truth) == 7 and len(room.sent) > 3
    assert not any(str(number).encode() in one for number in truth for one in room.sent)


@pytest.mark.parametrize("lang", ["en", "fr"])
@pytest.mark.parametrize("cause", [*OF_EXECUTIONS.values(), *OF_MODELS.values(), "missing", "rejected"])
def test_each_cause_has_words(cause: str, lang: Any) -> None:
    assert words.known(cause) and words.template(cause, lang).strip()
