"""What a causal model makes of a pack: the body once over the tree, the head at scored positions alone."""

from __future__ import annotations

from typing import Any

import torch
from peft import PeftModel
from torch import Tensor
from torch.nn import Module

from orchestra.errors import BadInput
from orchestra.learning.losses import token_logprobs
from orchestra.learning.packing import Pack
from orchestra.learning.trainable import Trainable

TOLERANCE = 1e-2
"""Of logits that are the same product, in bf16 and possibly cut otherwise."""


class Scorer:
    """Log-probabilities of a pack's targets.

    Raises BadInput for a model whose logits are more than its head's product (scaled or capped ones), which the body
    and the head alone would get wrong.
    """

    def __init__(self, model: Trainable) -> None:
        base: Any = model.get_base_model() if isinstance(model, PeftModel) else model
        self._body: Module = base.get_decoder()
        self._head: Module = base.get_output_embeddings()
        base.eval()  # without dropout, whose noise is another each time
        ids = torch.tensor([[0, 1]], device=base.device)
        with torch.no_grad():
            whole, ours = base(input_ids=ids, use_cache=False).logits, self._head(self._hidden(input_ids=ids))
        if not torch.allclose(whole.float(), ours.float(), rtol=TOLERANCE, atol=TOLERANCE):
            raise BadInput(
                f"expected logits that are the head's product, got others from {type(base).__name__}; "
                "fix: --trainer trl, which scales and caps them"
            )

    def __call__(self, pack: Pack, temperature: float = 1.0) -> Tensor:
        """(N,), fp32, differentiable."""
        return token_logprobs(self.hidden(pack), self._head, pack.targets, temperature=temperature)

    def hidden(self, pack: Pack) -> Tensor:
        """(N, H): the states that the targets are predicted from, differentiable."""
        return self._hidden(input_ids=pack.ids, attention_mask=pack.mask, position_ids=pack.positions)[0, pack.at]

    def _hidden(self, **inputs: Tensor) -> Tensor:
        states: Tensor = self._body(**inputs, use_cache=False).last_hidden_state
        return states
