"""Readability: how well a frozen base model could have said the words of a leaf (Optima, arXiv 2410.08115, eq. 1).

    R_loss = max over turns of the mean negative log-likelihood of the turn's tokens      readability = 1 / R_loss

The base model reads each turn as the answer to an empty message, so that neither task nor role helps it. The component
keeps agents that are paid for brevity from a private language. A turn without words makes the leaf 0.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestra.models.model import Model
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Request

LEAST = 1e-3
"""Nats a token; a smaller loss counts as this."""


async def readability(trees: Sequence[Trajectory], base: Model) -> list[list[float]]:
    """A number for each leaf of each trajectory, 0 or more; each distinct turn is scored once, without an adapter."""
    turns = {d.completion.text: None for tree in trees for d in tree.decisions if d.completion is not None}
    asked = [text for text in turns if text.strip()]
    scored = await base.score([Request((("user", ""),), options=(text,)) for text in asked]) if asked else []
    loss = {
        text: max(LEAST, -found.logprobs[0] / max(1, found.tokens[0]))
        for text, found in zip(asked, scored, strict=True)
    }
    return [[_least(tree, index, loss) for index in range(len(tree.leaves))] for tree in trees]


def _least(tree: Trajectory, index: int, loss: dict[str, float]) -> float:
    said = [decision.completion.text for decision in tree.path(tree.leaves[index]) if decision.completion is not None]
    if not said or any(text not in loss for text in said):
        return 0.0
    return 1 / max(loss[text] for text in said)
