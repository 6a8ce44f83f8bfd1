"""A verifier who sees whether a proposal is right: paid for its verdict it learns to say so sooner than paid by what
the team makes of it, which a refiner's luck stands between.
"""

from __future__ import annotations

from statistics import fmean

import pytest

from orchestra.credit import Credit, group_relative, verdict
from orchestra.engine import Full
from orchestra.topologies import chain
from orchestra.types import FrozenMap
from tests.learning.rl.toys import Tabular, grown, improve, shuffled, speaker, taught

STEPS = 30
DRAWS = Full(1, FrozenMap({"verifier": 4}))
LUCK = {"ry": (1, 1e-9), "rn": (0.6, 0.4), "wy": (1e-9, 1), "wn": (0.6, 0.4)}
"""What the refiner says, right or wrong, after a proposal and a verdict on it: as it was, or something new."""

by_verdict = verdict({"y": True, "n": False}.get, lambda task, said: float(said == "r"))


def steps(rule: Credit, *, lr: float, chance: bool = False) -> int:
    """How many it takes until 95 in 100 verdicts are right; `STEPS` if it takes more."""
    proposer, verifier, refiner = Tabular("rw", ["?"]), Tabular("yn", ["vr", "vw"]), Tabular("rw", [*LUCK]).set(LUCK)
    team = chain(
        speaker(proposer, "proposer", prompt="?"),
        speaker(verifier, "verifier", prompt="v{{ inbox[0].content }}"),
        speaker(refiner, "refiner", prompt="{{ inbox[0].content }}{{ inbox[1].content }}"),
    )
    for step in range(STEPS):
        scored = grown(team, DRAWS, lambda said: float(said[-1] == "r"), range(8 * step, 8 * step + 8))
        batch = taught(scored, rule, ["verifier"])
        improve(verifier, (shuffled(batch, step) if chance else batch).experiences, lr=lr)
        if fmean((verifier.chance("vr", "y"), verifier.chance("vw", "n"))) > 0.95:
            return step + 1
    return STEPS


@pytest.mark.parametrize(
    ("paid", "shared", "lr"),
    [
        pytest.param(by_verdict, group_relative(), 4.0, id="none"),
        # Divided by its deviation the team's reward is as large as a verdict's: the step is not what makes it slower.
        pytest.param(
            group_relative(scale="std", alpha=0.0, local=by_verdict), group_relative(scale="std"), 2.0, id="std"
        ),
    ],
)
def test_a_verifier_learns_sooner_from_its_own_verdicts(paid, shared, lr):
    assert 1.5 * steps(paid, lr=lr) < steps(shared, lr=lr) < STEPS
    assert steps(paid, lr=lr, chance=True) == STEPS


def test_both_are_no_slower_than_the_verdict_alone():
    """r = R_team + r_local, as in AT-GRPO."""
    assert steps(group_relative(local=by_verdict), lr=4.0) <= steps(by_verdict, lr=4.0)
