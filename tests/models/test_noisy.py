"""The noisy oracle is as right as it is told, by request alone, and reads what stands in a request and nothing else."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.errors import BadInput
from orchestra.models.choose import choose
from orchestra.models.noisy import Noisy, judge, problems, ranker, rating, refiner, solver, tasks, verifier
from orchestra.types import Request

TABLE = {"2 + 2?": ("4", "5", "6")}
N = 4000
"""Draws of a share: three standard errors are at most 0.024."""


def ask(model, *texts, options=()):
    requests = [Request((("user", text),), seed=seed, options=options) for seed, text in enumerate(texts)]
    via = choose(model) if options else model.generate
    return [completion.text for completion in asyncio.run(via(requests))]


def say(behaviour, text, n=N, table=TABLE):
    return ask(Noisy(table, behaviour), *[text] * n)


def share(said, wanted):
    return sum(text == wanted for text in said) / len(said)


def near(share, p, n=N):
    return abs(share - p) <= 3 * math.sqrt(p * (1 - p) / n) + 1e-9


@pytest.mark.parametrize("p", [0.0, 0.1, 0.6, 1.0])
def test_a_solver_is_right_with_probability_p_and_its_errors_spread_evenly(p):
    said = say(solver(p), "2 + 2?")
    assert near(share(said, "Answer: 4"), p)
    assert near(share(said, "Answer: 5"), (1 - p) / 2) and near(share(said, "Answer: 6"), (1 - p) / 2)


def test_a_request_has_one_reply_and_another_seed_another():
    model = Noisy(TABLE, solver(0.5))
    first, again = (say(solver(0.5), "2 + 2?", 200) for _ in range(2))
    assert first == again and len(set(first)) == 3
    assert len(set(ask(model, "2 + 2?", "2 + 2?", "2 + 2?", "2 + 2?", "2 + 2?", "2 + 2?"))) > 1


@pytest.mark.parametrize("rho", [0.0, 0.5, 1.0])
def test_two_solvers_are_correlated_by_rho_squared(rho):
    table = problems(N, wrong=1)
    p = 0.6
    pairs = []
    for i, prompt in enumerate(table):
        model = Noisy({prompt: table[prompt]}, solver(p, rho=rho))
        requests = [Request((("user", prompt),), seed=2 * i + side) for side in (0, 1)]
        pairs.append([c.text.endswith(table[prompt][0]) for c in asyncio.run(model.generate(requests))])
    both = sum(a and b for a, b in pairs) / N
    assert near(both, p * p + rho**2 * p * (1 - p))
    assert near(sum(a for a, _ in pairs) / N, p)


def test_the_shared_source_is_of_the_task_alone():
    said = [say(solver(0.5, rho=1.0), prompt, 50, {prompt: answers}) for prompt, answers in problems(40).items()]
    assert all(len(set(texts)) == 1 for texts in said)
    assert len({texts[0][-1] for texts in said}) > 1


def test_a_follower_repeats_the_plurality_and_of_equals_the_first():
    assert set(say(solver(0.0, follow=1.0), "2 + 2?\nA: 5\nB: 6 and 6", 20)) == {"Answer: 6"}
    assert set(say(solver(0.0, follow=1.0), "2 + 2?\nA: 5\nB: 6", 20)) == {"Answer: 5"}
    assert near(share(say(solver(0.0, follow=0.3), "2 + 2?\nA: 4"), "Answer: 4"), 0.3)


@pytest.mark.parametrize(("proposed", "yes"), [("4", 0.9), ("5", 0.3), ("nothing", 0.0)])
def test_a_verifier_has_its_sensitivity_and_specificity(proposed, yes):
    said = say(verifier(0.9, 0.7), f"2 + 2?\nProposed: {proposed}")
    assert near(share(said, "Yes."), yes) and share(said, "Yes.") + share(said, "No.") == 1


def test_a_refiner_keeps_what_was_accepted():
    assert set(say(refiner(1.0), "2 + 2?\nProposed: 5\nVerdict: Yes.", 20)) == {"Answer: 5"}
    assert set(say(refiner(1.0), "2 + 2?\nProposed: 5\nVerdict: No.", 20)) == {"Answer: 4"}
    assert set(say(refiner(1.0), "2 + 2?", 20)) == {"Answer: 4"}


def test_a_judge_finds_a_right_answer_or_draws_lots():
    said = say(judge(0.7), "2 + 2?\n5, 4, 6, 6")
    assert near(share(said, "Answer: 4"), 0.7 + 0.3 / 4) and near(share(said, "Answer: 6"), 0.3 / 2)
    assert near(share(say(judge(1.0), "2 + 2?\n5 6"), "Answer: 6"), 0.5)
    assert set(say(judge(1.0), "2 + 2?", 5)) == {"No answer."}


def test_a_ranker_puts_the_right_ones_first_or_draws_lots():
    assert set(say(ranker(1.0), "2 + 2?\n5, 4, 6, 4", 20)) == {"2 4 1 3"}
    said = say(ranker(0.0), "2 + 2?\n5, 4, 6")
    assert len(set(said)) == 6 and all(near(share(said, order), 1 / 6) for order in set(said))
    assert set(say(ranker(0.5), "2 + 2?", 5)) == {""}


def test_ratings_are_right_with_their_accuracy():
    assert set(say(rating(solver(1.0), 1.0), "2 + 2?\n5, 4, 6", 20)) == {"Answer: 4\nRatings: 1 5 1"}
    assert set(say(rating(solver(1.0), 0.0), "2 + 2?\n5, 4, 6", 20)) == {"Answer: 4\nRatings: 5 1 5"}
    marks = [text[-1] for text in say(rating(solver(1.0), 0.8), "2 + 2?\n4")]
    assert near(marks.count("5") / N, 0.8)
    assert set(say(rating(solver(1.0), 0.8), "2 + 2?", 5)) == {"Answer: 4"}


def test_an_option_is_chosen_as_often_as_preferred():
    model = Noisy(TABLE, solver(1.0), prefer=lambda asked, option: math.log({"hard": 0.2, "easy": 0.8}[option]))
    assert near(share(ask(model, *["2 + 2?"] * N, options=("hard", "easy")), "easy"), 0.8)


def test_it_reads_answers_of_the_task_alone_and_whole_words():
    table = problems(12)
    heard = []

    def note(asked):
        heard.append((asked.task, asked.heard))
        return "."

    ask(Noisy(table, note), "Q: Question 1? or so\n7000010, 17000010, 7000020; 7000013!", "Question 11?\n7000110")
    assert heard == [("Question 1?", ("7000010", "7000013")), ("Question 11?", ("7000110",))]


def test_what_it_does_not_know_is_refused():
    with pytest.raises(BadInput, match="none of its tasks"):
        ask(Noisy(TABLE, solver(1.0)), "3 + 3?")


@given(st.integers(1, 200), st.integers(1, 9), st.integers(0, 1000))
def test_problems_share_no_answer_and_no_prompt_holds_one(n, wrong, first):
    table = problems(n, wrong=wrong, first=first)
    answers = [answer for known in table.values() for answer in known]
    assert len(table) == n and len(set(answers)) == len(answers) == n * (wrong + 1)
    assert not any(answer in prompt for prompt in table for answer in answers[:20])
    assert [task.gold for task in tasks(table)] == [known[0] for known in table.values()]


@pytest.mark.parametrize(
    "make",
    [
        lambda: solver(1.1), lambda: solver(0.5, rho=-0.1), lambda: solver(0.5, follow=math.nan),
        lambda: verifier(2, 0), lambda: ranker(7), lambda: judge(-1), lambda: rating(solver(1), 3), lambda: refiner(9),
        lambda: problems(0), lambda: problems(5, wrong=10), lambda: problems(2, first=99_999),
    ],
)  # fmt: skip
def test_what_is_no_probability_is_refused(make):
    with pytest.raises(BadInput, match="expected"):
        make()
