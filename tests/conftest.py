"""What every test stands on. Where CI runs, a test that needs the engine or the browser and skips has failed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
# A runner in the background may have Ctrl-C or a hang-up ignored, which the graders started by the tests would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
# A busy machine is no fault of a test. In CI, Hypothesis loads such a profile by itself, with equal examples each time.
settings.register_profile("unhurried", deadline=None)
if not os.environ.get("CI"):
    settings.load_profile("unhurried")
NEVER_SKIPPED = ("engine", "browser")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    needed = any(item.get_closest_marker(name) for name in NEVER_SKIPPED)
    if needed and report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped where it must run: {report.longrepr}"
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With more than one worker: the tests of a file stay together and share what it prepares. A law goes by itself,
    and first, because it takes minutes.
    """
    for item in items:
        alone = item.get_closest_marker("law") is not None
        item.add_marker(pytest.mark.xdist_group(item.nodeid if alone else item.path.as_posix()))
    items.sort(key=lambda item: item.get_closest_marker("law") is None)
