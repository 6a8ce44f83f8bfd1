"""Best of n: the judge's pick counts, whatever the order it was shown; exact calls; judges that fail or name nobody."""

import re

import pytest

from orchestra.errors import BadInput
from orchestra.models.scripted import Scripted
from orchestra.roles import generator, ranker
from orchestra.topologies import best_of_n


def choosing(wanted):
    """A judge that finds a content and names its number."""

    def say(request):
        return re.search(rf"^(\d+)\. {wanted}$", request.messages[-1][1], re.MULTILINE)[1]

    return Scripted(say)


@pytest.mark.parametrize("wanted", ["1", "2", "3", "4"])
@pytest.mark.parametrize("seed", range(3))
def test_the_pick_counts_wherever_it_is_shown(wanted, seed):
    judge = choosing(wanted)
    result = best_of_n(generator(Scripted(list("1234"))), ranker(judge)).run_sync("q", seed=seed)
    assert (result.answer, result.usage.calls, len(judge.calls)) == (wanted, 5, 1)


def test_samples_are_shown_in_another_order_in_another_run():
    shown = set()
    for seed in range(6):
        judge = choosing("1")
        best_of_n(generator(Scripted(list("1234"))), ranker(judge)).run_sync("q", seed=seed)
        shown.add(judge.calls[0].messages[-1][1])
    assert len(shown) > 2


@pytest.mark.parametrize("n", [1, 2, 7])
def test_calls(n):
    judge = Scripted(lambda request: "1")
    result = best_of_n(generator(Scripted(lambda request: "4")), ranker(judge), n=n).run_sync("q")
    assert (result.usage.calls, len(judge.calls)) == ((1, 0) if n == 1 else (n + 1, 1))
    assert result.answer == "4"


@pytest.mark.parametrize("said", ["None of them.", "99", ""])
def test_a_judge_that_names_none_picks_any(said):
    found = {
        best_of_n(generator(Scripted(list("1234"))), ranker(Scripted([said]))).run_sync("q", seed=seed).answer
        for seed in range(8)
    }
    assert len(found) > 1 and found <= set("1234")


def test_a_judge_that_fails_leaves_the_last_sample():
    result = best_of_n(generator(Scripted(["1", "2", "?"])), ranker(Scripted([])), n=3).run_sync("q")
    assert result.answer == "2"


def test_a_sample_that_fails_is_not_shown():
    judge = Scripted(["1"])
    result = best_of_n(generator(Scripted(["5", "6"])), ranker(judge), n=3).run_sync("q")
    assert "3." not in judge.calls[0].messages[-1][1] and result.answer in ("5", "6")


@pytest.mark.parametrize("n", [0, 1001])
def test_what_cannot_be_meant_is_refused(n):
    with pytest.raises(BadInput, match="expected 1 to 1000"):
        best_of_n(generator(Scripted([])), ranker(Scripted([])), n=n)
