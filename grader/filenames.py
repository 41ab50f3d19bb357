"""What a file is likely to be, told by its path and size alone: weights, data or a secret."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Literal

Kind = Literal["weights", "data", "secret"]

SAMPLE_BYTES = 10_000  # packages ship tiny models and tables of their own
_WEIGHTS = {".onnx", ".ort", ".pkl", ".pickle", ".joblib", ".skops", ".pt", ".pth", ".ckpt", ".safetensors"}
_WEIGHTS |= {".h5", ".hdf5", ".keras", ".pb", ".tflite", ".gguf", ".npz", ".npy"}
_DATA = {".csv", ".tsv", ".parquet", ".feather", ".arrow", ".xlsx", ".xls", ".sqlite", ".sqlite3", ".jsonl", ".ipynb"}
_SECRET_NAMES = {"id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "credentials.json"}
_SECRET_NAMES |= {".netrc", ".pypirc", ".npmrc", ".git-credentials"}
_SECRET_SUFFIXES = {".pem", ".key", ".p12", ".pfx"}
_SECRET_FOLDERS = {".git", ".ssh", ".aws"}
_CERTIFICATES = ("etc/ssl/certs/", "usr/share/ca-certificates/", "usr/local/share/ca-certificates/")


def kind_of(path: str, size: int) -> Kind | None:
    """What the file at `path` of an image seems to hold, None where it is nothing to worry about."""
    file = PurePosixPath(path.lstrip("/"))
    folders = set(file.parts[:-1])
    if folders & _SECRET_FOLDERS or file.name in _SECRET_NAMES or _is_environment(file.name):
        return "secret"
    certificate = str(file).startswith(_CERTIFICATES) or file.name.startswith(("cacert", "ca-"))
    suffix = file.suffix.lower()
    if suffix in _SECRET_SUFFIXES and not certificate:
        return "secret"
    if size < SAMPLE_BYTES:
        return None
    if suffix in _WEIGHTS:
        return "weights"
    return "data" if suffix in _DATA and "tests" not in folders else None  # numpy's tests bring tables


def _is_environment(name: str) -> bool:
    """Whether `name` is a dotenv file with values; samples made to be shared are not."""
    return name == ".env" or (name.startswith(".env.") and not name.endswith((".example", ".sample", ".template")))
