"""What is learnt from trees is the gradient of what the team earns: the mean of many against the sum over all outcomes.

Two agents, three draws of the first and two of the second after each; the first says one word, the second two. With the
advantages of REINFORCE and rloo the mean is the gradient; with a group's plain mean as baseline, which the draw itself
is part of, each agent's part is (n - 1)/n of it. `std` divides by a number that depends on the draws: not asserted.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from orchestra.credit import Credit, Scored, group_relative, nested_mean
from orchestra.credit.mass import masses
from orchestra.engine import Branch, Full
from orchestra.learning.rl.experience import Experience
from orchestra.learning.rl.normalise import Normalise
from orchestra.learning.rl.settings import Ratio
from orchestra.topologies import chain
from orchestra.types import FrozenMap
from tests.learning.rl.toys import Tabular, grown, loss, raw, speaker, taught, tokens

TEXTS = ["", *("".join(words) for length in (1, 2) for words in product("01", repeat=length))]
DRAWS = {"first": 3, "second": 2}
EARNED = {
    "000": 0.1, "001": 0.9, "010": 0.3, "011": 0.0,
    "100": 2.4, "101": 1.6, "110": 1.9, "111": 2.1,
}  # fmt: skip
"""Most of it hangs on the first agent's word, so that the states of the second are worth different things."""
TREES = 500
SPOKEN = 3
"""Tokens of a run."""
OWN = torch.tensor([2 / 3, *[1 / 2] * 6])[:, None]
"""(n - 1)/n of the agent that speaks after each text."""
WHOLE = torch.ones(7, 1)


def policy() -> Tabular:
    model = Tabular("01", [f">{text}" for text in TEXTS])
    with torch.no_grad():
        model.logits.copy_(torch.randn(model.logits.shape, generator=torch.Generator().manual_seed(3)) / 2)
    return model


def told(branch: Branch, number: int) -> list[Scored]:
    model = policy()
    first = speaker(model, "first", prompt=">")
    second = speaker(model, "second", prompt=">{{ inbox[0].content }}", tokens=2)
    return grown(chain(first, second), branch, lambda said: EARNED["".join(said)], range(number))


@pytest.fixture(scope="module")
def scored() -> list[Scored]:
    return told(Full(1, FrozenMap(DRAWS)), TREES)


def exact() -> Tensor:
    """d/d logits of the sum over everything that can be said of its probability times what it earns."""
    model = policy()
    logprobs = model.logits.log_softmax(-1)
    terms = []
    for text, reward in EARNED.items():
        parts = [logprobs[model.places[f">{text[:at]}"], int(text[at])] for at in range(SPOKEN)]
        terms.append(torch.stack(parts).sum().exp() * reward)
    (slope,) = torch.autograd.grad(torch.stack(terms).sum(), model.logits)
    return slope


def sampled(batch: Sequence[Experience], ratio: Ratio = "token", how: Normalise = "rollout") -> Tensor:
    """Of each tree its estimate: (trees, texts, words); each has a copy of the table, for a gradient of its own."""
    parts = SPOKEN if how == "rollout" else len(DRAWS)  # tokens of a rollout, or rows of a run, that weigh alike
    model, trees = policy(), {name: at for at, name in enumerate(dict.fromkeys(each.row.run for each in batch))}
    of, copies = tokens(model, batch, how), model.logits.detach().repeat(len(trees), 1, 1).requires_grad_()
    tree = torch.tensor([trees[each.row.run] for each in batch])[of.rows]
    terms = loss(copies.log_softmax(-1)[tree, of.places, of.words], of, ratio)
    (slope,) = torch.autograd.grad(terms.loss, copies)
    assert float(terms.approx_kl) == pytest.approx(0, abs=1e-6), "the trainer's numbers are the sampler's"
    return -slope * len(trees) * parts


def learnt_from(scored: Sequence[Scored], rule: Credit, **by: Any) -> Sequence[Experience]:
    return taught(scored, rule, ["first", "second"], **by).experiences


def off(found: Tensor, expected: Tensor) -> float:
    """How far the mean is from what is expected, in standard errors, where it is furthest."""
    errors = found.std(0) / len(found) ** 0.5
    return float(((found.mean(0) - expected) / errors).abs().max())


@pytest.mark.parametrize("ratio", ["token", "turn"])
@pytest.mark.parametrize(
    ("rule", "factor"),
    [
        pytest.param(raw(nested_mean()), WHOLE, id="reinforce"),
        pytest.param(group_relative(scale="rloo"), WHOLE, id="rloo"),
        pytest.param(group_relative(scale="none"), OWN, id="none"),
    ],
)
def test_the_mean_of_sampled_gradients(scored, rule, factor, ratio):
    found = sampled(learnt_from(scored, rule), ratio)
    assert off(found, exact() * factor) < 3
    assert off(found, exact() * (WHOLE if factor is OWN else OWN)) > 6, "the bound tells n from n - 1"


def test_actions_whose_rows_weigh_alike():
    """Level `action` moves every token by the sum over the reply: with a weight a row it is the gradient, of runs
    without branches, and with a weight a token a reply of two counts twice.
    """
    runs = learnt_from(told(Full(1), 2 * TREES), raw(nested_mean()))
    assert off(sampled(runs, "action", "sequence"), exact()) < 3
    assert off(sampled(runs, "action", "rollout"), exact()) > 6
    assert off(sampled(runs, "token", "sequence"), exact()) > 6


def test_every_decision_alike_is_not_the_gradient(scored):
    """Six draws of the second agent are one rollout's, not six: without masses the first agent learns too little."""
    alike = learnt_from(scored, group_relative(scale="rloo"), mass=lambda tree: dict.fromkeys(masses(tree), 1.0))
    assert off(sampled(alike), exact()) > 6


def test_groups_of_unlike_states_are_noisier(scored):
    """Draws of a turn as one group, whatever they had seen: no bias where the group is large, since what others drew
    says nothing of one's own draw; but the second agent, who cannot help it, hears what the first one's word was worth.
    """
    matched, naive = (sampled(learnt_from(scored, group_relative(scale="rloo", by=by))) for by in ("state", "turn"))
    assert max(off(matched, exact()), off(naive, exact())) < 3
    assert float(naive[:, 1:].var(0).sum()) > 2 * float(matched[:, 1:].var(0).sum())
    plain = sampled(learnt_from(scored, group_relative(scale="none", by="turn")))
    assert off(plain, exact()) < 3, "n is all of the batch's draws"
    assert off(plain, exact() * OWN) > 6
