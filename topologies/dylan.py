"""DyLAN (Liu et al., arXiv 2310.02170): a temporal feed-forward network of agents, cut to the best by a ranker.

Protocol: all answer; then each hears all of the round before, its own answer among them, in shuffled order, answers
again and rates each from 1 to 5. Between the second and the third round a listwise ranker keeps the best `keep`, and
only they speak and hear each other from then on. The team ends as soon as more than floor(2/3 n) answers of a round
agree, n being all agents, or those kept: also right after the ranking. The majority of the last round counts. Of three
agents or fewer, or of no more than `keep`, none is ranked. Defaults: four agents, three rounds, two kept, as published.
Four agents take 3 to 11 calls.

The ratings are in `Message.parsed.ratings`, agent -> 1 to 5; importance is computed from them. A reply without one
rating for each that it heard rates nobody, which counts as rating all alike.

`variant="paper"` deletes the edges of those who are out, as the paper has it: the others no longer read them.
`variant="repo"` is as the published code has it: those kept still read all that was said in the round before. Its
other traits are not repeated: it activates by place after a shuffle, so that chance decides who speaks; it calls one
agent after another; and after the third round it ranks the two that are left once more, which can change nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from orchestra.engine import START, Context, Edge, MaxRounds, Node, Quorum, Stop, majority
from orchestra.errors import BadInput
from orchestra.team import Agent, Selection, Switch, Team, TopK, register
from orchestra.team.actors.rater import Rater
from orchestra.types import Reply, View

ROLES = {"agents": ("peer",) * 4, "ranker": ("ranker",)}

CONSENSUS: Final = Quorum(2 / 3)
FEW: Final = 3
"""So many agents are not ranked."""


def dylan(
    agents: Sequence[Agent],
    *,
    ranker: Agent,
    rounds: int = 3,
    keep: int = 2,
    stop: Stop = CONSENSUS,
    variant: Literal["paper", "repo"] = "paper",
) -> Team:
    """Agents who rate each other, and a ranker that keeps the best of them after the second round."""
    names = tuple(agent.name for agent in agents)
    if not (names and keep >= 1 and rounds >= 1):
        raise BadInput(f"dylan of {len(names)} agents, keep={keep!r}, rounds={rounds!r}: expected at least one of each")
    if variant not in ("paper", "repo"):
        raise BadInput(f"dylan variant {variant!r}: expected 'paper' or 'repo'")
    ranked = range(1, rounds - 1) if len(names) > max(FEW, keep) else range(0)
    switch = Switch(Survivors(TopK(ranker, keep), keep), names, ranked)
    layer = Overheard(switch) if variant == "repo" else switch
    return Team(
        "dylan",
        [*(Node(agent.name, Rater(agent)) for agent in agents), Node("rank", layer, votes=False)],
        [
            *(Edge(START, name) for name in names),
            *(Edge(name, "rank") for name in names),
            *(Edge("rank", name, "temporal") for name in names),
        ],
        stop | MaxRounds(rounds),
        majority(),
    )


@register("dylan_survivors")
@dataclass(frozen=True, slots=True)
class Survivors:
    """Selects where more than `keep` spoke; otherwise all who spoke go on, and nobody is asked."""

    select: Selection
    keep: int

    async def __call__(self, view: View, ctx: Context) -> Sequence[str]:
        spoke = [message.sender for message in view.inbox]
        return spoke if len(spoke) <= self.keep else await self.select(view, ctx)


@register("dylan_overheard")
@dataclass(frozen=True, slots=True)
class Overheard:
    """Those selected also read the messages of those who are held back, as copies that are no votes."""

    switch: Switch

    async def __call__(self, view: View, ctx: Context) -> Reply:
        reply = await self.switch(view, ctx)
        kept = {message.sender for message in view.inbox if message.sender in (reply.sends or ())}
        shown = tuple(m if m.sender in kept else replace(m, id=f"{m.id}>overheard") for m in view.inbox)
        return replace(reply, sends=dict.fromkeys(reply.sends or (), shown))
