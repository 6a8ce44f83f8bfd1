"""Experience made by hand, learners on `tiny` that start anywhere but at zero, and a slow second way to a gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import torch
from accelerate import Accelerator  # type: ignore[import-untyped]
from torch import Tensor

from orchestra.learning.rl.experience import Batch, Experience
from orchestra.learning.rl.experience import Path as Leaf
from orchestra.learning.rl.learner import Learner
from orchestra.learning.rl.normalise import Share, weights
from orchestra.learning.rl.policies import CRITIC
from orchestra.learning.rl.settings import Update
from orchestra.learning.row import IGNORED, Row
from orchestra.types import Key

SOLVER, JUDGE = "solver", "judge"
NAMES = (SOLVER, JUDGE)
UPDATE = Update(lr=1e-3, rank=4, clip=1e9, importance=0, precision="fp32")
"""Without a bound on the gradient, which tests compare, and without a sampler, whose numbers are made up."""


def experience(
    prompt: Sequence[int],
    said: Sequence[int],
    policy: str = SOLVER,
    *,
    run: str = "run",
    name: str = "d",
    advantage: float | None = 1.0,
    mask: Sequence[int] | None = None,
    **more: Any,
) -> Experience:
    """A decision that read `prompt` and said `said`, of which it sampled what `mask` says."""
    labels = [i if m else IGNORED for i, m in zip(said, mask or [1] * len(said), strict=True)]
    row = Row(run, Key(name), policy, policy, "task", (*prompt, *said), (*[IGNORED] * len(prompt), *labels))
    usual = {
        "agent": policy,
        "round": 0,
        "logprobs": (-1.0,) * (len(labels) - labels.count(IGNORED)),
        "temperature": 1.0,
        "mass": 1.0,
    }
    return Experience(row, advantage=advantage, **{**usual, **more})


def batch(seed: int = 0, trees: int = 3) -> Batch:
    """Trees of two draws of the solver, each followed by two of the judge: ragged, with shared beginnings, forced
    tokens, and advantages of which some are 0 or not there."""
    random, found, paths = Random(seed), list[Experience](), list[Leaf]()
    common = [random.randrange(60, 90) for _ in range(5)]

    def words(most: int) -> list[int]:
        return [random.randrange(60, 90) for _ in range(random.randrange(1, most))]

    for tree in range(trees):
        asked = [*common, *words(4)]
        for draw in range(2):
            said = [*words(5), 2]
            run, place = f"run{tree}", len(found)
            worth = random.choice((-1.0, 0.5, 2.0))
            found.append(experience(asked, said, run=run, name=f"s{draw}", advantage=worth, mass=0.5))
            for other in range(2):
                judged = words(4)
                mask = [1, *(random.randrange(2) for _ in judged[1:])]
                judged_worth = random.choice((None, 0.0, -1.0, 1.5))
                name = f"j{draw}{other}"
                read = [*asked, *said, 61]
                found.append(
                    experience(read, judged, JUDGE, run=run, name=name, advantage=judged_worth, mask=mask, mass=0.25)
                )
                paths.append(Leaf((place, len(found) - 1), float(random.randrange(2))))
    return Batch(tuple(found), tuple(paths))


def turned(made: Batch) -> Batch:
    """The same, from the last to the first."""
    last = len(made.experiences) - 1
    paths = tuple(Leaf(tuple(last - place for place in path.places), path.reward) for path in made.paths[::-1])
    return Batch(made.experiences[::-1], paths)


def told(made: Batch, learner: Learner) -> Batch:
    """The same, sampled by the learner's policies as they are."""
    numbers = learner.reader.logprobs(made.experiences, range(len(made.experiences)))
    changed = (replace(each, logprobs=tuple(numbers[place])) for place, each in enumerate(made.experiences))
    return Batch(tuple(changed), made.paths)


def learner(
    tiny: Path, update: Update = UPDATE, names: Sequence[str] = NAMES, *, shaken: float = 0.02, **more: Any
) -> Learner:
    """A learner whose adapters do something from the beginning: B of LoRA is not zero."""
    made = Learner(Accelerator(mixed_precision="no", cpu=True), tiny, names, update, longest=8, **more)
    if shaken:
        for name in made.optimisers.trained:
            shake(made, name, shaken)
    return made


