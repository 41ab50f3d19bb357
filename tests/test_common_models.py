"""The frozen digits and models of `labs/common`: what every lab that serves, boxes or compares them relies on."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

COMMON = Path(__file__).parent.parent / "labs" / "common"
MODELS = COMMON / "models"
RECORD = json.loads((MODELS / "models.json").read_text())
NAMES = ["cnn384", "constant", "fast", "lenet", "mlp", "slow"]
TRAINED = ["cnn384", "fast", "lenet", "mlp"]
FROZEN = ["cnn384", "fast"]  # those whose weights stand beside the model

Tensors = dict[str, NDArray[Any]]
Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def read_safetensors(path: Path) -> Tensors:
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    types = {"U8": np.uint8, "I64": np.int64, "F32": np.float32}
    return {
        name: np.frombuffer(content[start + begin : start + end], types[entry["dtype"]]).reshape(entry["shape"])
        for name, entry in json.loads(content[8:start]).items()
        for begin, end in [entry["data_offsets"]]
    }


def session(name: str) -> Any:
    try:
        import onnxruntime
    except ImportError:
        pytest.fail("onnxruntime is not installed: install the project's dev extra")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(MODELS / f"{name}.onnx", options, providers=["CPUExecutionProvider"])


def answers(name: str, images: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    label, probabilities = session(name).run(["label", "probabilities"], {"image": images})
    return label, probabilities


def cpu_seconds(model: Any, outputs: list[str], inputs: Tensors, times: int) -> float:
    """CPU time of one run, the mean of `times`."""
    started = time.process_time()
    for _ in range(times):
        model.run(outputs, inputs)
    return (time.process_time() - started) / times


@pytest.fixture(scope="module")
def digits() -> Tensors:
    return read_safetensors(COMMON / "digits.safetensors")


@pytest.fixture(scope="module")
def held_out(digits: Tensors) -> Pair:
    chosen = digits["split"] == 1
    return digits["images"][chosen], digits["labels"][chosen]


def test_digits_keep_their_shape_their_split_and_an_empty_margin(digits: Tensors) -> None:
    assert digits["images"].shape == (1797, 28, 28) and digits["images"].dtype == np.uint8
    assert [int((digits["split"] == part).sum()) for part in (0, 1)] == [1437, 360]
    assert set(digits["labels"].tolist()) == set(range(10))
    inside = np.zeros((28, 28), dtype=bool)
    inside[4:24, 4:24] = True
    assert digits["images"][:, ~inside].max() == 0
    assert digits["images"].max() == 255


def test_no_held_out_digit_was_trained_on(digits: Tensors) -> None:
    train, held_out = ({image.tobytes() for image in digits["images"][digits["split"] == part]} for part in (0, 1))
    assert not train & held_out


def test_every_model_is_recorded() -> None:
    assert sorted(RECORD) == sorted(path.stem for path in MODELS.glob("*.onnx")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_model_file_is_noticed(name: str) -> None:
    content = (MODELS / f"{name}.onnx").read_bytes()
    assert hashlib.sha256(content).hexdigest() == RECORD[name]["sha256"]
    assert len(content) == RECORD[name]["bytes"]


@pytest.mark.parametrize("name", FROZEN)
def test_changed_weights_are_noticed(name: str) -> None:
    content = (MODELS / f"{name}.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest() == RECORD[name]["weights_sha256"]


@pytest.mark.parametrize("name", NAMES)
def test_every_model_has_the_signature_of_the_contract(name: str) -> None:
    model = session(name)
    signature = [(port.name, port.type, port.shape) for port in (*model.get_inputs(), *model.get_outputs())]
    assert signature == [
        ("image", "tensor(uint8)", ["batch", 28, 28]),
        ("label", "tensor(int64)", ["batch"]),
        ("probabilities", "tensor(float)", ["batch", 10]),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_no_model_names_a_path_of_the_machine_that_made_it(name: str) -> None:
    content = (MODELS / f"{name}.onnx").read_bytes()
    assert not [word for word in (b"/work", b"/tmp", b"/home", b"/root", b".py") if word in content]


def test_fast_keeps_the_browser_budget() -> None:
    assert RECORD["fast"]["bytes"] <= 400_000


@pytest.mark.parametrize("name", TRAINED)
def test_trained_models_read_held_out_digits(name: str, held_out: Pair) -> None:
    images, labels = held_out
    found, probabilities = answers(name, images)
    right = int((found == labels).sum())
    assert right == RECORD[name]["held_out_correct"]
    assert right / len(labels) >= 0.985
    assert (probabilities.argmax(axis=1) == found).all()
    assert np.abs(probabilities.sum(axis=1) - 1).max() < 1e-5


@pytest.mark.parametrize("name", FROZEN)
def test_a_model_answers_as_its_frozen_weights_do(name: str, held_out: Pair) -> None:
    images = held_out[0][:10]
    expected = forward(read_safetensors(MODELS / f"{name}.safetensors"), images)
    assert np.abs(answers(name, images)[1] - expected).max() < 1e-5


@pytest.mark.parametrize("name", ["fast", "constant"])
def test_batches_answer_as_single_rows_do(name: str, held_out: Pair) -> None:
    images = held_out[0][:7]
    label, probabilities = answers(name, images)
    for row, image in enumerate(images):
        alone = answers(name, image[None])
        assert alone[0][0] == label[row]
        assert np.abs(alone[1][0] - probabilities[row]).max() < 1e-5


def test_slow_differs_from_fast_by_its_time_only(held_out: Pair) -> None:
    slow, fast = answers("slow", held_out[0]), answers("fast", held_out[0])
    assert np.array_equal(slow[0], fast[0])
    assert np.array_equal(slow[1], fast[1])


@pytest.mark.parametrize("outputs", [["label"], ["probabilities"]])
def test_slow_cannot_be_hurried_by_asking_for_one_output(outputs: list[str], held_out: Pair) -> None:
    image = {"image": held_out[0][:1]}
    assert cpu_seconds(session("slow"), outputs, image, 1) > 300 * cpu_seconds(session("fast"), outputs, image, 50)


def test_constant_ignores_its_input(held_out: Pair) -> None:
    label, probabilities = answers("constant", held_out[0])
    assert len(label) == len(probabilities) == len(held_out[0])
    assert len(set(label.tolist())) == 1
    assert (probabilities == probabilities[0]).all()
    assert probabilities[0].argmax() == label[0]


def forward(weights: Tensors, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """DigitCNN in numpy, from the frozen weights: numbers are the layers of `networks.py`."""
    x = (images[:, None].astype(np.float64) / 255 - 0.15) / 0.30
    for layer, pool in ((1, True), (5, False), (8, True), (12, False), (15, False)):
        x = np.maximum(normalise(convolve(x, weights[f"{layer}.weight"]), weights, layer + 1), 0)
        if pool:
            count, channels, height, width = x.shape
            x = x.reshape(count, channels, height // 2, 2, width // 2, 2).max(axis=(3, 5))
    logits = x.mean(axis=(2, 3)) @ weights["21.weight"].T + weights["21.bias"]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return result


def convolve(x: NDArray[Any], kernel: NDArray[Any]) -> NDArray[Any]:
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    return np.moveaxis(np.tensordot(windows, kernel, axes=([1, 4, 5], [1, 2, 3])), 3, 1)


def normalise(x: NDArray[Any], weights: Tensors, layer: int) -> NDArray[Any]:
    scale = weights[f"{layer}.weight"] / np.sqrt(weights[f"{layer}.running_var"] + 1e-5)
    shift = weights[f"{layer}.bias"] - weights[f"{layer}.running_mean"] * scale
    return x * scale[:, None, None] + shift[:, None, None]
