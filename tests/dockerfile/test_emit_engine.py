"""The real builder and the grader must agree on what a rewritten Dockerfile means."""

from __future__ import annotations

import io
import re
import tarfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.dockerfile import Emitted, check_policy, emit, kept_files, read_dockerfile
from grader.records import Staged

Make = Callable[..., Staged]


def written(staged: Staged, base: str) -> Emitted:
    dockerfile = read_dockerfile(staged)
    assert dockerfile is not None
    check_policy(dockerfile)
    return emit(dockerfile, base)


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    docker = pytest.importorskip("docker")
    try:
        client = docker.from_env(timeout=120)
        client.images.get("grader/base:3.11")
    except Exception as error:
        pytest.skip(f"no engine with the course base: {error}")
    yield client
    client.close()


@pytest.fixture
def build(engine: Any) -> Iterator[Callable[[Staged], Any]]:
    """Build a submission for real and run a shell command in it; leave no image behind."""
    made: list[str] = []
    base = engine.images.get("grader/base:3.11").id

    def run(staged: Staged, command: str | None = None) -> str:
        emitted = written(staged, base)
        tag = f"grader-test-emit-{uuid.uuid4().hex[:12]}"
        context = pack(staged, emitted)
        steps = engine.api.build(
            fileobj=context,
            custom_context=True,
            dockerfile=".grader/Dockerfile",
            tag=tag,
            network_mode="none",
            rm=True,
            forcerm=True,
            decode=True,
            nocache=True,
        )
        log = ""
        for step in steps:
            log += step.get("stream", "")
            made.extend(re.findall(r"---> ([0-9a-f]{12})\n", step.get("stream", "")))
            assert "error" not in step, (emitted.text, log, step)
        assert len(re.findall(r"^Step \d+/", log, re.M)) == len(emitted.lines)
        made.append(tag)
        options = {"remove": True, "network_mode": "none"}
        if command is None:
            output = engine.containers.run(tag, **options)
        else:
            output = engine.containers.run(tag, [command], entrypoint=["/bin/sh", "-c"], **options)
        return str(output.decode())

    yield run
    for image in reversed(made):
        if not base.startswith(f"sha256:{image}"):
            try:
                engine.images.remove(image, force=True)
            except Exception as error:
                assert "No such image" in str(error) or "dependent" in str(error)


def pack(staged: Staged, emitted: Emitted) -> io.BytesIO:
    buffer = io.BytesIO()
    executable = {file.path: file.executable for file in staged.files}
    files = {path: Path(staged.root, path).read_bytes() for path in kept_files(staged)}
    files |= {path: text.encode() for path, text in emitted.extra.items()} | {
        ".grader/Dockerfile": emitted.text.encode()
    }
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), 0o755 if executable.get(path) else 0o644
            tar.addfile(member, io.BytesIO(data))
    buffer.seek(0)
    return buffer


@pytest.mark.engine
def test_the_engine_builds_heredocs_mounts_and_scripts(make: Make, build: Callable[..., str]) -> None:
    """PV08 on the real builder."""
    text = """# syntax=docker/dockerfile:1
ARG WHO=world
FROM python:3.11-slim
ARG WHO
WORKDIR /app
RUN <<EOF
set -e
echo one > /app/one
FROM=two; echo $FROM $WHO >> /app/one
EOF
RUN cat <<A <<'B' > /dev/null && cat > /app/cat <<C
A
B
$WHO
C
RUN <<PY
#!/usr/bin/env python3
import os
open("/app/py", "w").write(os.getcwd() + " it's \\"$WHO\\"\\n")
PY
COPY <<"EOF" /app/conf.json
{"a": "$WHO"}
EOF
COPY <<plain <<x /app/
hello $WHO ${NONE:-none}
plain
y
x
RUN --mount=type=cache,target=/root/.cache --mount=type=bind,source=req.txt,target=req.txt cp req.txt got
USER 10001
RUN <<SH
#!/bin/sh
id -u > /tmp/who
SH
CMD cat one cat py conf.json plain x got /tmp/who; ls -A /tmp
"""
    expected = 'one\ntwo world\nworld\n/app it\'s "$WHO"\n{"a": "$WHO"}\nhello world none\ny\nreq\n10001\nwho\n'
    assert build(make(text, {"req.txt": "req\n"})) == expected


