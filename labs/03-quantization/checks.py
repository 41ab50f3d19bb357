"""The rubric of lab 03: each function turns evidence into full points or a cause.

Graphs and tensors were read without loading the files; answers and times come from the grader's own runs of them.
What a student typed (results, calibration, answers) is validated here and can only raise `Fail`.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from statistics import median
from typing import Any

from grader.checks import Fail, Skip, check
from grader.claims import is_number, is_whole, table
from grader.forms import bets_fault
from grader.records import Evidence

COMMON = Path(__file__).resolve().parent.parent / "common"

SMALLEST, LARGEST = 0.20, 0.30  # of the fp32 file; int8 alone would be 0.25, scales, biases and the graph add to it
INT8_SHARE = 0.95
MLP_DROP, CNN_DROP, PRUNED_DROP, PRUNED_INT8_DROP = 1.0, 1.5, 2.0, 3.0  # in points of accuracy
FASTER = 2.5  # x3.3 to x3.9 measured where the processor multiplies bytes; x1.1 with the wrong type of weights
VNNI = frozenset(["avx512_vnni", "avx_vnni"])
SPARSITY, SPARSITY_SLACK, SURVIVING = 0.90, 0.01, 0.85
GZIP_SLACK = 0.03  # levels 6 and 9 of gzip differ by less
A_WEIGHT = 4096  # bytes: below, a tensor without two dimensions is a bias or a list of scales

# What results.json holds: each measure with its contenders, the one that the others are compared with first.
MEASURES = {
    "mlp": ("fp32", "dynamic"),
    "cnn": ("fp32", "dynamic", "static"),
    "lenet": ("fp32", "static"),
    "sparse": ("dense", "sparse"),
    "openvino": ("onnxruntime", "openvino", "openvino_f32"),
}
NETWORKS = ("mlp", "cnn", "lenet")  # the protocol is learnt on these; the other two are there to be judged
LEAST_SAMPLES, LEAST_WARMUP = 5, 10
RATIO_SLACK = 0.05
WORDS = {"faster": (1.05, math.inf), "same": (0.85, 1.18), "slower": (0.0, 0.95)}  # they overlap: noise decides nothing

BETS = tuple(f"L03.B{number}" for number in range(1, 7))
QUESTIONS = ("L03.Q1", "L03.Q2", "L03.Q3")


@check("mlp.size")
def mlp_size(evidence: Evidence) -> None:
    """The file weighs between a fifth and three tenths of the fp32 one."""
    _ = evidence["mlp"]["graph"]  # a file that is missing or refused has no size worth telling
    share = evidence["mlp"]["file"]["size"] / _record("mlp")["bytes"]
    if share > LARGEST:
        raise Fail("too_large", percent=round(100 * share))
    if share < SMALLEST:
        raise Fail("too_small", percent=round(100 * share))


@check("mlp.acc")
def mlp_acc(evidence: Evidence) -> None:
    """It reads at most a point fewer digits than the fp32 network."""
    _drop(evidence, "mlp", "mlp", MLP_DROP)


@check("mlp.int8")
def mlp_int8(evidence: Evidence) -> None:
    """Nearly all bytes of the weights that are in use are int8."""
    _int8(evidence["mlp"]["graph"])


@check("cnn.static")
def cnn_static(evidence: Evidence) -> None:
    """Every convolution works on int8 with scales that are fixed in the file."""
    graph = evidence["cnn"]["graph"]
    fixed = {row["name"] for row in graph["initializers"]}
    makers = {name: node for node in graph["nodes"] for name in node["outputs"]}
    convolutions = [node for node in graph["nodes"] if "Conv" in node["op"]]
    if not convolutions:
        raise Fail("no_conv")
    for node in convolutions:
        if node["op"] == "ConvInteger":
            raise Fail("dynamic")
        if node["op"] == "QLinearConv":
            _all_fixed(node["inputs"][1:2] + node["inputs"][4:5] + node["inputs"][6:7], fixed)
            continue
        for name in node["inputs"][:2]:
            maker = makers.get(name)
            if maker is None or maker["op"] != "DequantizeLinear":
                raise Fail("float_conv")
            _all_fixed(maker["inputs"][1:2], fixed)


def _all_fixed(scales: list[str], fixed: set[str]) -> None:
    if not scales or any(scale not in fixed for scale in scales):
        raise Fail("dynamic")


@check("cnn.speed")
def cnn_speed(evidence: Evidence) -> None:
    """The grader's own timing, in turns with the fp32 model: at least two and a half times as fast."""
    run = evidence["cnn"]["faster"]
    if run["problem"]:
        raise Fail("no_answer", problem=run["problem"])
    if not VNNI & set(run["flags"]):
        raise Skip("no_vnni")
    ratios = {row["batch"]: _ratio(row["reference"], row["mine"]) for row in run["batches"]}
    if ratios[1] < FASTER:
        raise Fail("slow", ratio=round(ratios[1], 2), batch_ratio=round(ratios[32], 2), least=FASTER)


