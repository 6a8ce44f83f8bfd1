"""New n-grams by hand, and the shares that never change: a copy tells nothing, a stranger everything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.evaluation.diagnostics import novelty
from orchestra.evaluation.diagnostics.novelty import grams


def shares(run, n=1):
    return [(found.sender, found.reader, found.share) for found in novelty(run, n)]


def test_by_hand(written):
    run = written(
        [
            ("a", 0, "it is red", ()),
            ("b", 0, "it is blue", ()),
            ("c", 0, "blue it was", ("a0", "b0")),  # from a all three are new; from b only "blue"
            ("a", 1, "green", ("c0",)),  # a has it, is, red and the task: "blue" and "was" are new
        ],
        prompt="what colour",
    )
    assert shares(run) == [("a", "c", 1.0), ("b", "c", pytest.approx(1 / 3)), ("c", "a", pytest.approx(2 / 3))]


def test_the_second_copy_tells_nothing(written):
    run = written([("a", 0, "same words", ()), ("b", 0, "same words", ()), ("c", 0, "x", ("a0", "b0"))])
    assert shares(run, 2) == [("a", "c", 1.0), ("b", "c", 0.0)]


def test_the_task_is_nothing_new(written):
    assert shares(written([("a", 0, "what is it", ()), ("b", 0, "x", ("a0",))], prompt="What is it?")) == [
        ("a", "b", 0.0)
    ]


@given(st.text(), st.integers(1, 4))
def test_grams_are_as_many_as_places(text, n):
    words = "".join(c if c.isalnum() or c == "_" else " " for c in text.casefold()).split()
    places = len(words) - min(n, len(words)) + 1 if words else 0
    found = grams(text, n)
    assert len(found) <= places and bool(found) == bool(words)
    assert all(" ".join(gram) in " ".join(words) for gram in found)
