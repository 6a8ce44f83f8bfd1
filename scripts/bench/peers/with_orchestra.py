"""Orchestra's back-ends, asked as teams ask: one task a request, trees that grow side by side, a debate of two rounds.

Modes: `default` and `fast`. Replies may end early. A team that lost a decision raises.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from orchestra.engine import Full
from orchestra.evals import arith
from orchestra.models.fast import FastModel
from orchestra.models.local import LocalModel
from orchestra.roles import debater, generator, refiner, verifier
from orchestra.team import Agent, Role
from orchestra.topologies import chain, debate
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Completion, Request
from scripts.bench.peers.answer import Done, Order, Setup

SYSTEM = "You are a careful calculator. Answer with one short sentence."


class Orchestra:
    """A back-end under a setup's teams."""

    def __init__(self, setup: Setup) -> None:
        torch.set_num_threads(setup.threads)
        kind: Any = {"default": LocalModel, "fast": FastModel}[setup.mode]
        self.model = kind(Path(setup.model), name=setup.mode, threads=setup.threads)
        self.setup, self.wanted = setup, {"decisions": 1, "trees": 39, "debate": 2}[setup.case] * setup.size
        self.run = {"decisions": self.decisions, "trees": self.trees, "debate": self.debate}[setup.case]

    def __call__(self, order: Order) -> Done:
        before, began = self.model.statistics(), time.perf_counter()
        said = asyncio.run(self.run(order.turn))
        seconds, after = time.perf_counter() - began, self.model.statistics()
        if len(said) != self.wanted:
            raise AssertionError(f"expected {self.wanted} decisions, got {len(said)}")
        return Done(
            seconds=seconds,
            tokens=sum(len(made.output_ids or ()) for made, _ in said),
            asked=after.asked - before.asked,
            computed=after.computed - before.computed,
            passes=after.passes - before.passes,
            decisions=len(said),
            said=tuple((tuple(made.prompt_ids or ()), adapter) for made, adapter in said) if order.turn == 0 else (),
        )

    async def decisions(self, turn: int) -> list[tuple[Completion, int]]:
        """Short questions of an arithmetic role, all different, one task each."""
        adapters = self.setup.adapters
        asked = [
            Request(
                (
                    ("system", SYSTEM),
                    ("user", f"What is {100 * turn + i} + {23 + 7 * i % 61}?" + " Explain it." * (i % 4)),
                ),
                adapter=adapters[i % len(adapters)],
                max_tokens=self.setup.tokens,
                seed=i,
            )
            for i in range(self.setup.size)
        ]
        made = await asyncio.gather(*(self.model.generate([request]) for request in asked))
        return [(one, i % len(adapters)) for i, (one,) in enumerate(made)]

    async def trees(self, turn: int) -> list[tuple[Completion, int]]:
        """A chain of three roles on each task, three draws of each decision: 39 decisions a tree."""
        team = chain(*(self.agent(role) for role in (generator, verifier, refiner)))
        size = self.setup.size
        tasks = arith(family="add2").sample(size, split="train", seed=turn)
        return _said(await asyncio.gather(*(team.grow(task, Full(3), seed=turn) for task in tasks)))

    async def debate(self, turn: int) -> list[tuple[Completion, int]]:
        """All answer one question, hear one another and answer again."""
        (task,) = arith(family="add2").sample(1, split="train", seed=turn)
        agents = [self.agent(debater, f"debater{i}") for i in range(self.setup.size)]
        return _said([await debate(agents, rounds=2, share=0.99).run(task, seed=turn)])

    def agent(self, role: Role[Any], name: str | None = None) -> Agent:
        return replace(role, max_tokens=self.setup.tokens)(self.model, name=name or role.name)


def _said(runs: Sequence[Trajectory]) -> list[tuple[Completion, int]]:
    return [(decision.completion, 0) for run in runs for decision in run.decisions if decision.completion is not None]


def load(setup: Setup) -> Orchestra:
    return Orchestra(setup)
