"""A real browser for the report's page: Debian's Chromium, started anew for each module and with an empty profile."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
# Without these Chromium asks its maker's servers for updates and keys, and a sandbox of its own needs a user account.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Shown:
    """A page in the browser, and all that it did besides being shown."""

    page: Any
    address: str
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)


Show = Callable[..., Shown]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("chromium is not here (sudo apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Show]:
    """Opens the source of a page from a file, as a student does, in a fresh profile."""
    contexts = []

    def show(source: str, *, width: int = 1280, scheme: str = "light") -> Shown:
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        contexts.append(context)
        file = tmp_path / f"report-{len(contexts)}.html"
        file.write_text(source, encoding="utf-8")
        page = context.new_page()
        shown = Shown(page, file.as_uri())
        page.on("request", lambda request: shown.requests.append(request.url))
        page.on("console", lambda message: shown.console.append(message.text))
        page.on("dialog", lambda dialog: (shown.dialogs.append(dialog.message), dialog.dismiss()))
        context.on("page", lambda other: shown.pages.append(other.url))
        page.goto(shown.address, wait_until="load")
        return shown

    yield show
    for context in contexts:
        context.close()
