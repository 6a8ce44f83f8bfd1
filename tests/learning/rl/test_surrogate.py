"""The objective by hand, against loops over tokens and cut into micro-batches; each beside a formula that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import exp, inf
from random import Random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from orchestra.learning.rl.normalise import Share, weights
from orchestra.learning.rl.settings import Ratio
from orchestra.learning.rl.surrogate import Terms, clipped, importance, k3, log_ratio, policy_loss, value_loss
from tests.learning.rl.token_loops import Said, Way, batches, said, terms, twin, ways

LEVELS: tuple[Ratio, ...] = ("token", "turn", "action")


def floats(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def close(found: Tensor, expected: Tensor | Sequence[float] | float) -> None:
    wanted = torch.as_tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(found.detach().to(torch.float64), wanted, atol=1e-10, rtol=1e-9)


# Known answers


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("token", [1.0, -0.5, 2.0]),
        ("turn", [0.25, 0.25, 2.0]),  # (1 - 0.5) / 2
        ("action", [0.5, 0.5, 2.0]),
    ],
)
def test_levels_of_the_ratio(level: Ratio, expected: list[float]) -> None:
    """Two tokens of row 0, none of row 1, one of row 2."""
    close(log_ratio(floats(-1, -2, -3), floats(-2, -1.5, -5), torch.tensor([0, 0, 2]), 3, level), expected)


@pytest.mark.parametrize("level", LEVELS)
def test_log_ratios_are_bounded(level: Ratio) -> None:
    """The bound is that of the row's value: two tokens that part by 15 each are within it in the mean alone."""
    found = log_ratio(floats(-1, -1, -50), floats(-16, -16, -1), torch.tensor([0, 0, 1]), 2, level)
    close(found, [{"token": 15.0, "turn": 15.0, "action": 20.0}[level]] * 2 + [-20.0])


Clipped = Callable[[Tensor, Tensor, float, float, float | None], Tensor]


def check_clipped(of: Clipped) -> None:
    """Every side of every corner, low 0.2, high 0.5, dual 3."""
    ratios = floats(0.5, 0.9, 1.4, 2.0, 0.5, 0.9, 2.0, 9.0, 9.0)
    advantages = floats(2, 2, 2, 2, -2, -2, -2, -2, 0)
    close(of(ratios.log(), advantages, 0.2, 0.5, 3.0), [1.0, 1.8, 2.8, 3.0, -1.6, -1.8, -4.0, -6.0, 0.0])
    close(of(floats(9).log(), floats(-2), 0.2, 0.5, None), [-18.0])


def unclipped(logs: Tensor, advantages: Tensor, low: float, high: float, dual: float | None) -> Tensor:
    return logs.exp() * advantages


def alike(logs: Tensor, advantages: Tensor, low: float, high: float, dual: float | None) -> Tensor:
    return clipped(logs, advantages, low, low, dual)


def clip_alone(logs: Tensor, advantages: Tensor, low: float, high: float, dual: float | None) -> Tensor:
    return logs.exp().clamp(1 - low, 1 + high) * advantages


def optimist(logs: Tensor, advantages: Tensor, low: float, high: float, dual: float | None) -> Tensor:
    return torch.maximum(logs.exp() * advantages, clip_alone(logs, advantages, low, high, dual))


def dual_always(logs: Tensor, advantages: Tensor, low: float, high: float, dual: float | None) -> Tensor:
    single = clipped(logs, advantages, low, high, None)
    return single if dual is None else torch.maximum(single, dual * advantages)


def test_clipped_by_hand() -> None:
    check_clipped(clipped)


@pytest.mark.parametrize("wrong", [unclipped, alike, clip_alone, optimist, dual_always])
def test_the_corners_tell_wrong_clips(wrong: Clipped) -> None:
    with pytest.raises(AssertionError):
        check_clipped(wrong)


