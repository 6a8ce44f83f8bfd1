"""A cascade: a cheap agent first, a strong one or a whole team only where that is in doubt (arXiv 2505.18286).

Protocol: the cheap agent answers `n` times. Where no more than floor(share x n) answers agree the task is escalated:
the strong one begins anew, from the task alone. Where more agree and there is a verifier, it judges their answer, and
one that it does not accept is escalated too. Otherwise the answer stands.

Differs from the paper: agreement of samples comes before the verdict of a model, as the test that costs nothing more;
its other half, a router that chooses before anybody works, is `mdagents`. A strong one that abstains leaves the most
frequent cheap answer, and so does a verifier that fails.

Calls: n where they agree, n + 1 with a verifier; n + strong where they do not; n + 1 + strong where it rejects. With
n = 1 and no verifier it is `solo`, whose strong one is asked where it gives no answer.
"""

from collections.abc import Callable
from dataclasses import dataclass

from orchestra.engine import START, Context, Edge, Node, Quorum
from orchestra.engine.outputs import LastAnswer
from orchestra.engine.stops import agreement, approves
from orchestra.errors import BadInput
from orchestra.team import Agent, Team, When, register
from orchestra.team.actors.anew import Anew
from orchestra.team.actors.distinct import Same
from orchestra.types import AnswerKind, Message, Reply, View

ROLES = {"agent": ("generator",), "strong": ("solver",), "verifier": ("verifier",)}


def cascade(
    agent: Agent,
    strong: Agent | Team,
    verifier: Agent | None = None,
    *,
    n: int = 3,
    share: float = 1 / 2,
    kind: AnswerKind = "text",
) -> Team:
    """n samples of an agent, and another actor for what they do not settle; `kind` says how answers are compared."""
    if not 1 <= n <= 1000:
        raise BadInput(f"cascade n={n!r}: expected 1 to 1000 samples")
    names, same = [f"{agent.name}-{i}" for i in range(1, n + 1)], Same(kind)
    vote = Vote(tuple(names), Quorum(share, same), verifier.name if verifier else "", strong.name)
    nodes = [*(Node(name, agent) for name in names), Node("vote", vote, votes=False)]
    edges = [Edge(START, name) for name in (*names, "vote")]
    edges += [Edge(name, "vote") for name in names]
    if verifier:
        nodes.append(Node(verifier.name, verifier, votes=False))
        edges += [Edge("vote", verifier.name), Edge(verifier.name, strong.name, carry=When(rejects))]
    nodes.append(Node(strong.name, Anew(strong), votes=False))
    return Team("cascade", nodes, [*edges, Edge("vote", strong.name)], output=LastAnswer())


@register("cascade_vote")
@dataclass(frozen=True, slots=True)
class Vote:
    """Repeats the most frequent answer; sends it to whoever checks it, or the task to whoever is stronger.

    It speaks also where all of its voters failed, so that their task is escalated.
    """

    voters: tuple[str, ...]
    quorum: Quorum
    checked_by: str
    """Empty: nobody."""
    strong: str

    async def __call__(self, view: View, ctx: Context) -> Reply:
        same = self.quorum.same
        votes = [message for message in view.inbox if message.sender in self.voters]
        agree = agreement(votes, same)
        best = next((vote for vote in votes if _count(vote, votes, same) == agree > 0), None)
        said = best or Reply()
        if agree < self.quorum.needed(len(self.voters)):
            ctx.event("selection", self.strong)
            return Reply(said.content, said.answer, said.parsed, sends={self.strong: ""})
        sends = {self.checked_by: said.content} if self.checked_by else dict[str, str]()
        return Reply(said.content, said.answer, said.parsed, sends=sends)


def _count(vote: Message, votes: list[Message], same: Callable[[str, str], bool]) -> int:
    """How many votes say the same."""
    answers = [other.answer for other in votes if other.answer is not None]
    return 0 if vote.answer is None else sum(same(vote.answer, answer) for answer in answers)


@register("rejects")
def rejects(message: Message) -> bool:
    """Whether a verifier's word is no acceptance."""
    return not approves(message)
