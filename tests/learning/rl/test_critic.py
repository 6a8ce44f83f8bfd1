"""The critic's head by hand: V = W2 relu(W1 [h; f]), nothing before it has learnt, and the same for a seed."""

from __future__ import annotations

import torch

from orchestra.learning.rl.critic import Head


def test_an_untrained_critic_expects_nothing() -> None:
    assert Head(4, 2)(torch.randn(5, 4), torch.randn(5, 2)).tolist() == [0.0] * 5


def test_values_by_hand() -> None:
    """Two hidden units of many: one hears the state, the other a feature."""
    head = Head(2, 1)
    with torch.no_grad():
        for each in head.parameters():
            each.zero_()
        head.first.weight[0] = torch.tensor([1.0, -1.0, 0.0])
        head.first.weight[1, 2], head.first.bias[1] = 2.0, 1.0
        head.last.weight[0, :2], head.last.bias[0] = torch.tensor([10.0, 100.0]), 0.5
    states, features = torch.tensor([[3.0, 1.0], [1.0, 3.0]]), torch.tensor([[0.25], [-4.0]])
    assert head(states, features).tolist() == [10 * 2 + 100 * 1.5 + 0.5, 0.5]
    assert head(states.bfloat16(), features).dtype == torch.float32


def test_a_seed_decides_where_it_begins() -> None:
    torch.manual_seed(1)
    one = Head(4)
    torch.manual_seed(2)
    again, other = Head(4), Head(4, seed=1)
    assert torch.equal(one.first.weight, again.first.weight)
    assert not torch.equal(one.first.weight, other.first.weight)
