"""Two workers, each with a model of its own: a session does not survive a fork."""

bind = "0.0.0.0:8000"
workers = 2
worker_class = "uvicorn_worker.UvicornWorker"
preload_app = False
graceful_timeout = 8