def _ratio(slower: list[float], faster: list[float]) -> float:
    """How many times as fast; of the medians and of the best calls the kinder one, for a busy machine."""
    return max(median(slower) / median(faster), min(slower) / min(faster))


@check("cnn.acc")
def cnn_acc(evidence: Evidence) -> None:
    """It reads at most a point and a half fewer digits than the fp32 network."""
    _drop(evidence, "cnn", "cnn384", CNN_DROP)


@check("cnn.calib")
def cnn_calib(evidence: Evidence) -> None:
    """The rows of the calibration are training rows, and their hash is right."""
    noted = table(evidence["calibration"]["json"])
    indices = noted.get("indices")
    if not isinstance(indices, list) or not indices or not all(is_whole(index) for index in indices):
        raise Fail("form", field="indices")
    digits = _digits()
    if not all(0 <= index < len(digits["split"]) for index in indices):
        raise Fail("form", field="indices")
    held_out = sum(digits["split"][index] == 1 for index in indices)
    if held_out:
        raise Fail("held_out", count=held_out, of=len(indices))
    size = len(digits["images"]) // len(digits["split"])
    rows = b"".join(digits["images"][index * size : (index + 1) * size] for index in indices)
    if noted.get("sha256") != hashlib.sha256(rows).hexdigest():
        raise Fail("hash", count=len(indices))


def _digits() -> dict[str, bytes]:
    """The raw bytes of the course's digits, by tensor."""
    content = (COMMON / "digits.safetensors").read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    ends = {name: entry["data_offsets"] for name, entry in header.items() if name != "__metadata__"}
    return {name: content[start + begin : start + end] for name, (begin, end) in ends.items()}


@check("speed.protocol")
def speed_protocol(evidence: Evidence) -> None:
    """Every measure has its raw samples, made in turns, on the same number of threads."""
    measures = table(evidence["results"]["json"], "measures")
    for name, contenders in MEASURES.items():
        measure = measures.get(name)
        if measure is None and name not in NETWORKS:
            continue
        if not isinstance(measure, dict):
            raise Fail("no_measure", measure=name)
        samples = table(measure, "samples")
        for contender in contenders:
            if not _is_samples(samples.get(contender)):
                raise Fail("no_samples", measure=name, contender=contender, least=LEAST_SAMPLES)
        if len({len(samples[contender]) for contender in contenders}) > 1:
            raise Fail("uneven", measure=name)
        if measure.get("unit") != "ms" or not is_whole(measure.get("warmup"), LEAST_WARMUP):
            raise Fail("circumstances", measure=name, field="warmup, unit")
        if not isinstance(measure.get("flags"), list) or not isinstance(measure.get("batch"), int):
            raise Fail("circumstances", measure=name, field="flags, batch")
        _same_threads(name, measure.get("threads"))


