"""Planner: divides a task among workers, or answers it once they have done enough (AgentOrchestra, arXiv 2506.12508).

A line for a step, which a small model can write; a role with `PlanForm` as output takes plans as JSON instead. In its
memory stand the workers, the plan with the state and result of each step, and why its last plan was refused.
"""

from __future__ import annotations

import re

from orchestra.answers import extract_strict
from orchestra.errors import Unparseable
from orchestra.team import Plan, PlanStep, Role, number, plan_answer, register

_STEP = re.compile(
    r"\s*(?:(?P<id>[A-Za-z0-9_-]{1,40})[.)]?[ \t]+)?(?P<worker>[A-Za-z0-9_.>@-]{1,80})[ \t]*"
    r"(?:\((?P<needs>[A-Za-z0-9_, -]*)\)[ \t]*)?:[ \t]*(?P<task>\S.*)"
)


@register("plan_lines")
def plan_lines(said: str) -> Plan:
    """Steps as lines `id worker (ids it needs): task`, or else the number that the reply says is the answer.

    Steps without an id are counted. Unparseable where there is neither; a number in passing is no answer.

    >>> plan_lines("1 adder: Add 3 and 4.\\n2 doubler (1): Double it.").steps[1]
    PlanStep(id='2', worker='doubler', task='Double it.', needs=('1',))
    >>> plan_lines("The answer is 14.").answer
    '14'
    """
    found = [match for line in said.splitlines() if (match := _STEP.fullmatch(line.rstrip()))]
    steps = [match for match in found if match["worker"].lower() != "answer"]
    if steps:
        return Plan(tuple(_step(match, str(i)) for i, match in enumerate(steps, start=1)))
    answer = number(said) if "answer" in said.lower() else extract_strict(said, "number")
    if answer is not None:
        return Plan(answer=answer)
    raise Unparseable(f"expected lines such as '1 WORKER: what to do', or 'Answer: 14', got {said[:80]!r}")


def _step(match: re.Match[str], count: str) -> PlanStep:
    needs = (need.strip() for need in (match["needs"] or "").split(","))
    return PlanStep(match["id"] or count, match["worker"], match["task"], tuple(dict.fromkeys(filter(None, needs))))


planner = Role(
    "planner",
    "{{ prompt }}\n{% if memory %}"
    "{% for item in memory.items %}{{ item.step.id }} {{ item.step.worker }}: {{ item.step.task }} "
    "[{{ item.state }}]{{ ' ' + item.said if item.said else '' }}\n{% endfor %}"
    "{% if memory.trouble %}Your last plan was refused: {{ memory.trouble }}\n{% endif %}"
    "Workers: {{ memory.workers | join(', ') }}.\n{% endif %}"
    "Write a plan, one line a step:\n1 WORKER: what to do\n2 WORKER (1): what to do with the result of 1\n"
    "If the answer is known, write instead: Answer: and the number.",
    output=plan_lines,
    answer=plan_answer,
    repairs=1,
)
