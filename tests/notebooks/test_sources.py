"""A source that is read wrongly teaches wrongly in two languages; a build that varies is stale at every commit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from grader import words
from grader.errors import LabError
from grader.notebooks.blanks import blanked
from grader.notebooks.build import build, notebook_bytes, orphans, stale
from grader.notebooks.source import find_source, read_source
from grader.notebooks.versions import Version, version_of
from grader.records import Lang


def _cells(path: Path, version: Version, lang: Lang = "en") -> list[dict[str, Any]]:
    return list(json.loads(notebook_bytes(read_source(path), version, lang))["cells"])


def _text(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def _write(folder: Path, text: str) -> Path:
    path = folder / "91-more.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_twins_make_one_cell_and_code_is_shared(source: Path) -> None:
    english, french = _cells(source, "solution"), _cells(source, "solution", "fr")
    assert len(english) == len(french) == len(read_source(source).cells)
    for one, other in zip(english, french, strict=True):
        assert (one["id"], one["cell_type"], one["metadata"]) == (other["id"], other["cell_type"], other["metadata"])
        code = one["cell_type"] == "code" and "parameters" not in one["metadata"]["tags"]
        assert (_text(one) == _text(other)) is code


def test_the_parameter_lang_is_the_notebook_s(source: Path) -> None:
    assert 'lang = "en"' in _text(_cells(source, "student")[1])
    assert 'lang = "fr"' in _text(_cells(source, "student", "fr")[1])


def test_a_stub_raises_its_id_and_keeps_what_is_asked(source: Path) -> None:
    (stub,) = (cell for cell in _cells(source, "student") if cell["metadata"].get("exercise"))
    assert _text(stub) == 'raise NotImplementedError("L90.E1")\nlimit = max(...)'
    assert stub["metadata"]["tags"] == ["exercise", "raises-exception"]
    (solved,) = (cell for cell in _cells(source, "solution") if cell["metadata"].get("exercise"))
    assert "NotImplementedError" not in _text(solved) and "# keep" not in _text(solved)
    assert solved["metadata"]["tags"] == ["exercise"]


def test_a_stub_stands_as_deep_as_its_block(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        '# %% id="L91.E1" tags=["exercise"]\ndef f():\n    # >>> solution\n    return 1\n    # keep: return ...\n'
        "    # <<< solution\nf()\n",
    )
    (cell,) = version_of(read_source(path), "student")
    assert cell.code == 'def f():\n    raise NotImplementedError("L91.E1")\n    return ...\nf()'
    assert version_of(read_source(path), "solution")[0].code == "def f():\n    return 1\nf()"


def test_bets_and_answers_are_left_open(source: Path) -> None:
    bets = [_text(cell) for cell in _cells(source, "student") if "predict" in cell["metadata"].get("tags", ())]
    assert bets == ['wb.bet("L90.B1", value=..., unit="x", confidence=...)']
    code = 'wb.ask("L90.Q1", text="é",\n    choices=["a", "b"], answer=(\n    "a"))\nask(answer=2)'
    assert blanked(code) == 'wb.ask("L90.Q1", text="é",\n    choices=["a", "b"], answer=(\n    ...))\nask(answer=2)'
    assert blanked("%magic") == "%magic"


def test_some_cells_are_for_the_solution_only(tmp_path: Path) -> None:
    path = _write(tmp_path, '# %% tags=["solution"]\n1\n# %% tags=["hidden-in-student"]\n2\n# %% tags=["demo"]\n3\n')
    assert [cell.code for cell in version_of(read_source(path), "student")] == ["3"]
    assert [cell.code for cell in version_of(read_source(path), "solution")] == ["1", "2", "3"]


def test_hints_are_closed_until_they_are_asked_for(source: Path) -> None:
    hints = [_text(cell) for cell in _cells(source, "student", "fr") if "hint-2" in cell["metadata"].get("tags", ())]
    assert hints[0].startswith("<details><summary>Indice 2</summary>\n\nRegardez")
    assert hints[0].endswith("\n\n</details>")


def test_the_same_source_gives_the_same_bytes_and_a_valid_notebook(source: Path, tmp_path: Path) -> None:
    for version in ("student", "solution"):
        for lang in ("en", "fr"):
            content = notebook_bytes(read_source(source), version, lang)
            assert content == notebook_bytes(read_source(source), version, lang)
            nbformat.validate(nbformat.reads(content.decode(), as_version=4))
            assert b'"outputs": []' in content and b'"execution_count": null' in content
    assert build(read_source(source), tmp_path, "solution")
    assert build(read_source(source), tmp_path, "solution") == []


def test_another_cell_s_edit_leaves_the_ids(source: Path) -> None:
    before = [cell["id"] for cell in _cells(source, "student")]
    source.write_text(source.read_text(encoding="utf-8").replace("# La boucle", "# Une boucle"), encoding="utf-8")
    assert [cell["id"] for cell in _cells(source, "student")] == before
    source.write_text(source.read_text(encoding="utf-8").replace("# The loop", "# A loop"), encoding="utf-8")
    after = [cell["id"] for cell in _cells(source, "student")]
    assert sum(one != other for one, other in zip(before, after, strict=True)) == 1
    assert len(set(after)) == len(after)


def test_equal_cells_have_ids_of_their_own(tmp_path: Path) -> None:
    path = _write(tmp_path, "# %%\n1\n# %%\n1\n")
    assert len({cell["id"] for cell in _cells(path, "student")}) == 2


def test_a_changed_file_is_stale_and_a_lost_source_leaves_an_orphan(home: Path, source: Path) -> None:
    notebooks = home / "notebooks"
    assert stale(read_source(source), notebooks, "student") == []
    (notebooks / "fr" / "90-door.ipynb").write_text("{}", encoding="utf-8")
    assert stale(read_source(source), notebooks, "student") == [notebooks / "fr" / "90-door.ipynb"]
    assert orphans([], notebooks) == [notebooks / lang / "90-door.ipynb" for lang in ("en", "fr")]


@pytest.mark.parametrize("name", ["90", "90-door", "door", "notebooks/source/90-door.py"])
def test_a_notebook_is_found_by_what_people_type(source: Path, name: str) -> None:
    assert find_source(name, source.parent) == source


BROKEN = {
    "nb_key": '# %% tag=["demo"]\n1\n',
    "nb_key_type": '# %% minutes="ten"\n1\n',
    "nb_code_lang": '# %% lang="en"\n1\n',
    "nb_lang": "# %% [markdown]\n# a\n",
    "nb_twin": '# %% [markdown] lang="en"\n# a\n# %%\n1\n',
    "nb_twin_key": '# %% [markdown] lang="en" minutes=5\n# a\n# %% [markdown] lang="fr" minutes=6\n# b\n',
    "nb_before_first": "import os\n# %%\n1\n",
    "nb_block_open": "# %%\n# >>> solution\n1\n# >>> solution\n2\n# <<< solution\n",
    "nb_block_close": "# %%\n1\n# <<< solution\n",
    "nb_block_end": "# %%\n# >>> solution\n1\n",
}


@pytest.mark.parametrize("code", BROKEN)
def test_what_cannot_be_built_says_which_line(tmp_path: Path, code: str) -> None:
    path = _write(tmp_path, BROKEN[code])
    with pytest.raises(LabError) as raised:
        version_of(read_source(path), "student")
    assert raised.value.code == code
    assert isinstance(raised.value.facts["line"], int)
    assert words.placeholders(words.template(code, "en")) <= set(raised.value.facts)


def test_a_name_or_a_file_that_is_no_notebook_says_so(tmp_path: Path, source: Path) -> None:
    (tmp_path / "door.py").write_text("# %%\n1\n", encoding="utf-8")
    (tmp_path / "92-bytes.py").write_bytes(b"# %%\n\xff\n")
    for path, code in ((tmp_path / "door.py", "nb_name"), (tmp_path / "92-bytes.py", "nb_unreadable")):
        with pytest.raises(LabError, match=code):
            read_source(path)
    with pytest.raises(LabError, match="nb_unknown"):
        find_source("77", source.parent)
