"""Make `pool.npz`: held-out digits as other hands would write them, with what the fp32 networks read in each.

python labs/03-quantization/private/make_pool.py

The file is committed, as the models are: another processor or another torch distorts a little differently.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

COMMON = Path(__file__).parents[2] / "common"
sys.path.insert(0, str(COMMON))

COPIES, SEED = 3, 7
NETWORKS = ("cnn384", "fast", "mlp")


def main() -> None:
    """Write the pool beside this file and say how well each network reads it."""
    import digits
    import onnxruntime
    from augment import augment

    torch.manual_seed(SEED)
    held_out = digits.load("held_out")
    originals = torch.from_numpy(held_out.images)
    images = np.concatenate([augment(originals).numpy() for _ in range(COPIES)])
    labels = np.tile(held_out.labels, COPIES).astype(np.uint8)
    read = {}
    for name in NETWORKS:
        session = onnxruntime.InferenceSession(COMMON / "models" / f"{name}.onnx", providers=["CPUExecutionProvider"])
        read[name] = session.run(["label"], {"image": images})[0].astype(np.uint8)
        print(f"{name}: {(read[name] == labels).mean():.4f} of {len(labels)}")
    np.savez_compressed(Path(__file__).parent / "pool.npz", images=images, labels=labels, **read)


if __name__ == "__main__":
    main()