def shake(made: Learner, name: str, std: float = 0.02) -> None:
    """Moves what an optimiser trains, by name alone."""
    for parameter, each in made.optimisers.trained[name].items():
        generator = torch.Generator().manual_seed(sum(map(ord, parameter)))
        if "lora_A" not in parameter:
            each.data += std * torch.randn(each.shape, generator=generator)


def standing(made: Learner, name: str) -> dict[str, Tensor]:
    """A copy of what an optimiser trains."""
    return {each: value.detach().clone() for each, value in made.optimisers.trained[name].items()}


def moments(made: Learner, name: str) -> dict[str, Tensor]:
    """A copy of an optimiser's moments."""
    _, found = made.optimisers.state()
    own = made.optimisers.trained[name]
    return {each: value.clone() for each, value in found.items() if each.rpartition("/")[0] in own}


def gradient(made: Learner, name: str) -> dict[str, Tensor]:
    """What the last step of an optimiser went by."""
    return {
        each: torch.zeros_like(value) if value.grad is None else value.grad.clone()
        for each, value in made.optimisers.trained[name].items()
    }


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[each], other[each]) for each in one)


def close(one: Mapping[str, Tensor], other: Mapping[str, Tensor], bound: float = 1e-5) -> bool:
    return one.keys() == other.keys() and all(float((one[each] - other[each]).abs().max()) <= bound for each in one)


def said_alone(made: Learner, each: Experience) -> Tensor:
    """(tokens,): log-probabilities of a row by itself: all logits, one row, no tree."""
    made.policies.use(each.row.policy)
    ids = torch.tensor([each.row.input_ids])
    logits = made.policies.model(input_ids=ids).logits[0].float() / made.reader.temperature
    at = [place for place, label in enumerate(each.row.labels) if label != IGNORED]
    return torch.stack([logits[place - 1].log_softmax(-1)[each.row.input_ids[place]] for place in at])


def valued_alone(made: Learner, each: Experience, feature: Tensor | None = None) -> Tensor:
    """(tokens,): the critic's values of the states before a row's sampled tokens: one row, no tree."""
    made.policies.use(CRITIC)
    assert made.reader.head is not None
    body = made.policies.model.get_base_model().get_decoder()
    states = body(input_ids=torch.tensor([each.row.input_ids])).last_hidden_state[0]
    at = [place - 1 for place, label in enumerate(each.row.labels) if label != IGNORED]
    values: Tensor = made.reader.head(states[at], None if feature is None else feature.expand(len(at), -1))
    return values


def reinforce(
    made: Learner,
    experiences: Sequence[Experience],
    how: str = "rollout",
    advantages: Sequence[Sequence[float]] | None = None,
) -> dict[str, dict[str, Tensor]]:
    """Policy -> gradient of - sum of weight * advantage * log p, one row after the other; `advantages` of each token
    where they are not the rows' own."""
    shares = [Share(each.row.run, each.agent, each.tokens, each.mass) for each in experiences]
    gained = advantages or [[each.advantage or 0.0] * each.tokens for each in experiences]
    found = {}
    for name in made.policies.names:
        parameters = made.policies.parameters(name)
        for value in parameters.values():
            value.grad = torch.zeros_like(value)
        weight = weights(shares, how, longest=made.longest)  # type: ignore[arg-type]
        for each, own, worth in zip(experiences, weight, gained, strict=True):
            if each.row.policy == name:
                (-own * (torch.tensor(worth) * said_alone(made, each)).sum()).backward()  # type: ignore[no-untyped-call]
        found[name] = gradient(made, name)
    return found


__all__ = [
    "CRITIC", "JUDGE", "NAMES", "SOLVER", "UPDATE", "Leaf", "batch", "close", "experience", "gradient", "learner",
    "moments", "reinforce", "said_alone", "same", "shake", "standing", "told", "turned", "valued_alone",
]  # fmt: skip
