"""Measuring: fair turns, honest counts, raw samples kept. No absolute time is asserted."""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench import machine, timing
from workbench.session import Session
from workbench.timing import Measurement, Protocol

Begin = Callable[..., Session]


def _spin(milliseconds: float) -> Callable[[], None]:
    def contender() -> None:
        until = time.perf_counter() + milliseconds / 1000
        while time.perf_counter() < until:
            pass

    return contender


def _stored(out: Path, name: str) -> dict[str, Any]:
    return dict(json.loads((out / "results.json").read_text(encoding="utf-8"))["measures"][name])


def _made(samples: dict[str, tuple[float, ...]], calls: int = 1, lang: Any = "en") -> Measurement:
    rounds = len(next(iter(samples.values()))) // calls
    protocol = Protocol(10, rounds, calls, 1, dict.fromkeys(samples, 1))
    return Measurement("x", samples, protocol, 1, {"cpus": 2}, ("avx2",), lang)


def test_turns_alternate_and_the_order_is_reversed_each_round() -> None:
    seen: list[str] = []
    contenders = {name: (lambda name=name: (seen.append(name), time.sleep(0.06))) for name in "abc"}
    protocol, samples = timing.run(contenders, rounds=4, warmup=10, fast=True)
    assert (protocol.calls, protocol.discarded, set(protocol.inner.values())) == (1, 0, {1})
    assert "".join(seen[:30]) == "a" * 10 + "b" * 10 + "c" * 10
    assert "".join(seen[30:]) == "abc" + "cba" + "abc" + "cba"
    assert {name: len(times) for name, times in samples.items()} == {"a": 4, "b": 4, "c": 4}


def test_short_calls_get_a_call_thrown_away_and_several_timed() -> None:
    counts = {"a": 0, "b": 0}

    def call(name: str) -> None:
        counts[name] += 1
        _spin(0.5)()

    protocol, samples = timing.run({name: lambda name=name: call(name) for name in "ab"}, 5, 12, fast=False)
    assert protocol.warmup == 12
    assert protocol.discarded == 1
    assert protocol.calls > 1
    assert len(samples["a"]) == len(samples["b"]) == 5 * protocol.calls
    assert counts["a"] == counts["b"] == 12 + 5 * (1 + protocol.calls)


def test_calls_too_short_for_the_clock_are_bundled_each_as_it_needs() -> None:
    protocol, samples = timing.run({"tiny": lambda: None, "long": _spin(1)}, 5, 10, fast=True)
    assert protocol.inner["tiny"] > 10
    assert protocol.inner["long"] == 1
    assert max(samples["tiny"]) < min(samples["long"])


def test_a_thing_that_is_twice_as_slow_is_found_to_be(begin: Begin) -> None:
    begin()
    m = wb.measure({"slow": _spin(2), "quick": _spin(1)}, id="pair")
    low, high = m.ratio_range("slow", "quick")
    assert 1.7 < m.ratio("slow", "quick") < 2.3
    assert low <= high
    assert m.ratio("slow", "quick") == pytest.approx(1 / m.ratio("quick", "slow"))


def test_raw_samples_and_circumstances_are_kept(begin: Begin, out: Path) -> None:
    begin(n_repeats=6, fast=True)
    wb.bet("L02.B1", 2, "x", 50)
    m = wb.measure({"a": _spin(0.2), "b": _spin(0.1)}, bet="L02.B1", batch=32)
    kept = _stored(out, "L02.B1")
    assert (kept["unit"], kept["batch"], kept["warmup"], kept["rounds"]) == ("ms", 32, 10, 6)
    assert kept["threads"]["cpus"] >= 1
    assert isinstance(kept["flags"], list)
    for name in "ab":
        assert kept["samples"][name] == pytest.approx(m.samples[name], rel=1e-5)
        assert len(kept["samples"][name]) == 6 * kept["calls"]
        assert kept["median"][name] == pytest.approx(m.median(name), rel=1e-5)


def test_even_the_shortest_times_keep_six_digits(begin: Begin, out: Path) -> None:
    begin(fast=True)
    m = wb.measure({"tiny": lambda: None}, id="tiny")
    kept = _stored(out, "tiny")
    assert kept["samples"]["tiny"] == pytest.approx(m.samples["tiny"], rel=1e-5)
    assert kept["median"]["tiny"] == pytest.approx(statistics.median(kept["samples"]["tiny"]), rel=1e-5)


