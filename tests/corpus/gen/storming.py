"""Group C, first half: services that eat the machine, hang on to it or waste its time."""

from __future__ import annotations

from .archives import MIB, gzipped_zeros
from .case import LAB_SECONDS, Case, Expect, Folder, Maker, Setting, graded
from .pieces import dockerfile, junk

_NOTHING_PREDICTED = {"H.predict": 0, "H.errors": 0}
_ONLY_HEALTHY = {"H.build": 20, "H.health": 20, **_NOTHING_PREDICTED}

_BREED = """\
for _ in range(500):
    try:
        child = os.fork()
    except OSError:
        break
    if child == 0:
        held = []
        try:
            for _ in range(@MIB@):
                held.append(b"x" * (1 << 20))
            time.sleep(600)
        finally:
            os._exit(0)
self.answer(200, {"y": 0.0})"""

_FILL = """\
def fill(folder):
    number = 0
    try:
        while True:
            with open(f"{folder}/f{number}", "wb") as file:
                file.write(b"x" * (1 << 20))
            number += 1
    except OSError:
        pass


def shout():
    while True:
        print("x" * 1023)


for folder in ("/data", "/tmp", "/dev/shm", "/run", "."):
    threading.Thread(target=fill, args=(folder,), daemon=True).start()
threading.Thread(target=shout, daemon=True).start()"""

_UNDYING = b"""\
import os
import signal
import time

for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
for _ in range(20):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True:
                time.sleep(1000)
        os._exit(0)
while True:
    time.sleep(1000)
"""

_DRIP = """\
self.close_connection = True
self.send_response(200)
self.send_header("Content-Type", "application/json")
self.send_header("Content-Length", "1000000")
self.end_headers()
try:
    for _ in range(1000000):
        self.wfile.write(b" ")
        time.sleep(@DELAY@)
except OSError:
    pass"""

_BURST = 'self.send(200, open("/app/body.gz", "rb").read(), Content_Encoding="gzip")'


def _case(setting: Setting, expect: Expect, program: bytes, *more: str, honest: int = 40) -> Case:
    text = dockerfile(setting.params["BASE"], *more)
    return Case(honest, LAB_SECONDS, expect, (Folder({"Dockerfile": text, "app.py": program}),))


def _fork_and_memory_bomb(setting: Setting) -> Case:
    program = junk(predict=_BREED.replace("@MIB@", str(setting.whole(64))))
    return _case(setting, graded(40, "RUN_LIMIT", items=_NOTHING_PREDICTED), program)


def _disk_everywhere(setting: Setting) -> Case:
    expect = graded(40, "RUN_LIMIT", items=_NOTHING_PREDICTED, data_root_mib=256, log_mib=2)
    return _case(setting, expect, junk(_FILL), 'VOLUME ["/data","/var/cache/x"]')


def _never_ready(setting: Setting) -> Case:
    items = {"H.build": 20, "H.health": 0, **_NOTHING_PREDICTED}
    return _case(setting, Expect(("NOT_READY",), exact=20, items=items), _UNDYING, honest=20)


def _slow_drip(setting: Setting) -> Case:
    program = junk(predict=_DRIP.replace("@DELAY@", f"{setting.about(0.5):.3f}"))
    return _case(setting, graded(40, items=_ONLY_HEALTHY), program)


def _decompression_bomb(setting: Setting) -> Case:
    files = {
        "Dockerfile": dockerfile(setting.params["BASE"], "COPY body.gz /app/body.gz"),
        "app.py": junk(predict=_BURST),
        "body.gz": gzipped_zeros(2048 * MIB),
    }
    return Case(40, LAB_SECONDS, graded(40, items=_ONLY_HEALTHY), (Folder(files),))


MAKERS: dict[str, Maker] = {
    "PH14": _fork_and_memory_bomb,
    "PH15": _disk_everywhere,
    "PH16": _never_ready,
    "PH17": _slow_drip,
    "PH18": _decompression_bomb,
}
