"""Reports and evidence as a run of lab 05 leaves them, made up but of true size."""

from __future__ import annotations

import random
from typing import Any

from grader.records import (
    Cause,
    Digests,
    Evidence,
    Hints,
    Item,
    Lab,
    Outcome,
    Report,
    ReportItem,
    ReportSubmission,
    Span,
    StartSpec,
    Text,
)

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></style></textarea><svg onload=alert(1)>",
    "javascript:alert(1)",
    "[red]markup[/red] [link=http://evil.example]x[/link] :bomb:",
    "\x1b[31mred\x1b[0m\x1b]8;;http://evil.example\x07link\x1b]8;;\x07\x1b]52;c;aGk=\x07",
    "\x9b31m C1 \x85 \x7f \x00 \r\n carriage\rreturn \x08\x08\x08",
    "\u202egnp.exe\u202c \u2066iso\u2069 \u200e\u200f\u061c",
    "zero\u200bwidth\u200d\ufeff\u00ad\u2060 \u180e \u3164",
    "lone \ud800 surrogate \udfff",
    "{{ 7*7 }} {% raw %} ${x} {facts}",
    "line\u2028sep\u2029para \ufffe \U000e0041",
    "' onmouseover='alert(1)",
    "\x1b[2J\x1b]0;title\x07",
    "</pre></code></svg><b>bold</b><img src=x onerror=document.title=1>",
    "````````",
    "one ` and `` two ``` <b>",
    '=HYPERLINK("http://evil.example")',
    "http://evil.example www.evil.example evil.example @everyone #1 a@b.example mailto:a@b.example",
    "[x](javascript:alert(1)) ![y](http://evil.example/p.png) <http://evil.example> [z]: http://evil.example",
    "a\n\n# head\n- list\n1. one\n> quote\n```\nfence\n| a | b |\n| - | - |\n    code\n<div>\n***\n---",
    "| \\| \\\\| `|` `\\|` ~~struck~~ *em* _em_ $x$ \\",
    "1) one",
    "+ plus",
    "]]> &amp; &#x1b; &lt; <![CDATA[ <!DOCTYPE x [<!ENTITY e 'x'>]> &e; <?xml?> -->",
    "x" * 9000,
    "\u202e" * 9000,
)

CODED = Text(
    en="`.dockerignore` keeps junk out and the app in", fr="`.dockerignore` écarte le superflu et garde l'application"
)
_ITEMS: tuple[tuple[str, float, str, str], ...] = (
    ("build", 2, "Builds without a network", "Se construit sans réseau"),
    ("serve", 2, "Serves right answers from a locked box", "Répond juste depuis une boîte verrouillée"),
    ("load.once", 3, "Loads its model once", "Charge son modèle une seule fois"),
    ("nonroot", 2, "No process runs as root", "Aucun processus ne tourne en root"),
    ("latency", 2, "Answers about as fast as the yardstick", "Répond à peu près aussi vite que l'étalon"),
    ("cache.order", 2, "An edit does not reinstall the packages", "Une modification ne réinstalle pas les paquets"),
    ("image.size", 1, "The image stays small", "L'image reste petite"),
    ("image.clean", 1, "No weights, data or secrets in any layer", "Ni poids, ni données, ni secrets dans les couches"),
    ("ctx.ignore", 1, "The context leaves out what must stay home", "Le contexte laisse dehors ce qui doit y rester"),
    ("df.base", 1, "Every base is explicit, slim and supported", "Chaque base est explicite, légère et maintenue"),
    ("deps.pinned", 1, "Every package is pinned", "Chaque paquet est figé"),
    ("stop", 1, "Stops cleanly, answering what it began", "S'arrête proprement, en finissant ce qu'il a commencé"),
    ("bets", 1, "Forecasts were made before measuring", "Les pronostics précèdent les mesures"),
)


def lab(thresholds: tuple[float, ...] = (1.5, 2.5)) -> Lab:
    cause = Cause(
        en="{process} runs as uid 0.", fr="{process} tourne avec l'uid 0.", hints=Hints(en=_HINTS, fr=_HINTS_FR)
    )
    items = tuple(
        Item(id=name, points=points, title=Text(en=en, fr=fr), causes={"root": cause})
        for name, points, en, fr in _ITEMS
    )
    start = StartSpec(probes=("latency",), options={"latency": {"thresholds": list(thresholds)}} if thresholds else {})
    return Lab(
        id="05-docker",
        kind="image",
        minutes=110,
        title=Text(en="In a box", fr="En boîte"),
        items=items,
        starts={"normal": start},
        root="labs/05-docker",
        digest="sha256:" + "1a" * 32,
    )