def test_the_id_names_the_measurement_where_one_bet_has_several(begin: Begin, out: Path) -> None:
    begin(fast=True)
    wb.bet("L02.B1", 2, "x", 50)
    for batch in (1, 32):
        wb.measure({"a": int}, bet="L02.B1", id=f"L02.B1 batch {batch}", batch=batch)
    assert (_stored(out, "L02.B1 batch 1")["batch"], _stored(out, "L02.B1 batch 32")["batch"]) == (1, 32)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"contenders": {}}, "a table of things to call"), ({"contenders": [int]}, "a table of things to call"),
        ({"contenders": int}, "a table of things to call"),
        ({"contenders": {"a": 3}}, "“a” cannot be called: it is a int"),
        ({"contenders": {1: int}}, "a name as text"), ({"contenders": {" ": int}}, "a name as text"),
        ({"batch": 0}, "`batch`"), ({"batch": 1.5}, "`batch`"), ({"batch": None}, "`batch`"),
        ({"n_repeats": 4}, "`n_repeats`"), ({"warmup": 9}, "`warmup`"), ({"warmup": "10"}, "`warmup`"),
        ({"id": None}, "under which id"), ({"id": ""}, "under which id"), ({"id": 3}, "under which id"),
        ({"bet": "L03.B1"}, "another lab"), ({"bet": "nonsense"}, "is no id"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named_and_nothing_is_measured(
    begin: Begin, out: Path, given: dict[str, Any], said: str
) -> None:
    begin()
    arguments = {"contenders": {"a": int}, "id": "a"} | given
    with pytest.raises(wb.WorkbenchError, match=said):
        wb.measure(arguments.pop("contenders"), **arguments)
    assert not (out / "results.json").exists()


def test_an_error_of_the_student_s_own_code_is_theirs_to_see(begin: Begin, out: Path) -> None:
    begin()
    with pytest.raises(ZeroDivisionError):
        wb.measure({"a": int, "b": lambda: 1 / 0}, id="a")
    assert gc.isenabled()
    assert not (out / "results.json").exists()


def test_an_interruption_leaves_the_collector_on_and_no_result(begin: Begin, out: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    begin()
    with pytest.raises(KeyboardInterrupt):
        wb.measure({"a": stop}, id="a")
    assert gc.isenabled()
    assert not (out / "results.json").exists()


def test_a_collector_that_was_off_stays_off(begin: Begin) -> None:
    begin(fast=True)
    gc.disable()
    try:
        wb.measure({"a": int}, id="a")
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_name_that_was_not_measured_is_answered_with_those_that_were() -> None:
    m = _made({"torch": (1.0,) * 5, "onnx": (2.0,) * 5}, lang="fr")
    for call in (lambda: m.median("onxx"), lambda: m.p95("x"), lambda: m.ratio("torch", "x"),
                 lambda: m.ratio_range("x", "torch")):  # fmt: skip
        with pytest.raises(wb.WorkbenchError, match=r"Elle a\s: torch, onnx"):
            call()


@given(st.lists(st.floats(0.001, 1000), min_size=5, max_size=60), st.floats(0.1, 10))
@settings(max_examples=50)
def test_a_constant_factor_is_the_ratio_whatever_the_noise(times: list[float], factor: float) -> None:
    """Both sides share each round's noise: the ratio of every round, and so its range, is the factor."""
    m = _made({"a": tuple(time * factor for time in times), "b": tuple(times)})
    assert m.ratio("a", "b") == pytest.approx(factor)
    assert m.ratio_range("a", "b") == pytest.approx((factor, factor))


def test_a_spell_of_a_busy_machine_widens_no_range_that_is_paired() -> None:
    spell = [1.0, 1.0, 9.0, 9.0, 1.0, 1.0, 1.0]
    m = _made({"a": tuple(2 * load for load in spell), "b": tuple(spell)})
    assert m.ratio_range("a", "b") == (2.0, 2.0)


def test_it_reads_as_a_small_table_in_both_forms() -> None:
    m = _made({"torch": (3.0,) * 5, "<b>": (1.5,) * 5}, lang="fr")
    assert "× 2,00" in repr(m)
    assert "5" in repr(m)
    html = m._repr_html_()
    assert "<table>" in html
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert set(m._repr_mimebundle_()) == {"text/html", "text/plain"}


def test_the_bet_stands_beside_what_was_measured(begin: Begin) -> None:
    begin(fast=True)
    wb.bet("L02.B1", 12, "x", 80)
    assert "Your bet: 12 x (80% sure)" in repr(wb.measure({"a": int}, bet="L02.B1"))


def test_flags_are_read_where_the_system_lists_them(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    assert machine.flags(info) == []
    info.write_text("processor\t: 0\nflags\t\t: fpu vme avx2 sse4_2 avx512_vnni fma\n\nflags\t: other avx\n")
    assert machine.flags(info) == ["avx2", "avx512_vnni", "fma", "sse4_2"]
    info.write_text("Features\t: fp asimd i8mm\n")
    assert machine.flags(info) == ["asimd", "i8mm"]
    info.write_bytes(b"\xff\xfe nothing here")
    assert machine.flags(info) == []
    assert machine.flags(tmp_path) == [], "a folder"
    assert machine.headline(["avx2", "sse4_2"]) == "avx2"


def test_threads_of_libraries_are_those_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    torch = types.ModuleType("torch")
    torch.get_num_threads = lambda: 3  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = machine.threads({"a": int})
    assert found["torch"] == 3
    assert found["env"]["OMP_NUM_THREADS"] == "3"
    torch.get_num_threads = lambda: 1 / 0  # type: ignore[attr-defined]
    assert "torch" not in machine.threads({"a": int})


def test_the_threads_of_a_real_session_are_found_however_it_is_called() -> None:
    import functools

    import onnxruntime

    root = Path(__file__).resolve().parents[2]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(root / "labs/common/models/fast.onnx", options, ["CPUExecutionProvider"])
    feed: dict[str, Any] = {}

    def closure() -> object:
        return session.run(None, feed)

    def default(session: Any = session) -> object:
        return session.run(None, feed)

    class Holder:
        def call(self) -> object:
            return session.run(None, feed)

    found = machine.threads(
        {
            "closure": closure,
            "default": default,
            "partial": functools.partial(session.run, None, feed),
            "through another": lambda: closure(),
            "method": Holder().call,
            "none": int,
        }
    )["onnxruntime"]
    assert found == {"closure": 1, "default": 1, "partial": 1, "through another": 1, "method": 1, "none": None}
