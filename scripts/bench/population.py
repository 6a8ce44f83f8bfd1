"""Agent-steps per second of the epidemic with weekly decisions: event-driven, dense, and beside a plain numba loop.

    python scripts/bench/population.py [--agents 1000000] [--days 60] [--json]

Three epidemics differ in how many are infected, which is what event-driven steps cost by: `never` (nobody isolates; a
tenth of all are ill at the peak), `threshold` (the expert; below 2 %), `always` (it dies out). The plain loop visits
every agent and every contact each day, one thread, no decisions; it is left out where numba is not installed.
"""

from __future__ import annotations

import argparse
import json
import time
from importlib.util import find_spec
from typing import Any

import numpy as np

from orchestra.population import always, never, simulate, threshold
from orchestra.worlds import Scenario, seir

FORCE = Scenario().force()
EXPOSURE = Scenario().exposure(0, Scenario().contacts, 0)


def plain_day(
    contacts: Any, age: Any, stage: Any, infected: Any, due: Any, day: int, force: Any, exposure: Any
) -> None:
    """What one writes first: a loop over agents and their contacts. Compiled by numba."""
    caught = np.zeros(len(stage), np.bool_)
    for i in range(len(stage)):
        if stage[i] == 0:
            received = 0.0
            for j in contacts[i]:
                if stage[j] == 1 or stage[j] == 2:
                    received += force[stage[j] - 1, day - 1 - infected[j], 0]
            caught[i] = received > 0 and np.random.random() >= np.exp(-received * exposure[age[i], 0])
    for i in range(len(stage)):
        if caught[i]:
            stage[i], infected[i], due[i] = 1, day, day + 6
        elif due[i] <= day and stage[i] == 1:
            stage[i], due[i] = 2, day + 5
        elif due[i] <= day and stage[i] == 2:
            stage[i], due[i] = (4 if np.random.random() < 0.12 else 3), 32767


def plain(agents: int, days: int) -> dict[str, Any]:
    """The plain loop over the epidemic that nobody fights."""
    from numba import njit  # noqa: PLC0415  (an optional peer)

    loop, state = njit(plain_day), seir.begin(Scenario(), agents, 0)
    small = seir.begin(Scenario(), 100, 0)
    loop(small.contacts, small.age, small.stage, small.infected, small.due, 0, FORCE, EXPOSURE)  # compiles
    began = time.perf_counter()
    for day in range(days):
        loop(state.contacts, state.age, state.stage, state.infected, state.due, day, FORCE, EXPOSURE)
    seconds = time.perf_counter() - began
    attack_rate = float((state.stage != seir.SUSCEPTIBLE).mean())
    return row("never, no decisions", "plain numba loop", agents * days / seconds, seconds, attack_rate, None)


def row(epidemic: str, steps: str, rate: float, seconds: float, attack_rate: float, peak: int | None) -> dict[str, Any]:
    return {
        "epidemic": epidemic,
        "steps": steps,
        "agent_steps_per_s": round(rate),
        "seconds": round(seconds, 3),
        "attack_rate": round(attack_rate, 4),
        "peak_bytes": peak,
    }


def measure(agents: int, days: int) -> list[dict[str, Any]]:
    """One row an epidemic and way of stepping, one after the other in this process."""
    table = []
    for policy in (never(), threshold(), always()):
        for dense in (False, True):
            done = simulate(Scenario(), policy, agents=agents, steps=days, dense=dense)
            way = "dense" if dense else "event-driven"
            rate, peak = done.agent_steps_per_s, done.peak_bytes
            table.append(row(policy.source, way, rate, done.seconds, done.attack_rate, peak))
    if find_spec("numba"):
        table.append(plain(agents, days))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--agents", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    table = measure(args.agents, args.days)
    contacts = Scenario().contacts
    if args.json:
        print(json.dumps({"agents": args.agents, "days": args.days, "contacts": contacts, "rows": table}))
        return
    print(f"{args.agents:,} agents x {contacts} contacts x {args.days} days")
    print(f"{'epidemic':<22}{'steps':<18}{'M agent-steps/s':>16}{'seconds':>10}{'attack rate':>13}{'bytes/agent':>13}")
    for line in table:
        size = "-" if line["peak_bytes"] is None else f"{line['peak_bytes'] / args.agents:.0f}"
        rate = f"{line['agent_steps_per_s'] / 1e6:.1f}"
        shown = f"{line['epidemic']:<22}{line['steps']:<18}{rate:>16}{line['seconds']:>10.2f}"
        print(f"{shown}{line['attack_rate']:>13.4f}{size:>13}")


if __name__ == "__main__":
    main()
