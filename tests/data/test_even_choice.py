"""An even choice: literal positions."""

from __future__ import annotations

from blazeface.data.even_choice import chosen_evenly


def test_chosen_evenly() -> None:
    assert chosen_evenly(range(10), 3) == [0, 3, 6]
    assert chosen_evenly(range(3), 10) == chosen_evenly(range(3), None) == [0, 1, 2]
