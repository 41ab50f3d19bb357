"""A scanner on top of picklescan: its list of dangerous names, and doubt about whatever it cannot read."""

import json
import logging
import sys
from pathlib import Path

from picklescan.scanner import scan_file_path

logging.disable(logging.CRITICAL)

for argument in sys.argv[1:]:
    found = scan_file_path(argument)
    unsafe = found.scan_err or found.issues_count > 0
    why = "; ".join(f"{one.module}.{one.name}" for one in found.globals) or "no import"
    print(json.dumps({"file": Path(argument).name, "verdict": "unsafe" if unsafe else "safe", "why": why}))
