"""Multi-agent PPO with a critic, decision by decision or token by token along the chain of agents: MARFT (2504.16129).

    accelerate launch training/ppo.py --init adapters/malt-sft --output adapters/malt-ppo --critic action

No decision needs siblings: the critic says what the team was to earn before each, an adapter and a small head on the
same base. Advantages go from agent to agent by generalised advantage estimation (--gamma, --decay), over several passes
(--epochs, --minibatches) that end early where the policy has gone too far (--kl-stop).
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

DEFAULT = Update(critic="action", epochs=2, minibatches=2, kl_stop=0.1, gamma=1.0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0, 1 for a failed run, 2 for bad input, 130 after Ctrl-C. The first process alone speaks."""
    return recipe.run(ppo, parse, _reinforce.summary, arguments)


def ppo(options: Namespace, report: Report) -> dict[str, Any]:
    """The recipe, from the first draw to the last version."""
    return Reinforcement("ppo", options, _reinforce_options.update(options), report).run()


def parse(arguments: Sequence[str] | None) -> Namespace:
    parser = recipe.Parser("ppo", allow_abbrev=False, description="Reinforce each policy of a team beside a critic.")
    _reinforce_options.common(parser, branch="4,1,1")
    _reinforce_options.updating(parser, DEFAULT)
    parser.add_argument("--critic", choices=("action", "token"), default=DEFAULT.critic, help="level (default action)")
    options = parser.parse_args(arguments)
    _reinforce_options.check(options)
    if options.mode == "best":
        raise BadInput("--mode best keeps one draw of each state, and a critic needs none beside it; fix: --mode full")
    return options


if __name__ == "__main__":
    sys.exit(main())
