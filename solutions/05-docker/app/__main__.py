"""`python -m app`: serve on every interface, on the port of the environment."""

from __future__ import annotations

import os

import uvicorn

from app.main import app

# No access log: the proxy in front of the service writes one, and here it costs a tenth of a request.
uvicorn.run(app, host="0.0.0.0", port=int(os.environ.get("PORT", "8000")), access_log=False)
