"""Two agents who are paid if they say the same word, one word better than the others: teams learn to say that one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from orchestra.credit import group_relative
from orchestra.engine import START, Aligned, Edge, Full, Node
from orchestra.team import Team
from orchestra.topologies import chain
from tests.learning.rl.toys import Tabular, appraised, grown, improve, shuffled, speaker, taught

PAYS = {"ll": 0.5, "rr": 1.0, "mm": 0.3}
TEXTS = ["a", "b", "bl", "br", "bm"]
STEPS = 50


def pay(said: Sequence[str]) -> float:
    return PAYS.get("".join(said), 0.0)


def side_by_side(model: Tabular) -> Team:
    """Neither hears the other."""
    nodes = [Node(name, speaker(model, name, prompt=name)) for name in "ab"]
    return Team("pair", nodes, [Edge(START, "a"), Edge(START, "b")])


def in_turn(model: Tabular) -> Team:
    """The second hears the first."""
    return chain(speaker(model, "a", prompt="a"), speaker(model, "b", prompt="b{{ inbox[0].content }}"))


def agreed(model: Tabular, second: str = "b") -> float:
    """Chance of the better agreement."""
    return model.chance("a", "r") * model.chance(second, "r")


def from_siblings(branch: str, *, chance: bool = False) -> float:
    """GRPO of both together: trees with every pair of draws, or draw j beside draw j."""
    model = Tabular("lrm", TEXTS)
    team = side_by_side(model)
    how = Full(4) if branch == "cross" else Aligned(team, 8)
    for step in range(STEPS):
        batch = taught(grown(team, how, pay, (2 * step, 2 * step + 1)), group_relative(), "ab")
        improve(model, (shuffled(batch, step) if chance else batch).experiences, lr=4.0)
    return agreed(model)


def from_critic(*, chance: bool = False) -> float:
    """PPO of both together: with lambda = 1 each is paid what the team earned over what was expected before it."""
    model, critic = Tabular("lrm", TEXTS), torch.zeros(len(TEXTS), requires_grad=True)
    team = side_by_side(model)
    for step in range(STEPS):
        scored = grown(team, Full(1), pay, range(16 * step, 16 * step + 16))
        batch = appraised(scored, critic, model, "ab", decay=1.0, lr=4.0)
        improve(model, (shuffled(batch, step) if chance else batch).experiences, lr=1.0, epochs=4)
    return agreed(model)


def each_alone(hears: bool, *, decay: float, lr: float, chance: bool = False, critic_lr: float = 4.0) -> float:
    """MARFT: the last agent alone is paid, each updates by itself, and a critic carries pay back along the chain."""
    model, critic = Tabular("lrm", TEXTS), torch.zeros(len(TEXTS), requires_grad=True)
    team = (in_turn if hears else side_by_side)(model)
    for step in range(STEPS):
        scored = grown(team, Full(1), pay, range(16 * step, 16 * step + 16))
        batch = appraised(scored, critic, model, "ab", decay=decay, lr=critic_lr)
        batch = shuffled(batch, step) if chance else batch
        for agent in "ab":
            improve(model, [each for each in batch.experiences if each.agent == agent], lr=lr, epochs=4)
    return agreed(model, "br" if hears else "b")


@pytest.mark.parametrize(
    "learnt",
    [
        pytest.param(lambda **by: from_siblings("cross", **by), id="grpo-cross"),
        pytest.param(lambda **by: from_siblings("aligned", **by), id="grpo-aligned"),
        pytest.param(from_critic, id="ppo-joint"),
        pytest.param(lambda **by: each_alone(False, decay=0.95, lr=0.5, **by), id="ppo-alone-side-by-side"),
        pytest.param(lambda **by: each_alone(True, decay=0.0, lr=1.0, **by), id="ppo-alone-in-turn"),
    ],
)
def test_the_better_agreement_is_found(learnt):
    assert learnt() > 0.95
    assert learnt(chance=True) < 0.7, "whose advantage it was is left to chance"


def test_without_a_critic_pay_does_not_reach_the_first():
    """One step's change of value is all that lambda = 0 tells the first agent; with all values 0 it hears nothing."""
    assert each_alone(True, decay=0.0, lr=1.0, critic_lr=0.0) < 0.4
