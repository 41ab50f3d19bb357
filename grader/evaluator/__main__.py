"""Start: `python -I FOLDER` for the evaluator, `python -I FOLDER inside` for the part that holds the model."""

import sys
from pathlib import Path

# Isolated Python knows this folder alone; its parent makes it a package. Last, so that nothing there hides a module.
sys.path.append(str(Path(__file__).resolve().parents[1]))

if __name__ == "__main__":
    if sys.argv[1:] == ["inside"]:
        from evaluator.inside import main  # type: ignore[import-not-found]
    else:
        from evaluator.outside import main  # type: ignore[import-not-found]
    main()
