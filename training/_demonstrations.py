"""Demonstrations: what a team says whose members know what to say, written down from golds and private lines.

    talk    in the first round all but the last tell their own lines; who speaks after that has heard all, and answers
    ask     the main agent asks each who has a line, who tells it, and then it answers
    chain   the generator proposes, of a share of tasks what is wrong; the verifier judges truly; the refiner answers
    solo    the generator answers

The team is the one that is to learn, so prompts are those that it will be asked; only its words are ours. Nobody reads
a prompt to find out which task it is about: each task has a team of its own, whose models know that task alone. Words
that are not the usual ones of a role belong to a request, and stand beside the very messages that the role renders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from orchestra.answers.reply import answer_line
from orchestra.credit import Annotation, Scored, Table
from orchestra.errors import BadData
from orchestra.evaluation.benchmark import Benchmark
from orchestra.evaluation.rewards import own
from orchestra.models.model import Policy
from orchestra.models.scripted import Scripted
from orchestra.team import Team
from orchestra.team.actors.asker import Asker
from orchestra.training._team import CHAIN, EXPERT, MAIN, TALKER, Cast, answered, inquiry
from orchestra.trajectory.trajectory import Decision
from orchestra.types import EMPTY, Completion, Message, Request, Task, View

DEMONSTRATED: Final = "demonstrated"
"""The producer's name."""

Turns = Mapping[tuple[tuple[str, str], ...], str]
"""Messages of a request -> what is said to them."""


class Written(Scripted):
    """A model that says one thing, but to some requests another. It samples nothing, so it tells no token ids: whoever
    learns from it encodes its words as those of a remote model."""

    capabilities = Scripted.capabilities - {"ids"}

    def __init__(self, usual: str, turns: Turns = EMPTY) -> None:
        super().__init__(lambda request: turns.get(request.messages, usual), name="written")

    async def generate(self, requests: Sequence[Request]) -> Sequence[Completion]:
        said = await super().generate(requests)
        return [replace(each, prompt_ids=None, output_ids=None, mask=None) for each in said]


def demonstrator(cast: Cast, task: Task, proposal: str) -> Team:
    """The team as it speaks on a task; `proposal` is what a generator says."""
    usual = {CHAIN[0]: proposal, CHAIN[1]: "yes" if proposal == answered(task) else "no"}

    def made(turns: Turns = EMPTY) -> Team:
        models = {name: Written(usual.get(name, answered(task)), turns) for name in cast.policies}
        return cast.make({name: Policy(name, model) for name, model in models.items()}, 0.0)

    if MAIN in cast.policies:
        return made(inquiries(made(), task))
    return made(openings(made(), task)) if TALKER in cast.policies else made()


def openings(talk: Team, task: Task) -> Turns:
    """What each but the last is asked first, having heard those before it, and the lines that it then tells in one.

    Who has nothing to tell answers.
    """
    turns: dict[tuple[tuple[str, str], ...], str] = {}
    heard: tuple[Message, ...] = ()
    for agent in talk.agents()[:-1]:
        line = task.private.get(agent.name, "")
        said = " ".join(line.split()) or answered(task)
        turns[agent.request(View(task.prompt, heard, private=line, seat=agent.name)).messages] = said
        heard += (Message(agent.name, agent.name, 0, said),)
    return turns


def inquiries(ask: Team, task: Task) -> Turns:
    """What the main agent is asked before each of its questions, and experts are when they are asked."""
    main, *experts = ask.agents()
    asker = ask.nodes[0].actor
    assert isinstance(asker, Asker), "the main agent is the first node"
    asked, told = inquiry(task, asker.experts, asker.calls)
    expert = {each.name: each for each in experts}
    return {main.request(view).messages: said for view, said in asked} | {
        expert[view.seat].request(view).messages: said for view, said in told
    }


def proposals(tasks: Sequence[Task], benchmark: Benchmark, wrong: float) -> list[str]:
    """What is proposed for each task: its own gold, or, of a share of them spread evenly, the next other's that the
    benchmark finds wrong. Raises BadData where there is no such other."""
    return [
        _other(tasks, at, benchmark) if round((at + 1) * wrong) > round(at * wrong) else answered(task)
        for at, task in enumerate(tasks)
    ]


def _other(tasks: Sequence[Task], at: int, benchmark: Benchmark) -> str:
    others = (answered(other) for other in (*tasks[at + 1 :], *tasks[:at]))
    found = next((said for said in others if benchmark.score(tasks[at], said).flexible == 0.0), None)
    if found is None:
        raise BadData(
            f"expected tasks of different answers, got {len(tasks)} like {tasks[at].id!r}, {answered(tasks[at])!r}, so "
            "that no proposal can be wrong; fix: more --items, or --wrong 0"
        )
    return found


def credited(batch: Sequence[Scored], benchmark: Benchmark) -> list[Table]:
    """Whose words are worth learning, 1.0 or 0.0: an answer by its own score, a verdict where it is true, and what is
    told or asked without an answer always."""
    return [
        Table(DEMONSTRATED, "", {d.key: Annotation(1.0) if _tells(d) else table.rows[d.key] for d in made})
        for scored, table in zip(batch, own(benchmark)(batch), strict=True)
        for made in [scored.trajectory.decisions]
    ]


def _tells(decision: Decision) -> bool:
    said = decision.completion
    return decision.role in (TALKER, MAIN, EXPERT) and said is not None and answer_line(said.text) is None
