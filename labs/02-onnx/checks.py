"""The rubric of lab 02: each function turns evidence into full points or a cause.

Bytes that a student could have written (contract, results, answers, a model's outputs) are validated here and can only
raise `Fail`.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any, NamedTuple

from grader.checks import Fail, check
from grader.claims import is_number, is_whole, table
from grader.contracts import contract_fault, shape_text
from grader.forms import bets_fault
from grader.outcomes import refusal
from grader.records import Evidence
from grader.stats import auc

BATCHES = (1, 7, 64)  # as in lab.toml
ROWS_TOLERANCE = 1e-4
LABELS_WRONG = 0.02
# Below 13, lab 03 cannot quantize a channel at a time; 26 is the last that ONNX Runtime 1.31 and its web build 1.30
# know: both were asked.
OLDEST, NEWEST = 13, 26
INPUTS = {"image": ("uint8", (None, 28, 28))}
OUTPUTS = {"label": ("int64", (None,)), "probabilities": ("float32", (None, 10))}

COLUMNS = {
    **dict.fromkeys(
        ("sched_dep", "weekday", "distance", "plane_year", "seats", "temp", "humid", "wind_speed", "precip",
         "pressure", "visib"), "float32",
    ),
    **dict.fromkeys(("carrier", "origin", "dest"), "string"),
}  # fmt: skip
# Of 2,000 flights, two may lie on a threshold that float32 moves; a scaler before the trees moves more than a hundred.
ROWS_APART = 2
AUC = 0.65

# What was written on the 360 held-out digits, in the order of the file.
HELD_OUT = (
    "148659913222074815394591248987166405272172509819037091002271610036172754071791479699712164"
    "614428412298027825269734893601902016331969633854840701238469055075800234578848331458985652"
    "363380569675422416890477237395517337858484902450126730513346281869147205955577383466221675"
    "790940575827013769007617439825908635345908336615514618652488167314909902376203634369548584"
)
LOSS, LOSS_TOLERANCE = 0.786, 0.02  # tests/test_lab02_checks.py computes it anew

SPEEDS = {"L02.B4": 1, "L02.B5": 32}  # measurement -> batch
CONTENDERS = ("eager", "onnx")
WARMUP, ROUNDS = 10, 5
MEDIAN_TOLERANCE = 0.02
FASTER, SAME = 1.05, 1.25  # "faster" from 1.05 on, "same" up to 1.25: between them, both are honest
BETS = tuple(f"L02.B{number}" for number in range(1, 8))


# --- the file ----------------------------------------------------------------------------------------


@check("selfcontained")
def selfcontained(evidence: Evidence) -> None:
    """The file is the whole model: it names no other file for its weights."""
    _ = evidence["model"]["graph"]  # a file that is missing or refused is told of by the words that all labs share
    file = evidence["model"]["file"]
    if file["facts"]["external"]:
        raise Fail("external", beside=file["facts"]["external"][0], size=file["size"])


@check("names")
def names(evidence: Evidence) -> None:
    """Names, types and shapes are those of the service contract, and `contract.yaml` says the same."""
    graph = evidence["model"]["graph"]
    for side, wanted in (("inputs", INPUTS), ("outputs", OUTPUTS)):
        found = {value["name"]: value for value in graph[side]}
        if set(found) != set(wanted):
            raise Fail(f"{side}_named", found=", ".join(found)[:120], wanted=", ".join(wanted))
        for name, (dtype, shape) in wanted.items():
            if found[name]["dtype"] != dtype:
                raise Fail("type", name=name, found=str(found[name]["dtype"]), wanted=dtype)
            if not _fits(found[name]["shape"], shape, open_too=side == "outputs"):
                raise Fail("shape", name=name, found=shape_text(found[name]["shape"]), wanted=shape_text(shape))
    texts = evidence["submission"]["texts"]
    if "contract.yaml" not in texts:
        raise Fail("no_contract")
    if fault := contract_fault(texts["contract.yaml"], INPUTS, OUTPUTS):
        cause, facts = fault
        raise Fail(cause, share=0.0, **facts)


def _fits(found: list[Any] | None, wanted: tuple[int | None, ...], open_too: bool) -> bool:
    """Whether a shape of the graph is the wanted one; the batch is another item's, an output's size may be unsaid."""
    if found is None:
        return open_too
    if len(found) != len(wanted):
        return False
    return all(size == want or (open_too and not isinstance(size, int))
               for size, want in zip(found[1:], wanted[1:], strict=True))  # fmt: skip


@check("opset")
def opset(evidence: Evidence) -> None:
    """Both runtimes of the course know the file's set of operators, and lab 03 can quantize it."""
    opsets = evidence["model"]["graph"]["opsets"]
    version = opsets.get("ai.onnx", opsets.get(""))
    if not isinstance(version, int):
        raise Fail("none")
    if version < OLDEST:
        raise Fail("old", opset=version, oldest=OLDEST)
    if version > NEWEST:
        raise Fail("new", opset=version, newest=NEWEST)


