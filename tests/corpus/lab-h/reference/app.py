import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def numbers(body):
    try:
        x = json.loads(body)["x"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if type(x) is not list or len(x) != 3:
        return None
    return x if all(type(v) in (int, float) and -1e300 < v < 1e300 for v in x) else None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        known = self.path == "/health"
        self.answer(200 if known else 404, {"status": "ok"} if known else {"error": "not found"})

    def do_POST(self):
        x = numbers(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        if self.path != "/predict":
            self.answer(404, {"error": "not found"})
        elif x is None:
            self.answer(422, {"error": "bad input"})
        else:
            self.answer(200, {"y": 2 * x[0] - 3 * x[1] + 0.5 * x[2] + 1})

    def answer(self, status, content):
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


ThreadingHTTPServer(("0.0.0.0", int(os.environ.get("PORT", "8000"))), Handler).serve_forever()
