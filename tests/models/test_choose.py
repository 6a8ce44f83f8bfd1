"""Choices: calibration by hand, draws that follow the recorded distribution, usage of every scored prompt."""

import asyncio
import math
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.errors import BadInput, CallFailed
from orchestra.models.calibration import Calibration, calibrated, log_mean, log_softmax, null_request, rotations
from orchestra.models.choose import choose, draw
from orchestra.models.model import Scores
from orchestra.models.scripted import Scripted
from orchestra.types import Completion, Request, Usage

ASK = Request((("system", "Decide."), ("user", "Which?\n- red\n- blue")), options=("red", "blue"), temperature=1.0)
scores = st.lists(st.floats(-50, 50), min_size=1, max_size=6)


def prefers(**by_last_line: tuple[float, float]) -> Scripted:
    """Scores of (red, blue), looked up by the last word of the prompt."""

    def preference(request: Request, option: str) -> float:
        return by_last_line[request.messages[-1][1].split()[-1]][("red", "blue").index(option)]

    return Scripted([], preference=preference)


def one(model: Scripted, request: Request, calibration: Calibration | None = None) -> Completion:
    return asyncio.run(choose(model, calibration)([request]))[0]


def test_scores_are_the_softmax_of_the_raw_sums() -> None:
    reply = one(prefers(blue=(-1.0, -1.0 + math.log(3))), ASK)
    assert reply.raw == (-1.0, -1.0 + math.log(3))
    assert [math.exp(x) for x in reply.scores] == pytest.approx([0.25, 0.75])
    assert (reply.finish, reply.logprobs, reply.truncated) == ("stop", None, False)


def test_the_null_prompt_is_divided_out() -> None:
    """Raw 0.6 : 0.4 against 0.9 : 0.1 without content leaves 0.6/0.9 : 0.4/0.1 = 1 : 6."""
    model = prefers(blue=(math.log(0.6), math.log(0.4)), NA=(math.log(0.9), math.log(0.1)))
    reply = one(model, ASK, Calibration(nulls=("NA",)))
    assert [math.exp(x) for x in reply.scores] == pytest.approx([1 / 7, 6 / 7])
    assert reply.raw == (math.log(0.6), math.log(0.4))
    assert model.calls[1].messages == (("system", "Decide."), ("user", "NA"))


def test_orders_are_averaged() -> None:
    """A model that only ever says the last of the list has no preference once both orders are seen."""
    biased = prefers(blue=(0.0, 2.0), red=(2.0, 0.0))
    assert [math.exp(x) for x in one(biased, ASK).scores] != pytest.approx([0.5, 0.5])
    assert [math.exp(x) for x in one(biased, ASK, Calibration(orders=rotations)).scores] == pytest.approx([0.5, 0.5])


def test_temperatures_multiply() -> None:
    model = prefers(blue=(0.0, 4.0))
    reply = one(model, replace(ASK, temperature=2.0), Calibration(temperature=2.0))
    assert reply.scores[1] - reply.scores[0] == pytest.approx(1.0)
    greedy = one(model, replace(ASK, temperature=0.0), Calibration(temperature=2.0))
    assert greedy.scores[1] - greedy.scores[0] == pytest.approx(2.0)
    assert greedy.text == "blue"


def test_greedy_takes_the_first_of_equals() -> None:
    assert {one(prefers(blue=(1.0, 1.0)), replace(ASK, temperature=0.0, seed=s)).text for s in range(20)} == {"red"}


def test_draws_follow_the_recorded_scores() -> None:
    """2,000 seeds at 1 : 3; four standard deviations of a binomial are 77."""
    model = prefers(blue=(0.0, math.log(3)))
    replies = asyncio.run(choose(model)([replace(ASK, seed=seed) for seed in range(2000)]))
    assert abs(Counter(reply.text for reply in replies)["blue"] - 1500) < 77
    assert [r.text for r in replies[:50]] == [one(model, replace(ASK, seed=seed)).text for seed in range(50)]


def test_usage_counts_every_scored_prompt_and_equal_ones_are_scored_once() -> None:
    model = prefers(blue=(0.0, 1.0), red=(0.0, 1.0), NA=(0.0, 0.0))
    rule = Calibration(nulls=("NA",), orders=rotations)
    replies = asyncio.run(choose(model, rule)([replace(ASK, seed=seed) for seed in range(5)]))
    assert len(model.calls) == 3
    assert {(reply.usage.calls, reply.usage.tokens_out) for reply in replies} == {(3, 3)}


