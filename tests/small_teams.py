"""Small teams and actors for the engine's tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orchestra.engine import START, Context, Edge, MaxRounds, Node, Quorum, majority
from orchestra.models.model import Policy
from orchestra.models.scripted import Scripted
from orchestra.team import Agent, Role, Switch, Team, TopK, register
from orchestra.types import Completion, Reply, Request, Usage, View


@register("test_letters")
def letters(said: str) -> str | None:
    """The answer of the tests' roles: the reply up to a bar."""
    return said.partition("|")[0].strip() or None


@register("test_places")
def places(said: str) -> tuple[int, ...]:
    return tuple(int(c) for c in said if c.isdigit())


ANSWERER = Role(
    "answerer", "{{ seat }}@{{ round }}{% for m in inbox %} {{ m.sender }}={{ m.content }}{% endfor %}", answer=letters
)
RANKER = Role("ranker", "rank{% for m in inbox %} {{ m.sender }}{% endfor %}", output=places)


def scripted_by_seat(lines: Mapping[str, list[str]]) -> Scripted:
    """Each seat says its own lines, one a round; the request's text starts with 'seat@round'."""

    def say(request: Request) -> str:
        seat, _, round = request.messages[-1][1].split()[0].partition("@")
        return lines[seat][int(round)]

    return Scripted(say)


def dylan(
    answers: Mapping[str, list[str]], *, rank: Callable[[list[str]], str], rounds: int = 3, keep: int = 2
) -> tuple[Team, Scripted]:
    """DyLAN as a graph: answers by agent and round, and a ranker that sees the shown senders."""
    lines = {seat: list(said) for seat, said in answers.items()}

    def say(request: Request) -> str:
        text = request.messages[-1][1]
        if text.startswith("rank"):
            return rank(text.split()[1:])
        seat, _, round = text.split()[0].partition("@")
        return lines[seat][int(round)]

    model = Scripted(say)
    agents = [ANSWERER(model, name=name) for name in answers]
    ranks = range(1, rounds - 1) if len(agents) > 3 else range(0)
    names = tuple(a.name for a in agents)
    ranker = Node("rank", Switch(TopK(RANKER(model), keep), names, ranks), votes=False)
    team = Team(
        "dylan",
        [*(Node(a.name, a) for a in agents), ranker],
        [
            *(Edge(START, n) for n in names),
            *(Edge(n, "rank") for n in names),
            *(Edge("rank", n, "temporal") for n in names),
        ],
        Quorum(2 / 3) | MaxRounds(rounds),
        majority(),
    )
    return team, model


@register("test_caller")
@dataclass(frozen=True)
class Caller:
    """An actor that makes some calls and says something that depends on all it saw and drew."""

    calls: int = 1
    sends: tuple[str, ...] | None = None
    stop: bool = False
    remembers: bool = False
    fails: bool = False

    async def __call__(self, view: View, ctx: Context) -> Reply:
        heard = ",".join(m.content for m in view.inbox)
        drawn = []
        for i in range(self.calls):
            request = Request((("user", f"{view.seat} {view.round} {i} {heard} {view.memory}"),))
            completion: Completion = await ctx.do(request, draw)
            drawn.append(completion.text)
        said = f"{view.seat}{view.round}({heard}){''.join(drawn)}"[:60] + "".join(drawn)
        if self.fails and view.round % 2:
            raise ValueError("this node fails in odd rounds")
        chosen = ctx.rng().random()
        sends = None
        if self.sends is not None:
            sends = {name: said for i, name in enumerate(self.sends) if chosen * len(self.sends) >= i}
        answer = str(int(chosen * 3))
        return Reply(
            said,
            answer,
            sends=sends,
            memory=said[-5:] if self.remembers else None,
            stop="enough" if self.stop and chosen > 0.8 else None,
        )


_delays: list[Callable[[Request], float]] = []


async def draw(requests: list[Request]) -> list[Completion]:
    """Completions made from the seed alone, after a delay that the test sets."""
    for request in requests:
        if _delays:
            await asyncio.sleep(_delays[-1](request))
    return [
        Completion(
            f"<{r.seed % 97}>", (), (r.seed % 97,), None, (1,), "stop", Usage(calls=1, tokens_in=3, tokens_out=1)
        )
        for r in requests
    ]


def policy(model: Scripted, name: str = "p") -> Policy:
    return Policy(name, model)


def agent(model: Scripted, name: str) -> Agent:
    return ANSWERER(policy(model), name=name)
