"""One transcript a team, however it is run: a table of its digest over schedules, crowds, crashes and rebuilds.

    python scripts/transcripts.py [--runs 64] [--json]

Every topology of the shelf is run on a scripted model that answers by the seed of each draw, with random delays:
`sequential`, `speculative`, both with so many other runs in flight, resumed from half of its journal, and rebuilt from
it after every call. The last column is a control: with a model that answers by order of arrival, a run beside another
must differ from the same run alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from orchestra.cli import teams
from orchestra.cli.options import TeamOptions
from orchestra.cli.screen import columns
from orchestra.cli.shelf import items
from orchestra.digest import digest
from orchestra.engine.run import run
from orchestra.models.model import Policy
from orchestra.models.scripted import Scripted
from orchestra.team import Team
from orchestra.trajectory.journal import MemoryJournal
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Request

TASK = "What is 34 + 57?"
Way = Callable[[Callable[[], Team]], Coroutine[Any, Any, Trajectory]]


def transcript(made: Trajectory) -> str:
    """Digest of everything that was said and decided."""
    return digest(repr((made.decisions, made.messages, made.leaves, made.events)))[:12]


def team(name: str, say: Callable[[Request], str], noise: random.Random | None) -> Team:
    """A topology of the shelf on a scripted model."""
    delay = None if noise is None else lambda request: noise.choice([0, 0, 0.001, 0.003])
    plan = teams.plan(name, TeamOptions(model="tiny"))
    model = Scripted(say, delay=delay) if delay else Scripted(say)
    return plan.make({policy: Policy(policy, model) for policy in plan.models})


def by_seed(request: Request) -> str:
    """An answer that the seed of the draw decides; what a verifier says is in it too."""
    return f"{'Yes' if request.seed % 3 else 'No'}. The answer is {90 + request.seed % 4}."


def ways(runs: int) -> dict[str, Way]:
    """How a team is run, by name."""

    def plain(schedule: Any) -> Way:
        return lambda make: run(make(), TASK, schedule=schedule)

    def among(schedule: Any) -> Way:
        async def go(make: Callable[[], Team]) -> Trajectory:
            others = [run(make(), f"{TASK} {number}", schedule=schedule) for number in range(runs - 1)]
            return (await asyncio.gather(run(make(), TASK, schedule=schedule), *others))[0]

        return go

    async def resumed(make: Callable[[], Team]) -> Trajectory:
        journal = MemoryJournal()
        await run(make(), TASK, journal=journal)
        kept = list(journal.entries.items())
        journal.entries = dict(kept[: len(kept) // 2])
        return await run(make(), TASK, journal=journal, schedule="speculative")

    return {
        "sequential": plain("sequential"), "speculative": plain("speculative"),
        f"sequential x{runs}": among("sequential"), f"speculative x{runs}": among("speculative"),
        "resumed": resumed, "rebuilt": lambda make: run(make(), TASK, rebuild=True),
    }  # fmt: skip


def table(runs: int) -> dict[str, dict[str, str]]:
    """Topology -> way -> digest of the transcript; `control` says what came of deciding by arrival."""
    found: dict[str, dict[str, str]] = {}
    for item in items("topology"):
        noise = random.Random(item.name)
        made = {way: asyncio.run(go(lambda: team(item.name, by_seed, noise))) for way, go in ways(runs).items()}  # noqa: B023
        found[item.name] = {way: transcript(trajectory) for way, trajectory in made.items()}
        alone, beside = (transcript(asyncio.run(_arrivals(item.name, others))) for others in (0, 1))
        found[item.name]["control"] = "equal" if alone == beside else "differs"
    return found


async def _arrivals(name: str, others: int) -> Trajectory:
    """A run whose model answers by the order in which it is asked, beside so many others: nothing names its draws."""
    asked: list[Request] = []

    def say(request: Request) -> str:
        asked.append(request)
        return f"Yes. The answer is {90 + len(asked)}."

    shared = team(name, say, random.Random(1))
    return (await asyncio.gather(*(run(shared, f"another {i}") for i in range(others)), run(shared, TASK)))[-1]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=64, help="runs in flight together")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = table(options.runs)
    equal = {name: len({text for way, text in row.items() if way != "control"}) == 1 for name, row in found.items()}
    if options.json:
        print(json.dumps({"transcripts": found, "equal": equal}))
    else:
        head = ["topology", *next(iter(found.values()))]
        print(columns([head, *([name, *row.values()] for name, row in found.items())]))
    return 0 if all(equal.values()) and all(row["control"] == "differs" for row in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
