"""Group V: files, names and archives that look odd and are in order."""

from __future__ import annotations

from .archives import MIB, stored, stored_all, zipped
from .case import Case, Folder, Maker, Setting, valid
from .pieces import app, dockerfile, lines, reference

_COMPONENTS = (159, 159, 160)  # with two slashes: 480 bytes
_FILE_LIMIT = 50 * MIB

_LARGE = """\
assert os.path.getsize("/app/weights.bin") == @SIZE@
assert sum(len(files) for _, _, files in os.walk("/app/small")) == 1500
assert os.path.exists("/app/@DEEP@") and os.path.exists("/app/@LONG@")"""

_UNICODE = """\
import unicodedata

import größe

with open("/app/данные/веса.json", encoding="utf-8") as file:
    W = [*json.load(file), größe.OFFSET]
names = {unicodedata.normalize("NFC", name) for name in os.listdir("/app/")}
assert {"模型.txt", unicodedata.normalize("NFC", @ACCENT@)} <= names"""

_RUN = b"""\
#!/bin/sh
exec python app.py "$@"
"""


def _crlf(setting: Setting) -> Case:
    files = {name: data.replace(b"\n", b"\r\n") for name, data in reference(setting.params["BASE"]).items()}
    return valid(Folder({**files, "Dockerfile": files["Dockerfile"].removesuffix(b"\r\n")}))


def _wrapped_zip(setting: Setting) -> Case:
    top = "team 7 (final)/"
    text = dockerfile(setting.params["BASE"]).replace(b"COPY app.py ", b"COPY src/app.py ")
    files = {
        f"{top}Dockerfile": text,
        f"{top}src/app.py": app(),
        f"{top}README.pdf": b"%PDF-1.4\n" + setting.random.randbytes(setting.whole(2 * MIB)) + b"\n%%EOF\n",
    }
    folders = [stored(name, mode=0o755) for name in (top, f"{top}src/")]
    return valid(zipped([*folders, *stored_all(files, 0o755)]))


def _unicode_names(setting: Setting) -> Case:
    """The accent is a character of its own; who composes names finds the file under another spelling."""
    accent = "e\u0301te\u0301.txt"
    text = dockerfile(setting.params["BASE"]).replace(b"COPY app.py /app/app.py", b"COPY . /app/")
    files = {
        "Dockerfile": text,
        "app.py": app(_UNICODE.replace("@ACCENT@", ascii(accent))),
        "größe.py": b"OFFSET = 1.0\n",
        "данные/веса.json": b"[2.0, -3.0, 0.5]\n",
        "模型.txt": "模型\n".encode(),
        accent: b"x\n",
    }
    return valid(zipped(stored_all(files)))


def _empty_ignore_file(setting: Setting) -> Case:
    return valid(Folder({**reference(setting.params["BASE"]), ".dockerignore": b""}))


def _entry_script(setting: Setting) -> Case:
    text = lines(
        f"FROM {setting.params['BASE']}",
        "WORKDIR /app",
        "COPY app.py run.sh /app/",
        "RUN chmod +x /app/run.sh",
        "EXPOSE 8000",
        'ENTRYPOINT ["/app/run.sh"]',
        'CMD ["--port","8000"]',
    )
    # From the arguments alone: a start that loses them is not ready.
    program = app(port='int(sys.argv[sys.argv.index("--port") + 1])')
    return valid(zipped(stored_all({"Dockerfile": text, "app.py": program, "run.sh": _RUN}, mode=0)))


def _large_but_legal(setting: Setting) -> Case:
    size = min(setting.whole(45 * MIB), _FILE_LIMIT - 1)
    piece = setting.random.randbytes(MIB)
    deep = "/".join(f"level{number:02}" for number in range(1, 14)) + "/end.txt"
    long = "/".join(letter * count for letter, count in zip("abc", _COMPONENTS, strict=True))
    hook = _LARGE.replace("@SIZE@", str(size)).replace("@DEEP@", deep).replace("@LONG@", long)
    small = {f"small/{number // 100:02}/{number:04}.txt": b"%d\n" % number for number in range(1_500)}
    files = {
        "Dockerfile": dockerfile(setting.params["BASE"]).replace(b"COPY app.py /app/app.py", b"COPY . /app/"),
        "app.py": app(hook),
        "weights.bin": (piece * (size // MIB + 1))[:size],
        deep: b"deep\n",
        long: b"long\n",
        **small,
    }
    return valid(Folder(files))


MAKERS: dict[str, Maker] = {
    "PV01": _crlf,
    "PV05": _wrapped_zip,
    "PV09": _unicode_names,
    "PV10": _empty_ignore_file,
    "PV13": _entry_script,
    "PV16": _large_but_legal,
}
