"""The hidden inputs of lab 01: inert hostile files, dirtied digits, forms to sort, all from the chance given."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np

from grader.checks import Feed, Given, feed, given

HERE = Path(__file__).parent
kit = SimpleNamespace(**runpy.run_path(str(HERE / "pickles.py")))
HELD_OUT, DIRT, ROWS, SURE = 1, 8, 120, 0.5


@given("hostile")
def hostile(chance: Random) -> Given:
    """Six files that would touch a canary if they were loaded, four that are what they seem; names tell nothing."""
    unsafe = {family: chance.choice(kit.CALLS) for family in (kit.direct, kit.instance, kit.stack_global)}
    unsafe |= {family: chance.choice(kit.CALLS) for family in (kit.memoised, kit.in_archive)}
    unsafe[kit.hidden_in_dict] = kit.PAGER
    made: list[tuple[bytes, str, str | None]] = []
    for family, call in unsafe.items():
        canary = f"{chance.randbytes(8).hex()}.log"
        made.append((family(chance, kit.filled(call, canary)), family.__name__, canary))
    made += [(family(chance), family.__name__, None) for family in (kit.plain, kit.ordered, kit.array, kit.state_dict)]
    chance.shuffle(made)
    files: dict[str, bytes] = {}
    truth: dict[str, dict[str, str | None]] = {}
    for data, family, canary in made:
        name = f"{chance.randbytes(4).hex()}.{'pt' if data.startswith(b'PK') else 'pkl'}"
        files[name] = data
        truth[name] = {"family": family, "canary": canary}
    return Given(files=files, truth=truth)


@feed("digits")
def digits(chance: Random, common: Path) -> Feed:
    """The held-out digits with noise and dirt, so that no list of known answers helps."""
    images, labels = _held_out(common / "digits.safetensors")
    noise = np.random.default_rng(chance.getrandbits(64))
    dirty = images + noise.normal(0, chance.uniform(8, 20), images.shape)
    for image in dirty:
        image.flat[noise.integers(0, image.size, DIRT)] = noise.integers(0, 256, DIRT)
    pixels = dirty.round().clip(0, 255).astype(np.uint8)
    return Feed(arrays={"image": pixels}, truth={"labels": labels.tolist()}, forward="private/forward.py")


@feed("forms")
def forms(chance: Random, common: Path) -> Feed:
    """Forms as the scanner measures them, for a pipeline in ONNX."""
    rows, desks = _forms(chance)
    return Feed(arrays={"X": rows.astype(np.float32)}, truth={"desks": desks})


@given("forms")
def forms_file(chance: Random) -> Given:
    """The same kind of rows as JSON, for a pipeline in another format."""
    rows, desks = _forms(chance)
    return Given(files={"rows.json": json.dumps(rows.tolist()).encode()}, truth={"desks": desks})


def _forms(chance: Random) -> tuple[np.ndarray[Any, Any], list[int]]:
    """Rows [N, 6] on which the reference pipeline is sure of its answer, and that answer."""
    known = json.loads((HERE / "reference.json").read_text(encoding="utf-8"))
    table = {name: np.array(values) for name, values in known.items()}
    noise = np.random.default_rng(chance.getrandbits(64))
    desk = noise.integers(0, len(table["centres"]), 4 * ROWS)
    rows = (table["centres"][desk] + noise.normal(size=(len(desk), 6)) * table["spreads"][desk]).round().clip(0)
    scores = (rows - table["mean"]) / table["scale"] @ table["coefficients"].T + table["intercepts"]
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    first, second = np.sort(shares, axis=1)[:, -1], np.sort(shares, axis=1)[:, -2]
    sure = np.flatnonzero(first - second > SURE)[:ROWS]
    return rows[sure], [int(index) for index in scores[sure].argmax(axis=1)]


def _held_out(file: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Images float64 [N, 28, 28] and labels of the held-out part of digits.safetensors."""
    data = file.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])

    def column(name: str) -> np.ndarray[Any, Any]:
        first, last = header[name]["data_offsets"]
        return np.frombuffer(data[start + first : start + last], np.uint8).reshape(header[name]["shape"])

    chosen = column("split") == HELD_OUT
    return column("images")[chosen].astype(np.float64), column("labels")[chosen]
