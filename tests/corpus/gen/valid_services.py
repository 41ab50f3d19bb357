"""Group V: services that keep the contract in another way than the reference."""

from __future__ import annotations

from .case import Case, Folder, Maker, Setting, valid
from .pieces import PREDICT, SERVE, app, dockerfile, lines

_WSGI = b"""\
import json


def numbers(body):
    try:
        x = json.loads(body)["x"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if type(x) is not list or len(x) != 3:
        return None
    if any(type(v) not in (int, float) or not -1e300 < v < 1e300 for v in x):
        return None
    return x


def answer(method, path, body):
    if (method, path) == ("GET", "/health"):
        return "200 OK", {"status": "ok"}
    if (method, path) != ("POST", "/predict"):
        return "404 Not Found", {"error": "not found"}
    x = numbers(body)
    if x is None:
        return "422 Unprocessable Entity", {"error": "bad input"}
    return "200 OK", {"y": 2 * x[0] - 3 * x[1] + 0.5 * x[2] + 1}


def app(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    status, content = answer(environ["REQUEST_METHOD"], environ["PATH_INFO"], body)
    data = json.dumps(content).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(data)))])
    return [data]
"""

_FASTAPI = b"""\
from typing import Annotated

from fastapi import FastAPI
from pydantic import BaseModel, Field

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class Question(BaseModel):
    x: Annotated[list[Number], Field(min_length=3, max_length=3)]


app = FastAPI()


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/predict")
def predict(question: Question) -> dict[str, float]:
    a, b, c = question.x
    return {"y": 2 * a - 3 * b + 0.5 * c + 1}
"""

_PERL = rb"""use strict;
use warnings;
use IO::Socket::INET;

$SIG{CHLD} = 'IGNORE';
$SIG{PIPE} = 'IGNORE';
my $server = IO::Socket::INET->new(
    LocalAddr => '0.0.0.0', LocalPort => $ENV{PORT} || 8000, Proto => 'tcp', Listen => 128, ReuseAddr => 1,
) or die "cannot listen: $!";
my $number = qr/-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/;

sub reply {
    my ($method, $path, $body) = @_;
    return ('200 OK', '{"status":"ok"}') if $method eq 'GET' && $path eq '/health';
    return ('404 Not Found', '{"error":"not found"}') if $method ne 'POST' || $path ne '/predict';
    if ($body =~ /^\s*\{\s*"x"\s*:\s*\[\s*($number)\s*,\s*($number)\s*,\s*($number)\s*\]\s*\}\s*$/) {
        return ('200 OK', sprintf('{"y":%.17g}', 2 * $1 - 3 * $2 + 0.5 * $3 + 1));
    }
    return ('422 Unprocessable Entity', '{"error":"bad input"}');
}

sub serve {
    my ($client) = @_;
    my $read = '';
    while ($read !~ /\r\n\r\n/) {
        sysread($client, $read, 65536, length $read) or return;
        return if length $read > 65536;
    }
    my ($head, $body) = split /\r\n\r\n/, $read, 2;
    my $length = $head =~ /^content-length:\s*([0-9]{1,7})\s*$/im ? $1 : 0;
    while (length $body < $length) {
        sysread($client, $body, 65536, length $body) or return;
    }
    my ($method, $path) = split / /, $head;
    my ($status, $answer) = reply($method, $path, $body);
    syswrite($client, "HTTP/1.1 $status\r\nContent-Type: application/json\r\nContent-Length: "
        . length($answer) . "\r\nConnection: close\r\n\r\n$answer");
}

while (1) {
    my $client = $server->accept() or next;
    my $child = fork();
    if (defined $child && $child == 0) {
        serve($client);
        exit 0;
    }
    close $client;
}
"""

_NOT_YET = """\
if time.monotonic() < OPEN:
    return self.answer(503, {"error": "starting"})
"""

_LOOSE_HEALTH = """\
self.send(200, b'{"status": "ok"}\\n', kind="application/json; charset=utf-8")"""

_LOOSE_PREDICT = """\
x = numbers(body)
if x is None:
    status, content = 400, {"error": "bad input", "wanted": {"x": ["number", "number", "number"]}}
else:
    y = value(x)
    status, content = 200, {"model": "linear", "y": int(y) if y == int(y) else y, "input": x}
text = json.dumps(content, indent=4) + "\\n"
self.send(status, text.encode(), kind="application/json; charset=utf-8")"""


def _web(setting: Setting, *more: str) -> bytes:
    """A Dockerfile on BASE_WEB; where that is BASE, its packages are still to be installed."""
    web = setting.params["BASE_WEB"]
    install = ["RUN pip install fastapi uvicorn gunicorn"] if web == setting.params["BASE"] else []
    return lines(f"FROM {web}", "WORKDIR /app", *install, *more)


def _own_port(setting: Setting) -> Case:
    text = dockerfile(setting.params["BASE"], expose="5000/tcp")
    return valid(Folder({"Dockerfile": text, "app.py": app(port="5000")}))


def _gunicorn(setting: Setting) -> Case:
    text = _web(
        setting,
        "COPY app.py /app/app.py",
        "EXPOSE 8000",
        'CMD ["gunicorn","-w","4","-b","0.0.0.0:8000","--worker-tmp-dir","/dev/shm","app:app"]',
    )
    return valid(Folder({"Dockerfile": text, "app.py": _WSGI}))


def _not_python(setting: Setting) -> Case:
    text = lines(
        f"FROM {setting.params['BASE']}",
        "WORKDIR /srv",
        "COPY s.pl /srv/s.pl",
        "EXPOSE 8000",
        'CMD ["perl","/srv/s.pl"]',
    )
    return valid(Folder({"Dockerfile": text, "s.pl": _PERL}))


def _module_uvicorn(setting: Setting) -> Case:
    text = _web(
        setting,
        "COPY svc /app/svc",
        "EXPOSE 8000",
        "CMD python -m uvicorn svc.main:app --host 0.0.0.0 --port ${PORT:-8000}",
    )
    return valid(Folder({"Dockerfile": text, "svc/__init__.py": b"", "svc/main.py": _FASTAPI}))


def _slow_start(setting: Setting) -> Case:
    hook = f"time.sleep({setting.about(9):.2f})\nOPEN = time.monotonic() + 1"
    program = app(hook, predict=_NOT_YET + PREDICT, health=_NOT_YET + SERVE)
    return valid(Folder({"Dockerfile": dockerfile(setting.params["BASE"]), "app.py": program}))


def _loose_json(setting: Setting) -> Case:
    program = app(predict=_LOOSE_PREDICT, health=_LOOSE_HEALTH)
    return valid(Folder({"Dockerfile": dockerfile(setting.params["BASE"]), "app.py": program}))


MAKERS: dict[str, Maker] = {
    "PV02": _own_port,
    "PV03": _gunicorn,
    "PV04": _not_python,
    "PV07": _module_uvicorn,
    "PV14": _slow_start,
    "PV15": _loose_json,
}