# --- what it answers ----------------------------------------------------------------------------------


@check("dynbatch")
def dynbatch(evidence: Evidence) -> None:
    """1, 7 and 64 images at a time, with the same answers as one at a time."""
    run = evidence["model"]["batches"]
    done = len(run["batches"])
    if run["problem"] in ("shape", "error") and 0 < done < len(BATCHES):
        # It took one image at a time, so the size is what it cannot take.
        raise Fail("frozen", batch=BATCHES[done])
    single, *larger = _answers(run)
    if all(row == single.shares[0] for row in single.shares):
        raise Fail("constant")
    for size, answer in zip(BATCHES[1:], larger, strict=True):
        alone = [single.shares[row % len(single.shares)] for row in range(size)]
        if _gap(answer.shares, alone) > ROWS_TOLERANCE:
            raise Fail("mixed", batch=size)


@check("pipe.raw")
def pipe_raw(evidence: Evidence) -> None:
    """Pixels as a browser has them, 0 to 255, go in; the labels are the reference's."""
    run = evidence["model"]["rows"]
    wanted = run["truth"]["labels"]
    wrong = sum(label != right for label, right in zip(_answers(run)[0].labels, wanted, strict=True))
    if wrong > LABELS_WRONG * len(wanted):
        raise Fail("labels", wrong=wrong, asked=len(wanted))


@check("parity")
def parity(evidence: Evidence) -> None:
    """Row by row, the probabilities are those of the trusted forward pass."""
    run = evidence["model"]["rows"]
    found = _told(run["batches"][0])
    assert found is not None, "pipe.raw comes first"
    if any(abs(sum(row) - 1) > 1e-3 for row in found.shares):
        raise Fail("no_probabilities", total=round(sum(found.shares[0]), 3))
    gap = _gap(found.shares, run["truth"]["probabilities"])
    if gap > ROWS_TOLERANCE:
        raise Fail("gap", gap=f"{gap:.1e}", allowed=f"{ROWS_TOLERANCE:.0e}")


@check("portability")
def portability(evidence: Evidence) -> None:
    """ONNX's own evaluator, which knows the standard's operators and no others, gives the same labels."""
    reference = evidence["model"]["reference"]
    if reference["problem"]:
        foreign = _foreign(evidence["model"]["graph"])
        if foreign:
            raise Fail("operator", op=foreign[0], domain=foreign[1])
        raise Fail("evaluator", message=reference["message"])
    mine, theirs = _answers(evidence["model"]["rows"])[0].labels, _answers(reference)[0].labels
    differ = sum(one != other for one, other in zip(mine, theirs, strict=True))
    if differ:
        raise Fail("differ", differ=differ, asked=len(mine))


def _foreign(graph: dict[str, Any]) -> tuple[str, str] | None:
    """Name and domain of the first node that neither ONNX nor the file itself defines."""
    for node in graph["nodes"]:
        own = f"{node['domain']}.{node['op']}" in graph["functions"]
        if node["domain"] not in ("ai.onnx", "ai.onnx.ml") and not own:
            return node["op"][:60], node["domain"][:60]
    return None


class Answer(NamedTuple):
    """What the model said to a batch: a label and ten probabilities for each row."""

    labels: list[int]
    shares: list[list[float]]


def _answers(run: dict[str, Any]) -> list[Answer]:
    _ran(run)
    found = [_told(batch) for batch in run["batches"]]
    if not all(found):
        raise Fail("no_outputs")
    return [answer for answer in found if answer is not None]


