"""How often a run can be killed: SIGKILL at random moments, resumed until it is finished, for every topology.

    python -m scripts.kills [--kills 2000] [--seed 0] [--json]

Runs are of the shelf's topologies on a scripted model, half of them `sequential` and half `speculative`, and of trees
(a chain, two draws of each role). After each kill the journal is compared with what the dead process had written down
before it died; the first thing lost, put twice or asked again ends the script with an AssertionError. A finished run's
transcript has to be that of one which nobody killed. The same checks at smaller numbers are in `tests/faults`.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.faults.judge import TOPOLOGIES, Case, Tally, kill_and_resume
from tests.faults.nursery import Nursery


def campaign(kills: int, seed: int) -> dict[str, Tally]:
    """What became of each topology, and of the trees; every row has its share of the kills."""
    random, tallies = Random(seed), dict[str, Tally]()
    rows = [(name, [Case(name, seed=2 * seed), Case(name, seed=2 * seed + 1)]) for name in TOPOLOGIES]
    rows.append(("chain, trees", [Case("chain", seed=seed, draws=2)]))
    with Nursery() as nursery, TemporaryDirectory() as folder:
        for name, cases in rows:
            tallies[name] = Tally()
            for case in cases:
                share = -(-kills // (len(rows) * len(cases)))
                kill_and_resume(nursery, Path(folder), case, share, random, tallies[name])
    return tallies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    tallies = campaign(args.kills, args.seed)
    if args.json:
        print(json.dumps({name: asdict(tally) for name, tally in tallies.items()}))
        return
    print("nothing acknowledged lost, nothing journaled made again, every transcript equal")
    print(f"{'topology':<20}{'kills':>7}{'runs':>7}{'calls made':>12}{'needed':>8}{'found again':>13}{'unwritten':>11}")
    for name, tally in tallies.items():
        figures = f"{tally.kills:>7}{tally.runs:>7}{tally.calls:>12}{tally.needed:>8}"
        print(f"{name:<20}{figures}{tally.kept:>13}{tally.unwritten:>11}")


if __name__ == "__main__":
    main()
