"""Lets the pipeline that was handed in as skops, or as JSON with a loader, sort the rows of DATA/rows.json.

python run_pipeline.py WORK DATA OUT -> OUT/labels.json {"problem": text | null, "message": text, "labels": [int]}
"""

import json
import sys
from pathlib import Path


def main(work, data, out):
    problem, message, labels = attempt(Path(work), Path(data) / "rows.json")
    text = json.dumps({"problem": problem, "message": message[:300], "labels": labels})
    (Path(out) / "labels.json").write_text(text, encoding="utf-8")


def attempt(work, file):
    import numpy as np

    rows = np.array(json.loads(file.read_text()), dtype=np.float64)
    artifacts = work / "artifacts"
    try:
        if (artifacts / "pipeline.skops").is_file():
            pipeline = from_skops(artifacts / "pipeline.skops")
        elif (artifacts / "pipeline.json").is_file():
            pipeline = from_loader(work, artifacts / "pipeline.json")
        else:
            return "missing", "", []
        labels = np.asarray(pipeline.predict(rows)).ravel()
    except Exception as error:
        return "raised", f"{type(error).__name__}: {error}", []
    if labels.shape != (len(rows),) or labels.dtype.kind not in "iuf":
        return "shape", f"{labels.shape} {labels.dtype}", []
    return None, "", [int(label) for label in labels]


def from_skops(file):
    import skops.io

    return skops.io.load(file, trusted=[])  # refuses each type beyond its own list


def from_loader(work, file):
    """`{"loader": "module.py:function", ...}`: the function of src/module.py gets the folder of the file."""
    module, _, function = json.loads(file.read_text(encoding="utf-8"))["loader"].partition(":")
    name = module.removeprefix("src/").removesuffix(".py")
    if not (name.isidentifier() and function.isidentifier()):
        raise ValueError("loader is not of the form module.py:function")
    sys.path.insert(0, str(work / "src"))
    return getattr(__import__(name), function)(str(file.parent))


main(*sys.argv[1:])