def item(name: str, outcome: Outcome = "passed", share: float | None = None, **fields: Any) -> ReportItem:
    most = next(points for known, points, _, _ in _ITEMS if known == name)
    won = share if share is not None else 1.0 if outcome == "passed" else 0.0
    hidden = name in ("load.once", "latency")
    return ReportItem(
        id=name,
        outcome=outcome,
        points=most * won,
        max_points=most,
        visibility="hidden" if hidden else "public",
        **fields,
    )


_HINTS = (
    "Who starts the server: which user does the image end with?",
    "The `USER` instruction sets it for everything after it, `CMD` included. A number is the surest form.",
    "Near the end of the Dockerfile: `RUN useradd --uid 10001 app`, then `USER 10001`.",
)
_HINTS_FR = (
    "Qui lance le serveur : avec quel utilisateur l'image se termine-t-elle ?",
    "L'instruction `USER` le fixe pour tout ce qui suit, `CMD` compris. Un numéro est la forme la plus sûre.",
    "Vers la fin du Dockerfile : `RUN useradd --uid 10001 app`, puis `USER 10001`.",
)
_SIZE_HINTS = (
    "Which layer is the biggest, and does the running service need all of it?",
    "Look at requirements.txt: what is imported by `app/`, and what only by the notebook?",
    "Remove scipy and scikit-learn from requirements.txt, or install them in a first stage only.",
)


def report(**fields: Any) -> Report:
    """A good piece of work with a root process, a middling latency and a fat image: 15 of 20."""
    failed = {
        "nonroot": item(
            "nonroot",
            "failed",
            cause="root",
            facts={"process": "uvicorn"},
            message="The process uvicorn (pid 7) runs with uid 0 when the service is ready.",
            hints=_HINTS,
        ),
        "latency": item(
            "latency",
            "partial",
            0.5,
            cause="slower",
            message="Your service takes 1.81 times the yardstick's time per request, between the two thresholds.",
            hints=(
                "Where does a request spend its time: reading JSON, checking it, or computing?",
                "Validate the 784 pixels once; a list of constrained integers checks each one in Python.",
                "`numpy.asarray(pixels, dtype=numpy.uint8)` once, then one `session.run` with one thread.",
            ),
        ),
        "image.size": item(
            "image.size",
            "failed",
            cause="too_big",
            message="Your layers add 231 MB; the yardstick's add 118 MB, and 1.25 times that is the limit.",
            hints=_SIZE_HINTS,
        ),
        "stop": item(
            "stop",
            "skipped",
            cause="no_init",
            message="Not assessed: this engine cannot start a container without init.",
        ),
        "load.once": item(
            "load.once",
            message="The model is loaded at the first request: right, but that first visitor waits for everybody.",
            cause="lazy",
        ),
    }
    items = tuple(failed.get(name) or item(name) for name, *_ in _ITEMS)
    values: dict[str, Any] = {
        "lab": "05-docker",
        "submission": ReportSubmission(source="work/05-docker", digest="sha256:" + "c3" * 32),
        "status": "graded",
        "run_class": "GRADED",
        "score": sum(entry.points for entry in items),
        "max_score": 20.0,
        "provisional": True,
        "items": items,
        "digests": Digests(lab="sha256:" + "1a" * 32, evidence="sha256:" + "2b" * 32, base="sha256:" + "4d" * 32),
        "grader": "0.1.0",
        "engine": "docker 20.10.24",
        "seed": 7,
        "seconds": {"build": 14.2, "run": 31.6},
    }
    return Report(**(values | fields))


def turns(count: int = 150, ratio: float = 1.83, seed: int = 3, stalls: float = 0.01) -> list[dict[str, Any]]:
    """Turns as the driver records them: log-normal times, a machine that slows down at times, rare stalls."""
    chance = random.Random(seed)
    spell = 1.0

    def side(scale: float, stalled: float) -> list[float]:
        times = [scale * spell * chance.lognormvariate(0, 0.09) for _ in range(4)]
        return [round(ms + (4 if chance.random() < stalled else 0), 4) for ms in times]

    recorded = []
    for _ in range(count):
        spell = max(0.85, 0.8 * spell + 0.2 * chance.lognormvariate(0, 0.2))
        first = chance.choice(["student", "yardstick"])
        recorded.append({"first": first, "student": side(0.68 * ratio, stalls), "yardstick": side(0.68, stalls)})
    return recorded