def _same_threads(name: str, threads: Any) -> None:
    """One number for all: workbench notes that of each session, and nothing for what is no ONNX Runtime."""
    said = threads.get("onnxruntime") if isinstance(threads, dict) else threads
    numbers = [number for number in said.values() if number is not None] if isinstance(said, dict) else [said]
    if not numbers or not all(is_whole(number, 1) and number == numbers[0] for number in numbers):
        raise Fail("threads", measure=name)


@check("speed.honest")
def speed_honest(evidence: Evidence) -> None:
    """Each ratio and each verdict agrees with the student's own samples, in whichever direction."""
    results = evidence["results"]["json"]
    verdicts = table(results, "notes", "verdicts")
    for name, (base, *others) in MEASURES.items():
        if results["measures"].get(name) is None:
            raise Fail("no_measure", measure=name)
        samples = results["measures"][name]["samples"]
        for contender in others:
            key = f"{name}.{contender}"
            said = verdicts.get(key)
            if not isinstance(said, dict) or not is_number(said.get("ratio")) or str(said.get("verdict")) not in WORDS:
                raise Fail("no_verdict", key=key)
            ratio = median(samples[base]) / median(samples[contender])
            if abs(said["ratio"] / ratio - 1) > RATIO_SLACK:
                raise Fail("ratio", key=key, said=round(said["ratio"], 2), found=round(ratio, 2))
            low, high = WORDS[said["verdict"]]
            if not low <= ratio <= high:
                raise Fail("word", key=key, said=said["verdict"], found=round(ratio, 2))


@check("prune.sparsity")
def prune_sparsity(evidence: Evidence) -> None:
    """Nine tenths of the weights are zero, under the network's own names, and no mask is kept beside them."""
    found = {row["name"]: row for row in evidence["pruned"]["tensors"]["tensors"]}
    wanted = _shapes("fast")
    extra = sorted(set(found) - set(wanted))
    if extra:
        raise Fail("masks", count=len(extra), name=extra[0][:60])
    for name, shape in wanted.items():
        if name in found and (found[name]["shape"], found[name]["dtype"] == "F32") != (shape, True) and shape:
            raise Fail("names", name=name)
        if name not in found and not name.endswith("num_batches_tracked"):
            raise Fail("names", name=name)
    weights = [row for row in found.values() if len(row["shape"]) >= 2]
    share = sum(row["zeros"] or 0 for row in weights) / sum(math.prod(row["shape"]) for row in weights)
    if abs(share - SPARSITY) > SPARSITY_SLACK:
        raise Fail("share", percent=round(100 * share, 1))


def _shapes(network: str) -> dict[str, list[int]]:
    """Name -> shape of the frozen weights of a network."""
    with (COMMON / "models" / f"{network}.safetensors").open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}


@check("prune.acc")
def prune_acc(evidence: Evidence) -> None:
    """The pruned network reads at most two points fewer digits than the whole one."""
    _drop(evidence, "pruned", "fast", PRUNED_DROP)


@check("prune.size")
def prune_size(evidence: Evidence) -> None:
    """The sizes in results.json, raw and gzipped, are those of the files."""
    for section in ("pruned", "pruned_int8"):
        _ = evidence[section]["tensors" if section == "pruned" else "graph"]
    sizes = table(evidence["results"]["json"], "notes", "sizes")
    for section in ("pruned", "pruned_int8"):
        file = evidence[section]["file"]
        said = sizes.get(file["path"].rpartition("/")[2])
        if not isinstance(said, dict) or not is_whole(said.get("raw")) or not is_whole(said.get("gzip")):
            raise Fail("no_sizes", file=file["path"])
        if said["raw"] != file["size"]:
            raise Fail("raw", file=file["path"], said=said["raw"], found=file["size"])
        if abs(said["gzip"] / file["gzip_size"] - 1) > GZIP_SLACK:
            raise Fail("gzip", file=file["path"], said=said["gzip"], found=file["gzip_size"])


