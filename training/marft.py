"""MARFT (arXiv 2504.16129): a critic, and advantages that go from agent to agent, decision by decision or by tokens.

    orchestra train marft --init adapters/malt-sft --actions action

action   a reply is one action: its ratio is that of all its tokens, its value that of the state before it
token    a token is one action, and the chain runs through all tokens of all agents

Policies learn one after another, each corrected by what those before it changed, along paths without branches below
the first agent (--ppo "--order joint": all at once, on any tree).

Differs from the paper: one base with an adapter more as critic, in place of a base for each agent and another for the
critic; replies are learnt from as the ids that were sampled, never encoded again.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import Any, Final

from orchestra.learning import recipe
from orchestra.models.progress import Report
from orchestra.training import _gain

LEVELS: Final = {
    "action": ("--critic", "action", "--ratio", "action", "--normalise", "sequence"),
    "token": ("--critic", "token", "--ratio", "token"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0, 1 for a failed run, 2 for bad input, 130 after Ctrl-C."""
    return recipe.run(marft, parse, _gain.summary, arguments)


def marft(options: Namespace, report: Report) -> dict[str, Any]:
    """The whole loop; what result.json holds."""
    return _gain.gain("marft", "ppo", ["--order", "sequential", *LEVELS[options.actions]], options, report)


def parse(arguments: Sequence[str] | None) -> Namespace:
    parser = _gain.parser_of("marft", "ppo", "Reinforce a team beside a critic: MARFT, before and after.", "4,1,1")
    parser.add_argument("--actions", choices=tuple(LEVELS), default="action", help="what an action is (default action)")
    return _gain.checked(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
