"""Group V: Dockerfiles that use more of the grammar than most."""

from __future__ import annotations

import base64

from .case import Case, Folder, Maker, Setting, valid
from .pieces import app, lines

_CMD = 'CMD ["python","/app/app.py"]'
_WEIGHTS = b"[2.0, -3.0, 0.5, 1.0]\n"

_READ_HEREDOCS = """\
with open("/app/conf.json") as file:
    conf = json.load(file)
with open("/app/note.txt") as file:
    assert file.read() == "first line\\nFROM here on it is data\\n"
assert conf["home"] == "$" + "HOME"
W = conf["weights"]"""

_READ_WEIGHTS = """\
with open("/app/weights.json") as file:
    W = json.load(file)"""


def _numeric_user(setting: Setting) -> Case:
    text = lines(
        f"FROM {setting.params['BASE']}",
        "WORKDIR /app",
        "COPY --chown=10001:10001 app.py /app/app.py",
        "RUN chmod 0600 /app/app.py",
        "USER 10001:10001",
        "EXPOSE 8000",
        _CMD,
    )
    return valid(Folder({"Dockerfile": text, "app.py": app()}))


def _heredocs(setting: Setting) -> Case:
    """`UNSUPPORTED` would do for a grader whose doctor says so beforehand; this one reads heredocs."""
    text = lines(
        f"FROM {setting.params['BASE']}",
        "WORKDIR /app",
        "RUN <<EOF",
        "set -e",
        "printf '%s\\n' 'first line",
        "FROM here on it is data' > /app/note.txt",
        "EOF",
        'COPY <<"EOF" /app/conf.json',
        '{"weights": [2.0, -3.0, 0.5, 1.0], "home": "$HOME"}',
        "EOF",
        "COPY app.py /app/app.py",
        "EXPOSE 8000",
        _CMD,
    )
    return valid(Folder({"Dockerfile": text, "app.py": app(_READ_HEREDOCS)}))


def _multi_stage(setting: Setting) -> Case:
    def written(path: str, content: bytes) -> str:
        return f"RUN echo {base64.b64encode(content).decode()} | base64 -d > {path}"

    base = setting.params["BASE"]
    text = lines(
        f"FROM {base} AS build",
        "RUN mkdir /out",
        written("/out/app.py", app(_READ_WEIGHTS)),
        written("/out/weights.json", _WEIGHTS),
        f"FROM {base}",
        "WORKDIR /app",
        "COPY --from=build /out/app.py /app/app.py",
        "COPY --from=0 /out/weights.json /app/weights.json",
        "EXPOSE 8000",
        _CMD,
    )
    return valid(Folder({"Dockerfile": text}))


def _arg_before_from(setting: Setting) -> Case:
    text = lines(
        f"ARG IMG={setting.params['BASE']}",
        "ARG PY=python",
        "FROM ${IMG}",
        "ARG PY",
        "WORKDIR /app",
        "COPY app.py /app/app.py",
        "ENV RUNNER=$PY",
        "EXPOSE 8000",
        "CMD exec $RUNNER /app/app.py",
    )
    return valid(Folder({"Dockerfile": text, "app.py": app()}))


MAKERS: dict[str, Maker] = {
    "PV06": _numeric_user,
    "PV08": _heredocs,
    "PV11": _multi_stage,
    "PV12": _arg_before_from,
}
