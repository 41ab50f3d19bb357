"""The latency figure: both sides' times as facing histograms, and the ratio between its thresholds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from markupsafe import Markup

from grader.records import Evidence, Json, Lab, Lang
from grader.render.figures import fixed, milliseconds, number
from grader.render.html.figure import Figure, Say, absent, probe
from grader.render.html.svg import WIDTH, LogScale, element, label, line, picture, rect
from grader.stats import Interval, ratio_interval

_LEFT, _RIGHT, _BINS = 8.0, WIDTH - 8.0, 44
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def latency_figure(evidence: Evidence | None, lab: Lab, lang: Lang, say: Say) -> Figure:
    """The student's request times against the yardstick's, with the ratio, its interval and the thresholds."""
    title = say("latency_title")
    turns = _clean(probe(evidence, "normal", "latency"))
    if not turns:
        return absent("latency", title, evidence, say)
    ratio = ratio_interval(turns)  # the seed that checks use, so that picture and sentence give the same figures
    student = sorted(ms for turn in turns for ms in turn["student"])
    yardstick = sorted(ms for turn in turns for ms in turn["yardstick"])
    facts = {
        "ratio": fixed(ratio.median, lang),
        "low": fixed(ratio.low, lang),
        "high": fixed(ratio.high, lang),
    }
    headers = (say("column_quantile"), say("yours"), say("yardstick"), say("column_ratio"))
    rows = tuple(_row(share, student, yardstick, lang) for share in _QUANTILES)
    return Figure(
        "latency",
        title,
        say("latency_caption", **facts),
        (
            _histograms(student, yardstick, lang, say),
            _gauge(ratio, thresholds(lab), lang, say, say("ratio_desc", **facts)),
        ),
        note=say("latency_note", turns=len(turns), requests=len(student)),
        headers=headers,
        rows=rows,
    )


def thresholds(lab: Lab) -> tuple[float, ...]:
    """The ratios under which the lab gives full and half points, where its start of latency names them."""
    start = lab.starts.get("normal")
    options = start.options.get("latency", {}) if start else {}
    return tuple(float(value) for value in options.get("thresholds", ()))


def _clean(latency: Json) -> list[dict[str, list[float]]]:
    """The turns with only the times that can be drawn; a turn that lost a side is dropped."""
    turns = [
        {side: [ms for ms in turn[side] if math.isfinite(ms) and ms > 0] for side in ("student", "yardstick")}
        for turn in (latency or {}).get("turns", ())
    ]
    return [turn for turn in turns if turn["student"] and turn["yardstick"]]


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _row(share: float, student: Sequence[float], yardstick: Sequence[float], lang: Lang) -> tuple[str, ...]:
    mine, theirs = _quantile(student, share), _quantile(yardstick, share)
    times = f"{fixed(mine / theirs, lang)}\u00a0×"
    return f"{share * 100:.0f}\u00a0%", milliseconds(mine, lang), milliseconds(theirs, lang), times


def _histograms(student: Sequence[float], yardstick: Sequence[float], lang: Lang, say: Say) -> Markup:
    low = min(_quantile(student, 0.005), _quantile(yardstick, 0.005)) / 1.1
    high = max(_quantile(student, 0.99), _quantile(yardstick, 0.99)) * 1.1
    scale = LogScale(low, max(high, low * 2), _LEFT, _RIGHT)
    counts = [_counts(times, scale) for times in (student, yardstick)]
    peak = max(max(side) for side in counts)
    middle, tall = 84.0, 58.0
    width = (_RIGHT - _LEFT) / _BINS
    parts = []
    for index in range(_BINS):
        up, down = (tall * side[index] / peak for side in counts)
        x = _LEFT + index * width
        parts.append(rect(x, middle - 1 - up, width - 1, up, "student") if up else Markup())
        parts.append(rect(x, middle + 1, width - 1, down, "yardstick") if down else Markup())
    for times, top, name in ((student, True, say("yours")), (yardstick, False, say("yardstick"))):
        parts += _median(times, scale, top, name, middle, lang, say)
    for tick in scale.ticks():
        x = scale(tick)
        parts.append(line(x, 164.0, x, 169.0, "axis"))
        if not 24 < x < WIDTH - 24:
            continue
        parts.append(label(x, 182.0, milliseconds(tick, lang), "tick", "middle"))
    parts += [line(_LEFT, middle, _RIGHT, middle, "axis"), line(_LEFT, 164.0, _RIGHT, 164.0, "axis")]
    facts = {"student": milliseconds(median(student), lang), "yardstick": milliseconds(median(yardstick), lang)}
    return picture("latency-times", say("latency_title"), say("latency_desc", **facts), 190, parts)


def _counts(times: Sequence[float], scale: LogScale) -> list[int]:
    counts = [0] * _BINS
    for ms in times:
        share = (scale(ms) - _LEFT) / (_RIGHT - _LEFT)
        counts[min(_BINS - 1, int(share * _BINS))] += 1
    return counts


def _median(
    times: Sequence[float], scale: LogScale, top: bool, name: str, middle: float, lang: Lang, say: Say
) -> list[Markup]:
    """A line at the side's median and its words, on whichever side of the line leaves them room."""
    value = median(times)
    x, kind = scale(value), "student" if top else "yardstick"
    end, baseline = (6.0, 15.0) if top else (162.0, 158.0)
    after = x < WIDTH * 0.55
    words = say("median_label", side=name, value=milliseconds(value, lang))
    return [
        line(x, middle, x, end, f"mark {kind}"),
        label(x + (5 if after else -5), baseline, words, f"name {kind}", "start" if after else "end"),
    ]


def _gauge(ratio: Interval, limits: tuple[float, ...], lang: Lang, say: Say, description: str) -> Markup:
    high = max(4.0, ratio.high * 1.15, *(limit * 1.4 for limit in limits))
    scale = LogScale(min(0.7, ratio.low / 1.15), high, _LEFT, _RIGHT)
    parts = []
    names = (say("zone_full"), say("zone_half"), say("zone_none"))
    edges = (scale.low, *limits, scale.high)
    if len(limits) == 2:
        for index, name in enumerate(names):
            left, right = scale(edges[index]), scale(edges[index + 1])
            parts.append(rect(left, 34.0, right - left - 1, 16.0, f"zone zone-{index}"))
            parts.append(label((left + right) / 2, 66.0, name, "tick", "middle"))
    for value, kind in ((1.0, "axis"), *((limit, "limit") for limit in limits)):
        parts.append(line(scale(value), 30.0, scale(value), 54.0, kind))
        parts.append(label(scale(value), 82.0, f"{number(value, lang)}\u00a0×", "tick", "middle"))
    x, left, right = scale(ratio.median), scale(ratio.low), scale(ratio.high)
    words = f"{fixed(ratio.median, lang)}\u00a0×"
    anchor = "start" if x < 40 else "end" if x > WIDTH - 40 else "middle"
    parts += [
        line(_LEFT, 42.0, _RIGHT, 42.0, "axis"),
        line(left, 42.0, right, 42.0, "interval"),
        line(left, 36.0, left, 48.0, "interval-end"),
        line(right, 36.0, right, 48.0, "interval-end"),
        element("circle", cx=x, cy=42.0, r=5, class_="dot"),
        label(x, 22.0, words, "value", anchor),
    ]
    return picture("latency-ratio", say("ratio_title"), description, 88, parts)
