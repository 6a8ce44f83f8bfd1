"""Plans as lines: what is a step, what is an answer, and what is neither."""

import pytest

from orchestra.errors import Unparseable
from orchestra.roles.planner import plan_lines
from orchestra.team import Plan, PlanStep


@pytest.mark.parametrize(
    ("said", "steps"),
    [
        ("1 add: Add.", [("1", "add", "Add.", ())]),
        (
            "My plan.\n1. add: Add.\n2) tell (1): Tell: loud.\nGood luck!",
            [("1", "add", "Add.", ()), ("2", "tell", "Tell: loud.", ("1",))],
        ),
        ("add: Add.\ntell: Tell.", [("1", "add", "Add.", ()), ("2", "tell", "Tell.", ())]),
        ("a team-1 (b, c,b): x", [("a", "team-1", "x", ("b", "c"))]),
        ("1 add: Add.\nAnswer: 4", [("1", "add", "Add.", ())]),
        ("1 add ( ): Add.", [("1", "add", "Add.", ())]),
    ],
)
def test_steps(said, steps):
    assert plan_lines(said) == Plan(tuple(PlanStep(*step) for step in steps))


@pytest.mark.parametrize(
    ("said", "answer"), [("Answer: 14", "14"), ("So the answer is 14.", "14"), ("14", "14"), ("#### 14", "14")]
)
def test_answers(said, answer):
    assert plan_lines(said) == Plan(answer=answer)


@pytest.mark.parametrize(
    "said", ["", "hm.", "The 2nd part of line 3 is 5.", "1 add:", "The answer is unknown.", "a " * 50_000]
)
def test_neither(said):
    with pytest.raises(Unparseable, match="expected lines such as '1 WORKER: what to do', or 'Answer: 14', got"):
        plan_lines(said)
