"""The critic: what the team will earn from here, read off the base through an adapter of its own and a small head.

    V = W2 relu(W1 h)        h: the state that the next token is predicted from; H -> 256 -> 1, in fp32

MARFT (arXiv 2504.16129) loads a second base for it; here it is one adapter more. At action level the value of a
decision is that of its last prompt token, before anything is said; at token level every sampled token has one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orchestra.digest import digest

HIDDEN = 256


class Head(nn.Module):
    """(N, H) and, where there are any, (N, F) further features -> (N,)."""

    def __init__(self, size: int, features: int = 0, *, seed: int = 0) -> None:
        """The last layer starts at 0: an untrained critic expects nothing, rather than noise."""
        super().__init__()
        torch.manual_seed(int(digest("critic", str(seed))[:12], 16))
        self.first = nn.Linear(size + features, HIDDEN)
        self.last = nn.Linear(HIDDEN, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, hidden: Tensor, features: Tensor | None = None) -> Tensor:
        states = hidden.float() if features is None else torch.cat([hidden.float(), features.float()], dim=-1)
        values: Tensor = self.last(torch.relu(self.first(states))).squeeze(-1)
        return values
