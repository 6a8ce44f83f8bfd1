"""Steps of learners under a launcher: what they come to from the start, and from where another run stood after a step.

    accelerate launch ... tests/learning/rl/sharded_steps.py TINY FOLDER

FOLDER/N-after-1 is read; FOLDER/N-straight, N-onwards and N-first are written: after three steps, after the two that
followed what was read, and after one. Then the recipe ppo runs into FOLDER/ppo.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from orchestra.errors import RunFailed
from orchestra.learning.rl.learner import Figures, Learner
from orchestra.learning.rl.processes import accelerator
from orchestra.learning.rl.stepping import Part
from orchestra.training import ppo
from tests.learning.rl.batches import NAMES, UPDATE, batch

TREES = (3, 1, 2)
"""Of each step: of one tree in three mini-batches, some process has nothing to read."""
VARIANTS: list[dict[str, Any]] = [
    {"minibatches": 3, "epochs": 2, "clip": 0.05},
    {"order": "round_robin", "critic": "action"},
    {"critic": "token", "warmup": 1, "kl_stop": 1e-4, "epochs": 3},
]
WORDS = [
    *("--model", "tiny", "--precision", "fp32", "--benchmark", str(Path(__file__).with_name("mortal_letters.py"))),
    *("--max-tokens", "3", "--tasks", "2", "--branch", "3,2,2", "--steps", "3", "--lr", "1e-2", "--json"),
]
"""Options of a recipe."""
State = dict[str, Tensor]
"""Parameters by `parameters/NAME`, moments by `moments/NAME/MOMENT`."""


def learner(tiny: Path, variant: int, state: State | None = None) -> Learner:
    """At the start, moved a little from where all adapters do nothing, or as it stood."""
    update = replace(UPDATE, **VARIANTS[variant])
    made = Learner(accelerator(update), tiny, NAMES, update, longest=8)
    parameters, moments = _parts(state) if state else (_moved(made), {})
    made.optimisers.restore(parameters, moments)
    return made


def learn(made: Learner, first: int, last: int) -> list[Figures]:
    return [made.learn(batch(step, TREES[step]), step) for step in range(first, last)]


def state(made: Learner, figures: list[Figures]) -> State:
    """All processes call it."""
    parameters, moments = made.optimisers.state()
    numbers = torch.tensor([[f.loss, f.norm, f.kl, f.clipped, f.tokens, f.value_loss or 0.0] for f in figures])
    found = {f"parameters/{name}": each for name, each in parameters.items()}
    found |= {f"moments/{name}": each for name, each in moments.items()}
    return {name: each.detach().clone() for name, each in (found | {"figures": numbers}).items()}


def refuse(made: Learner) -> None:
    """A step whose gradient is not finite on the last process: refused on each, and nothing of it stays."""
    last = made.accelerator.process_index == made.accelerator.num_processes - 1
    made.policies.use(NAMES[0])
    whole = torch.cat([each.flatten() for each in made.optimisers.trained[NAMES[0]].values()])
    loss = (whole * 0).sqrt().sum() if last else whole.sum()  # 0, whose slope is not a number
    try:
        made.optimisers.step(NAMES[0], [Part(loss, torch.zeros(3))], made.accelerator)
    except RunFailed:
        return
    raise AssertionError("a step without a finite gradient was taken")


def _parts(found: State) -> tuple[State, State]:
    parameters, moments = (
        {name.partition("/")[2]: each for name, each in found.items() if name.startswith(kind)}
        for kind in ("parameters/", "moments/")
    )
    return parameters, moments


def _moved(made: Learner) -> State:
    found = {}
    for name, each in made.optimisers.state()[0].items():
        generator = torch.Generator().manual_seed(sum(map(ord, name)))
        found[name] = each + ("lora_A" not in name) * 0.02 * torch.randn(each.shape, generator=generator)
    return found


def main(tiny: Path, folder: Path) -> int:
    torch.set_num_threads(1)
    for variant in range(len(VARIANTS)):
        straight = learner(tiny, variant)
        refuse(straight)
        first = learn(straight, 0, 1)
        found = {"first": state(straight, first)}
        found["straight"] = state(straight, first + learn(straight, 1, 3))
        onwards = learner(tiny, variant, load_file(folder / f"{variant}-after-1"))
        found["onwards"] = state(onwards, learn(onwards, 1, 3))
        if straight.accelerator.is_main_process:
            for name, each in found.items():
                save_file(each, folder / f"{variant}-{name}")
    return ppo.main([*WORDS, "--output", str(folder / "ppo")])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
