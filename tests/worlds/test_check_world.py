"""Negative controls: the contract finds each broken promise."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from orchestra.contracts.world import check_world
from orchestra.worlds.world import Step


class Countdown:
    """A tiny correct world: two seats in turns, six steps."""

    def __init__(self) -> None:
        self.reset()

    def reset(self, seed: int | None = None) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        self.agents, self.unparsed, self.left, self.start = ["a", "b"], 0, 6, seed or 0
        return dict.fromkeys(self.agents, self.left), {seat: {} for seat in self.agents}

    def turn(self) -> Sequence[str]:
        return self.agents[self.left % 2 :][:1]

    def text(self, agent: str) -> str:
        return f"{agent}: {self.left} left, from {self.start}"

    def legal(self, agent: str) -> Sequence[str]:
        return ["up", "down"] if agent in self.turn() else []

    def parse(self, agent: str, text: str) -> str:
        if text not in ("up", "down"):
            self.unparsed += 1
            return "down"
        return text

    def step(self, actions: Mapping[str, Any]) -> Step:
        before, self.left = self.agents, self.left - 1
        over = self.left == 0
        self.agents = [] if over else list(before)
        rewards = {seat: float(actions.get(seat) == "up") for seat in before}
        same = dict.fromkeys(before, over)
        return Step(
            dict.fromkeys(before, self.left), rewards, same, dict.fromkeys(before, False), {s: {} for s in before}
        )

    def clone(self) -> Countdown:
        copy = type(self)()
        copy.__dict__.update({**self.__dict__, "agents": list(self.agents)})
        return copy


class Remembers(Countdown):
    episodes = 0

    def reset(self, seed: int | None = None) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        shown = super().reset(seed)
        self.episodes += 1
        return shown

    def text(self, agent: str) -> str:
        return f"{super().text(agent)}, episode {self.episodes}"


class Random(Countdown):
    draws = itertools.count()

    def text(self, agent: str) -> str:
        return f"{super().text(agent)} {next(self.draws)}"


class Shared(Countdown):
    def clone(self) -> Countdown:
        return self


class Deaf(Countdown):
    def parse(self, agent: str, text: str) -> str:
        return text if text in ("up", "down") else "down"


class Mute(Countdown):
    def text(self, agent: str) -> str:
        return ""


class Endless(Countdown):
    def step(self, actions: Mapping[str, Any]) -> Step:
        self.left += 1
        return super().step(actions)


class Unpaid(Countdown):
    def step(self, actions: Mapping[str, Any]) -> Step:
        return super().step(actions)._replace(rewards={})


class Nan(Countdown):
    def step(self, actions: Mapping[str, Any]) -> Step:
        step = super().step(actions)
        return step._replace(rewards=dict.fromkeys(step.rewards, float("nan")))


class Undead(Countdown):
    def step(self, actions: Mapping[str, Any]) -> Step:
        step = super().step(actions)
        return step._replace(ended=dict.fromkeys(step.ended, True))


class Entropic(Countdown):
    def reset(self, seed: int | None = None) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        return super().reset(99 if seed is None else seed)


class Generous(Countdown):
    def legal(self, agent: str) -> Sequence[str]:
        return ["up", "down"]


def test_a_world_that_keeps_its_promises_passes() -> None:
    check_world(Countdown)


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (Remembers, "earlier episode"),
        (Random, "went otherwise"),
        (Shared, "clone"),
        (Deaf, "gibberish"),
        (Mute, "nothing to read"),
        (Endless, "not over after 50"),
        (Unpaid, "rewards must have exactly"),
        (Nan, "finite"),
        (Undead, "exactly those not ended"),
        (Entropic, "reset\\(None\\)"),
        (Generous, "iff it is in turn"),
    ],
)
def test_a_broken_promise_is_found(broken: type[Countdown], promise: str) -> None:
    with pytest.raises(AssertionError, match=promise):
        check_world(broken, steps=50)
