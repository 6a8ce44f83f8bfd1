"""The mock domain, and what of its tasks a single reply can be scored on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.contracts import check_benchmark
from orchestra.errors import BadData
from orchestra.evals import tau2
from orchestra.evaluation.benchmark import Score
from orchestra.types import Task

MOCK = Path(__file__).parents[3] / "shared" / "data" / "tau2" / "mock" / "tasks.json"
CREATE = {"name": "create", "arguments": {"user": "u1", "title": "Tea"}}
TRANSFER = {"name": "transfer", "arguments": {"summary": "cannot"}, "compare_args": []}
TASK = Task("t", "Do it.", json.dumps([CREATE, TRANSFER]), "code")


def score(*calls: object, around: str = "{}") -> tuple[float | None, float | None]:
    return tau2().score(TASK, around.replace("{}", json.dumps(calls)))[:2]


def test_every_action_must_be_among_the_calls() -> None:
    transfer = {"name": "transfer", "arguments": {"summary": "in other words"}}  # no argument of it counts
    assert score(CREATE, transfer) == score(transfer, CREATE, {"name": "look"}) == (1.0, 1.0)
    assert score(CREATE) == score(transfer) == score() == (0.0, 0.0)
    assert score({**CREATE, "arguments": {"user": "u1"}}, transfer) == (0.0, 0.0)
    assert score({**CREATE, "name": "delete"}, transfer) == (0.0, 0.0)
    assert score(CREATE, transfer, around="I do:\n```json\n{}\n```") == (0.0, 1.0)
    assert score(CREATE, {"name": "transfer", "arguments": ["summary"]}) == (0.0, 0.0)


@given(st.text() | st.recursive(st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)).map(json.dumps))
def test_no_text_raises(text: str) -> None:
    assert tau2().score(TASK, text)[:2] == (0.0, 0.0)


def test_a_reply_without_calls_is_unparsed_and_one_without_gold_unscored() -> None:
    assert tau2().score(TASK, "I cannot do that.") == Score(0.0, 0.0, False)
    assert tau2().score(TASK, "[" * 100_000) == Score(0.0, 0.0, False)
    assert tau2().score(TASK, None) == Score(0.0, 0.0, False)
    assert tau2().score(Task("t", "?", None, "code"), "[]") == Score(None, None, True)


@pytest.mark.skipif(not MOCK.exists(), reason="the official files are not beside the repository")
def test_loads_the_mock_domain() -> None:
    tasks = {task.id.rpartition("/")[2]: task for task in tau2().load(MOCK, split="test")}
    splits = json.loads(MOCK.with_name("split_tasks.json").read_text("utf-8"))
    assert list(tasks) == splits["base"]
    assert len(tasks) == 10
    assert [name for name, task in tasks.items() if task.gold is None] == [
        "create_task_1_nl_eval",
        "update_task_with_history_and_env_assertions",
    ]
    assert tasks["create_task_1"].prompt.startswith("# Mock Domain Policy")
    assert "assistant: I've created a task titled" in tasks["update_task_with_message_history"].prompt
    update = '[{"name": "update_task_status", "arguments": {"task_id": "task_1", "status": "completed"}}]'
    assert tau2().score(tasks["update_task_1"], update)[:2] == (1.0, 1.0)
    give_up = '[{"name": "transfer_to_human_agents", "arguments": {"summary": "no such tool"}}]'
    assert tau2().score(tasks["impossible_task_1"], give_up)[:2] == (1.0, 1.0)
    scored = [task for task in tasks.values() if task.gold is not None]
    check_benchmark(tau2(), loaded=scored, wrong=lambda _: '[{"name": "think", "arguments": {}}]')


def test_a_row_of_another_form_is_named(tmp_path: Path) -> None:
    file = tmp_path / "tasks.json"
    row = {"id": "1", "ticket": "Do it."}
    for change in ({"ticket": ""}, {"id": 1}, {"evaluation_criteria": {"actions": [{"name": "x"}]}}):
        file.write_text(json.dumps([row, {**row, "id": "2", **change}]), "utf-8")
        with pytest.raises(BadData, match=r"tasks\.json:2: expected"):
            tau2().load(file, split="test")
