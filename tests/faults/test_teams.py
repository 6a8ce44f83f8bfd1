"""kill -9 at random moments of a run, for every topology on the shelf: it goes on, and nobody can tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from orchestra.types import Key
from tests.faults.judge import TOPOLOGIES, Case, Story, Tally, check_death, kill_and_resume
from tests.faults.nursery import Nursery

FAST, SLOW = 20, 200


def share(kills: int) -> int:
    """Of so many kills, those of one topology."""
    return -(-kills // len(TOPOLOGIES))


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("kills", [share(FAST), pytest.param(share(SLOW), marks=pytest.mark.slow)])
def test_a_killed_run_is_resumed_to_the_same_end(nursery: Nursery, tmp_path: Path, topology: str, kills: int) -> None:
    random, tally = Random(topology), Tally()
    for seed in range(2):  # the one sequential, the other speculative
        kill_and_resume(nursery, tmp_path, Case(topology, seed=seed), -(-kills // 2), random, tally)
    assert tally.kills >= kills
    assert tally.calls >= tally.needed


@pytest.mark.parametrize("kills", [8, pytest.param(40, marks=pytest.mark.slow)])
def test_a_killed_tree_is_grown_to_the_same_end(nursery: Nursery, tmp_path: Path, kills: int) -> None:
    tally = Tally()
    kill_and_resume(nursery, tmp_path, Case("chain", draws=2), kills, Random(5), tally)
    assert tally.kept > kills  # a resumed process did find effects of killed ones


A, B, C = (Key("s", draw) for draw in range(3))
DIED = Story(puts=(B, C), acknowledged=1)


@pytest.mark.parametrize(
    ("before", "after", "story", "complaint"),
    [
        ({A}, {A}, DIED, "acknowledged effects are gone"),
        ({A}, {B}, DIED, "of an earlier process are gone"),
        ({A}, {A, C}, DIED, "a later effect is there"),
        ({A}, {A, B, Key("t")}, DIED, "that nobody put"),
        ({A}, {A, B}, replace(DIED, puts=(B, A)), "put again"),
        ({A}, {A, B}, replace(DIED, puts=(B, B)), "put twice"),
        ({A}, {A, B}, replace(DIED, calls=(4711, 4711)), "made twice"),
    ],
)
def test_the_judge_can_object(before: set[Key], after: set[Key], story: Story, complaint: str) -> None:
    check_death({A}, {A, B}, DIED)
    with pytest.raises(AssertionError, match=complaint):
        check_death(before, after, story)


def test_the_judge_objects_to_a_journaled_call_that_is_made_again() -> None:
    from tests.faults.judge import seed

    with pytest.raises(AssertionError, match="made again"):
        check_death({A}, {A, B}, replace(DIED, calls=(seed(A),)))
