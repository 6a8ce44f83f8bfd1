"""Who else is in the team, told from what an agent saw itself (CLAM: Ma et al. 2024, arXiv 2401.00132).

A history is an agent's own observations in order, (T, F). Two pieces of one history are of the same partners, pieces of
two histories may be of others; an encoder learns which belong together:

    L = -1/B sum_i log( exp(z_i . z+_i / tau) / sum_j exp(z_i . z+_j / tau) )

z_i is the encoder's of one piece, some of its observations masked; z+_i is the target's of the other piece. The target
is a moving average of the encoder; no gradient reaches it, nor the features. Pieces share no observation, so a loss
below ln B was earned by what lasts. They are functions of seed, step and history alone: the order of a batch, equal
histories in it and a restart change nothing. With fewer than two histories there is nothing to tell apart, so no step.

The paper encodes by attention, with positions of the whole episode, and its pieces may overlap. Convolutions over time
know order without positions, and leave ln B in fewer steps than attention or a recurrent net of this size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from hashlib import blake2b

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from orchestra.digest import digest
from orchestra.errors import BadData, BadInput

HIDDEN = 64
"""Patterns that the encoder looks for, of either width."""
MASKED = 0.3
"""Part of a piece's observations that are masked, on average; that of the paper's code."""
MOMENTS = ("step", "exp_avg", "exp_avg_sq")
"""What Adam keeps of a parameter."""


class AgentModel:
    """An encoder, the target that follows it, and an optimiser of their own. Runs on the CPU: it is small.

    Two of equal arguments are equal, whatever the global generator. `lr` and `temperature` are those of the paper's
    code; its `momentum`, the part of the target that stays each step, is 0.99, over twenty thousand steps.

    >>> model = AgentModel(4, size=8)
    >>> model.embed([torch.ones(3, 4), torch.rand(5, 4)]).shape
    torch.Size([2, 8])
    """

    def __init__(
        self,
        features: int,
        size: int = 32,
        *,
        lr: float = 3e-3,
        temperature: float = 0.5,
        momentum: float = 0.95,
        seed: int = 0,
    ) -> None:
        if features < 2:
            raise BadInput(f"expected 2 features or more, since their scale is taken out, got {features}")
        self.features, self.size = features, size
        self._temperature, self._momentum, self._seed, self._steps = temperature, momentum, seed, 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._encoder = Encoder(features, size)
        self._target = deepcopy(self._encoder).requires_grad_(False)
        self._optimiser = torch.optim.Adam(self._encoder.parameters(), lr=lr)

    def update(self, histories: Sequence[Tensor]) -> float:
        """One step on histories (T, features), T > 0, that may differ in T; returns its loss.

        Give one, the longest, of an agent's play with the same partners: two of them would be told apart. So are tasks,
        which last as partners do: a batch of one task leaves the partners. Equal histories count once; 0.0 and no step
        where fewer than two are left. Raises BadInput for other shapes and what is not finite, before anything changes.
        """
        named = {_name(each): each for each in self._checked(histories)}
        if len(named) < 2:
            return 0.0
        drawn = [pieces(named[name], digest(str(self._seed), str(self._steps), name)) for name in sorted(named)]
        with torch.no_grad():
            targets = self._target([other for _, other in drawn])
        loss = info_nce(self._encoder([masked for masked, _ in drawn]), targets, self._temperature)
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        with torch.no_grad():
            for target, each in zip(self._target.parameters(), self._encoder.parameters(), strict=True):
                target.lerp_(each, 1 - self._momentum)
        self._steps += 1
        return float(loss.detach())

    @torch.no_grad()
    def embed(self, histories: Sequence[Tensor]) -> Tensor:
        """(B, size), of unit length and without gradient; the target's, so that a critic's input moves slowly.

        Raises BadInput as `update` does.
        """
        checked = self._checked(histories)
        embedded: Tensor = self._target(checked) if checked else torch.zeros(0, self.size)
        return embedded

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of all that later steps depend on, flat, as safetensors takes it."""
        state = {"steps": torch.tensor(self._steps), **self._weights()}
        for name, parameter in self._encoder.named_parameters() if self._steps else ():
            state |= {f"{each}/{name}": self._optimiser.state[parameter][each] for each in MOMENTS}
        return {name: each.clone() for name, each in state.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Goes on exactly where `state` was taken, under equal arguments. Raises BadData for other sizes."""
        weights = self._weights()
        if any(name not in state or state[name].shape != each.shape for name, each in weights.items()):
            raise BadData(
                f"expected the state of an agent model of {self.features} features and size {self.size}, got another; "
                "fix: the arguments that it was saved under"
            )
        for name, each in weights.items():
            each.copy_(state[name])
        self._steps = int(state["steps"])
        self._optimiser.state.clear()
        for name, parameter in self._encoder.named_parameters() if self._steps else ():
            self._optimiser.state[parameter] = {each: state[f"{each}/{name}"].clone() for each in MOMENTS}

    def _weights(self) -> dict[str, Tensor]:
        """Those of both, by name: no copies."""
        parts = {"encoder": self._encoder, "target": self._target}
        return {f"{part}/{name}": each for part, module in parts.items() for name, each in module.state_dict().items()}

    def _checked(self, histories: Sequence[Tensor]) -> list[Tensor]:
        """On the CPU, in fp32, without gradient."""
        for index, each in enumerate(histories):
            shape = tuple(each.shape)
            if len(shape) != 2 or shape[0] < 1 or shape[1] != self.features or not each.isfinite().all():
                raise BadInput(
                    f"expected finite features of shape (1 or more, {self.features}), got {shape} at history {index}; "
                    "fix: one row an observation, and no empty or broken history"
                )
        return [each.detach().to("cpu", torch.float32) for each in histories]


class Encoder(nn.Module):
    """Histories -> (B, size) of unit length: how often patterns of 3 and of 7 observations occur, summed up linearly.

    Each observation is scaled to mean 0 and variance 1 over its features; a masked one stays zeros.
    """

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        self.scale = nn.LayerNorm(features, elementwise_affine=False)
        self.near = nn.Conv1d(features, HIDDEN, 3, padding=1)
        self.far = nn.Conv1d(HIDDEN, HIDDEN, 3, padding=2, dilation=2)
        self.out = nn.Linear(HIDDEN, size)

    def forward(self, histories: Sequence[Tensor]) -> Tensor:
        lengths = torch.tensor([len(each) for each in histories])
        padded = pad_sequence([self.scale(each) for each in histories], batch_first=True).mT
        real = (torch.arange(padded.shape[-1]) < lengths[:, None])[:, None]  # (B, 1, T)
        near = F.relu(self.near(padded)) * real  # a bias would speak for padding, and `far` hear it
        both = near + F.relu(self.far(near)) * real
        return F.normalize(self.out(both.sum(-1) / lengths[:, None]), dim=-1)


def info_nce(anchors: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """Mean of -log softmax_j(anchor_i . target_j / temperature) at j = i: (B, size), (B, size) -> ().

    ln B where all are equal. The gradient flows to both arguments: detach what is to stand still.

    >>> round(float(info_nce(torch.eye(2), torch.eye(2), 1.0)), 4)  # log(1 + 1/e)
    0.3133
    """
    return F.cross_entropy(anchors @ targets.T / temperature, torch.arange(len(anchors)))


def pieces(history: Tensor, key: str) -> tuple[Tensor, Tensor]:
    """A history cut in two, in either order, with some observations of the first as zeros; decided by `key`, in hex.

    Neither has less than a quarter of the history, and the first keeps an observation. One observation is both pieces.
    """
    if len(history) == 1:
        return history, history
    generator = torch.Generator().manual_seed(int(key[:12], 16))

    def below(limit: int) -> int:
        return int(torch.randint(limit, (), generator=generator))

    least = max(1, len(history) // 4)
    at = least + below(len(history) - 2 * least + 1)
    parts = history[:at], history[at:]
    first = below(2)
    kept = torch.rand(len(parts[first]), generator=generator) >= MASKED
    kept[below(len(kept))] = True
    return parts[first] * kept[:, None], parts[1 - first]


def _name(history: Tensor) -> str:
    """Of its numbers; T follows from them, since F is the same for all."""
    return blake2b(history.contiguous().numpy().tobytes(), digest_size=16).hexdigest()
