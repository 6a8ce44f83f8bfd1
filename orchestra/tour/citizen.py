"""The tour's second half: one adapter learns when to isolate, and a million agents live by it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np

from orchestra.credit import Scored, nested_mean
from orchestra.engine import run
from orchestra.errors import RunFailed
from orchestra.learning.adapters import bind
from orchestra.models.model import Policy
from orchestra.models.scripted import Scripted
from orchestra.population import DecisionTable, Outcome, agreement, compile_in, expert_decisions, simulate, threshold
from orchestra.population.frontier import occurring_keys, split
from orchestra.roles import citizen
from orchestra.topologies import solo
from orchestra.tour.plan import Tour, wait
from orchestra.types import Request, Task
from orchestra.worlds.epidemic import BINS
from orchestra.worlds.scenario import Scenario


def record_expert(tour: Tour) -> dict[str, Any]:
    """The scripted expert's decisions as trajectories like any other: a citizen who is played by the expert."""
    decided = expert_decisions(tour.sizes.decisions, tour.seed)
    gold = {citizen.request(view).messages: choice for view, choice in decided}

    def prefers(request: Request, option: str) -> float:
        return 0.0 if gold[request.messages] == option else -50.0

    team = solo(replace(citizen, temperature=0.0)(Policy("citizen", Scripted([], name="expert", preference=prefers))))
    tasks = [
        Task(f"epidemic/{i}", view.prompt, choice, "choice", split="train") for i, (view, choice) in enumerate(decided)
    ]

    async def play() -> None:
        played = await asyncio.gather(*(run(team, task, seed=tour.seed) for task in tasks))
        with tour.run("expert") as folder:
            for trajectory in played:
                folder.add(trajectory)
            await folder.flushed()
            batch = [Scored(t, ({"task": float(t.leaf.content == t.task.gold)},)) for t in played]
            tables = nested_mean()(batch)
            folder.annotate("nested_mean", {t.id: table for t, table in zip(played, tables, strict=True)})

    wait(play())
    return {"decisions": len(decided), "views": len(gold), "isolate": sum(choice == "isolate" for _, choice in decided)}


def simulated(tour: Tour) -> dict[str, Any]:
    """Tables of the base and of the trained citizen, and the epidemic that each brings about."""
    bound = bind(tour.folder / "adapters" / "citizen")["citizen"]
    policies = {
        "base": Policy("citizen", tour.model),
        "trained": Policy("citizen", tour.model, str(bound.folder), bound.version),
    }
    found: dict[str, Any] = {}
    keys = np.arange(BINS.size, dtype=np.int64)
    for name, policy in policies.items():
        with tour.run(f"tables/{name}") as folder:
            table, trajectory = wait(compile_in(folder, citizen, BINS, policy, keys))
        if table is None:
            raise RunFailed(f"compiling the {name} citizen failed: {trajectory.error}")
        table.save(tour.folder / f"table-{name}.safetensors")
        found[name] = _figures(table, _epidemic(tour, name, table), tour)
    found["expert"] = _figures(threshold(), _epidemic(tour, "expert", threshold()), tour)
    return found


def _epidemic(tour: Tour, name: str, table: DecisionTable) -> Outcome:
    sizes = tour.sizes
    return simulate(
        Scenario(),
        table,
        agents=sizes.agents,
        steps=sizes.days,
        seed=tour.seed,
        progress=tour.progress(f"epidemic: {name}"),
    )


def _figures(table: DecisionTable, outcome: Outcome, tour: Tour) -> dict[str, Any]:
    seen, unseen = split(occurring_keys(), seed=tour.seed)
    drawn, on_seen, on_unseen = (
        agreement(table, threshold(), outcome.decisions, keys=keys) for keys in (None, seen, unseen)
    )
    return {
        "keys": len(table.rows),
        "agreement_decisions": drawn.decisions,
        "agreement_keys": on_seen.keys,
        "agreement_unseen_keys": on_unseen.keys,
        "constant": drawn.constant,
        **outcome.metrics(),
        "agents": outcome.agents,
        "agent_steps_per_s": round(outcome.agent_steps_per_s),
        "peak_bytes": outcome.peak_bytes,
        "infectious": outcome.infectious.tolist(),
    }
