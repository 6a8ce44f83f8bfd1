"""AT-GRPO (arXiv 2510.11062): trees of a team, in which every draw is compared with the others of the very same state.

    orchestra train atgrpo --init adapters/malt-sft --against "--group turn"

    tree of a task -> nested mean of the team's reward + --alpha, --local -> advantages among siblings -> GRPO

--against trains a control from the same start on as many tasks: "--group turn" compares the draws of an agent's turn
whatever they had seen, as GRPO without trees does; "--local verdict" pays verifiers for their own verdicts besides.

Differs from the paper: whole trees are grown, so that a draw is worth what came of it, where the paper goes on from one
draw and pays each by its own words (here --branch 4 --grpo "--mode best --local own --alpha 0", where of a verifier's
draws the first goes on).
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from orchestra.learning import recipe
from orchestra.models.progress import Report
from orchestra.training import _gain


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0, 1 for a failed run, 2 for bad input, 130 after Ctrl-C."""
    return recipe.run(atgrpo, parse, _gain.summary, arguments)


def atgrpo(options: Namespace, report: Report) -> dict[str, Any]:
    """The whole loop; what result.json holds."""
    return _gain.gain("atgrpo", "grpo", ["--group", "state", "--scale", "std"], options, report)


def parse(arguments: Sequence[str] | None) -> Namespace:
    parser = _gain.parser_of(
        "atgrpo", "grpo", "Reinforce a team by trees: AT-GRPO, measured before and after.", "4,2,2"
    )
    return _gain.checked(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
