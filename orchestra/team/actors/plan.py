"""Plans as an agent writes them: steps for named workers, or the answer. Whatever is read is a plan that can run.

A reply holds `{"steps": [{"id": "sum", "worker": "adder", "task": "Add ...", "needs": []}]}` or `{"answer": "..."}`,
with any words around it. The palette is closed: a worker that is not in it is refused, and so is a need that no step
meets.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final, NamedTuple

from orchestra.engine.graph import START
from orchestra.errors import BadRole, UnknownName, Unparseable
from orchestra.team.registry import register

LONGEST = 20
"""Steps of a plan, unless its form says otherwise."""

_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,39}")


class PlanStep(NamedTuple):
    """A task for a worker, once those that it needs are done."""

    id: str
    worker: str
    task: str
    needs: tuple[str, ...] = ()


class Plan(NamedTuple):
    """What is to be done, or the answer if nothing is."""

    steps: tuple[PlanStep, ...] = ()
    answer: str | None = None


@register("plan_form")
@dataclass(frozen=True, slots=True)
class PlanForm:
    """The output of a planning role: a Plan for these workers.

    >>> PlanForm(("adder",))('{"steps": [{"id": "sum", "worker": "adder", "task": "Add 2 and 3."}]}').steps[0].worker
    'adder'
    """

    workers: tuple[str, ...]
    longest: int = LONGEST
    """Steps."""

    def __post_init__(self) -> None:
        if not self.workers or self.longest < 1:
            raise BadRole(f"plan_form of {self.workers!r}, longest={self.longest!r}: expected a worker and a step")

    def __call__(self, said: str) -> Plan:
        """Raises Unparseable, with a line that says what to put right."""
        found = _json(said)
        if isinstance(found, Mapping) and found.keys() == {"answer"}:
            return Plan(answer=_answer(found["answer"]))
        steps = found["steps"] if isinstance(found, Mapping) and found.keys() == {"steps"} else None
        if not isinstance(steps, list):
            raise Unparseable(f'expected {{"steps": [...]}} or {{"answer": "..."}}, got {_short(found)}')
        plan = Plan(tuple(_step(step, number) for number, step in enumerate(steps, start=1)))
        check_plan(plan, self.workers, self.longest)
        return plan


@register("plan_answer")
def plan_answer(plan: Plan) -> str | None:
    """The answer of a planning role: that which the plan holds."""
    return plan.answer


def check_plan(plan: Plan, workers: Collection[str], longest: int = LONGEST) -> None:
    """Raises Unparseable for steps that cannot run with these workers."""
    if not 1 <= len(plan.steps) <= longest:
        raise Unparseable(f"expected a plan of 1 to {longest} steps, got {len(plan.steps)}")
    ids: dict[str, str] = {}
    for step in plan.steps:
        if not _ID.fullmatch(step.id) or step.id.lower() == START:
            raise Unparseable(f"step {step.id[:50]!r}: expected an id of up to 40 letters, digits, '_' and '-'")
        if step.id.lower() in ids:
            raise Unparseable(f"two steps are called {step.id!r}; give each an id of its own")
        ids[step.id.lower()] = step.id
        if step.worker not in workers:
            raise Unparseable(f"step {step.id!r}: {UnknownName('worker', step.worker, workers)}")
    for step in plan.steps:
        if unknown := [need for need in step.needs if need not in ids.values()]:
            raise Unparseable(f"step {step.id!r} needs {UnknownName('step', unknown[0], ids.values())}")
    _check_order(plan.steps)


def _check_order(steps: Sequence[PlanStep]) -> None:
    try:
        TopologicalSorter({step.id: step.needs for step in steps}).prepare()
    except CycleError as error:
        raise Unparseable(f"steps need each other: {' -> '.join(reversed(error.args[1]))}; break the cycle") from None


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _finite(number: str) -> float:
    if not math.isfinite(found := float(number)):
        raise ValueError(f"{number[:20]} is no number")
    return found


_READER: Final = json.JSONDecoder(object_pairs_hook=_once, parse_float=_finite, parse_constant=_finite)
"""Python's own takes the last of two equal keys, and NaN and Infinity."""


def _json(said: str) -> Any:
    """The first JSON object in a text."""
    start = said.find("{")
    try:
        return _READER.raw_decode(said, start)[0] if start >= 0 else said
    except (ValueError, RecursionError) as error:
        raise Unparseable(f"expected a plan as JSON: {error}") from None


def _answer(answer: Any) -> str:
    if isinstance(answer, bool) or not isinstance(answer, (str, int, float)) or not str(answer).strip():
        raise Unparseable(f"expected the answer as a text or number, got {_short(answer)}")
    return str(answer).strip()


def _step(step: Any, number: int) -> PlanStep:
    if not isinstance(step, Mapping) or not {"id", "worker", "task"} <= step.keys() <= set(PlanStep._fields):
        raise Unparseable(f"step {number}: expected an object with id, worker, task and needs, got {_short(step)}")
    id, worker, task, needs = step["id"], step["worker"], step["task"], step.get("needs", [])
    if not all(isinstance(text, str) and text.strip() for text in (id, worker, task)):
        raise Unparseable(f"step {number}: expected id, worker and task as texts, got {_short(step)}")
    if not isinstance(needs, list) or not all(isinstance(need, str) for need in needs):
        raise Unparseable(f"step {number}: expected needs as a list of ids, got {_short(needs)}")
    return PlanStep(id, worker, task, tuple(dict.fromkeys(needs)))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
