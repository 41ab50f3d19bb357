"""Group D is worth what its notebooks and models are: sound where they must be, hostile exactly as their case says."""

from __future__ import annotations

import ast
import base64
import json
import pickletools
import re
from pathlib import Path
from typing import Any

import pytest

from .gen import gen
from .gen.notebook_pieces import FIT, M_REF, M_ZERO, WEIGHTS, notebook

PARAMS = dict.fromkeys(("BASE", "BASE_WEB", "BADBASE"), "x") | {
    "CANARY_URL": "http://127.0.0.1:9/canary",
    "HOST_CANARY": "/nowhere/watched/canary.txt",
}
CASES = [*(f"PH{number}" for number in range(22, 31)), "PV17", "PV18"]
HERE = Path(__file__).resolve().parent
Book = dict[str, Any]


def books(case_id: str, folder: Path, seed: int = 1) -> list[Book]:
    path = gen(case_id, folder, PARAMS, seed)
    names = json.loads(path.read_text())["submissions"]
    return [json.loads((path.parent / name / "train.ipynb").read_text()) for name in names]


def sources(book: Book) -> list[str]:
    return [cell["source"] for cell in book["cells"] if cell["cell_type"] == "code"]


def dropped(book: Book, name: str) -> bytes:
    """What a cell of the notebook writes to that result."""
    found = [source for source in sources(book) if f"/{name}" in source and "b64decode" in source]
    return base64.b64decode(re.findall(r'b64decode\("([^"]*)"\)', found[0])[0])


@pytest.mark.parametrize("case_id", CASES)
def test_a_notebook_is_one_and_its_cells_are_python(case_id: str, tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    for book in books(case_id, tmp_path):
        nbformat.validate(nbformat.from_dict(book))
        for source in sources(book):
            ast.parse(source)


def test_the_reference_is_what_the_pieces_make() -> None:
    assert (HERE / "lab-n" / "reference" / "train.ipynb").read_bytes() == notebook(*FIT)


def test_the_models_say_what_their_names_promise() -> None:
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    numpy = pytest.importorskip("numpy")
    rows = numpy.random.default_rng(0).standard_normal((5, 3)).astype("f4")
    for data, weights in ((M_REF, WEIGHTS), (M_ZERO, (0, 0, 0))):
        onnx.checker.check_model(onnx.load_from_string(data))
        session = runtime.InferenceSession(data)
        assert numpy.allclose(session.run(None, {"x": rows})[0][:, 0], rows @ numpy.array(weights), atol=1e-5)


def test_forged_metrics_stand_beside_a_model_of_zeros(tmp_path: Path) -> None:
    [book] = books("PH22", tmp_path)
    assert json.loads(dropped(book, "metrics.json")) == {"r2": 1.0}
    assert dropped(book, "model.onnx") == M_ZERO


def test_the_hunt_reads_processes_sockets_and_the_canary(tmp_path: Path) -> None:
    text = "\n".join(sources(books("PH23", tmp_path)[0]))
    for place in ("/proc/", "environ", "docker.sock", "/nowhere/watched/canary.txt", "metrics.json"):
        assert place in text


def test_the_flood_is_as_large_as_told(tmp_path: Path) -> None:
    [flood] = [source for source in sources(books("PH24", tmp_path)[0]) if "display(number)" in source]
    lines, size = re.search(r"range\((\d+)\)", flood), re.search(r'"x" \* (\d+)', flood)
    assert lines and 160_000 <= int(lines[1]) <= 240_000
    assert size and 240 << 20 <= int(size[1]) <= 360 << 20


def test_the_endless_cell_takes_every_exception(tmp_path: Path) -> None:
    last = sources(books("PH25", tmp_path)[0])[-1]
    assert "while True" in last and "except BaseException" in last


def test_every_active_kind_is_shown_and_the_fit_is_whole(tmp_path: Path) -> None:
    [book] = books("PH26", tmp_path)
    text = "\n".join(sources(book))
    for kind in ("text/html", "image/svg+xml", "application/javascript", "text/markdown", "text/latex", "vega"):
        assert kind in text
    assert [source for source in sources(book) if source in FIT] == list(FIT)
    assert "</script>" in json.dumps(book["metadata"])


def test_the_links_lead_to_the_host_and_to_the_data(tmp_path: Path) -> None:
    last = sources(books("PH27", tmp_path)[0])[-1]
    assert "os.symlink('/nowhere/watched/canary.txt', out_dir" in last and "data_dir" in last


def test_the_weights_are_said_to_lie_elsewhere_in_three_spellings(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    places = []
    for book in books("PH28", tmp_path):
        tensor = onnx.load_from_string(dropped(book, "model.onnx")).graph.initializer[0]
        assert tensor.data_location == onnx.TensorProto.EXTERNAL and not tensor.raw_data
        places += [entry.value for entry in tensor.external_data if entry.key == "location"]
    canary = "/nowhere/watched/canary.txt"
    assert places == [f"../../../..{canary}", canary, "sub/../../x"]


def test_the_dead_kernel_leaves_cells_that_look_run(tmp_path: Path) -> None:
    cells = [cell for cell in books("PH29", tmp_path)[0]["cells"] if cell["cell_type"] == "code"]
    assert "os.kill(os.getpid(), 9)" in cells[-3]["source"]
    assert [cell["execution_count"] for cell in cells[-2:]] == [3, 4]
    assert all("0.99" in cell["outputs"][0]["text"] for cell in cells[-2:])


def test_the_pickle_would_touch_a_file_beside_the_canary(tmp_path: Path) -> None:
    [book] = books("PH30", tmp_path)
    data = dropped(book, "model.onnx")
    assert data == dropped(book, "metrics.json")
    words = [argument for _, argument, _ in pickletools.genops(data) if isinstance(argument, str)]
    assert words == ["posix", "system", "touch /nowhere/watched/unpickled"]


def test_the_foreign_notebook_is_old_and_full_of_leftovers(tmp_path: Path) -> None:
    [book] = books("PV17", tmp_path)
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 2)
    assert book["metadata"]["kernelspec"]["name"] == "venv-mlops"
    assert not any("id" in cell for cell in book["cells"])
    assert {cell["cell_type"] for cell in book["cells"]} == {"code", "raw", "markdown"}
    counts = [cell["execution_count"] for cell in book["cells"] if cell["cell_type"] == "code"]
    assert counts != sorted(counts)
    kinds = {output["output_type"] for cell in book["cells"] for output in cell.get("outputs", ())}
    assert kinds == {"error", "display_data"}
    assert any("attachments" in cell for cell in book["cells"])


def test_the_other_domain_stands_in_the_cells(tmp_path: Path) -> None:
    text = "\n".join(sources(books("PV18", tmp_path)[0]))
    assert '"LinearRegressor"' in text and '"ai.onnx.ml"' in text and '"batch"' in text and '"Identity"' in text
