"""The one error of this package: a sentence for the reader, never a traceback.

WorkbenchError      something to correct in the notebook or its folder; `str()` is the sentence
"""

from __future__ import annotations

from workbench.words import Fact, Lang, both, say


class WorkbenchError(Exception):
    """What a student or author can put right: one sentence in the notebook's language, found by its code."""

    def __init__(self, code: str, lang: Lang | None = None, **facts: Fact) -> None:
        """Without `lang`, before `begin` has said which, the sentence is given in both languages."""
        self.code = code
        super().__init__(say(code, lang, **facts) if lang else both(code, **facts))

    def _render_traceback_(self) -> list[str]:
        """What IPython prints instead of a traceback, in notebooks and in papermill's and nbclient's error outputs."""
        return [str(self)]
