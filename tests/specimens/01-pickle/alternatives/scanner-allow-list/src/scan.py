"""A scanner in one file: an allow list, and texts remembered instead of a stack that is followed."""

import io
import json
import os.path
import pickletools
import sys
import zipfile

FINE = {
    "collections.OrderedDict",
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "torch.FloatStorage",
    "torch._utils._rebuild_tensor_v2",
}


def doubtful(data):
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as box:
            for member in box.namelist():
                if member.endswith("/data.pkl"):
                    yield from doubtful(box.read(member))
        return
    strings, kept = [], []
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in ("GLOBAL", "INST"):
            name = argument.replace(" ", ".")
            if name not in FINE:
                yield name
        elif opcode.name == "STACK_GLOBAL":
            name = ".".join(map(str, strings[-2:]))
            if name not in FINE:
                yield name
        elif opcode.name == "MEMOIZE":
            kept.append(strings[-1] if strings else None)
        elif opcode.name == "BINGET":
            strings.append(kept[argument])
        elif "UNICODE" in opcode.name or "STRING" in opcode.name:
            strings.append(argument)


for path in sys.argv[1:]:
    with open(path, "rb") as file:
        why = ", ".join(doubtful(file.read()))
    print(json.dumps({"file": os.path.abspath(path), "verdict": "unsafe" if why else "safe", "why": why}), flush=True)
