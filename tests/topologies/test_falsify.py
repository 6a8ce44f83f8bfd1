"""Falsification: which tests a claim meets, what refutes it, and when it is accepted."""

import asyncio

import pytest

from orchestra.errors import BadInput
from orchestra.models.scripted import Scripted
from orchestra.roles import experimenter, falsifier, proposer
from orchestra.team import Team
from orchestra.topologies import falsify


def made(claims, ablations, verdicts, **options):
    models = [Scripted(said) for said in (claims, ablations, verdicts)]
    return falsify(proposer(models[0]), falsifier(models[1]), experimenter(models[2]), **options), models


def go(team):
    return asyncio.run(team.run("34 + 57?"))


def told(model):
    return [call.messages[-1][1] for call in model.calls]


def counts(models):
    return [len(model.calls) for model in models]


def test_a_claim_that_survives_every_attempt_is_accepted():
    team, models = made(["It is 91."], ["Drop the carry.", "Drop the tens."], ["Yes."] * 3)
    result = go(team)
    assert (result.answer, result.stopped_by, counts(models)) == ("91", "trial accepted", [1, 2, 3])
    first, second, third = told(models[2])
    assert "Claim: It is 91." in first and "Test:" not in first
    assert "Test: Drop the carry." in second and "Test: Drop the tens." in third
    assert all("Claim: It is 91." in text for text in told(models[1]))
    assert "You tried: Drop the carry.\nFound so far: Yes." in told(models[1])[1]


@pytest.mark.parametrize(
    ("verdicts", "calls"),
    [
        (["No, too low."], [1, 0, 1]),
        (["Yes.", "No, too low."], [1, 1, 2]),
        (["Yes.", "Yes.", "No, too low."], [1, 2, 3]),
        (["Yes.", "Hm."], [1, 1, 2]),
        (["Yes."], [1, 1, 2]),
        ([], [1, 0, 1]),
    ],
)
def test_the_first_test_that_it_does_not_pass_refutes_it(verdicts, calls):
    """The last two: an experiment that fails."""
    team, models = made(["It is 90."], ["Drop the carry.", "Drop the tens."], verdicts, rounds=1)
    result = go(team)
    assert (result.stopped_by, counts(models), result.answer) == ("max rounds", calls, "90")


def test_the_proposer_reads_why_and_claims_anew():
    team, models = made(["It is 90.", "It is 91."], ["Drop the carry."] * 2, ["Yes.", "No, too low.", "Yes.", "Yes."],
                        attempts=1)  # fmt: skip
    result = go(team)
    assert (result.answer, result.stopped_by, counts(models)) == ("91", "trial accepted", [2, 2, 4])
    assert "You claimed: It is 90.\nIt was refuted: Drop the carry.\nNo, too low." in told(models[0])[1]
    assert all("It is 90." not in text for text in told(models[2])[2:])


@pytest.mark.parametrize(("attempts", "rounds"), [(0, 1), (1, 3), (3, 2)])
def test_it_is_bounded(attempts, rounds):
    """Refuted by the very last attempt each time."""
    verdicts = (["Yes."] * attempts + ["No."]) * rounds
    team, models = made(list("123456789"), ["Drop it."] * 9, verdicts, attempts=attempts, rounds=rounds)
    result = go(team)
    assert counts(models) == [rounds, rounds * attempts, rounds * (1 + attempts)]
    assert (result.answer, result.stopped_by) == (str(rounds), "max rounds")


def test_a_falsifier_that_fails_accepts_nothing():
    team, models = made(["It is 90."], [], ["Yes."] * 9, rounds=1)
    assert go(team).stopped_by == "max rounds" and counts(models) == [1, 1, 1]


def test_a_falsifier_decides_nothing():
    """Whatever it says, the experimenter's word counts."""
    team, _ = made(["It is 91."], ["The claim is wrong. No. Refuted."] * 2, ["Yes."] * 3)
    assert go(team).stopped_by == "trial accepted"


def test_a_proposer_without_a_claim_is_not_tested():
    team, models = made([], ["x"], ["Yes."])
    result = go(team)
    assert result.answer is None and counts(models) == [1, 0, 0]


def test_without_attempts_it_is_a_proposer_and_a_verifier():
    team, models = made(["It is 91."], [], ["Yes."], attempts=0)
    assert go(team).stopped_by == "trial accepted" and counts(models) == [1, 0, 1]


def test_saved_it_tests_as_before():
    team, _ = made([], [], [])
    replies = iter(["It is 91.", "Yes.", "Drop it.", "Yes.", "Drop it.", "Yes."])
    again = Team.load(team.save(), Scripted(lambda request: next(replies)))
    assert again.digest == team.digest and go(again).stopped_by == "trial accepted"


@pytest.mark.parametrize("options", [{"attempts": -1}, {"rounds": 0}, {"attempts": 1001}])
def test_what_cannot_be_meant_is_refused(options):
    with pytest.raises(BadInput, match="expected"):
        made([], [], [], **options)