def test_a_bad_token_that_became_likely_is_bounded_by_the_dual_clip() -> None:
    logs = floats(0, 1, 5, 20).requires_grad_()
    bounded = clipped(logs, floats(-2, -2, -2, -2), 0.2, 0.28, 3.0)
    close(bounded, [-2, -2 * exp(1), -6, -6])
    close(torch.autograd.grad(bounded.sum(), logs)[0], [-2, -2 * exp(1), 0, 0])
    assert float(clipped(logs, floats(-2, -2, -2, -2), 0.2, 0.28, None).detach()[-1]) < -9e8


def test_k3_by_hand() -> None:
    reference = floats(-1, -1, -1)
    logprobs = floats(-1, -2, -0.5).requires_grad_()
    close(k3(logprobs, reference), [0, exp(1) - 2, exp(-0.5) - 0.5])
    close(torch.autograd.grad(k3(logprobs, reference).sum(), logprobs)[0], [0, 1 - exp(1), 1 - exp(-0.5)])
    assert bool(k3(floats(-900), floats(-1)).isfinite().all())


def test_k3_is_the_divergence_from_the_reference_in_the_mean() -> None:
    """Exact over the tokens of a small vocabulary, and not the divergence the other way round."""
    policy, reference = floats(0, 0, 4).log_softmax(0), floats(1, 0.5, -0.2).log_softmax(0)
    forth = (policy.exp() * (policy - reference)).sum()
    back = (reference.exp() * (reference - policy)).sum()
    close((policy.exp() * k3(policy, reference)).sum(), forth)
    assert abs(float(forth - back)) > 0.1


def test_small_divergences_are_not_lost_in_fp32() -> None:
    """A step of 1e-4 is 5e-9; as exp(x) - x - 1 reads, fp32 finds a tenfold of it or nothing."""
    step = torch.tensor([1e-4, -1e-4])
    assert k3(torch.zeros(2), step).tolist() == pytest.approx([5e-9] * 2, rel=0.01)
    assert (step.exp() - step - 1).tolist() != pytest.approx([5e-9] * 2, rel=0.5)


# Importance


def test_importance_is_capped() -> None:
    close(importance(floats(0, 1, -1, 899), 2.0), [1.0, 2.0, exp(-1), 2.0])


def test_importance_has_no_gradient() -> None:
    """Neither by itself nor in the loss; the same without the cut of the graph has one."""
    logprobs, sampled = floats(-1, -2).requires_grad_(), floats(-1.2, -1.5)
    assert not importance(logprobs - sampled, 2.0).requires_grad

    def gradient(ratios: Tensor) -> Tensor:
        row = torch.tensor([0, 0])
        found = policy_loss(
            logprobs, logprobs.detach(), floats(1, -1), floats(0.5, 0.5), row, 1,
            ratio="token", low=0.2, high=0.28, dual=3.0, importance=ratios,
        )  # fmt: skip
        return torch.autograd.grad(found.loss, logprobs)[0]

    expected = [-0.5 * exp(0.2), 0.5 * exp(-0.5)]
    close(gradient(importance(logprobs - sampled, 2.0)), expected)
    assert gradient((logprobs - sampled).exp().clamp(max=2.0)).tolist() != pytest.approx(expected, rel=0.1)


# Against loops


@given(batches(), ways())
def test_the_loss_is_that_of_a_loop_over_tokens(rows: list[Said], way: Way) -> None:
    found, gradient = terms(rows, way)
    expected = twin(rows, way)
    close(found.loss, expected.loss)
    close(gradient, expected.gradient)
    assert (int(found.clipped), int(found.tokens)) == (expected.clipped, expected.tokens)
    close(found.approx_kl, expected.approx_kl)
    assert not any(figure.requires_grad for figure in found[1:])


