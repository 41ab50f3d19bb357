"""Names that reach outside, mislead or collide: each is refused by name, and nothing of it stays."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path

import pytest

from .conftest import REF, make_tar, make_zip, refusal, regular


@pytest.mark.parametrize(
    "names",
    [
        ["../../pwn.txt", "a/../../../pwn2.txt"],
        ["/abs/pwn"],
        ["C:\\pwn"],
        ["\\\\host\\share\\pwn"],
        ["..\\..\\pwn"],
        ["a\\..\\..\\pwn"],
        ["__MACOSX/../../pwn"],
        ["a\u202egpj.py"],
        ["a\x1b[2J.py"],
        ["a\u0085b"],
        ["trailing."],
        ["trailing "],
        ["dir./file"],
    ],
)
def test_names_that_reach_outside_or_mislead_are_refused(tmp_path: Path, names: list[str]) -> None:
    """PH01 and PH02, and names that show as another one."""
    assert refusal(tmp_path, make_zip(REF | dict.fromkeys(names, b"x"))).code == "path"
    (tmp_path / "in").unlink()
    assert refusal(tmp_path, make_tar([regular(name) for name in names])).code == "path"


def test_a_name_with_a_nul_or_without_utf8_is_refused(tmp_path: Path) -> None:
    plain = make_zip({"abcdef": b"x"})
    assert refusal(tmp_path, plain.replace(b"abcdef", b"abc\0ef")).code == "path"
    assert refusal(tmp_path, plain.replace(b"abcdef", b"abc\xff\xfef")).code == "path"


@pytest.mark.parametrize("pair", [("a", "a"), ("Readme", "README"), ("caf\u00e9", "cafe\u0301"), ("a", "a/b")])
def test_names_that_collide_are_refused(tmp_path: Path, pair: tuple[str, str]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in pair:
            archive.writestr(name, "x")
    assert refusal(tmp_path, buffer.getvalue()).code == "duplicate"
    assert refusal(tmp_path, make_tar([regular(name) for name in pair])).code == "duplicate"
