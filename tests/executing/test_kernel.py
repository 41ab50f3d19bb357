"""A kernel that is not like any other to the cells, that a file beside the notebook hides, or that never starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.lab import load_lab
from grader.pipeline import Options, Site, grade
from grader.records import Submission

from ..books import book, hand_in
from .conftest import LAB, Counting, Give, items, section


@pytest.mark.parametrize("name", ["ipykernel_launcher.py", "ipykernel.py", "zmq.py", "signal.py"])
def test_a_file_named_like_a_part_of_the_kernel_hides_nothing(site: Site, tmp_path: Path, name: str) -> None:
    folder = hand_in(tmp_path / "submission", book("1"))
    (folder / name).write_text("raise ImportError('mine')")
    graded = grade(load_lab(LAB), Submission(source=str(folder)), site, Options(seed=1, exercise="E1"))
    assert items(graded)["exec"].outcome == "passed"


LIKE_ANY_KERNEL = """
import atexit, multiprocessing, os, signal, sys
from pathlib import Path
assert [name for name, module in sys.modules.items() if module is None] == []
import requests, debugpy; assert requests.get and debugpy.listen
assert os.getpgid(0) == os.getpid() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
assert __name__ == "__main__" and sys.modules["__main__"].__dict__ is globals()
assert Path.cwd() in [Path(place).resolve() for place in sys.path], sys.path
with multiprocessing.get_context("fork").Pool(1) as pool:
    assert pool.map(abs, [-1]) == [1]
atexit.register(Path(out_dir, "late.txt").write_text, "written when the kernel ends")
"""


def test_the_kernel_is_like_any_kernel_to_the_cells(give: Give) -> None:
    graded = give(book(LIKE_ANY_KERNEL))
    assert items(graded)["exec"].outcome == "passed", section(graded, "train")["result"]["log"]
    assert "late.txt" in section(graded, "train")["others"]


def test_a_kernel_that_never_starts_is_tried_again_and_said(site: Site, room: Counting, tmp_path: Path) -> None:
    folder = hand_in(tmp_path / "submission", book("1"))
    room.env = {"IPYTHONDIR": "/proc/nowhere"}  # where it cannot keep what it needs
    graded = grade(load_lab(LAB), Submission(source=str(folder)), site, Options(seed=1, exercise="E1"))
    assert (items(graded)["exec"].cause, graded.report.run_class) == ("no_start", "NB_ERROR")
    assert section(graded, "train")["result"]["log"].count("the kernel did not start") == 3
