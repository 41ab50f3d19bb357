"""Reading requirements files: a loose line that looks exact, or an exact one that looks loose."""

from __future__ import annotations

import pytest

from grader.requirements import UnreadInclude, requirements

HASH = "--hash=sha256:" + "0" * 64


def read(text: str, **more: str) -> list[tuple[int, str, bool]]:
    found = requirements({"requirements.txt": text, **more}, "requirements.txt")
    return [(each.line, each.text, each.pinned) for each in found]


@pytest.mark.parametrize(
    "line",
    [
        "fastapi==0.165.0",
        "fastapi == 0.165.0",
        "uvicorn[standard]===0.54.0",
        "numpy==2.4.6; python_version >= '3.11'",
        "numpy==2.4.6  # tested with this one",
        "scikit_learn (==1.9.1)",
        "numpy==2.4.6,<3",
        f"numpy==2.4.6 {HASH}",
        f"numpy {HASH}",
        f"numpy @ https://example.org/numpy.whl {HASH}",
        "pkg==1!2.0.post1+cpu",
    ],
)
def test_an_exact_line_is_called_loose(line: str) -> None:
    assert [pinned for *_, pinned in read(line)] == [True]


@pytest.mark.parametrize(
    "line",
    [
        "fastapi",
        "fastapi>=0.1",
        "fastapi~=0.165.0",
        "fastapi==0.165.*",
        "fastapi!=0.1",
        "fastapi<=1,>=0",
        "fastapi[all]",
        "fastapi; python_version == '3.11'",
        "-e .",
        "--editable=./app",
        "./app",
        "pkg @ https://example.org/pkg==1.whl",
        "numpy --hash=sha256:12",
    ],
)
def test_a_loose_line_is_called_exact(line: str) -> None:
    assert [pinned for *_, pinned in read(line)] == [False]


def test_line_numbers_are_those_after_joining() -> None:
    text = "# head\n\n--no-index\nnumpy==2.4.6 \\\n    " + HASH + "\nfastapi>=0\n"
    assert [(line, pinned) for line, _, pinned in read(text)] == [(4, True), (6, False)]


def test_an_included_file_is_not_read() -> None:
    assert [name for _, name, _ in read("-r base.txt\nb==1\n", **{"base.txt": "a==1\n"})] == ["a==1", "b==1"]


@pytest.mark.parametrize("text", ["-r missing.txt", "--requirement=../x.txt", "-r requirements.txt"])
def test_an_include_that_cannot_be_read_is_passed_over(text: str) -> None:
    with pytest.raises(UnreadInclude):
        read(text)
