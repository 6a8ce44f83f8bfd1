"""One agent, five arms, one of which pays best: every way to learn finds it, and none does where credit is chance."""

from __future__ import annotations

import pytest
import torch

from orchestra.credit import Credit, group_relative, moving_baseline, nested_mean
from orchestra.engine import Full
from orchestra.learning.losses import dpo
from orchestra.topologies import solo
from tests.learning.rl.toys import Tabular, appraised, grown, improve, raw, shuffled, speaker, taught

PAYS = dict(zip("abcde", (0.1, 0.3, 0.5, 0.7, 0.9), strict=True))
STEPS = 60


def from_siblings(rule: Credit, *, lr: float = 2.0, epochs: int = 1, chance: bool = False) -> Tabular:
    """The policy after steps on two trees of eight draws."""
    player = Tabular("abcde", ["?"])
    team = solo(speaker(player, "player", prompt="?"))
    for step in range(STEPS):
        scored = grown(team, Full(8), lambda said: PAYS[said[0]], (2 * step, 2 * step + 1))
        batch = taught(scored, rule, ["player"])
        improve(player, (shuffled(batch, step) if chance else batch).experiences, lr=lr, epochs=epochs)
    return player


def from_critic(*, chance: bool = False) -> Tabular:
    """The policy after steps on sixteen runs, each of them four times (PPO)."""
    player, critic = Tabular("abcde", ["?"]), torch.zeros(1, requires_grad=True)
    team = solo(speaker(player, "player", prompt="?"))
    for step in range(STEPS):
        scored = grown(team, Full(1), lambda said: PAYS[said[0]], range(16 * step, 16 * step + 16))
        batch = appraised(scored, critic, player, ["player"], decay=0.95, lr=1.0)
        improve(player, (shuffled(batch, step) if chance else batch).experiences, lr=1.0, epochs=4)
    return player


@pytest.mark.parametrize(
    "learnt",
    [
        pytest.param(lambda **by: from_siblings(raw(nested_mean()), **by), id="reinforce"),
        pytest.param(lambda **by: from_siblings(moving_baseline(), lr=4.0, **by), id="reinforce-with-baseline"),
        pytest.param(lambda **by: from_siblings(group_relative(), **by), id="grpo-none"),
        pytest.param(lambda **by: from_siblings(group_relative(scale="std"), lr=1.0, **by), id="grpo-std"),
        pytest.param(lambda **by: from_siblings(group_relative(scale="rloo"), **by), id="grpo-rloo"),
        pytest.param(lambda **by: from_siblings(group_relative(scale="maxrl"), **by), id="grpo-maxrl"),
        pytest.param(lambda **by: from_siblings(group_relative(), epochs=4, **by), id="grpo-clipped"),
        pytest.param(from_critic, id="ppo"),
    ],
)
def test_the_best_arm_is_found(learnt):
    assert learnt().chance("?", "e") > 0.95
    assert learnt(chance=True).chance("?", "e") < 0.9


REFERENCE = torch.tensor([0.4, 0.1, 0.2, 0.3])
REWARDS = torch.tensor([0.0, 0.6, 0.2, 0.4])
BETA = 0.5


def labelled(count: int) -> torch.Tensor:
    """How often arm i was chosen over arm j, of pairs drawn from the reference and labelled as Bradley and Terry do."""
    generator = torch.Generator().manual_seed(0)
    pairs = torch.multinomial(REFERENCE, 2 * count, replacement=True, generator=generator).view(2, count)
    first = torch.rand(count, generator=generator) < torch.sigmoid(REWARDS[pairs[0]] - REWARDS[pairs[1]])
    chosen, rejected = torch.where(first, pairs, pairs.flip(0))
    return torch.bincount(4 * chosen + rejected, minlength=16).view(4, 4) / count


def preferred(shares: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """The policy that DPO comes to, from the reference."""
    up, down = torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")
    ref = reference.log()
    logits = ref.clone().requires_grad_()
    optimiser = torch.optim.Adam([logits], lr=0.1)
    for _ in range(200):
        optimiser.zero_grad()
        logprobs = logits.log_softmax(-1)
        (shares * dpo(logprobs[up], logprobs[down], ref[up], ref[down], beta=BETA)).sum().backward()
        optimiser.step()
    return logits.detach().softmax(-1)


def test_preferences_tilt_the_reference():
    """pi ~ pi_ref exp(r / beta), whatever the reference; not so with labels turned round or another reference."""
    optimum = (REFERENCE.log() + REWARDS / BETA).softmax(-1)
    shares = labelled(400_000)

    def apart(found: torch.Tensor) -> float:
        return float((found - optimum).abs().sum())

    assert apart(preferred(shares, REFERENCE)) < 0.02
    assert apart(preferred(shares.T, REFERENCE)) > 0.5
    assert apart(preferred(shares, torch.full((4,), 0.25))) > 0.2
    assert apart(REFERENCE) > 0.2
