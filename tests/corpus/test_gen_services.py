"""The services of the corpus keep lab H's contract, or break it in the one way that their case says."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from .test_gen import PARAMS, made

VECTORS = ([1, 2, 3], [0, 0, 0], [-1, 4, 2], [10, 0, 1], [2, 2, 2], [0.25, -1e-3, 1e6], [2, 1, 0])
BAD = (b"", b"{", b"[]", b"{}", b'{"x": [1, 2]}', b'{"x": [1, 2, "3"]}', b'{"x": [1, 2, true]}', b'{"x": null}')
Answer = tuple[int, dict[str, str], bytes]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def ask(port: int, method: str, path: str, body: bytes | None = None) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body is not None else {})
        answer = connection.getresponse()
        return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def predict(port: int, x: Any) -> Answer:
    return ask(port, "POST", "/predict", json.dumps({"x": x}).encode())


def wait_open(process: subprocess.Popen[bytes], port: int, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise AssertionError(f"not listening, exit code {process.poll()}")


@contextmanager
def started(command: Sequence[str], folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    environment = {"PATH": "/usr/bin:/bin", "PORT": str(port), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def serving(folder: Path, *command: str, port: int | None = None) -> Iterator[int]:
    """The port of a submission's service, started as its image would start it."""
    at = port or free_port()
    with started(command or (sys.executable, "app.py"), folder, at) as process:
        wait_open(process, at)
        yield at


def keeps_the_contract(port: int, refusal: int = 422) -> None:
    status, _, body = ask(port, "GET", "/health")
    assert (status, json.loads(body)["status"]) == (200, "ok")
    for a, b, c in VECTORS:
        status, _, body = predict(port, [a, b, c])
        assert status == 200
        assert json.loads(body)["y"] == pytest.approx(2 * a - 3 * b + 0.5 * c + 1, abs=1e-6)
    assert [ask(port, "POST", "/predict", body)[0] for body in BAD] == [refusal] * len(BAD)


def folder_of(case_id: str, tmp_path: Path) -> Path:
    """The submission, unpacked, with the paths of its image turned into paths here."""
    [path] = made(case_id, tmp_path / "case")[1]
    if path.is_file():
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path / "unpacked")
        path = tmp_path / "unpacked"
    program = path / "app.py"
    if program.exists():
        program.write_bytes(program.read_bytes().replace(b'"/app/', f'"{path}/'.encode()))
    return path


def elsewhere(folder: Path, pattern: str, replacement: str) -> None:
    """Change one place of a program that a test cannot wait for or open."""
    program = folder / "app.py"
    text, count = re.subn(pattern, replacement, program.read_text())
    assert count == 1
    program.write_text(text)


@pytest.mark.parametrize("case_id", ["PH10", "PV01", "PV06", "PV10"])
def test_a_reference_that_breaks_the_contract(case_id: str, tmp_path: Path) -> None:
    with serving(folder_of(case_id, tmp_path)) as port:
        keeps_the_contract(port)
        assert ask(port, "GET", "/elsewhere")[0] == 404


def test_junk_that_predicts(tmp_path: Path) -> None:
    with serving(folder_of("PH08", tmp_path)) as port:
        assert ask(port, "GET", "/health")[0] == 200
        for body in (b'{"x": [1, 2, 3]}', *BAD):
            status, _, answer = ask(port, "POST", "/predict", body)
            assert (status, json.loads(answer)) == (200, {"y": 0.0})


def test_own_port(tmp_path: Path) -> None:
    folder, port = folder_of("PV02", tmp_path), free_port()
    elsewhere(folder, r"PORT = 5000\b", f"PORT = {port}")
    with serving(folder, port=port):
        keeps_the_contract(port)


def test_wsgi_application(tmp_path: Path) -> None:
    runner = "import app, sys, wsgiref.simple_server as w; w.make_server('', int(sys.argv[1]), app.app).serve_forever()"
    port = free_port()
    with serving(folder_of("PV03", tmp_path), sys.executable, "-c", runner, str(port), port=port):
        keeps_the_contract(port)


@pytest.mark.skipif(shutil.which("perl") is None, reason="needs perl")
def test_perl_server(tmp_path: Path) -> None:
    with serving(folder_of("PV04", tmp_path), "perl", "s.pl") as port:
        keeps_the_contract(port)


