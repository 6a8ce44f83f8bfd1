"""Runs of a recipe that are killed and started again, and what each came to.

    python -m tests.training.dying FOLDER      prints a JSON object: death -> what the run with it, and the next, did

In a process of its own, since it forks: one import of torch for some dozen deaths.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from safetensors.torch import load_file

from orchestra import faults
from orchestra.learning.rl import learner, processes  # noqa: F401  (before the fork)
from orchestra.models.local import model  # noqa: F401
from orchestra.training import grpo, ppo

LETTERS = str(Path(__file__).with_name("letters.py"))
SMALL = [
    "--model", "tiny", "--benchmark", LETTERS, "--shots", "0", "--system", "", "--max-tokens", "2", "--tasks", "3",
    "--steps", "3", "--lr", "1e-2", "--rank", "4", "--precision", "fp32",
]  # fmt: skip
RECIPES: Mapping[str, tuple[Callable[[Sequence[str]], int], list[str]]] = {
    "grpo": (
        grpo.main,
        ["--team", "chain", "--learn", "generator", "refiner", "--branch", "3,1,2", "--single", "moving"],
    ),
    "stale": (grpo.main, ["--team", "solo", "--branch", "4", "--stale", "1"]),
    "ppo": (ppo.main, ["--team", "solo", "--branch", "2", "--critic", "token", "--clam", "4"]),
}
"""A short run of each kind, of three steps."""
DEATHS: Sequence[tuple[str, str]] = [
    ("grpo", "writer.committed:2"),  # while trees of the first step are drawn
    ("grpo", "Learner.learn:1"),  # between draw and update, with nothing saved yet
    ("grpo", "Learner.learn:2"),
    ("grpo", "save:2"),  # after the update
    ("grpo", "atomic.written:9"),  # inside the second checkpoint: its moments
    ("grpo", "atomic.synced:10"),  # and its manifest, before it counts
    ("grpo", "_prune:2"),  # and after
    ("grpo", "Reinforcement._publish:1"),  # between checkpoint and publication
    ("grpo", "Reinforcement._publish:2"),
    ("grpo", "Policies.save:3"),
    ("grpo", "publish:4"),  # of two policies one has its version
    ("grpo", "_link:3"),
    ("stale", "Learner.learn:2"),
    ("stale", "Reinforcement._publish:2"),
    ("ppo", "save:2"),
]
"""Points of `orchestra.faults`, or functions at whose N-th call the process dies."""
FOLDERS = ("orchestra/learning", "orchestra/training", "/training/")
TIMES = ("rollout_s", "update_s")


def die(death: str) -> None:
    """From here on this process is killed at that point."""
    name, _, number = death.partition(":")
    if name in faults.POINTS:
        faults.arm(death)
        return
    calls = 0

    def watch(frame: FrameType, event: str, _: Any) -> None:
        nonlocal calls
        code = frame.f_code
        if event == "call" and code.co_qualname == name and any(folder in code.co_filename for folder in FOLDERS):
            calls += 1
            if calls == int(number):
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(watch)


def ran(recipe: str, output: Path, death: str = "") -> int:
    """Exit code of a run in a child; what it prints goes beside the folder."""
    main, words = RECIPES[recipe]
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)  # makes torch's pool anew: threads that all find the parent's one at once fail
        with Path(f"{output}.log").open("a") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            if death:
                die(death)
            os._exit(main([*SMALL, *words, "--output", str(output)]))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def weights(output: Path) -> dict[str, torch.Tensor]:
    """Policy and name -> what stands in force."""
    links = sorted(each for each in output.iterdir() if each.is_symlink())
    return {
        f"{link.name}/{name}": tensor
        for link in links
        for name, tensor in load_file(link / "adapter_model.safetensors").items()
    }


def figures(output: Path) -> list[dict[str, Any]]:
    """Of each step, without the clock's."""
    lines = map(json.loads, (output / "steps.jsonl").read_text().splitlines())
    return [{name: value for name, value in line.items() if name not in TIMES} for line in lines]


def distance(one: Path, other: Path) -> float:
    """The largest difference of two runs' weights; infinite where they are not of the same shape."""
    a, b = weights(one), weights(other)
    return max(float((a[name] - b[name]).abs().max()) for name in a) if a and a.keys() == b.keys() else float("inf")


def deaths(folder: Path) -> dict[str, dict[str, Any]]:
    """Each death, the same command again, and how far that is from a run that nobody killed."""
    for recipe in RECIPES:
        assert ran(recipe, folder / recipe) == 0, (folder / f"{recipe}.log").read_text()
    found = {}
    for recipe, death in DEATHS:
        whole, output = folder / recipe, folder / f"{recipe}-{death}"
        status = ran(recipe, output, death)
        before = len(figures(output)) if (output / "steps.jsonl").exists() else 0
        again = ran(recipe, output)
        alike = again == 0 and figures(output) == figures(whole)
        left = [str(path) for path in output.rglob("*.part")] + [str(path) for path in output.glob(".*.tmp")]
        found[f"{recipe} {death}"] = {
            "status": status,
            "steps before": before,
            "again": again,
            "distance": distance(output, whole) if again == 0 else float("inf"),
            "same figures": alike,
            "left": left,
        }
    first = figures(folder / "grpo")
    found["control"] = {"distance": distance(folder / "stale", folder / "ppo"), "same figures": first[0] == first[1]}
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(deaths(Path(sys.argv[1]))))
