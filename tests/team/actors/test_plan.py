"""Plans that an agent writes: what is read can run, and whatever else is refused with a line that says what to do."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.engine import START, Edge, Node
from orchestra.errors import BadRole, Unparseable
from orchestra.team import Team
from orchestra.team.actors.plan import Plan, PlanForm, PlanStep, plan_answer

FORM = PlanForm(("adder", "writer"), longest=4)


def steps(*parts):
    return json.dumps({"steps": [dict(zip(("id", "worker", "task", "needs"), part, strict=False)) for part in parts]})


SUM, TELL = ("sum", "adder", "Add 2 and 3."), ("tell", "writer", "Tell it.", ["sum"])


@pytest.mark.parametrize(
    ("said", "plan"),
    [
        (steps(SUM), Plan((PlanStep(*SUM),))),
        (f"I plan:\n```json\n{steps(SUM, TELL)}\n```\nDone.", Plan((PlanStep(*SUM), PlanStep(*TELL[:3], ("sum",))))),
        (steps(TELL, SUM), Plan((PlanStep(*TELL[:3], ("sum",)), PlanStep(*SUM)))),
        (steps(SUM, (*TELL[:3], ["sum", "sum"])), Plan((PlanStep(*SUM), PlanStep(*TELL[:3], ("sum",))))),
        ('{"answer": " 91 "}', Plan(answer="91")),
        ('It is {"answer": 91}', Plan(answer="91")),
    ],
)
def test_known_plans(said, plan):
    assert FORM(said) == plan and plan_answer(plan) == plan.answer


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("91", 'expected {"steps": [...]} or {"answer": "..."}, got \'91\''),
        ('{"steps": [', "expected a plan as JSON: Expecting"),
        ("{" * 100_000, "expected a plan as JSON"),
        ('{"a":' * 100_000, "expected a plan as JSON: maximum recursion"),
        ('{"steps": [], "answer": "91"}', 'expected {"steps": [...]} or {"answer": "..."}, got {\'steps\''),
        ('{"steps": {}}', 'expected {"steps": [...]}'),
        ('{"steps": []}', "expected a plan of 1 to 4 steps, got 0"),
        (steps(*[(f"s{i}", "adder", "x") for i in range(5)]), "expected a plan of 1 to 4 steps, got 5"),
        ('{"answer": ""}', "expected the answer as a text or number, got ''"),
        ('{"answer": true}', "expected the answer as a text or number, got True"),
        ('{"answer": ["91"]}', "expected the answer as a text or number, got ['91']"),
        ('{"steps": ["sum"]}', "step 1: expected an object with id, worker, task and needs, got 'sum'"),
        (steps(SUM, ("tell", "writer")), "step 2: expected an object with id, worker, task and needs"),
        ('{"steps": [{"id": "a", "worker": "adder", "task": "x", "tool": "rm"}]}', "step 1: expected an object"),
        ('{"answer": "91", "answer": "92"}', "expected a plan as JSON: a key stands twice in one object"),
        ('{"answer": NaN}', "expected a plan as JSON: NaN is no number"),
        ('{"answer": -1e999}', "expected a plan as JSON: -1e999 is no number"),
        (steps(("sum", "adder", "")), "step 1: expected id, worker and task as texts"),
        (steps((1, "adder", "x")), "step 1: expected id, worker and task as texts"),
        (steps((*SUM, "sum")), "step 1: expected needs as a list of ids, got 'sum'"),
        (steps((*SUM, [1])), "step 1: expected needs as a list of ids, got [1]"),
        (steps(("sum", "ader", "x")), "step 'sum': unknown worker 'ader'; did you mean 'adder'?"),
        (steps(("sum", "root", "x")), "step 'sum': unknown worker 'root'; known: adder, writer"),
        (steps(SUM, ("Sum", "writer", "x")), "two steps are called 'Sum'; give each an id of its own"),
        (steps(("Start", "adder", "x")), "step 'Start': expected an id of up to 40 letters"),
        (steps(("a/b", "adder", "x")), "step 'a/b': expected an id of up to 40 letters"),
        (steps(("x" * 41, "adder", "x")), "expected an id of up to 40 letters"),
        (steps(SUM, (*TELL[:3], ["sun"])), "step 'tell' needs unknown step 'sun'; did you mean 'sum'?"),
        (steps((*SUM, ["start"])), "step 'sum' needs unknown step 'start'; known: sum"),
        (steps((*SUM, ["sum"])), "steps need each other: sum -> sum; break the cycle"),
        (steps((*SUM, ["tell"]), TELL), "steps need each other: "),
    ],
)  # fmt: skip
def test_what_cannot_run_is_refused_in_one_line(said, why):
    with pytest.raises(Unparseable) as refused:
        FORM(said)
    assert why in str(refused.value) and "\n" not in str(refused.value) and len(str(refused.value)) < 250


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c", "A", "start", "a-1", "é", ""]),
            st.sampled_from(["adder", "writer", "x"]),
            st.sampled_from(["do", ""]),
            st.lists(st.sampled_from(["a", "b", "c", "x"]), max_size=2),
        ),
        max_size=5,
    )
)
def test_a_plan_that_is_read_is_a_team_that_can_be_made(parts):
    """Known answer by the engine itself: it refuses what the form let through, if anything."""
    try:
        plan = FORM(steps(*parts))
    except Unparseable:
        return
    nodes = [Node(step.id, print) for step in plan.steps]
    Team("plan", nodes, [Edge(need, step.id) for step in plan.steps for need in step.needs or (START,)])
    assert {step.worker for step in plan.steps} <= {"adder", "writer"}


@given(st.text(max_size=40) | st.text(alphabet='{}[]":, stepanwrid0', max_size=60))
def test_any_text_is_a_plan_or_unparseable(said):
    with suppress(Unparseable):
        assert isinstance(FORM(said), Plan)


@pytest.mark.parametrize("make", [lambda: PlanForm(()), lambda: PlanForm(("a",), 0)])
def test_a_form_needs_a_worker_and_a_step(make):
    with pytest.raises(BadRole, match="expected a worker and a step"):
        make()