def _ran(run: dict[str, Any]) -> None:
    if refused := refusal({"run": run}):
        raise Fail(refused[0], **refused[1])


def _told(batch: dict[str, Any]) -> Answer | None:
    """Labels and probabilities told by what they hold: their names are another item's."""
    columns = list(batch["outputs"].values())
    shares = [values for values in columns if all(_is_row(row) for row in values)]
    labels = [values for values in columns if all(type(value) is int for value in values)]
    return Answer(labels[0], shares[0]) if labels and shares else None


def _is_row(row: Any) -> bool:
    return isinstance(row, list) and len(row) == 10 and all(type(value) is float for value in row)


def _gap(found: list[list[float]], wanted: list[list[float]]) -> float:
    pairs = zip(found, wanted, strict=True)
    return max(abs(one - other) for row, right in pairs for one, other in zip(row, right, strict=True))


# --- the flights ---------------------------------------------------------------------------------------


@check("pipe.flights")
def pipe_flights(evidence: Evidence) -> None:
    """Raw columns in, the probability of a late arrival out: as scikit-learn said, and better than chance."""
    section = evidence["flights"]
    found = {value["name"]: value["dtype"] for value in section["graph"]["inputs"]}
    for name, dtype in COLUMNS.items():
        if found.get(name) != dtype:
            raise Fail("column", column=name, found=str(found.get(name)), wanted=dtype)
    late = _late(section["july"])
    claimed: Any = _note(evidence, "flights").get("sklearn")
    if not _numbers(claimed) or len(claimed) != len(late):
        raise Fail("no_claim", wanted=len(late))
    apart = [abs(one - other) for one, other in zip(late, claimed, strict=True)]
    rows = sum(gap > ROWS_TOLERANCE for gap in apart)
    if rows > ROWS_APART:
        raise Fail("apart", rows=rows, of=len(late), gap=f"{max(apart):.2f}")
    hidden = section["hidden"]
    if hidden["problem"] == "sealed":  # a student's copy of the lab: the rest is judged when the work is handed in
        return
    worth = auc(_late(hidden), hidden["truth"]["late"])
    if worth < AUC:
        raise Fail("worth", auc=round(worth, 2), wanted=AUC)


def _late(run: dict[str, Any]) -> list[float]:
    """The probability of a late arrival: the second of two columns, or the only one."""
    _ran(run)
    for values in run["batches"][0]["outputs"].values():
        rows = [row if isinstance(row, list) else [row] for row in values]
        if all(len(row) in (1, 2) and all(type(value) is float for value in row) for row in rows):
            return [row[-1] for row in rows]
    raise Fail("no_outputs")


@check("skew")
def skew(evidence: Evidence) -> None:
    """What forgetting the normalisation costs, measured on the held-out digits."""
    said = _note(evidence, "skew")
    rights: list[float] = []
    for key in ("labels_with", "labels_without"):
        labels = said.get(key)
        if not (isinstance(labels, list) and len(labels) == len(HELD_OUT) and all(type(x) is int for x in labels)):
            raise Fail("no_labels", field=key, wanted=len(HELD_OUT))
        rights.append(sum(str(label) == right for label, right in zip(labels, HELD_OUT, strict=True)) / len(HELD_OUT))
    loss: Any = said.get("loss")
    if not is_number(loss):
        raise Fail("no_labels", field="loss", wanted=1)
    measured = rights[0] - rights[1]
    if abs(loss - measured) > LOSS_TOLERANCE:
        raise Fail("loss", claimed=round(loss, 3), measured=round(measured, 3))
    if abs(measured - LOSS) > LOSS_TOLERANCE:
        raise Fail("experiment", measured=round(measured, 3))


def _numbers(values: Any) -> bool:
    return isinstance(values, list) and all(map(is_number, values))


# --- the race --------------------------------------------------------------------------------------------


