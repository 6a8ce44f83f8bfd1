"""Whether a trainer's forward pass gives the log-probabilities that a sampler recorded.

The trainer reads stored ids, prompt and reply at once and without a cache; the sampler made them one by one. In float32
the two agree to about 1e-5. In bfloat16 they differ in the second decimal, and importance weights
exp(trainer - sampler) are off by as much: whoever trains on recorded log-probabilities reports the difference.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from orchestra.errors import BadInput
from orchestra.types import Completion


class Agreement(NamedTuple):
    """Differences trainer - sampler of a token's log-probability, over all tokens of some replies."""

    tokens: int
    mean: float
    """Of the absolute differences."""
    largest: float
    """Of the absolute differences."""
    bias: float
    """Mean of the differences."""


@torch.no_grad()
def forward_logprobs(model: nn.Module, completion: Completion, temperature: float) -> Tensor:
    """(T,) float32: the log-probability of each output token, of one full forward over prompt and output ids.

    `model` is a causal language model of transformers or PEFT, in evaluation mode; `temperature` that of the request
    (0 counts as 1, as in `Completion.logprobs`). Raises BadInput for a completion without ids.
    """
    prompt, output = completion.prompt_ids, completion.output_ids
    if not prompt or not output:
        raise BadInput(f"expected a completion with ids, got prompt {prompt!r:.40} and output {output!r:.40}")
    logits = model(input_ids=torch.tensor([[*prompt, *output]]), use_cache=False).logits[0, len(prompt) - 1 : -1]
    logprobs = torch.log_softmax(logits.float() / (temperature or 1.0), -1)
    return logprobs.gather(1, torch.tensor(output)[:, None])[:, 0]


def agreement(model: nn.Module, replies: Iterable[tuple[Completion, float]]) -> Agreement:
    """Over completions and the temperatures of their requests; at least one with recorded log-probabilities.

    Raises BadInput for a completion without ids or log-probabilities, and for none at all.
    """
    differences = []
    for completion, temperature in replies:
        if completion.logprobs is None:
            raise BadInput("expected a completion with log-probabilities, got one without; fix: sample with them")
        differences.append(forward_logprobs(model, completion, temperature) - torch.tensor(completion.logprobs))
    if not differences:
        raise BadInput("expected at least one completion, got none")
    every = torch.cat(differences)
    return Agreement(len(every), float(every.abs().mean()), float(every.abs().max()), float(every.mean()))
