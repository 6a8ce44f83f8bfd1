import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.errors import BadData, BadInput
from orchestra.worlds.bins import Bins, Field
from orchestra.worlds.epidemic import BINS

TWO = Bins((Field("a", (0.0, 10.0), ("low", "middle", "high")), Field("b", (5.0,), ("few", "many"))))


def test_keys_by_hand_an_edge_belongs_to_the_bin_above_it() -> None:
    keys = TWO.keys({"a": np.array([-1.0, 0.0, 9.9, 10.0]), "b": np.array([4.0, 5.0, 4.0, 6.0])})
    assert keys.tolist() == [0, 3, 2, 5]


def test_one_number_stands_for_every_row_and_infinity_has_a_bin() -> None:
    assert TWO.keys({"a": np.array([1, 20]), "b": float("inf")}).tolist() == [3, 5]
    assert TWO.keys({"a": 1.0, "b": 1.0}).shape == ()


@given(st.integers(0, BINS.size - 1))
def test_codes_invert_keys(key: int) -> None:
    assert BINS.key(BINS.codes(key)) == key


def test_every_key_of_the_epidemic_reads_otherwise() -> None:
    assert BINS.size == 144
    assert len({BINS.view(key).prompt for key in range(BINS.size)}) == BINS.size


def test_words_and_edges_of_the_epidemic_agree() -> None:
    key = int(BINS.keys({"age": 63, "cases": 4.99, "change": 20.0, "week": 3}))
    assert BINS.view(key).prompt == (
        "You are 60 or older. Few are ill: 1 to 5 in 1,000 this week. Cases are rising. The disease is new."
    )


@pytest.mark.parametrize(
    ("columns", "said"), [({"a": 1.0}, "got \\['a'\\]"), ({"a": float("nan"), "b": 1.0}, "'a' holds NaN")]
)
def test_bad_columns_are_refused(columns: dict[str, float], said: str) -> None:
    with pytest.raises(BadData, match=said):
        TWO.keys(columns)


@pytest.mark.parametrize("key", [-1, 6])
def test_keys_out_of_bounds_are_refused(key: int) -> None:
    with pytest.raises(BadData, match="not in"):
        TWO.view(key)


@pytest.mark.parametrize("codes", [(3, 0), (0, -1), (0,)])
def test_codes_out_of_bounds_are_refused(codes: tuple[int, ...]) -> None:
    with pytest.raises(BadData):
        TWO.key(codes)


@pytest.mark.parametrize(("edges", "words"), [((1.0,), ("x",)), ((2.0, 1.0), ("x", "y", "z")), ((1.0,), ("x", "x"))])
def test_fields_that_make_no_sense_are_refused(edges: tuple[float, ...], words: tuple[str, ...]) -> None:
    with pytest.raises(BadInput):
        Field("f", edges, words)