def test_fastapi_application(tmp_path: Path) -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    port = free_port()
    command = (sys.executable, "-m", "uvicorn", "svc.main:app", "--port", str(port), "--log-level", "error")
    with serving(folder_of("PV07", tmp_path), *command, port=port):
        keeps_the_contract(port)


@pytest.mark.parametrize("case_id", ["PV09", "PV16"])
def test_service_that_needs_its_odd_files(case_id: str, tmp_path: Path) -> None:
    with serving(folder_of(case_id, tmp_path)) as port:
        keeps_the_contract(port)


def test_entry_script_hands_its_arguments_on(tmp_path: Path) -> None:
    port = free_port()
    folder = folder_of("PV13", tmp_path)
    script = (folder / "run.sh").read_text().replace("exec python", f"exec {sys.executable}")
    (folder / "run.sh").write_text(script)
    with serving(folder, "sh", "run.sh", "--port", str(port), port=port):
        keeps_the_contract(port)


def test_slow_start_refuses_then_says_503_then_works(tmp_path: Path) -> None:
    folder, port = folder_of("PV14", tmp_path), free_port()
    [seconds] = re.findall(r"time.sleep\(([0-9.]+)\)", (folder / "app.py").read_text())
    assert 7.2 <= float(seconds) <= 10.8
    elsewhere(folder, r"time.sleep\([0-9.]+\)", "time.sleep(2)")
    elsewhere(folder, r"monotonic\(\) \+ 1\n", "monotonic() + 3\n")
    with started((sys.executable, "app.py"), folder, port) as process:
        with pytest.raises(ConnectionRefusedError):
            ask(port, "GET", "/health")
        wait_open(process, port)
        assert (ask(port, "GET", "/health")[0], predict(port, [1, 2, 3])[0]) == (503, 503)
        time.sleep(3.1)
        keeps_the_contract(port)


def test_loose_json_is_loose_and_right(tmp_path: Path) -> None:
    with serving(folder_of("PV15", tmp_path)) as port:
        keeps_the_contract(port, refusal=400)
        _, headers, body = predict(port, [2, 1, 0])
        assert headers["content-type"] == "application/json; charset=utf-8"
        assert re.search(rb'\n    "y": 2,\n', body)
        assert ask(port, "GET", "/health")[2].endswith(b"}\n")


def test_redirects_lead_to_the_canary_and_in_a_circle(tmp_path: Path) -> None:
    with serving(folder_of("PH19", tmp_path)) as port:
        assert ask(port, "GET", "/health")[0] == 200
        status, headers, _ = predict(port, [1, 2, 3])
        assert (status, headers["location"]) == (307, PARAMS["CANARY_URL"])
        status, headers, _ = ask(port, "POST", "/predict", b"{")
        assert (status, headers["location"]) == (302, "/predict")


def test_the_drip_is_slow_and_announces_a_megabyte(tmp_path: Path) -> None:
    with serving(folder_of("PH17", tmp_path)) as port, socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
        began = time.monotonic()
        peer.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        data = b""
        while len(data.partition(b"\r\n\r\n")[2]) < 3:
            data += peer.recv(4096)
        assert b"Content-Length: 1000000\r\n" in data
        assert 0.8 <= time.monotonic() - began


def test_the_reply_bomb_says_that_it_is_packed(tmp_path: Path) -> None:
    with serving(folder_of("PH18", tmp_path)) as port:
        status, headers, body = predict(port, [1, 2, 3])
        assert (status, headers["content-encoding"], body[:2]) == (200, "gzip", b"\x1f\x8b")


def test_injected_strings_leave_the_service_as_they_are(tmp_path: Path) -> None:
    with serving(folder_of("PH21", tmp_path)) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
            peer.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            data = b"".join(iter(lambda: peer.recv(65536), b""))
        head, _, body = data.partition(b"\r\n\r\n")
        [header] = [line for line in head.split(b"\r\n") if line.startswith(b"X-Note: ")]
        for string in (b"\x1b[2J\x1b]0;x\x07", b"\x1b]52;c;", b"</pre>", "\u202e".encode(), rb"\u0000", rb"\ud800"):
            assert string in header
        assert rb"\u0000" in body and rb"\ud800" in body
        assert json.loads(body)["note"][9] == "\0"
        keeps_the_contract(port)
