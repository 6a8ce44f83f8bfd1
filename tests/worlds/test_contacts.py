from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from orchestra.errors import BadInput
from orchestra.worlds.contacts import complete, regular


def meetings(contacts: NDArray[np.int32]) -> Counter[tuple[int, int]]:
    return Counter((i, int(j)) for i, row in enumerate(contacts) for j in row)


@given(st.integers(3, 60), st.integers(1, 4), st.integers(0, 99))
def test_regular_contacts_are_symmetric_and_never_oneself(n: int, half: int, seed: int) -> None:
    pairs = meetings(regular(n, 2 * half, seed))
    assert pairs == Counter({(j, i): times for (i, j), times in pairs.items()})
    assert all(i != j for i, j in pairs)
    assert sum(pairs.values()) == n * 2 * half


def test_complete_is_everybody_else_once() -> None:
    assert meetings(complete(6)) == Counter((i, j) for i in range(6) for j in range(6) if i != j)


def test_contacts_are_drawn_by_seed_and_cannot_be_changed() -> None:
    assert regular(50, 4, 1).tolist() == regular(50, 4, 1).tolist() != regular(50, 4, 2).tolist()
    with pytest.raises(ValueError, match="read-only"):
        regular(5, 2, 0)[0, 0] = 1


@pytest.mark.parametrize(("n", "k"), [(10, 3), (10, 0), (2, 2)])
def test_impossible_graphs_are_refused(n: int, k: int) -> None:
    with pytest.raises(BadInput):
        regular(n, k, 0)