@pytest.mark.parametrize(
    "other",
    [
        Way("turn"), Way("action"), Way(low=0.1), Way(high=0.2), Way(dual=None), Way(cap=2.0), Way(kl=0.1),
    ],
)  # fmt: skip
def test_every_setting_is_seen_by_the_loop(other: Way) -> None:
    """The batch that one loop agrees on is told from that of each other setting: no branch is idle."""
    rows = said([3, 2, 4, 1, 6] * 60)
    found, gradient = terms(rows, Way())
    close(gradient, twin(rows, Way()).gradient)
    with pytest.raises(AssertionError):
        close(gradient, twin(rows, other).gradient)
    with pytest.raises(AssertionError):
        close(found.loss, twin(rows, other).loss)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("seed", range(3))
def test_gradients_are_those_of_finite_differences(level: Ratio, seed: int) -> None:
    """Of the loop's loss, which no gradient of ours goes into; a mean is told from a sum and from its tokens."""
    rows, step = said([3, 1, 4], seed, spread=0.3), 1e-6
    way = Way(level, cap=2.0, kl=0.1)

    def slope(row: int, at: int) -> float:
        def loss(by: float) -> float:
            now = list(rows[row].now)
            now[at] += by
            return twin([*rows[:row], rows[row]._replace(now=now), *rows[row + 1 :]], way).loss

        return (loss(step) - loss(-step)) / (2 * step)

    slopes = floats(*(slope(row, at) for row, of in enumerate(rows) for at in range(len(of.now))))
    torch.testing.assert_close(terms(rows, way)[1], slopes, atol=1e-6, rtol=1e-5)
    for other in {*LEVELS} - {level}:
        assert not torch.allclose(terms(rows, way._replace(ratio=other))[1], slopes, atol=1e-3)


# The first step