_BUILD_LOG = """Step 1/7 : FROM python:3.11-slim
Step 2/7 : WORKDIR /srv
Step 3/7 : COPY requirements.txt .
Step 4/7 : RUN pip install --no-cache-dir -r requirements.txt
Looking in links: /opt/wheelhouse
Successfully installed fastapi-0.165.0 numpy-2.4.6 onnxruntime-1.31.1 scikit-learn-1.9.1 scipy-1.17.1 uvicorn-0.54.0
Step 5/7 : COPY app/ app/
Step 6/7 : EXPOSE 8000
Step 7/7 : CMD ["uvicorn", "app.main:app", "--host", "0.0.0.0", "--port", "8000"]
Successfully built 5f2c9f3a1b7e
"""
_START_LOG = """INFO:     Started server process [7]
INFO:     Waiting for application startup.
INFO:     Application startup complete.
INFO:     Uvicorn running on http://0.0.0.0:8000 (Press CTRL+C to quit)
"""


def sections(**changes: Any) -> dict[str, dict[str, Any]]:
    layers = [
        ("base0", 51_300_000, "/bin/sh -c #(nop) ADD file:4b1be1de in / ", False),
        ("base1", 38_900_000, "/bin/sh -c apt-get install -y python3-minimal", False),
        ("base2", 74_800_000, "/bin/sh -c #(nop) COPY dir:9a in /opt/wheelhouse ", False),
        ("own1", 120, "/bin/sh -c #(nop) WORKDIR /srv", True),
        ("own2", 184, "/bin/sh -c #(nop) COPY file:51c2 in . ", True),
        ("own3", 229_400_000, "/bin/sh -c pip install --no-cache-dir -r requirements.txt", True),
        ("own4", 1_640_000, "/bin/sh -c #(nop) COPY dir:77ab in app/ ", True),
    ]
    loads = {"method": "inotify", "start": 1, "warm": 0, "measured": 0, "requests": {"warm": 20, "measured": 100}}
    values: dict[str, dict[str, Any]] = {
        "build": {"result": {"ok": True, "problem": None, "log": _BUILD_LOG, "base_asked": "python:3.11-slim"}},
        "image": {
            "layers": [
                {"diff_id": name, "size": size, "created": 1.0, "created_by": by, "own": own}
                for name, size, by, own in layers
            ],
            "sizes": {"own": 231_040_304, "yardstick_own": 118_200_000, "total": 396_040_304},
        },
        "normal": {
            "ready": {"ok": True, "problem": None, "log": _START_LOG},
            "model_loads": loads | {"cpu_ms": 1.21},
            "latency": {"turns": turns(), "requests_per_turn": 4, "failures": 0, "seconds": 6.0},
        },
        "padded": {"model_loads": loads | {"cpu_ms": 1.24, "pad_mib": 32}},
    }
    return values | changes


_TIMELINE = (
    ("build", 0.0, 14.2),
    ("image", 14.2, 15.0),
    ("normal.answers", 17.1, 17.9),
    ("normal.processes", 17.9, 18.0),
    ("normal.model_loads", 18.0, 21.2),
    ("normal.latency", 21.2, 30.9),
    ("normal", 15.0, 31.4),
    ("padded.model_loads", 33.8, 37.2),
    ("padded", 31.4, 37.9),
    ("default_caps", 37.9, 40.6),
    ("init_off.stop", 42.2, 43.0),
    ("init_off", 40.6, 43.1),
    ("rebuild", 43.1, 45.8),
)


def evidence(**changes: Any) -> Evidence:
    timeline = tuple(Span(name=name, start=start, end=end) for name, start, end in _TIMELINE)
    values: dict[str, Any] = {"lab": "05-docker", "sections": sections(), "seed": 7, "timeline": timeline}
    return Evidence(**(values | changes))


def hostile_report(text: str) -> Report:
    """A report whose every foreign string is `text`."""
    outcomes: dict[str, Outcome] = {"nonroot": "failed", "build": "passed", "stop": "skipped", "bets": "error"}
    bad = {"process": text, text: [text, {text: text}]}
    items = tuple(
        item(name, outcome, cause="root", facts=bad, message=text, hints=(text,)) for name, outcome in outcomes.items()
    )
    return report(
        submission=ReportSubmission(source=text),
        items=(*items, item("nonroot", "failed", message=text).model_copy(update={"id": text})),
        engine=text,
    )


def hostile_evidence(text: str) -> Evidence:
    values = sections()
    values["build"]["result"] |= {"ok": False, "log": text, "base_asked": text}
    values["normal"]["ready"] |= {"ok": False, "log": f"{text}\nTraceback (most recent call last):\n{text}"}
    for layer in values["image"]["layers"]:
        layer["created_by"] = text
    return evidence(sections=values, timeline=(Span(name=text, start=0.0, end=1.0),))
