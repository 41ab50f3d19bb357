"""Make artifacts/ and results.json anew: `python train.py DATA`, with the data folder that `grader start` filled.

The network reads digits, the pipeline sorts forms. Nothing is pickled on the way.
"""

import hashlib
import json
import platform
import sys
from pathlib import Path

import numpy as np
import sklearn
import skops.io
import torch
from safetensors.numpy import load_file, save_file
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

HERE = Path(__file__).parent
ARTIFACTS = HERE / "artifacts"
PREPARE = {"divide": 255, "mean": 0.15, "std": 0.30}


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(784, 64)
        self.output = nn.Linear(64, 10)

    def forward(self, values):
        return self.output(torch.relu(self.hidden(values)))


def train(data, seed=0, epochs=15):
    """The network after training on the digits of the training split."""
    torch.manual_seed(seed)
    digits = load_file(data / "digits.safetensors")
    chosen = digits["split"] == 0
    pixels = torch.from_numpy(digits["images"][chosen]).float().flatten(1)
    values = (pixels / PREPARE["divide"] - PREPARE["mean"]) / PREPARE["std"]
    labels = torch.from_numpy(digits["labels"][chosen].astype(np.int64))
    network = Network()
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(labels)).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(values[batch]), labels[batch]).backward()
            optimiser.step()
    return network


def write_weights(network):
    tensors = {name: tensor.numpy().astype("<f4") for name, tensor in network.state_dict().items()}
    save_file(tensors, ARTIFACTS / "model.safetensors")


def write_meta():
    meta = {
        "weights": "model.safetensors",
        "sha256": hashlib.sha256((ARTIFACTS / "model.safetensors").read_bytes()).hexdigest(),
        "labels": list(range(10)),
        "preprocessing": PREPARE,
        "versions": {
            "python": platform.python_version(),
            "torch": str(torch.__version__).partition("+")[0],
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
        },
    }
    (ARTIFACTS / "model_meta.json").write_text(json.dumps(meta, indent=1) + "\n", encoding="utf-8")


def fitted(data):
    """The pipeline of the mail room: scaler and classifier in one piece."""
    table = np.loadtxt(data / "forms.csv", delimiter=",", skiprows=1)
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(table[:, :6], table[:, 6].astype(int))


def write_results():
    """What `workbench.note` writes in the notebook: the sizes, read from the files."""
    sizes = {path.name: path.stat().st_size for path in sorted(ARTIFACTS.iterdir())}
    results = {"lab": "01-pickle", "measures": {}, "notes": {"sizes": sizes}}
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def main(data):
    ARTIFACTS.mkdir(exist_ok=True)
    write_weights(train(data))
    write_meta()
    skops.io.dump(fitted(data), ARTIFACTS / "pipeline.skops")
    write_results()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