@pytest.mark.engine
def test_the_engine_sets_modes_owners_and_stages(make: Make, build: Callable[..., str]) -> None:
    """PV06, PV11 and `--chmod` on the real builder, as a user who is not root."""
    text = """FROM python:3.11-slim AS build
RUN mkdir -p /out/sub && echo a > /out/a && echo b > /out/sub/b
FROM python:3.11-slim AS unused
RUN exit 1
FROM python:3.11-slim
ENV D="/ap p" T=a\\ b
WORKDIR $D
USER 10001:10001
COPY --from=build /out/a first
COPY --from=0 --chmod=750 --chown=10001:10001 /out tree
COPY --chmod=755 run.sh ./
COPY --chmod=0555 run.sh renamed
COPY --chmod=u+x,go-rwx *.sh lib /many/
COPY --chmod=700 <<EOF /many/inline
x
EOF
COPY . .
WORKDIR sub
CMD ["/ap p/run.sh", "arg"]
"""
    files = {
        "run.sh": "#!/bin/sh\npwd; echo $T $1\n",
        "b.sh": "",
        "lib/deep/x": "",
        ".dockerignore": "lib\n!lib/deep\nDocker*",
    }
    staged = make(text, files)
    check = "cd '/ap p'; stat -c '%a %u %n' first tree/a tree/sub renamed /many/*; ls"
    assert build(staged, check).splitlines() == [
        "644 0 first",
        "750 10001 tree/a",
        "750 10001 tree/sub",
        "555 0 renamed",
        "700 0 /many/b.sh",
        "700 0 /many/deep",
        "700 0 /many/inline",
        "700 0 /many/run.sh",
        "b.sh",
        "first",
        "lib",
        "renamed",
        "run.sh",
        "sub",
        "tree",
    ]


@pytest.mark.engine
def test_the_engine_agrees_on_variables_and_quotes(make: Make, build: Callable[..., str]) -> None:
    """PV12: what the grader resolves and what it leaves to the engine give the same values."""
    text = r"""ARG IMG=python:3.11-slim
ARG PY=python
FROM ${IMG} AS parent
ARG KEPT="a b"
FROM parent
ARG PY
ARG V=1.2.3
ENV RUNNER=$PY M=${V%%.*} S="x  y" Q='$PY' E=a\ b OLD=${NONE:-"d e"} P=${PY:+yes} W=${V/2/two}
ENV LEGACY a  "b" $PY
ENV PATH=/opt/x:$PATH
RUN echo "$KEPT" > /kept
WORKDIR ${V:+/w}/$M
SHELL ["/bin/bash", "-c"]
RUN [[ $V == 1.* ]] && echo "$V" > v
CMD exec $RUNNER -c "import os; print([os.environ[k] for k in 'RUNNER M S Q E OLD P W LEGACY'.split()], os.getcwd(), \
  os.environ['PATH'][:20], open('v').read(), open('/kept').read())"
"""
    values = "['python', '1', 'x  y', '$PY', 'a b', 'd e', 'yes', '1.two.3', 'a  b python']"
    expected = f"{values} /w/1 /opt/x:/usr/local/bi 1.2.3\n a b\n\n"
    assert build(make(text)) == expected


@pytest.mark.engine
def test_the_engine_starts_an_entry_script_whose_mode_was_lost(make: Make, build: Callable[..., str]) -> None:
    """PV13, with the backquote as escape sign and Windows line ends in the Dockerfile."""
    text = (
        "# escape=`\nFROM python:3.11-slim\nWORKDIR /app\nADD run.sh app.py ./\nRUN chmod `\n  +x /app/run.sh\n"
        'ENV WIN=C:\\dir\nENTRYPOINT ["/app/run.sh"]\nCMD ["--port","8000"]'
    )
    files = {
        "run.sh": '#!/bin/sh\nexec python app.py "$@"\n',
        "app.py": "import os, sys; print(sys.argv, os.environ['WIN'])\n",
    }
    assert build(make(text.replace("\n", "\r\n"), files)) == "['app.py', '--port', '8000'] C:\\dir\n"
