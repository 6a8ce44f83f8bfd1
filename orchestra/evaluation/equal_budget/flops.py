"""What computing costs where models differ: 2 N FLOPs a token, in or out, of a model of N parameters.

The usual estimate of a forward pass (Kaplan et al., arXiv 2001.08361, section 2.1), with all parameters that are
stored; attention over the context and adapters are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from safetensors import safe_open

from orchestra.errors import BadInput
from orchestra.models.model import Model
from orchestra.team import Team
from orchestra.trajectory.trajectory import Trajectory


def parameters(model: Model) -> int:
    """How many a model has: what its attribute `parameters` says, or what the safetensors in its folder hold.

    Raises BadInput for a model that tells neither, such as one behind a server.
    """
    told = getattr(model, "parameters", None)
    if isinstance(told, int):
        return told
    folder = getattr(model, "folder", None)
    files = sorted(folder.glob("*.safetensors")) if folder is not None else []
    if not files:
        raise BadInput(
            f"FLOPs need the number of parameters of every model, which {model.name} does not tell; fix: --match tokens"
        )
    return sum(map(_stored, files))


def by_weights(teams: Iterable[Team]) -> dict[str, int]:
    """Digest of weights, as decisions name them -> parameters, of every agent in these teams."""
    known: dict[int, int] = {}  # by the model's identity, since one is often shared
    found = {}
    for policy in (agent.policy for team in teams for agent in team.agents()):
        if id(policy.model) not in known:
            known[id(policy.model)] = parameters(policy.model)
        found[policy.model.weights(policy.adapter)] = known[id(policy.model)]
    return found


def flops(trajectory: Trajectory, sizes: Mapping[str, int]) -> float:
    """What its calls took; `sizes` as `by_weights` gives them."""
    return sum(2.0 * sizes[d.weights] * d.completion.usage.tokens for d in trajectory.decisions if d.completion)


def _stored(file: Any) -> int:
    with safe_open(file, framework="np") as tensors:
        shapes = [tensors.get_slice(name).get_shape() for name in tensors.keys()]  # noqa: SIM118  (not a mapping)
    return sum(_product(shape) for shape in shapes)


def _product(shape: Iterable[int]) -> int:
    total = 1
    for length in shape:
        total *= length
    return total
