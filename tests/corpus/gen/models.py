"""Group D, second half: results that are no models, or models that reach outside; and one in another domain."""

from __future__ import annotations

import os
import pickle
from pathlib import PurePosixPath

from .case import NOTEBOOK_SECONDS, Case, Expect, Maker, Setting, valid
from .notebook_pieces import FIT, drop, external_tensor, model, node, submission, tensor

ONLY_EXEC = {"N.exec": 20, "N.artifact": 0, "N.score": 0, "N.metrics": 0}

_LINKS = """\
import os

os.symlink(@CANARY@, out_dir + "/model.onnx")
os.symlink(data_dir + "/train.csv", out_dir + "/metrics.json")"""

_FIT_ML = """\
regressor = helper.make_node(
    "LinearRegressor", ["x"], ["z"], domain="ai.onnx.ml", coefficients=solution[:3].tolist(), targets=1
)
offset = numpy_helper.from_array(solution[3:].astype(np.float32), "offset")
graph = helper.make_graph(
    [regressor, helper.make_node("Add", ["z", "offset"], ["s"]), helper.make_node("Identity", ["s"], ["y"])], "fit",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 1])],
    [offset],
)
opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), f"{out_dir}/model.onnx")"""


def _refused(rule: str, *notebooks: tuple[str, ...]) -> Case:
    expect = Expect(("ARTIFACT_REJECT",), (rule,), exact=20, items=ONLY_EXEC)
    return Case(20, NOTEBOOK_SECONDS, expect, tuple(submission(*cells) for cells in notebooks), lab="N")


def _artifact_links(setting: Setting) -> Case:
    return _refused("link", (_LINKS.replace("@CANARY@", repr(setting.params["HOST_CANARY"])),))


def _external_data(setting: Setting) -> Case:
    """The weights are said to lie in a file elsewhere, in three spellings."""
    canary = setting.params["HOST_CANARY"]
    places = ("../../../.." + canary, canary, "sub/../../x")
    models = [
        model(
            [node("Gemm", ["x", "weights", "bias"], ["y"])],
            [external_tensor("weights", (3, 1), place), tensor("bias", (1,), [0.0])],
            ("", 17),
        )
        for place in places
    ]
    return _refused("external", *((drop("model.onnx", each),) for each in models))


class _Touch:
    """Unpickled, it runs a command; pickled, it is only bytes that say so."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


def _pickle_in_disguise(setting: Setting) -> Case:
    mark = PurePosixPath(setting.params["HOST_CANARY"]).with_name("unpickled")
    data = pickle.dumps(_Touch(f"touch {mark}"), 4)
    return _refused("format", (drop("model.onnx", data), drop("metrics.json", data)))


def _another_domain(setting: Setting) -> Case:
    """Made by the cells as FIT makes its own, in the operators of classical machine learning."""
    return valid(submission(*FIT[:2], _FIT_ML, FIT[3]), lab="N")


HOSTILE: dict[str, Maker] = {
    "PH27": _artifact_links,
    "PH28": _external_data,
    "PH30": _pickle_in_disguise,
}
VALID: dict[str, Maker] = {"PV18": _another_domain}
