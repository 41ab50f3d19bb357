"""The figures of the page beside latency: CPU per request, layers, timeline, and the strip of points."""

from __future__ import annotations

from markupsafe import Markup

from grader.records import Evidence, Json, Lab, Lang, Report, Span
from grader.render.figures import milliseconds, number, seconds, size
from grader.render.html.figure import Figure, Say, absent, probe
from grader.render.html.latency import latency_figure
from grader.render.html.svg import WIDTH, element, label, line, picture, rect
from grader.render.inert import inert
from grader.words import known

_MOST_LAYERS = 127
_MOST_SPANS = 60
_NAMED = 4
_LONGEST_NAME = 18
_BARS_LEFT, _BARS_RIGHT = 120.0, WIDTH - 44.0


def figures(evidence: Evidence | None, lab: Lab, lang: Lang, say: Say) -> list[Figure]:
    """The four figures of a lab that builds an image, in reading order."""
    return [
        latency_figure(evidence, lab, lang, say),
        timeline_figure(evidence, lang, say),
        layers_figure(evidence, lang, say),
        cpu_figure(evidence, lang, say),
    ]


def points_strip(report: Report, lang: Lang, say: Say) -> Markup:
    """One bar for the whole mark: a stretch for each item, filled by the share of its points that was won."""
    total = sum(item.max_points for item in report.items)
    parts: list[Markup] = []
    x = 0.0
    for item in report.items:
        wide = WIDTH * item.max_points / total
        parts.append(rect(x, 0.0, wide - 1.0, 10.0, f"strip-back o-{item.outcome}"))
        parts.append(rect(x, 0.0, (wide - 1.0) * item.points / item.max_points, 10.0, f"strip o-{item.outcome}"))
        x += wide
    won = sum(item.points for item in report.items)
    text = say("strip_desc", won=number(won, lang), total=number(total, lang))
    return picture("points", say("strip_title"), text, 10, parts, stretched=True)


def cpu_figure(evidence: Evidence | None, lang: Lang, say: Say) -> Figure:
    """CPU per request with the model as it is and with a grown one: a model loaded per request shows at once."""
    title = say("cpu_title")
    normal, padded = (probe(evidence, section, "model_loads") for section in ("normal", "padded"))
    if not normal or not padded or normal.get("cpu_ms") is None or padded.get("cpu_ms") is None:
        return absent("cpu", title, evidence, say)
    pad = number(padded.get("pad_mib") or 0, lang)
    rows = (
        (say("cpu_normal"), float(normal["cpu_ms"]), "student"),
        (say("cpu_padded", pad=pad), float(padded["cpu_ms"]), "student-2"),
    )
    most = max(*(value for _, value, _ in rows), 1e-9)
    parts: list[Markup] = []
    for index, (name, value, kind) in enumerate(rows):
        y = 16.0 + index * 52
        wide = (WIDTH - 84.0) * value / most
        parts += [
            label(0.0, y, name, "name"),
            rect(0.0, y + 8, max(wide, 2.0), 18.0, kind, 2),
            label(max(wide, 2.0) + 8, y + 21.5, milliseconds(value, lang), "value"),
        ]
    values = {"normal": milliseconds(rows[0][1], lang), "padded": milliseconds(rows[1][1], lang)}
    drawing = picture("cpu", title, say("cpu_desc", pad=pad, **values), 100, parts)
    return Figure(
        "cpu",
        title,
        say("cpu_caption", pad=pad, **values),
        (drawing,),
        note=_opens(normal, say),
        headers=(say("column_model"), say("column_cpu")),
        rows=tuple((name, milliseconds(value, lang)) for name, value, _ in rows),
    )


def _opens(loads: Json, say: Say) -> str:
    """How often the model file was opened while requests were measured, where that could be watched."""
    if loads.get("measured") is None:
        return ""
    return say("cpu_opens", opens=int(loads["measured"]), requests=int(loads["requests"]["measured"]))


def layers_figure(evidence: Evidence | None, lang: Lang, say: Say) -> Figure:
    """The image's bytes: base against own, then the own layers with the biggest named."""
    title = say("layers_title")
    layers = [layer for layer in probe(evidence, "image", "layers") or () if layer["size"] > 0][:_MOST_LAYERS]
    sizes = probe(evidence, "image", "sizes")
    own = [layer for layer in layers if layer["own"]]
    if not own or not sizes:
        return absent("layers", title, evidence, say)
    mine, all_bytes = sum(layer["size"] for layer in own), sum(layer["size"] for layer in layers)
    base = all_bytes - mine
    ranked = sorted(own, key=lambda layer: -layer["size"])[:_NAMED]
    facts = {"own": size(mine, lang), "base": size(base, lang), "yardstick": size(sizes["yardstick_own"], lang)}
    parts = _two_bars(own, ranked, base, sizes["yardstick_own"], lang, say)
    y = 158.0
    for rank, layer in enumerate(ranked, start=1):
        parts += [
            element("circle", cx=8, cy=y - 4, r=8, class_=f"own own-{rank}"),
            label(8.0, y, str(rank), "rank", "middle"),
            label(24.0, y, size(layer["size"], lang), "value"),
            label(92.0, y, shortened(layer["created_by"], 34), "code"),
        ]
        y += 22
    drawing = picture("layers", title, say("layers_desc", **facts), y - 12, parts)
    rows = tuple(
        (shortened(layer["created_by"], 120), say("own") if layer["own"] else say("base"), size(layer["size"], lang))
        for layer in layers
    )
    headers = (say("column_step"), say("column_part"), say("column_size"))
    return Figure("layers", title, say("layers_caption", **facts), (drawing,), headers=headers, rows=rows)


