"""Says the same of every file."""

import json
import sys
from pathlib import Path

for name in sys.argv[1:]:
    print(json.dumps({"file": Path(name).name, "verdict": "unsafe", "why": "one never knows"}))