@check("order")
def order(evidence: Evidence) -> None:
    """The int8 file was made from the pruned network: its zeros are still there, and it still reads."""
    graph = evidence["pruned_int8"]["graph"]
    _int8(graph)
    weights = [row for row in _weights(graph) if _is_int8(row)]
    zeros = sum(max(row["zeros"] or 0, (row.get("commonest") or [0, 0])[1]) for row in weights)
    share = zeros / sum(math.prod(row["shape"]) for row in weights)
    if share < SURVIVING:
        raise Fail("zeros", percent=round(100 * share, 1), least=round(100 * SURVIVING))
    _drop(evidence, "pruned_int8", "fast", PRUNED_INT8_DROP)


@check("bets")
def bets(evidence: Evidence) -> None:
    """Every forecast and every question of the reading cards has an answer; being right is not asked."""
    texts = evidence["submission"]["texts"]
    if "answers.json" not in texts:
        raise Fail("no_answers")
    fault = bets_fault(texts["answers.json"], evidence.lab, BETS, QUESTIONS)
    if fault:
        raise Fail("form", field=fault)


def _drop(evidence: Evidence, section: str, network: str, most: float) -> None:
    """At most so many points fewer than the fp32 network, on the public digits and on the hidden ones."""
    for feed in ("held_out", "other_hands"):
        if feed == "other_hands" and feed not in evidence[section]:
            continue  # a student's copy of the lab has no hidden digits
        run = evidence[section][feed]
        if run["problem"]:
            raise Fail("no_answer", problem=run["problem"])
        labels = run["truth"]["labels"]
        read = _labels(run["batches"][0]["outputs"])
        if len(read) != len(labels):
            raise Fail("outputs")
        right = sum(one == other for one, other in zip(read, labels, strict=True))
        drop = 100 * (run["truth"]["fp32_right"][network] - right) / len(labels)
        if drop > most:
            raise Fail("drop", drop=round(drop, 1), most=most, right=round(100 * right / len(labels), 1))


def _labels(outputs: dict[str, Any]) -> list[Any]:
    """The label of each row: said by the model, or where its probabilities are highest."""
    if "label" in outputs:
        return list(outputs["label"])
    rows = outputs.get("probabilities")
    if not isinstance(rows, list) or not all(isinstance(row, list) and row for row in rows):
        raise Fail("outputs")
    return [row.index(max(row)) for row in rows]


def _int8(graph: dict[str, Any]) -> None:
    weights = _weights(graph)
    total = sum(row["bytes"] for row in weights)
    if not total:
        raise Fail("no_weights")
    share = sum(row["bytes"] for row in weights if _is_int8(row)) / total
    if share < INT8_SHARE:
        raise Fail("float_weights", percent=round(100 * share), least=round(100 * INT8_SHARE))


def _weights(graph: dict[str, Any]) -> list[dict[str, Any]]:
    """The tensors that nodes compute with; a copy that no node reads is dead weight, not a weight."""
    used = {name for node in graph["nodes"] for name in node["inputs"]}
    return [row for row in graph["initializers"] if _is_weight(row) and (row["name"] in used or _is_inside(row))]


def _is_weight(row: dict[str, Any]) -> bool:
    return len(row["shape"]) >= 2 or row["bytes"] >= A_WEIGHT


def _is_inside(row: dict[str, Any]) -> bool:
    return row.get("where", "initializer") in ("inner", "attribute")


def _is_int8(row: dict[str, Any]) -> bool:
    return row["dtype"] in ("int8", "uint8")


def _record(network: str) -> dict[str, Any]:
    record: dict[str, dict[str, Any]] = json.loads((COMMON / "models" / "models.json").read_text(encoding="utf-8"))
    return record[network]


def _is_samples(value: Any) -> bool:
    """Raw samples: enough of them, and not one figure copied."""
    return (
        isinstance(value, list)
        and len(value) >= LEAST_SAMPLES
        and all(is_number(sample) and sample > 1e-9 for sample in value)
        and len(set(value)) > 1
    )
