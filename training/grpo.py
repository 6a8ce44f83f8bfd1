"""Multi-agent GRPO: every draw is compared with what else was drawn from the very same state.

    accelerate launch training/grpo.py --init adapters/malt-sft --output adapters/malt-grpo

Each step draws trees of the team on fresh tasks with the weights as they are, backs rewards up to every decision, and
moves each policy's adapter by its own optimiser; a policy that learns needs several draws of its states. --group turn
compares the draws of an agent's turn whatever they had seen, as plain GRPO does to a team: the control. --local verdict
pays a verifier for its own verdict besides.

--screen N makes N draws of a state at first, and the others where these differ: what agrees teaches nothing, and most
of a step is drawing. Of rewards that are right or wrong each task's expected gradient keeps its direction and tasks are
weighed anew (tests/training/test_screen.py), as where DAPO (arXiv 2503.14476) drops tasks after drawing all.

Group-relative advantages: arXiv 2402.03300; state-matched ones: AT-GRPO, arXiv 2510.11062; weights by rollout: Agent
Lightning, arXiv 2608.17528. There is no critic; training/ppo.py has one.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from orchestra.errors import BadInput
from orchestra.learning import recipe
from orchestra.learning.rl.settings import Update
from orchestra.models.progress import Report
from orchestra.training import _reinforce, _reinforce_options
from orchestra.training._reinforce import Reinforcement


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0, 1 for a failed run, 2 for bad input, 130 after Ctrl-C. The first process alone speaks."""
    return recipe.run(grpo, parse, _reinforce.summary, arguments)


def grpo(options: Namespace, report: Report) -> dict[str, Any]:
    """The recipe, from the first draw to the last version."""
    return Reinforcement("grpo", options, _reinforce_options.update(options), report).run()


def parse(arguments: Sequence[str] | None) -> Namespace:
    parser = recipe.Parser(
        "grpo", allow_abbrev=False, description="Reinforce each policy of a team by its own siblings."
    )
    _reinforce_options.common(parser)
    credit(parser)
    _reinforce_options.updating(parser, Update())
    options = parser.parse_args(arguments)
    _reinforce_options.check(options)
    if options.mode == "best" and (options.local == "none" or options.alpha != 0):
        raise BadInput("--mode best compares draws by their own rewards alone; fix: --local own --alpha 0")
    return options


def credit(parser: recipe.Parser) -> None:
    """Options that say what a draw is compared with."""
    add = parser.add_argument
    add(
        "--group", choices=("state", "turn"), default="state", help="draws of one state, or of one turn (default state)"
    )
    add("--scale", choices=("none", "std", "rloo", "maxrl"), default="none", help="of advantages (default none)")
    add(
        "--single",
        choices=("zero", "moving"),
        default="zero",
        help="a draw without siblings: 0, or its role's baseline",
    )
    add("--alpha", type=float, default=1.0, help="weight of the team's reward beside --local (default 1)")
    add("--per-agent", action="store_true", help="bring every agent's advantages to one scale (MARSHAL)")
    add("--per-call", action="store_true", help="an agent called d times in a rollout weighs 1/d a call (M-GRPO)")


if __name__ == "__main__":
    sys.exit(main())