def _two_bars(own: list[Json], ranked: list[Json], base: float, rival: float, lang: Lang, say: Say) -> list[Markup]:
    """The whole image on one line and, fanned out below, the own part against the yardstick's."""
    mine = sum(layer["size"] for layer in own)
    split = WIDTH * base / (base + mine)
    full = max(mine, rival)
    end = WIDTH * mine / full
    fan = f"M{split:.1f} 44 L{WIDTH} 44 L{end:.1f} 72 L0 72 Z"
    parts = [
        label(0.0, 14.0, f"{say('base')} {size(base, lang)}", "name"),
        label(float(WIDTH), 14.0, f"{say('own')} {size(mine, lang)}", "name student", "end"),
        rect(0.0, 22.0, split - 1, 22.0, "base", 2),
        rect(split, 22.0, WIDTH - split, 22.0, "own", 2),
        element("path", d=fan, class_="fan"),
    ]
    ranks = {layer["diff_id"]: rank for rank, layer in enumerate(ranked, start=1)}
    x = 0.0
    for layer in own:
        wide = WIDTH * layer["size"] / full
        rank = ranks.get(layer["diff_id"])
        parts.append(rect(x, 72.0, wide - 1 if wide > 3 else wide, 22.0, f"own own-{rank or 'rest'}"))
        if rank and wide > 16:
            parts.append(label(x + 9, 87.0, str(rank), "rank", "middle"))
        x += wide
    at = WIDTH * rival / full
    anchor = "end" if at > WIDTH / 2 else "start"
    parts.append(line(min(at, WIDTH - 1.0), 66.0, min(at, WIDTH - 1.0), 104.0, "limit"))
    words = f"{say('yardstick')} {size(rival, lang)}"
    parts.append(label(at - 2 if anchor == "end" else at, 118.0, words, "tick", anchor))
    return parts


def shortened(created_by: str, most: int) -> str:
    """A layer's instruction as its author would recognise it, without the engine's prefixes, cut to `most`."""
    text = created_by.removeprefix("|").strip()
    for prefix in ("/bin/sh -c #(nop)", "/bin/sh -c"):
        if text.startswith(prefix):
            rest = text[len(prefix) :].strip()
            text = rest if prefix.endswith("(nop)") else f"RUN {rest}"
            break
    text = inert(" ".join(text.split()))
    return text if len(text) <= most else text[: most - 1] + "…"


def timeline_figure(evidence: Evidence | None, lang: Lang, say: Say) -> Figure:
    """When each part of the run began and how long it took; a start's probes stand under it, thinner."""
    title = say("timeline_title")
    spans = sorted(evidence.timeline, key=lambda span: (span.start, -span.end))[:_MOST_SPANS] if evidence else []
    if not spans:
        return absent("timeline", title, evidence, say)
    end = max(max(span.end for span in spans), 1e-9)
    longest = max(spans, key=lambda span: ("." not in span.name, span.end - span.start))
    bars, bottom = _bars(spans, longest, end, lang, say)
    facts = {"total": seconds(end, lang), "longest": _span_name(longest.name, say)}
    caption = say("timeline_caption", took=seconds(longest.end - longest.start, lang), **facts)
    drawing = picture("timeline", title, caption, bottom + 22, [*_grid(end, bottom, lang), *bars])
    rows = tuple(
        (_span_name(span.name, say), seconds(span.start, lang), seconds(span.end - span.start, lang)) for span in spans
    )
    headers = (say("column_step"), say("column_began"), say("column_took"))
    return Figure("timeline", title, caption, (drawing,), headers=headers, rows=rows)


def _bars(spans: list[Span], longest: Span, end: float, lang: Lang, say: Say) -> tuple[list[Markup], float]:
    parts: list[Markup] = []
    y = 8.0
    for span in spans:
        part = "." in span.name
        x = _BARS_LEFT + (_BARS_RIGHT - _BARS_LEFT) * span.start / end
        wide = max((_BARS_RIGHT - _BARS_LEFT) * (span.end - span.start) / end, 2.0)
        kind = "span longest" if span is longest else "span part" if part else "span"
        style = "span-name part" if part else "span-name"
        took = seconds(span.end - span.start, lang)
        parts += [
            label(_BARS_LEFT - 8, y + 10, _span_name(span.name, say), style, "end"),
            rect(x, y + 3, wide, 6.0, kind, 1) if part else rect(x, y, wide, 12.0, kind, 2),
            label(x + wide + 5, y + 10, took, "tick"),
        ]
        y += 18 if part else 21
    return parts, y + 2


def _grid(end: float, bottom: float, lang: Lang) -> list[Markup]:
    parts = []
    for tick in _round_ticks(end):
        x = _BARS_LEFT + (_BARS_RIGHT - _BARS_LEFT) * tick / end
        parts.append(line(x, 4.0, x, bottom, "grid"))
        parts.append(label(x, bottom + 14, seconds(tick, lang), "tick", "middle"))
    return parts


def _span_name(name: str, say: Say) -> str:
    """The name of a step; of a start's probe, the probe's name."""
    start, _, probe_name = name.partition(".")
    code = f"probe_{probe_name}" if probe_name else f"span_{start}"
    if known(f"render_{code}"):
        return say(code)
    text = inert(probe_name or start)
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"


def _round_ticks(end: float) -> list[float]:
    step = next((step for step in (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300) if end / step <= 5), 600)
    return [index * step for index in range(int(end / step) + 1)]
