"""BM25: scores by hand, a second derivation term by term, and what its formula promises."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.team.memory.bm25 import K1, B, bm25, words

TEXTS = ["red door", "red red house", "blue sea and sky", ""]


def slowly(texts, query, idf=lambda total, holding: math.log(1 + (total - holding + 0.5) / (holding + 0.5))):
    """The formula as it is written down, for each text and each word of the query."""
    read = [words(text) for text in texts]
    mean = sum(map(len, read)) / len(read) or 1.0
    return [
        sum(
            idf(len(texts), sum(w in other for other in read))
            * text.count(w) / (text.count(w) + K1 * (1 - B + B * len(text) / mean))
            for w in words(query) if w in text
        )
        for text in read
    ]  # fmt: skip


def test_scores_by_hand():
    """N = 4, mean length 9/4. red: n = 2, idf ln 2; door: n = 1, idf ln(10/3). |d| = 2 gives 1.2 (1/4 + 3/4 * 8/9) =
    1.1, so f = 1 counts 1/2.1; |d| = 3 gives 1.5, so f = 2 counts 2/3.5."""
    scores = bm25(TEXTS)("red door")
    assert scores == pytest.approx([(math.log(2) + math.log(10 / 3)) / 2.1, math.log(2) * 2 / 3.5, 0, 0])


@pytest.mark.parametrize("query", ["red", "RED, door!", "red red", "sea and sky", "nothing", "", "the red sea"])
def test_it_is_the_formula(query):
    assert bm25(TEXTS)(query) == pytest.approx(slowly(TEXTS, query))


WORDS = st.lists(st.sampled_from("abcd"), max_size=8).map(" ".join)


@given(st.lists(WORDS, min_size=1, max_size=6), WORDS)
def test_it_is_the_formula_whatever_the_texts(texts, query):
    assert bm25(texts)(query) == pytest.approx(slowly(texts, query))


@given(st.lists(WORDS, min_size=1, max_size=6), WORDS)
def test_no_shared_word_no_score_and_one_is_above_0(texts, query):
    for text, score in zip(texts, bm25(texts)(query), strict=True):
        assert (score > 0) == bool(set(words(text)) & set(words(query)))


def test_control_without_the_1_in_the_logarithm_a_common_word_counts_against_a_text():
    def plain(total, holding):
        return math.log((total - holding + 0.5) / (holding + 0.5))

    texts = ["red door", "red house", "red sea"]
    assert min(slowly(texts, "red", plain)) < 0 < min(bm25(texts)("red"))


def test_of_nothing_nothing():
    assert (bm25([])("x"), bm25(["", ""])("x")) == ([], [0.0, 0.0])
