"""A claim stands only after it has survived attempts to refute it (Baby-AIGS, Liu et al., arXiv 2411.11910).

Protocol: a proposer makes a claim and an experimenter tests it. Then, up to `attempts` times, a falsifier names an
ablation, something to take away or to change under which a wrong claim would fall, and the experimenter says whether
the claim holds in it. The first test that a claim does not pass refutes it: the proposer reads the test and its outcome
and claims anew. A claim that passes them all is accepted; after `rounds` claims the last one stands, unaccepted, which
`stopped_by` tells ("max rounds").

Differs from the paper: experiments are words of an experimenter (a tool's or a team's word may take its place), there
is no review beside falsification, and one claim is made at a time where the paper samples many ideas. A test that fails
or says neither yes nor no is not passed. Calls of a claim: 2 if its first test refutes it, and 2 more for each attempt.
With `attempts=0` it is a proposer and a verifier.
"""

from dataclasses import dataclass, replace

from orchestra.engine import START, Accepted, Context, Edge, History, MaxRounds, Node, last
from orchestra.engine.stops import approves
from orchestra.errors import BadInput
from orchestra.team import Agent, Team, Verdict, When, register
from orchestra.types import Reply, View

ROLES = {"proposer": ("proposer",), "falsifier": ("falsifier",), "experimenter": ("experimenter",)}


def falsify(
    proposer: Agent, falsifier: Agent, experimenter: Agent | Team, *, attempts: int = 2, rounds: int = 3
) -> Team:
    """Claims and trials in turn, until a claim has survived so many attempts."""
    if not 0 <= attempts <= 1000:
        raise BadInput(f"falsify attempts={attempts!r}: expected 0 to 1000 attempts to refute a claim")
    tried, tests = falsifier.name, experimenter.name
    trial = Team(
        "trial",
        [Node(tried, falsifier), Node(tests, experimenter)],
        [Edge(START, tests), Edge(tried, tests), Edge(tests, tried, "temporal", carry=When(approves))],
        MaxRounds(attempts + 1),
        Survived(tests, attempts + 1),
    )
    return Team(
        "falsify",
        [Node(proposer.name, proposer), Node("trial", Claimed(trial), votes=False)],
        [Edge(START, proposer.name), Edge(proposer.name, "trial"), Edge("trial", proposer.name, "temporal")],
        Accepted(("trial",)) | MaxRounds(rounds),
        last(proposer.name),
    )


@register("falsify_claimed")
@dataclass(frozen=True, slots=True)
class Claimed:
    """A trial that knows the claim of the last message in every round, as part of its task."""

    trial: Team

    @property
    def name(self) -> str:
        return self.trial.name

    @property
    def manner(self) -> str:
        return "tests the claim"

    async def __call__(self, view: View, ctx: Context) -> Reply:
        claim = f"{view.prompt}\nClaim: {view.inbox[-1].content if view.inbox else ''}"
        return await self.trial(replace(view, prompt=claim, inbox=()), ctx)


@register("falsify_survived")
@dataclass(frozen=True, slots=True)
class Survived:
    """Whether a claim has passed all tests, and in words the last of them."""

    tester: str
    tests: int

    def __call__(self, history: History) -> Reply:
        passed = sum(message.sender == self.tester and approves(message) for message in history.messages)
        ablation = [m.content for m in history.messages[-2:-1] if m.sender != self.tester]
        said = "\n".join([*ablation, *(message.content for message in history.messages[-1:])])
        return Reply(said, parsed=Verdict(passed == self.tests, said))
