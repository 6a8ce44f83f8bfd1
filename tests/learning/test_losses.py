"""Losses against numbers by hand and against the textbook's form."""

from __future__ import annotations

from math import log

import pytest
import torch
from torch import Tensor

from orchestra.learning import losses

VOCABULARY, HIDDEN, COUNT = 23, 7, 11


def drawn(seed: int = 0, *, frozen: bool = False) -> tuple[Tensor, torch.nn.Linear, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(2, COUNT, HIDDEN, generator=generator, requires_grad=True)
    head = torch.nn.Linear(HIDDEN, VOCABULARY, bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.randn(VOCABULARY, HIDDEN, generator=generator))
    head.weight.requires_grad = not frozen
    return hidden, head, torch.randint(VOCABULARY, (2, COUNT), generator=generator)


@pytest.mark.parametrize("temperature", [1.0, 0.7, 2.0])
@pytest.mark.parametrize("chunk", [1, 4, 512])
@pytest.mark.parametrize("frozen", [False, True])
def test_scored_positions_alone_are_the_full_logits(temperature: float, chunk: int, frozen: bool) -> None:
    """Forward and backward, whatever is scored and however it is cut."""
    hidden, head, targets = drawn(frozen=frozen)
    mask = torch.rand(2, COUNT, generator=torch.Generator().manual_seed(1)) < 0.5
    leaves = [hidden] if frozen else [hidden, head.weight]

    full = (head(hidden) / temperature).log_softmax(-1).gather(-1, targets[..., None]).squeeze(-1)[mask]
    ours = losses.token_logprobs(hidden[mask], head, targets[mask], temperature=temperature, chunk=chunk)
    torch.testing.assert_close(ours, full, atol=1e-5, rtol=0)
    wave = torch.linspace(-1, 1, len(full))
    for a, b in zip(
        torch.autograd.grad((full * wave).sum(), leaves), torch.autograd.grad((ours * wave).sum(), leaves), strict=True
    ):
        torch.testing.assert_close(b, a, atol=1e-5, rtol=0)


def test_sft_by_hand_and_cut_anywhere() -> None:
    logprobs, weights = torch.tensor([-1.0, -2.0, -4.0]), torch.tensor([1.0, 0.5, 0.0])
    assert float(losses.sft(logprobs, weights, 3)) == pytest.approx(2 / 3)
    parts = losses.sft(logprobs[:1], weights[:1], 3) + losses.sft(logprobs[1:], weights[1:], 3)
    assert float(parts) == pytest.approx(2 / 3)
    assert float(losses.sft(logprobs[:1], weights[:1], 1) + losses.sft(logprobs[1:], weights[1:], 2)) != pytest.approx(
        2 / 3
    )


def test_sums_are_sums() -> None:
    assert losses.row_sums(torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0, 2, 0]), 3).tolist() == [5.0, 0.0, 2.0]


@pytest.mark.parametrize("beta", [0.1, 0.2, 0.5])
def test_dpo_where_policy_and_reference_are_one(beta: float) -> None:
    """ln 2, and a gradient of -beta/2 by the chosen and beta/2 by the rejected log-probability."""
    chosen = torch.tensor([-3.0, -50.0], requires_grad=True)
    rejected = torch.tensor([-8.0, -1.0], requires_grad=True)
    loss = losses.dpo(chosen, rejected, chosen.detach(), rejected.detach(), beta=beta)
    assert loss.tolist() == pytest.approx([log(2)] * 2, abs=1e-6)
    by_chosen, by_rejected = torch.autograd.grad(loss.sum(), [chosen, rejected])
    assert by_chosen.tolist() == pytest.approx([-beta / 2] * 2, abs=1e-6)
    assert by_rejected.tolist() == pytest.approx([beta / 2] * 2, abs=1e-6)


def test_dpo_by_hand_and_swapped() -> None:
    chosen, rejected, ref_chosen, ref_rejected = (torch.tensor([each]) for each in (-2.0, -5.0, -3.0, -4.0))
    there = losses.dpo(chosen, rejected, ref_chosen, ref_rejected, beta=0.5)  # margin 2
    back = losses.dpo(rejected, chosen, ref_rejected, ref_chosen, beta=0.5)
    assert float(there) == pytest.approx(0.3132617, abs=1e-6)  # log(1 + e^-1)
    assert float(back) == pytest.approx(1.3132617, abs=1e-6)  # log(1 + e)
    assert losses.margins(chosen, rejected, ref_chosen, ref_rejected).tolist() == [2.0]


@pytest.mark.parametrize(("norm", "added"), [("completion", 2.0 / 4), ("full", 2.0 / 16)])
def test_rpo_adds_the_likelihood_of_the_chosen(norm: str, added: float) -> None:
    zero, chosen = torch.zeros(1), torch.tensor([-2.0])
    loss = losses.rpo(
        chosen, zero, chosen, zero, beta=0.1, alpha=1.0, norm=norm,  # type: ignore[arg-type]
        prompt_tokens=torch.tensor([12]), chosen_tokens=torch.tensor([4]),
    )  # fmt: skip
    assert float(loss) == pytest.approx(log(2) + added, abs=1e-6)


def bandit(pairs: Tensor, beta: float) -> Tensor:
    """Policy after DPO from the uniform one on pairs (B, 2) of arms."""
    logits = torch.zeros(4, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.05)
    for _ in range(400):
        optimiser.zero_grad()
        logprobs = logits.log_softmax(-1)
        reference = torch.full((len(pairs),), log(1 / 4))
        losses.dpo(logprobs[pairs[:, 0]], logprobs[pairs[:, 1]], reference, reference, beta=beta).mean().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return logits.detach().softmax(-1)


def test_dpo_finds_the_tilted_reference() -> None:
    """With labels as Bradley and Terry draw them the optimum is pi_ref exp(r / beta); with flipped ones it is not."""
    rewards, beta = torch.tensor([0.0, 0.2, 0.4, 0.6]), 0.5
    optimum = (rewards / beta).softmax(-1)
    generator, pairs = torch.Generator().manual_seed(0), []
    for a in range(4):
        for b in range(a):
            wins = round(2000 * float(torch.sigmoid(rewards[a] - rewards[b])))
            pairs += [[a, b]] * wins + [[b, a]] * (2000 - wins)
    shuffled = torch.tensor(pairs)[torch.randperm(len(pairs), generator=generator)]
    assert float((bandit(shuffled, beta) - optimum).abs().sum()) < 0.02
    assert float((bandit(shuffled.flip(1), beta) - optimum).abs().sum()) > 0.3
