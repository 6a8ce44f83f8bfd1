"""What is demonstrated, on tasks of the shelf: right to the last leaf, wrong where it is meant to be, and paid so."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.contracts import check_model
from orchestra.credit import Table
from orchestra.engine import run
from orchestra.errors import BadData
from orchestra.evals import arith, hotpot
from orchestra.evaluation.benchmark import Benchmark
from orchestra.evaluation.evaluate import leaf_scores
from orchestra.evaluation.rewards import earned
from orchestra.evaluation.sources.seats import seated
from orchestra.learning import sft_rows
from orchestra.models.model import Policy
from orchestra.models.scripted import Scripted
from orchestra.team import Team
from orchestra.training._demonstrations import Written, credited, demonstrator, proposals
from orchestra.training._team import CHAIN, TALKER, Kind, Manner, _turns, answered, cast
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import FrozenMap, Task

BRIDGE, SUMS = hotpot("bridge"), arith("add2")
TASKS = BRIDGE.sample(12, split="train", level=0)
ADDED = SUMS.sample(40, split="train", level=0)


def played(team: Team, task: Task) -> Trajectory:
    return asyncio.run(run(team, seated(task, team)))


def demonstrated(
    kind: Kind, tasks: Sequence[Task], benchmark: Benchmark, wrong: float = 0.0, shown: Sequence[Task] = ()
) -> list[Trajectory]:
    own = cast(kind, shown, tasks, Manner(), 3)
    said = proposals(tasks, benchmark, wrong)
    return [played(demonstrator(own, task, each), task) for task, each in zip(tasks, said, strict=True)]


def values(batch: Sequence[Trajectory], benchmark: Benchmark) -> list[list[float | None]]:
    tables: list[Table] = credited(earned(batch, benchmark), benchmark)
    return [[table.rows[d.key].value for d in each.decisions] for each, table in zip(batch, tables, strict=True)]


@pytest.mark.parametrize("wrong", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("benchmark", [BRIDGE, hotpot("comparison"), SUMS], ids=lambda each: str(each.name))
@pytest.mark.parametrize("kind", ["talk", "chain", "solo"])
def test_every_leaf_is_strictly_right(kind: Kind, benchmark: Benchmark, wrong: float) -> None:
    tasks = benchmark.sample(10, split="train", level=2)
    batch = demonstrated(kind, tasks[2:], benchmark, wrong if kind == "chain" else 0.0, shown=tasks[:2])
    assert [[score.strict for score in leaf_scores(each, benchmark)] for each in batch] == [[1.0]] * 8
    assert all(value is not None for row in values(batch, benchmark) for value in row)


def test_three_who_talk_tell_in_turn_and_answer_once_all_was_heard() -> None:
    private = FrozenMap({"a": "Red Door was directed\nby Ann.", "b": "It is late.", "c": "Ann was born in Rome."})
    task = Task("t", "Where?", "Rome", private=private)
    (done,) = demonstrated("talk", [task], BRIDGE)
    told = [("a", "Red Door was directed by Ann."), ("b", "It is late.")]
    answered = [(seat, "Answer: Rome") for seat in "cabc"]
    assert [(m.sender, m.content) for m in done.messages if m.origin == "agent"] == [*told, *answered]
    assert done.leaf.stopped_by == "quorum"


def test_a_talk_says_what_its_examples_show() -> None:
    """Told by the code that makes the examples of prompts, which does not know of demonstrations."""
    for task, done in zip(TASKS, demonstrated("talk", TASKS, BRIDGE), strict=True):
        role = cast("talk", [], TASKS, Manner(), 3).make({TALKER: Policy(TALKER, Scripted([]))}, 0.0).agents()[0].role
        said = [(d.request.messages[-1][1], d.completion.text) for d in done.decisions if d.completion]
        assert said[:2] == _turns(role, task)


def test_who_has_nothing_to_tell_answers() -> None:
    (done,) = demonstrated("talk", [Task("t", "What is 5 + 7?", "12", kind="number")], SUMS)
    assert [m.content for m in done.messages if m.origin == "agent"] == ["Answer: 12", "Answer: 12"]


def test_the_chain_judges_a_wrong_proposal_and_mends_it() -> None:
    batch = demonstrated("chain", TASKS, BRIDGE, wrong=1.0)
    for task, done in zip(TASKS, batch, strict=True):
        first, verdict, last = (d.completion.text for d in done.decisions if d.completion)
        assert (verdict, last) == ("no", answered(task))
        assert first in {answered(other) for other in TASKS} - {answered(task)}
    assert values(batch, BRIDGE) == [[0.0, 1.0, 1.0]] * len(TASKS)
    assert values(demonstrated("chain", TASKS, BRIDGE), BRIDGE) == [[1.0, 1.0, 1.0]] * len(TASKS)


@given(st.floats(0, 1), st.integers(2, 40))
def test_the_share_of_wrong_proposals_is_exact(share: float, n: int) -> None:
    tasks = ADDED[:n]
    scores = [SUMS.score(t, said) for t, said in zip(tasks, proposals(tasks, SUMS, share), strict=True)]
    assert sum(score.flexible == 0.0 for score in scores) == round(n * share)
    assert all(score.strict == score.flexible for score in scores)


def test_where_all_answers_are_alike_none_can_be_wrong() -> None:
    tasks = [Task(f"t{i}", f"{i}?", gold, kind="number") for i, gold in enumerate(("7", "7.0"))]
    with pytest.raises(BadData, match="so that no proposal can be wrong; fix: more --items, or --wrong 0"):
        proposals(tasks, SUMS, 1.0)
    assert proposals(tasks, SUMS, 0.0) == ["Answer: 7", "Answer: 7.0"]


def test_false_words_are_worth_nothing() -> None:
    """The control of the credit: a verifier who lies, a refiner who is wrong, a talker who answers too early."""
    task = TASKS[0]
    said = {"generator": "Answer: Nowhere", "verifier": "yes", "refiner": "Answer: Nowhere"}
    chain = cast("chain", [], TASKS, Manner(), 3).make({n: Policy(n, Written(said[n])) for n in CHAIN}, 0.0)
    assert values([played(chain, task)], BRIDGE) == [[0.0, 0.0, 0.0]]
    model = Scripted(["He was born.", "Answer: Nowhere", answered(task), answered(task)])
    talk = cast("talk", [], TASKS, Manner(), 3).make({TALKER: Policy(TALKER, model)}, 0.0)
    assert values([played(talk, task)], BRIDGE) == [[1.0, 0.0, 1.0, 1.0]]


def test_it_is_a_model_that_tells_no_ids() -> None:
    check_model(Written("Answer: Rome"))
    batch = demonstrated("solo", TASKS[:1], BRIDGE)
    with pytest.raises(BadData, match="expected token ids, got text alone"):
        sft_rows(batch, None)


def test_the_made_up_ids_of_a_scripted_model_would_be_taken_for_real() -> None:
    """Why the demonstrator is not one: the control of the test above."""
    team = cast("solo", [], TASKS, Manner(), 3).make({CHAIN[0]: Policy(CHAIN[0], Scripted(["Answer: Rome"]))}, 0.0)
    (row,) = sft_rows([played(team, TASKS[0])], None)
    assert row.source == "sampled" and max(row.input_ids) > 10**5
