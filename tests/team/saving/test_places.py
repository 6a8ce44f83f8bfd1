"""Places: a text names one place, and every place has a text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.errors import BadTeam
from orchestra.team.saving.places import labels, step, steps

LABELS = st.text(st.characters(exclude_characters="[]", exclude_categories=["Cs"]), max_size=8)


@given(st.lists(LABELS, min_size=1, max_size=5))
def test_steps_are_read_back(way):
    place = ""
    for label in way:
        place = step(place, label)
    assert steps(place) == way


@given(st.text("ab.[]=>#0 \n", max_size=9))
def test_any_text_is_a_place_or_refused(text):
    try:
        way = steps(text)
    except BadTeam:
        return
    assert way and all("[" not in label and "]" not in label for label in way)
    assert re.sub(r"[\[\].]", "", text) == re.sub(r"\.", "", "".join(way))


@pytest.mark.parametrize(
    "text", ["", ".", "a.", ".a", "a..b", "a[", "a]", "a[b", "a[[b]]", "a b", "a[b]c", "a.[b]", "[a].", "é"]
)
def test_what_is_no_place_is_refused(text):
    with pytest.raises(BadTeam, match="expected words and brackets, such as"):
        steps(text)


def edge(src, dst, kind="spatial"):
    return {"$": "edge", "src": src, "dst": dst, "kind": kind}


def test_labels_by_hand():
    assert labels([{"$": "node", "name": "a"}, {"$": "node", "name": "b c"}]) == ["a", "b c"]
    assert labels([edge("a", "b"), edge("a", "b", "temporal"), edge("a", "b"), edge("a", "b")]) == [
        "a => b", "a ~> b", "a => b #2", "a => b #3",
    ]  # fmt: skip
    assert labels(["x", 5, {"$": "role", "name": "r"}, {}, None]) == ["0", "1", "2", "3", "4"]


NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.>@ -]{0,5}", fullmatch=True)


@given(st.lists(st.tuples(NAMES, NAMES, st.sampled_from(["spatial", "temporal"])), unique=True, max_size=6))
def test_different_edges_have_different_labels(ends):
    """Names may hold blanks and `>`, so that 'a' -> 'b > c' and 'a > b' -> 'c' could be taken for each other."""
    found = labels([edge(*end) for end in ends])
    assert len(set(found)) == len(ends) and not any("#" in label for label in found)
