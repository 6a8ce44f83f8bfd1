"""A foreman: has its boss's plan carried out, keeps the state of every step, and asks for another plan on a stall.

A plan is a team that is built and called at run time; its steps run as soon as what they need is there. What is known
of the plan is the foreman's memory, so runs side by side share nothing. A step is completed when its worker answers,
and blocked when it abstains or fails; blocked steps are tried again until `patience` waves in a row completed nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from orchestra.engine.actor import Actor
from orchestra.engine.context import Context
from orchestra.engine.door import Speaker
from orchestra.engine.graph import START, Edge, Node
from orchestra.engine.history import History
from orchestra.errors import BadTeam, Unparseable
from orchestra.team.actors.around import nested
from orchestra.team.actors.plan import LONGEST, Plan, PlanStep, check_plan
from orchestra.team.actors.told import Told
from orchestra.team.registry import register
from orchestra.team.role import Agent
from orchestra.team.team import Team
from orchestra.types import FrozenMap, Message, Reply, Usage, View

State = Literal["not_started", "in_progress", "completed", "blocked"]
"""`in_progress` is a step that was under way when the budget ended."""


class Item(NamedTuple):
    """A step, and what became of it."""

    step: PlanStep
    state: State = "not_started"
    said: str = ""
    answer: str | None = None


class Progress(NamedTuple):
    """What is known of the work: the foreman's memory, which the boss's prompt sees as `memory`."""

    workers: tuple[str, ...]
    items: tuple[Item, ...] = ()
    stalls: int = 0
    """Waves in a row that completed nothing."""
    trouble: str = ""
    """Why the last plan was refused; empty: it was not."""


@register("foreman")
@dataclass(frozen=True, slots=True)
class Foreman:
    """One wave of a plan an activation; asks the boss where there is none, all is done or nothing moves.

    It says `answered` once the boss gives the answer. Until then its answer is that of the last step completed.
    """

    boss: Agent
    """Its role's output is a Plan."""
    workers: Mapping[str, Actor]
    """All that a plan can reach."""
    longest: int = LONGEST
    """Steps of one plan."""
    patience: int = 2
    """Waves in a row without a completed step, before the boss is asked for another plan."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "workers", FrozenMap(self.workers))
        if not self.workers or self.longest < 1 or self.patience < 1:
            raise BadTeam(
                f"foreman of {self.boss.name!r}: expected a worker, longest and patience >= 1, got "
                f"{list(self.workers)}, {self.longest!r} and {self.patience!r}"
            )

    @property
    def name(self) -> str:
        return self.boss.name

    async def __call__(self, view: View, ctx: Context) -> Reply:
        progress: Progress = view.memory or Progress(tuple(self.workers))
        if self._wants_plan(progress):
            said = await self.boss(replace(view, memory=progress), ctx)
            if said.answer is not None:
                return replace(said, stop="answered", memory=progress)
            progress = self._planned(progress, said, ctx)
        if not progress.trouble:
            progress = await self._work(progress, view, ctx)
        return _report(progress)

    def _wants_plan(self, progress: Progress) -> bool:
        left = any(item.state != "completed" for item in progress.items)
        return not left or progress.stalls >= self.patience or bool(progress.trouble)

    def _planned(self, progress: Progress, said: Reply, ctx: Context) -> Progress:
        """Progress with the boss's new plan; a completed step that the plan repeats stays completed."""
        if said.parsed is None:
            return progress._replace(trouble="it could not be read")
        if not isinstance(said.parsed, Plan):
            raise Unparseable(f"{ctx.path}: expected a Plan of {self.boss.name!r}, got {type(said.parsed).__name__}")
        try:
            check_plan(said.parsed, self.workers, self.longest)
        except Unparseable as error:
            ctx.flag(str(error))
            return progress._replace(trouble=str(error))
        done = {item.step: item for item in progress.items if item.state == "completed"}
        return Progress(progress.workers, tuple(done.get(step, Item(step)) for step in said.parsed.steps))

    async def _work(self, progress: Progress, view: View, ctx: Context) -> Progress:
        """One wave: every step that is not completed, as soon as those that it needs are."""
        team = self._team(progress.items)
        if team is None:
            return progress._replace(stalls=progress.stalls + 1)
        done = await nested(team, replace(view, inbox=(), memory=None), ctx, "plan")
        items = _after(progress.items, dict(done.parsed), cut=ctx.stopped_by == "budget")
        moved = _completed(items) > _completed(progress.items)
        return progress._replace(items=items, stalls=0 if moved else progress.stalls + 1)

    def _team(self, items: tuple[Item, ...]) -> Team | None:
        """The steps that are left, and the completed ones that they need; None: nothing is left."""
        left = [item for item in items if item.state != "completed"]
        if not left:
            return None
        needed = {need for item in left for need in item.step.needs}
        known = [item for item in items if item.state == "completed" and item.step.id in needed]
        nodes = [Node(item.step.id, Known(item.said, item.answer)) for item in known]
        nodes += [Node(step.id, Step(Told(self.workers[step.worker], step.task), step.needs)) for step, *_ in left]
        edges = [Edge(START, item.step.id) for item in known]
        edges += [Edge(need, item.step.id) for item in left for need in item.step.needs or (START,)]
        return Team("plan", nodes, edges, output=_said)


@dataclass(frozen=True, slots=True)
class Step:
    """A worker told its task, who does not begin unless all that the step needs has been answered."""

    worker: Told
    needs: tuple[str, ...]

    def bound(self, view: View) -> Usage | None:
        return self.worker.bound(view)

    def speaker(self) -> Speaker:
        return self.worker.speaker()

    async def __call__(self, view: View, ctx: Context) -> Reply:
        answered = {message.sender for message in view.inbox if message.answer is not None}
        if not answered.issuperset(self.needs):
            return Reply(sends={})
        return await self.worker(view, ctx)


@dataclass(frozen=True, slots=True)
class Known:
    """What a step said in an earlier wave."""

    said: str
    answer: str | None

    async def __call__(self, view: View, ctx: Context) -> Reply:
        return Reply(self.said, self.answer)


def _said(history: History) -> Reply:
    return Reply(parsed={message.sender: message for message in history.messages})


def _after(items: tuple[Item, ...], said: Mapping[str, Message], *, cut: bool) -> tuple[Item, ...]:
    """The items after a wave; `cut`: the budget ended it."""
    answered = {item.step.id for item in items if item.state == "completed"}
    answered |= {name for name, message in said.items() if message.answer is not None}

    def after(item: Item) -> Item:
        message = said.get(item.step.id)
        if item.state == "completed":
            return item
        if message is not None and message.answer is not None:
            return Item(item.step, "completed", message.content, message.answer)
        if not answered.issuperset(item.step.needs):
            return Item(item.step)
        words = message.content if message is not None else ""
        return Item(item.step, "in_progress" if cut and message is None else "blocked", words)

    return tuple(map(after, items))


def _completed(items: tuple[Item, ...]) -> int:
    return sum(item.state == "completed" for item in items)


def _report(progress: Progress) -> Reply:
    lines = [f"{item.step.id} {item.step.worker} [{item.state}] {item.said}".rstrip() for item in progress.items]
    answers = [item.answer for item in progress.items if item.state == "completed"]
    content = "\n".join([*lines, *([f"plan refused: {progress.trouble}"] if progress.trouble else [])])
    return Reply(content, answers[-1] if answers else None, progress.items, memory=progress)