@check("bench.protocol")
def bench_protocol(evidence: Evidence) -> None:
    """Warm-up, rounds, equal threads, and medians that follow from the samples."""
    for name, batch in SPEEDS.items():
        measure = _measure(evidence, name)
        if measure.get("batch") != batch:
            raise Fail("no_measure", measure=name, batch=batch)
        for field, least in (("warmup", WARMUP), ("rounds", ROUNDS)):
            if not is_whole(measure.get(field), least):
                raise Fail(field, measure=name, wanted=least)
        for contender in CONTENDERS:
            samples = _samples(measure, contender)
            if len(samples) < ROUNDS:
                raise Fail("samples", measure=name, contender=contender, samples=len(samples), wanted=ROUNDS)
            said: Any = table(measure, "median").get(contender)
            if not is_number(said) or abs(said - median(samples)) > MEDIAN_TOLERANCE * median(samples):
                raise Fail("median", measure=name, contender=contender)
        _threads(name, table(measure, "threads"))


def _threads(name: str, threads: dict[str, Any]) -> None:
    torch, onnx = threads.get("torch"), table(threads, "onnxruntime").get("onnx")
    if not (is_whole(torch, 1) and is_whole(onnx, 1)):
        raise Fail("no_threads", measure=name)
    if torch != onnx:
        raise Fail("threads", measure=name, torch=torch, onnx=onnx)


@check("bench.truth")
def bench_truth(evidence: Evidence) -> None:
    """The verdict on each batch is what the samples say."""
    said = _note(evidence, "speed")
    for name, batch in SPEEDS.items():
        eager, onnx = (median(_samples(_measure(evidence, name), contender)) for contender in CONTENDERS)
        if said.get(name) not in ("faster", "slower", "same"):
            raise Fail("no_verdict", measure=name)
        if said[name] not in _honest(eager / onnx):
            raise Fail("verdict", batch=batch, verdict=said[name], ratio=round(eager / onnx, 2))


def _honest(ratio: float) -> Iterator[str]:
    """The verdicts on ONNX Runtime that a ratio allows; on the border there are two."""
    if ratio >= FASTER:
        yield "faster"
    if ratio <= 1 / FASTER:
        yield "slower"
    if 1 / SAME <= ratio <= SAME:
        yield "same"


def _measure(evidence: Evidence, name: str) -> dict[str, Any]:
    return table(evidence["results"]["json"], "measures", name)


def _note(evidence: Evidence, name: str) -> dict[str, Any]:
    return table(evidence["results"]["json"], "notes", name)


def _samples(measure: dict[str, Any], contender: str) -> list[float]:
    """Milliseconds, none of them zero; empty where they are not all numbers."""
    samples: Any = table(measure, "samples").get(contender)
    return list(samples) if _numbers(samples) and all(sample > 1e-9 for sample in samples) else []


# --- from scratch ----------------------------------------------------------------------------------------


@check("rerun")
def rerun(evidence: Evidence) -> None:
    """`src/export.py` makes both files anew, without network and with another seed, and they take the same inputs."""
    section = evidence["rerun"]
    if "src/export.py" not in {file["path"] for file in evidence["submission"]["files"]}:
        raise Fail("no_export")
    if refused := refusal({"result": section["result"]}):
        raise Fail(refused[0], **refused[1])
    for again, first, file in (("again", "model", "model.onnx"), ("flights_again", "flights", "pipeline.onnx")):
        if section["outputs"][file]["problem"] == "missing":
            raise Fail("not_written", file=file)
        if _signature(evidence[again]["graph"]) != _signature(evidence[first]["graph"]):
            raise Fail("signature", file=file)
    if evidence["flights_again"]["file"]["sha256"] == evidence["flights"]["file"]["sha256"]:
        raise Fail("copied", file="pipeline.onnx")


def _signature(graph: dict[str, Any]) -> list[Any]:
    """Names, types and fixed sizes; the batch is left out."""
    values = [(side, value) for side in ("inputs", "outputs") for value in graph[side]]
    told = [[side, value["name"], value["dtype"], *(value["shape"] or [])[1:]] for side, value in values]
    return sorted([str(size) if isinstance(size, int | str) else "?" for size in one] for one in told)


@check("bets")
def bets(evidence: Evidence) -> None:
    """`answers.json` holds every bet of the notebook; being right is not asked for."""
    texts = evidence["submission"]["texts"]
    if "answers.json" not in texts:
        raise Fail("no_answers")
    fault = bets_fault(texts["answers.json"], evidence.lab, BETS)
    if fault:
        raise Fail("form", field=fault)
