"""Models that are biased in one way each: the survey finds that way, and not the others."""

import asyncio
import re
from random import Random

import pytest

from orchestra.engine import run
from orchestra.errors import BadInput
from orchestra.evaluation.diagnostics.survey import Survey
from orchestra.models.model import Policy
from orchestra.models.scripted import Scripted
from orchestra.trajectory.journal import MemoryJournal

QUESTIONS = tuple(f"Does coin {i} show its head?" for i in range(24))
RANDOM = Random(5)
TRUTH = [RANDOM.random() < 0.5 for _ in range(24)]
OPTIONS = ("yes", "no")


def asked(text):
    """Numbers of the questions in a request, and its options in the order shown."""
    coins = [int(number) for number in re.findall(r"coin (\d+)", text)]
    return coins, re.findall(r"\b(?:yes|no)\b", text)[-2:]


def honest(coins, options):
    return [OPTIONS[not TRUTH[coin]] for coin in coins]


def first_shown(coins, options):
    return [options[0]] * len(coins)


def alternating(coins, options):
    """By the truth one at a time; in one call, now this and now that."""
    return [OPTIONS[i % 2] for i in range(len(coins))] if len(coins) > 1 else honest(coins, options)


def found(rule, numbered="{i}. {answer}"):
    def say(request):
        answers = rule(*asked(request.messages[-1][1]))
        return "\n".join(numbered.format(i=i, answer=a) for i, a in enumerate(answers, start=1))

    model = Scripted(say)
    survey = Survey(Policy("p", model), QUESTIONS)
    done = asyncio.run(run(survey, survey.task))
    assert len(model.calls) == 2 * 24 + 1
    return survey.read(done)


def test_an_honest_model_has_no_bias():
    bias = found(honest)
    assert bias.unparsed == (0, 0, 0)
    assert (bias.order.by_place, bias.together.agreement) == (0.0, 1.0)
    assert bias.together.batched == bias.together.separate and bias.together.separate.p > 0.05


def test_one_who_takes_the_first():
    bias = found(first_shown)
    assert (bias.order.by_place, bias.order.first) == (1.0, 1.0) and bias.order.p < 1e-6
    assert bias.together.agreement == 1.0


def test_one_who_alternates_where_it_sees_the_series():
    bias = found(alternating)
    assert bias.order.by_place == 0.0
    assert bias.together.batched.alternation == 1.0 and bias.together.batched.p_more < 1e-5
    assert bias.together.separate.p_more > 0.05


def test_what_names_no_option_is_counted_and_left_out():
    bias = found(lambda coins, options: ["maybe" if coin % 4 == 0 else "yes" for coin in coins])
    assert bias.unparsed == (6, 6, 6)
    assert bias.order.n == bias.together.rates.n == 18
    silent = found(lambda coins, options: ["yes or no"] * len(coins))
    assert silent.unparsed == (24, 24, 24) and silent.order is None and silent.together is None


def test_missing_lines_are_unparsed():
    bias = found(lambda coins, options: honest(coins, options)[:20])
    assert bias.unparsed == (0, 0, 4) and bias.together.rates.n == 20


def test_journaled_and_read_by_its_own_survey_alone():
    journal, model = MemoryJournal(), Scripted(lambda request: "yes")
    survey = Survey(Policy("p", model), QUESTIONS)
    first, again = (asyncio.run(run(survey, survey.task, journal=journal)) for _ in range(2))
    assert survey.read(first) == survey.read(again) and len(model.calls) == 49
    with pytest.raises(BadInput, match="expected 49 to 'survey-"):
        Survey(Policy("p", model), QUESTIONS, temperature=0.5).read(first)


@pytest.mark.parametrize(
    ("questions", "options"), [((), OPTIONS), (QUESTIONS, ("Yes", "yes")), (QUESTIONS, ("", "no"))]
)
def test_surveys_that_ask_nothing(questions, options):
    with pytest.raises(BadInput, match="two different options"):
        Survey(Policy("p", Scripted(["yes"])), questions, options)
