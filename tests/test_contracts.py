"""A contract that says what the graph says passes; what a hostile one may hold is a fault, never a crash or a wait."""

from __future__ import annotations

import pytest

from grader.contracts import contract_fault, shape_text

INPUTS = {"image": ("uint8", (None, 28, 28))}
OUTPUTS = {"label": ("int64", (None,)), "probabilities": ("float32", (None, 10))}
CONTRACT = """\
model: guichet-digits
version: 1.0.0
owner: team 7 <team7@town.example>
metric: {name: accuracy, value: 0.997, on: 360 held-out digits}
inputs:
  - {name: image, dtype: uint8, shape: [batch, 28, 28], range: [0, 255]}
outputs:
  - name: label
    dtype: int64
    shape: [batch]
  - name: probabilities
    dtype: float32
    shape: [batch, 10]
"""


def fault(text: str) -> tuple[str, str | int | None] | None:
    found = contract_fault(text, INPUTS, OUTPUTS)
    return None if found is None else (found[0], found[1].get("field", found[1].get("line")))


def test_a_contract_like_the_graph_has_no_fault_in_any_order() -> None:
    assert fault(CONTRACT) is None
    head, outputs = CONTRACT.split("outputs:\n")
    label, shares = outputs.split("  - name: prob")
    assert fault(f"{head}outputs:\n  - name: prob{shares}{label}") is None


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("owner: team 7 <team7@town.example>\n", "", ("contract_field", "owner")),
        ("version: 1.0.0", "version:", ("contract_field", "version")),
        ("value: 0.997, ", "", ("contract_field", "metric.value")),
        ("  - {name: image", "  {name: image", ("contract_field", "inputs")),
        ("name: image", "name: x", ("contract_differs", "inputs.name")),
        ("name: label", "name: [label]", ("contract_differs", "outputs.name")),
        ("name: label", "name: probabilities", ("contract_differs", "outputs.name")),
        ("uint8", "float32", ("contract_differs", "image.dtype")),
        ("[batch, 28, 28]", "[1, 28, 28]", ("contract_differs", "image.shape")),
        ("[batch, 28, 28]", "[batch, 28]", ("contract_differs", "image.shape")),
        ("[batch, 10]", "[batch, 9]", ("contract_differs", "probabilities.shape")),
        ("[batch, 10]", "10", ("contract_differs", "probabilities.shape")),
        ("model: guichet-digits", "model: {a: [b}", ("contract_yaml", 1)),
        ("model: guichet-digits", "? [a]\n: b", ("contract_yaml", 1)),
    ],
)
def test_the_first_fault_is_named(old: str, new: str, expected: tuple[str, str]) -> None:
    assert old in CONTRACT
    assert fault(CONTRACT.replace(old, new, 1)) == expected


def test_no_text_can_break_the_reader() -> None:
    assert fault("") == ("contract_field", "model")
    assert fault("- 1") == ("contract_field", "model")
    assert fault("[" * 10_000) == ("contract_yaml", "?")
    assert fault("a: " + "x" * 20_000) == ("contract_yaml", "?")
    assert fault("!!python/object/apply:os.system [id]") == ("contract_field", "model")
    assert fault("\x00") == ("contract_yaml", "?")


def test_aliases_that_would_grow_without_end_are_never_written_out() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    bomb = "\n".join(lines) + "\nb: {<<: [*a39, *a39]}\n"
    assert fault(bomb + CONTRACT) is None
    found = contract_fault(bomb + CONTRACT.replace("[batch, 28, 28]", "*a39"), INPUTS, OUTPUTS)
    assert found is not None and found[1]["found"] == "[" + ", ".join(["?"] * 8) + "]"


def test_a_shape_is_written_as_one_reads_it() -> None:
    assert shape_text((None, 28, 28)) == "[N, 28, 28]"
    assert shape_text(["batch", 10]) == "[batch, 10]"
    assert shape_text(None) == "?"
