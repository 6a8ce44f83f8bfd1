"""Self-refinement: exact calls, who hears what, and that the last proposal counts."""

import pytest

from orchestra.errors import BadInput
from orchestra.models.scripted import Scripted
from orchestra.roles import critic, reviser
from orchestra.topologies import self_refine


@pytest.mark.parametrize("rounds", range(5))
@pytest.mark.parametrize("alone", [False, True])
def test_calls_are_a_function_of_the_rounds(rounds, alone):
    model, critical = Scripted(lambda request: "4"), Scripted(lambda request: "No.")
    team = self_refine(reviser(model), None if alone else critic(critical), rounds=rounds)
    result = team.run_sync("q")
    assert (len(model.calls), len(critical.calls)) == (1 + rounds, 0 if alone else rounds)
    assert (result.answer, result.stopped_by, result.leaf.rounds) == ("4", "max rounds", rounds + 1)


def test_it_hears_its_last_proposal_and_what_was_said_of_that_one():
    model, critical = Scripted(["It is 1.", "It is 2.", "It is 3."]), Scripted(["Too low.", "Still too low."])
    result = self_refine(reviser(model), critic(critical)).run_sync("How much?")
    first, second, third = (call.messages[-1][1].splitlines() for call in model.calls)
    assert first == ["How much?"]
    assert second[1:3] == ["You said: It is 1.", "A critic says: Too low."]
    assert third[1:3] == ["You said: It is 2.", "A critic says: Still too low."]
    assert [call.messages[-1][1].splitlines()[1] for call in critical.calls] == [
        "Proposed: It is 1.",
        "Proposed: It is 2.",
    ]
    assert result.answer == "3"


def test_a_critic_that_fails_leaves_the_proposal():
    model = Scripted(["It is 1.", "It is 2.", "It is 3."])
    result = self_refine(reviser(model), critic(Scripted([]))).run_sync("How much?")
    assert result.answer == "3" and "critic" not in model.calls[-1].messages[-1][1]


@pytest.mark.parametrize("rounds", [-1, 1001])
def test_what_cannot_be_meant_is_refused(rounds):
    with pytest.raises(BadInput, match="expected 0 to 1000"):
        self_refine(reviser(Scripted([])), rounds=rounds)
