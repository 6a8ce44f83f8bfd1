"""Teams of debaters whose every word is a rule of the test: what each says follows from what it hears."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping

import pytest

from orchestra.models.scripted import Scripted
from orchestra.roles import debater
from orchestra.team import Agent
from orchestra.types import Task

Heard = list[str]

TASK = Task("sum", "What is 3 + 4?", "7", "number")


def crowd(rules: Mapping[str, Callable[[Heard], str]]) -> tuple[list[Agent], Scripted]:
    """Agents by name and rule, in order, and the model that speaks for all; of a message they hear the last word."""

    def say(request):
        text = request.messages[-1][1]
        heard = re.findall(r"Another says: .*?([\w?]+)\W*$", text, re.MULTILINE)
        return rules[text.split()[0]](heard)

    model = Scripted(say)
    return [debater(model, name=name, persona=name) for name in rules], model


def always(answer):
    return lambda heard: answer


def follows(first):
    """Says `first` until it hears others, then what most of them say."""
    return lambda heard: Counter(heard).most_common(1)[0][0] if heard else first


@pytest.fixture(name="crowd")
def _crowd():
    return crowd


@pytest.fixture(name="always")
def _always():
    return always


@pytest.fixture(name="follows")
def _follows():
    return follows


@pytest.fixture
def task():
    return TASK
