"""Tickets to an agent with tools and a policy, as far as one reply goes (tau2-bench, arXiv 2506.07982).

A row of `DOMAIN/tasks.json` (sierra-research/tau2-bench, MIT; only what is read), whose `policy.md` lies beside it:

    {"id": "update_task_1", "ticket": "User needs to update the status of task_1 to completed.",
     "evaluation_criteria": {"actions": [{"name": "update_task_status",
                                          "arguments": {"task_id": "task_1", "status": "completed"}}], ...}, ...}

The prompt is the policy, what was said before, and the ticket, or without one the scenario that the user has. The reply
is a JSON array of calls, `[{"name": ..., "arguments": {...}}]`, alone (strict) or in its last fence (flexible).

The score is the benchmark's ACTION part alone: every gold action is among the calls, compared on its `compare_args` if
it names them. The reward of the leaderboard compares the database after a conversation with a simulated user, and what
was communicated: that needs the domain's tools and comes with worlds. A row without gold actions is not scored. Chance
is 0.

The mock domain has 10 tasks, 8 of them with gold actions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestra.answers import extract, extract_strict
from orchestra.digest import canonical
from orchestra.evaluation.benchmark import Score
from orchestra.evaluation.sources.files import refuse, rows
from orchestra.evaluation.sources.published import Published
from orchestra.types import Task

ASKED = "Reply with the calls as a JSON array, such as " + '[{"name": "...", "arguments": {}}].'


def tau2() -> Published:
    """The loader and the score of actions.

    >>> task = Task("t", "Close it.", '[{"name":"close","arguments":{"id":1}}]', "code")
    >>> tau2().score(task, '[{"name": "close", "arguments": {"id": 1}}]').strict
    1.0
    """
    return Published("tau2", 0.0, _read, _score)


def _score(task: Task, text: str | None) -> Score:
    found, promised = (_calls(rule(text, "code")) if text is not None else None for rule in (extract, extract_strict))
    if task.gold is None:
        return Score(None, None, found is not None)
    gold = json.loads(task.gold)
    strict, flexible = (
        float(calls is not None and all(any(_same(call, action) for call in calls) for action in gold))
        for calls in (promised, found)
    )
    return Score(strict, max(strict, flexible), found is not None)


def _calls(said: str | None) -> list[Any] | None:
    """The array that a text is, if it is one of objects."""
    try:
        calls = json.loads(said or "")
    except (ValueError, RecursionError):
        return None
    return calls if isinstance(calls, list) and all(isinstance(call, dict) for call in calls) else None


def _same(call: Mapping[str, Any], action: Mapping[str, Any]) -> bool:
    """The same tool with the same arguments, or with the same in those that count."""
    given, wanted, counted = call.get("arguments", {}), action["arguments"], action.get("compare_args")
    if call.get("name") != action["name"] or not isinstance(given, dict):
        return False
    if counted is None:
        return bool(given == wanted)
    return all(given.get(name) == wanted.get(name) for name in counted)


def _read(path: Path) -> Iterator[Task]:
    policy = path.with_name("policy.md").read_text(encoding="utf-8") if path.with_name("policy.md").exists() else ""
    for where, row in rows(path):
        criteria = row.get("evaluation_criteria") or {}
        actions = criteria.get("actions") or []
        wanted = row.get("ticket") or (row.get("user_scenario") or {}).get("instructions")
        if not isinstance(row.get("id"), str) or not wanted or not all(_is_action(action) for action in actions):
            refuse(where, '"id", "ticket" or "user_scenario", and actions with "name" and "arguments"', row)
        kept = [
            {key: action[key] for key in ("name", "arguments", "compare_args") if key in action} for action in actions
        ]
        asked = wanted if isinstance(wanted, str) else canonical(wanted)
        prompt = "\n".join(filter(None, [policy.strip(), *_history(row), asked, ASKED]))
        yield Task(row["id"], prompt, canonical(kept) if kept else None, "code", family=path.parent.name)


def _is_action(action: object) -> bool:
    return (
        isinstance(action, dict) and isinstance(action.get("name"), str) and isinstance(action.get("arguments"), dict)
    )


def _history(row: Mapping[str, Any]) -> Iterator[str]:
    """What was said before, a line each."""
    for turn in (row.get("initial_state") or {}).get("message_history") or []:
        yield f"{turn['role']}: {turn.get('content') or canonical(turn.get('tool_calls'))}"