def test_rotations_move_only_the_listed_lines() -> None:
    request = replace(ASK, messages=(("user", "Pick:\n- a\n- b\n- c\nNow."),), options=("a", "b", "c"))
    assert [turned.messages[0][1] for turned in rotations(request)] == [
        "Pick:\n- a\n- b\n- c\nNow.",
        "Pick:\n- b\n- c\n- a\nNow.",
        "Pick:\n- c\n- a\n- b\nNow.",
    ]
    with pytest.raises(BadInput, match="'green'"):
        rotations(replace(ASK, options=("red", "green")))


def test_null_request_keeps_what_is_not_the_question() -> None:
    asked = replace(ASK, messages=(("user", "q"), ("assistant", "a"), ("user", "r"), ("assistant", "So:")))
    assert null_request(asked, "N/A").messages == (
        ("user", "q"),
        ("assistant", "a"),
        ("user", "N/A"),
        ("assistant", "So:"),
    )
    with pytest.raises(BadInput, match="user message"):
        null_request(replace(ASK, messages=(("system", "x"),)), "N/A")


@given(scores, st.floats(0.1, 10), st.floats(-5, 5))
def test_log_softmax_is_normalised_and_ignores_a_shift(row: list[float], temperature: float, shift: float) -> None:
    out = log_softmax(row, temperature)
    assert math.fsum(map(math.exp, out)) == pytest.approx(1.0)
    assert log_softmax([x + shift for x in row], temperature) == pytest.approx(out, abs=1e-9)


@given(scores)
def test_a_null_equal_to_the_scores_leaves_no_preference(row: list[float]) -> None:
    assert calibrated([row], [row], 1.0) == pytest.approx([-math.log(len(row))] * len(row))


@given(scores.flatmap(lambda row: st.tuples(st.just(row), st.permutations(row))))
def test_log_mean_is_a_mean_of_probabilities(rows: tuple[list[float], list[float]]) -> None:
    means = [sum(column) / 2 for column in zip(*([math.exp(x) for x in log_softmax(row)] for row in rows), strict=True)]
    assert [math.exp(x) for x in log_mean(rows)] == pytest.approx(means)


@given(scores, st.integers(0, 2**24 - 1))
def test_a_draw_is_the_first_to_pass(row: list[float], k: int) -> None:
    logprobs, u = log_softmax(row), k / 2**24
    index = draw(logprobs, u)
    mass = [math.exp(x) for x in logprobs]
    assert sum(mass[:index]) <= u + 1e-9
    assert sum(mass[: index + 1]) > u - 1e-9
    assert mass[index] > 0


def test_impossible_options_are_never_drawn() -> None:
    assert {draw((-math.inf, 0.0, -math.inf), u / 100) for u in range(100)} == {1}


@pytest.mark.parametrize(
    "request_", [replace(ASK, options=()), replace(ASK, options=("red", "red")), replace(ASK, temperature=-0.5)]
)
def test_what_is_no_choice_is_refused(request_: Request) -> None:
    with pytest.raises(BadInput):
        one(prefers(blue=(0.0, 0.0)), request_)


@pytest.mark.parametrize("bad", [(math.nan, 0.0), (-math.inf, -math.inf), (0.0,)])
def test_unusable_scores_fail_the_call(bad: tuple[float, ...]) -> None:
    class Broken(Scripted):
        async def score(self, requests):
            return [Scores(bad, (1,) * len(bad), Usage()) for _ in requests]

    with pytest.raises(CallFailed, match="score for each"):
        one(Broken([]), ASK)


def test_fewer_scores_than_requests_fail_the_call() -> None:
    class Short(Scripted):
        async def score(self, requests):
            return []

    with pytest.raises(CallFailed, match="expected 1 scores, got 0"):
        one(Short([]), ASK)


def test_a_bad_temperature_is_refused() -> None:
    with pytest.raises(BadInput, match="temperature"):
        Calibration(temperature=0.0)


def test_the_local_model_tells_the_ids_of_its_choice() -> None:
    from orchestra.models import tiny
    from orchestra.models.local import LocalModel

    model = LocalModel(tiny.ensure(), name="tiny")
    reply = one(model, ASK)
    prompt, options = model.encode(ASK)
    assert (reply.prompt_ids, reply.output_ids) == (prompt, options[ASK.options.index(reply.text)])
    assert reply.mask == (1,) * len(reply.output_ids)
    assert reply.usage.tokens_in == len(prompt)


def test_importing_choose_loads_no_torch() -> None:
    code = "import sys, orchestra.models.choose; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