@pytest.mark.parametrize(("level", "times"), [("token", (1, 1, 1)), ("turn", (1, 1, 1)), ("action", (1, 2, 3))])
def test_on_policy_the_gradient_is_that_of_reinforce(level: Ratio, times: tuple[int, ...]) -> None:
    """By the logits of a softmax policy: -w A (one-hot - p), as the score function has it, and nothing is clipped."""
    logits = torch.randn(6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    taken, rows = torch.tensor([4, 0, 2, 1, 1, 3]), torch.tensor([0, 1, 1, 2, 2, 2])
    advantages, weight = floats(1, -2, -2, 0.5, 0.5, 0.5), floats(*[0.25] * 6)
    logprobs = logits.log_softmax(-1).gather(-1, taken[:, None]).squeeze(-1)

    def step(moved: float) -> tuple[Terms, Tensor]:
        found = policy_loss(
            logprobs, logprobs.detach() - moved, advantages, weight, rows, 3,
            ratio=level, low=0.2, high=0.28, dual=3.0,
        )  # fmt: skip
        return found, torch.autograd.grad(found.loss, logits, retain_graph=True)[0]

    scores = F.one_hot(taken, 5) - logits.detach().softmax(-1)
    reinforce = -(weight * advantages * floats(*times)[rows])[:, None] * scores
    found, gradient = step(moved=0)
    assert torch.equal(log_ratio(logprobs, logprobs.detach(), rows, 3, level).detach().exp(), torch.ones(6).double())
    assert [float(figure) for figure in found[1:]] == [0, 0, 6]
    torch.testing.assert_close(gradient, reinforce, atol=1e-12, rtol=0)

    off, other = step(moved=0.05)
    assert float(off.approx_kl) > 1e-3
    assert not torch.allclose(other, reinforce, atol=1e-2)
    assert float(step(moved=0.3)[0].clipped) == 4  # those of A > 0, for which there is no more to be had


# Sums


def cuts(rows: Sequence[Said], parts: int, seed: int) -> list[list[Said]]:
    """The rows in micro-batches, some of them perhaps empty."""
    random = Random(seed)
    chosen = [random.randrange(parts) for _ in rows]
    return [[row for row, part in zip(rows, chosen, strict=True) if part == number] for number in range(parts)]


def weighed(rows: Sequence[Said]) -> list[Said]:
    """The rows with what a step gives each, every row being a rollout of its own."""
    shares = [Share(str(number), "solver", len(row.now)) for number, row in enumerate(rows)]
    given = weights(shares, "rollout", longest=8)
    return [row._replace(weight=weight) for row, weight in zip(rows, given, strict=True)]


def added(parts: Sequence[Sequence[Said]], way: Way) -> tuple[list[float], dict[float, float]]:
    """Sums of the terms of micro-batches, and the gradient by each log-probability."""
    total = [0.0] * 4
    slopes: dict[float, float] = {}
    for part in parts:
        found, gradient = terms(part, way)
        total = [before + float(each.detach()) for before, each in zip(total, found, strict=True)]
        slopes |= dict(zip((value for row in part for value in row.now), gradient.tolist(), strict=True))
    return total, slopes


@given(batches(), ways(), st.integers(1, 4), st.integers(0, 999))
def test_any_cut_into_micro_batches_adds_up(rows: list[Said], way: Way, parts: int, seed: int) -> None:
    step = weighed(rows)
    whole, by = added([step], way)
    total, slopes = added(cuts(step, parts, seed), way)
    assert total == pytest.approx(whole, rel=1e-9, abs=1e-10)
    assert slopes == pytest.approx(by, rel=1e-9, abs=1e-10)


def test_a_mean_of_each_micro_batch_does_not_add_up() -> None:
    """Weights that look at their own micro-batch alone: the loss and the gradient depend on the cut."""
    rows = said([1, 6, 2, 5])
    whole, by = added([weighed(rows)], Way())
    total, slopes = added([weighed(rows[:1]), weighed(rows[1:])], Way())
    assert total[0] / 2 != pytest.approx(whole[0], rel=0.01)
    assert {name: slope / 2 for name, slope in slopes.items()} != pytest.approx(by, rel=0.01)


@given(batches(), ways(), st.integers(0, 6))
def test_a_row_that_is_masked_throughout_changes_nothing(rows: list[Said], way: Way, at: int) -> None:
    masked = Said([], [], [], [], [], 1.0)
    without, with_it = added([weighed(rows)], way), added([weighed([*rows[:at], masked, *rows[at:]])], way)
    assert with_it[0] == pytest.approx(without[0], rel=1e-9, abs=1e-10)
    assert with_it[1] == pytest.approx(without[1], rel=1e-9, abs=1e-10)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("lengths", [[], [0, 0], [3, 0, 2]])
def test_a_batch_without_advantages_is_a_step_without_gradient(level: Ratio, lengths: list[int]) -> None:
    """No matter how far the policy has moved; and the backward pass goes through."""
    rows = [row._replace(advantages=[0.0] * len(row.now)) for row in said(lengths, spread=30.0)]
    found, gradient = terms(rows, Way(level, cap=2.0))
    assert float(found.loss.detach()) == 0
    assert float(found.clipped) == 0
    assert gradient.tolist() == [0.0] * sum(lengths)
    if sum(lengths):
        assert any(terms(said([3, 0, 2]), Way(level, cap=2.0))[1].tolist())


@given(batches(), ways())
def test_rows_without_advantage_may_be_dropped_once_they_were_weighed(rows: list[Said], way: Way) -> None:
    free = way._replace(kl=0.0)
    step = weighed(rows)
    (loss, *_), by = added([step], free)
    (left, *_), slopes = added([[row for row in step if any(row.advantages)]], free)
    assert left == pytest.approx(loss, rel=1e-9, abs=1e-10)
    assert {name: slope for name, slope in by.items() if slope} == pytest.approx(
        {name: slope for name, slope in slopes.items() if slope}, rel=1e-9, abs=1e-10
    )


def test_rows_dropped_too_early_or_under_a_penalty_are_missed() -> None:
    rows = [
        row._replace(advantages=[a] * len(row.now)) for row, a in zip(said([2, 3, 4]), (1.0, 0.0, -1.0), strict=True)
    ]
    left = [rows[0], rows[2]]
    by, too_early = added([weighed(rows)], Way())[1], added([weighed(left)], Way())[1]
    assert all(too_early[name] != pytest.approx(by[name], rel=0.1) for name in too_early if by[name])
    step, penalty = weighed(rows), Way(kl=0.1)
    assert added([[step[0], step[2]]], penalty)[0][0] != pytest.approx(added([step], penalty)[0][0], rel=0.01)


def test_a_penalty_without_reference_is_refused() -> None:
    with pytest.raises(ValueError, match=r"kl=0.1, got None; fix"):
        policy_loss(
            floats(-1), floats(-1), floats(1), floats(1), torch.tensor([0]), 1,
            ratio="token", low=0.2, high=0.28, dual=3.0, kl=0.1,
        )  # fmt: skip


# Values


@pytest.mark.parametrize(
    ("value", "old", "returned", "clip", "expected", "slope"),
    [
        (1.0, 1.0, 3.0, 0.2, 1.0, -1.0),  # 1/2 * 2^2/2
        (1.0, 0.0, 2.0, 0.2, 0.81, 0.0),  # went further towards G than the clip lets it: 1/2 * 1.8^2/2
        (1.0, 0.0, -2.0, 0.2, 2.25, 1.5),  # went away from G: the clip does not excuse it, 1/2 * 3^2/2
        (0.0, 0.0, 20.0, 0.2, 75.0, -5.0),  # beyond delta: 1/2 * 10 (20 - 5)
        (1.0, 0.0, 2.0, inf, 0.25, -0.5),
    ],
)
def test_value_loss_by_hand(
    value: float, old: float, returned: float, clip: float, expected: float, slope: float
) -> None:
    values = floats(value).requires_grad_()
    loss = value_loss(values, floats(old), floats(returned), floats(1), clip=clip)
    close(loss, expected)
    close(torch.autograd.grad(loss, values)[0], [slope])
    close(value_loss(values, floats(old), floats(returned), floats(0.5), clip=clip), expected / 2)


def huber(error: float, delta: float) -> float:
    return error**2 / 2 if abs(error) <= delta else delta * (abs(error) - delta / 2)


def value_twin(columns: Sequence[Sequence[float]], clip: float, delta: float) -> float:
    total = 0.0
    for value, old, returned, weight in zip(*columns, strict=True):
        near = min(max(value, old - clip), old + clip)
        total += weight * max(huber(value - returned, delta), huber(near - returned, delta)) / 2
    return total


@given(st.integers(0, 8), st.integers(0, 2**32), st.sampled_from([0.2, inf]), st.sampled_from([0.5, 10.0]))
def test_value_loss_is_that_of_a_loop_and_adds_up(length: int, seed: int, clip: float, delta: float) -> None:
    random = Random(seed)
    columns = [[random.gauss(0, 1) for _ in range(length)] for _ in range(3)]
    columns.append([random.random() for _ in range(length)])
    whole = value_loss(*(floats(*column) for column in columns), clip=clip, delta=delta)
    close(whole, value_twin(columns, clip, delta))
    ends = [0, length // 3, length]
    parts = [
        value_loss(*(floats(*column[start:stop]) for column in columns), clip=clip, delta=delta)
        for start, stop in pairwise(ends)
    ]
    close(sum(parts, floats(0).sum()), whole)


def test_value_losses_that_are_wrong_are_told() -> None:
    """No clip, no Huber, and the lesser of the two."""
    columns = [[1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [2.0, -2.0, 20.0], [1.0, 1.0, 1.0]]
    right = float(value_loss(*(floats(*column) for column in columns), clip=0.2))
    assert right == pytest.approx(0.81 + 2.25 + 75)
    assert value_twin(columns, inf, 10.0) != pytest.approx(right)
    assert value_twin(columns, 0.2, inf) != pytest.approx(right)
    lesser = sum(
        min(huber(value - returned, 10), huber(min(max(value, old - 0.2), old + 0.2) - returned, 10)) / 2
        for value, old, returned, _ in zip(*columns, strict=True)
    )
    assert lesser != pytest.approx(right)
