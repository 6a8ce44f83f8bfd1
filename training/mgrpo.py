"""M-GRPO (arXiv 2511.13288): a main agent that answers, and sub-agents that are called as often as it takes.

    orchestra train mgrpo --team ask --benchmark hotpot:bridge --init runs/cloning/adapters/cloned --branch 2
    orchestra train mgrpo --init adapters/malt-sft --main refiner

    main        r = what the team earned
    sub-agents  r = --alpha of what the team earned + what their own words earned, each call weighing 1/d in a rollout
                with d of them; ratios by turn

Differs from the paper: advantages are among the draws of one state, not among all calls of several rollouts; where
calls are more or fewer than d it copies and drops some, here they share one weight, which has the same expected
gradient and wastes nothing (of --team ask d is what the main agent asks, in a chain 1 throughout); a sub-agent's words
are paid by the benchmark's score, and a verifier's by its verdict, in place of a judge. An expert that tells what it
knows gives no answer, so what it is paid is --alpha of the team's.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import Any, Final

from orchestra.learning import recipe
from orchestra.models.progress import Report
from orchestra.training import _gain
from orchestra.training._team import CHAIN, MAIN

MANNER: Final = ("--per-call", "--scale", "std", "--ratio", "turn", "--normalise", "rollout", "--local", "own")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0, 1 for a failed run, 2 for bad input, 130 after Ctrl-C."""
    return recipe.run(mgrpo, parse, _gain.summary, arguments)


def mgrpo(options: Namespace, report: Report) -> dict[str, Any]:
    """The whole loop; what result.json holds."""
    words = [*MANNER, "--main", options.main, "--alpha", str(options.alpha)]
    return _gain.gain("mgrpo", "grpo", words, options, report)


def parse(arguments: Sequence[str] | None) -> Namespace:
    parser = _gain.parser_of("mgrpo", "grpo", "Reinforce a main agent and its sub-agents: M-GRPO.", "4,2,2")
    parser.add_argument("--main", metavar="POLICY", help=f"the main agent (default {CHAIN[-1]}, of --team ask {MAIN})")
    parser.add_argument("--alpha", type=float, default=0.8, help="of the team's reward, for sub-agents (default 0.8)")
    options = parser.parse_args(arguments)
    options.main = options.main or (MAIN if options.team == "ask" else CHAIN[-1])
    return _gain.checked(options)


if __name__ == "__main__":
    sys.exit(main())
