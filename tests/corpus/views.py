"""Whether anything in the views of a report acts: a control character, a node that runs, a reference to elsewhere."""

from __future__ import annotations

import re
import unicodedata
import xml.etree.ElementTree as xml
from collections.abc import Iterator
from html.parser import HTMLParser

from grader.lab import load_lab
from grader.records import Lab, Report
from grader.render import FORMATS, Reader
from grader.store import Run
from tests.corpus.grading import Graded

_ACTS = """
script iframe frame object embed applet link base form input button img image video audio source use foreignobject
animate set a area math template slot
"""
_REACHES = "href xlink:href src srcset action formaction data poster background ping style"
ACTS, REACHES = set(_ACTS.split()), set(_REACHES.split())


class Page(HTMLParser):
    """Everything in an HTML page that a browser would do something about."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        if tag in ACTS:
            self.faults.append(f"<{tag}>")
        for name, value in attributes:
            if name.startswith("on") or name in REACHES:
                self.faults.append(f"<{tag} {name}>")
            if (name, (value or "").lower()) == ("http-equiv", "refresh"):
                self.faults.append("<meta refresh>")

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if self._in_style and re.search(r"url\(|@import|expression\(", data):
            self.faults.append("a style that reaches out")

    def handle_comment(self, data: str) -> None:
        self.faults.append("a comment")

    def handle_pi(self, data: str) -> None:
        self.faults.append("a processing instruction")


def view_faults(graded: Graded) -> list[str]:
    """What acts in what was shown and stored, and in each view made anew in both languages."""
    faults = [f"terminal: {fault}" for fault in controls(graded.stdout) + controls(graded.stderr)]
    for path in graded.reports:
        for form in ("json", "html"):
            faults += [f"report.{form}: {fault}" for fault in of_kind(form, path.with_suffix(f".{form}").read_text())]
        run = Run(path.parent)
        report = run.read_report()
        evidence = run.read_evidence() if (path.parent / "evidence.json").is_file() else None
        for form, view in FORMATS.items():
            lab = lab_of(report)
            for reader in (Reader(lab, "en", evidence, path.parent, True), Reader(lab, "fr", evidence, None, True)):
                text = view(Report.model_validate_json(report.model_dump_json(by_alias=True)), reader)
                faults += [f"{form} ({reader.lang}): {fault}" for fault in of_kind(form, text)]
    return faults


def lab_of(report: Report) -> Lab:
    from tests.corpus.place import LABS

    return next(lab for lab in map(load_lab, LABS.values()) if lab.id == report.lab)


def of_kind(form: str, text: str) -> list[str]:
    """What acts in one view."""
    faults = controls(text.encode())
    if form == "html":
        page = Page()
        page.feed(text)
        page.close()
        faults += page.faults
    elif form == "junit":
        xml.fromstring(text)
        faults += ["a document type"] if "<!DOCTYPE" in text or "<!ENTITY" in text else []
    return faults


def controls(data: bytes) -> list[str]:
    return sorted(set(_controls(data.decode("utf-8", "surrogateescape"))))


def _controls(text: str) -> Iterator[str]:
    for character in set(text):
        if character not in "\n\t" and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
            yield f"U+{ord(character):04X}"
