"""Two students with one seed hand in the same files, and one of them is suspected."""

from __future__ import annotations

import pytest

from grader.notebooks.students import SEEDS, student_seed


def test_a_key_has_one_seed_for_ever() -> None:
    assert student_seed("ada@example.org") == 1108972764
    assert student_seed("  Ada@Example.org ") == student_seed("ada@example.org")
    assert student_seed("Zoe\u0301") == student_seed("zo\u00e9")


def test_keys_have_seeds_of_their_own() -> None:
    seeds = {student_seed(f"student-{number}") for number in range(2_000)}
    assert len(seeds) == 2_000
    assert all(0 < seed < SEEDS for seed in seeds)


def test_an_empty_key_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        student_seed("  ")
