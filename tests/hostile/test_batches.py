"""A back-end that gives fewer or more outcomes than it was asked for: nothing is paired with another request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from orchestra.engine import START, Context, Edge, Node
from orchestra.models.scripted import Scripted
from orchestra.roles import generator
from orchestra.team import Route, Team
from orchestra.types import Completion, Reply, Request, View
from tests.hostile.runs import both, words

Spoil = Callable[[Sequence[Any]], Any]


class Spoilt(Scripted):
    """Echoes the end of each prompt; what comes of a batch is then spoilt."""

    def __init__(self, spoil: Spoil) -> None:
        super().__init__(lambda request: request.messages[-1][1][-6:])
        self.spoil = spoil

    async def generate(self, requests: Sequence[Request]) -> Any:
        return self.spoil(await super().generate(requests))

    async def score(self, requests: Sequence[Request]) -> Any:
        return self.spoil(await super().score(requests))


@dataclass(frozen=True)
class Batch:
    """Asks for four completions at once and says each beside its question."""

    model: Scripted

    async def __call__(self, view: View, ctx: Context) -> Reply:
        asked = [Request((("user", f"item {i}"),)) for i in range(4)]
        said: Sequence[Completion] = await ctx.all(asked, self.model.generate)
        return Reply(" ".join(f"{i}={one.text}" for i, one in enumerate(said)))


def team(actor: Any) -> Team:
    """An actor of a spoilt model beside one whose model is well."""
    well = generator(Scripted(lambda request: "I am well."), name="well")
    return Team("t", [Node("batch", actor), Node("well", well)], [Edge(START, "batch"), Edge(START, "well")])


def fail(batch: Sequence[Any]) -> Any:
    raise MemoryError("no room for the batch")


SPOILT: dict[str, tuple[Spoil, str]] = {
    "the second is missing": (
        lambda batch: [*batch[:1], *batch[2:]],
        "asked for 4 outcomes, got 3; results would shift",
    ),
    "the last is missing": (lambda batch: batch[:-1], "asked for 4 outcomes, got 3; results would shift"),
    "all are missing": (lambda batch: [], "asked for 4 outcomes, got 0; results would shift"),
    "one too many": (lambda batch: [*batch, batch[0]], "asked for 4 outcomes, got 5; results would shift"),
    "twice": (lambda batch: [*batch, *batch], "asked for 4 outcomes, got 8; results would shift"),
    "it raises": (fail, "MemoryError: no room for the batch"),
    "no list": (lambda batch: None, "TypeError: "),
    "one is nothing": (lambda batch: [*batch[:3], None], "AttributeError: "),
    "one is a text": (lambda batch: [*batch[:3], "item 3"], "AttributeError: "),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_batch_is_whole_or_a_failure_of_its_node(case: str) -> None:
    spoil, said = SPOILT[case]
    result = both(lambda: team(Batch(Spoilt(spoil))))
    assert words(result, "batch") == []
    assert words(result, "well") == ["I am well."]
    failures = [event for event in result.events if event.kind == "failure"]
    assert failures and {event.path for event in failures} == {"t/batch"}
    assert said in failures[-1].text
    assert result.error is None


def test_control_a_whole_batch_is_in_order() -> None:
    assert words(both(lambda: team(Batch(Spoilt(list)))), "batch") == ["0=item 0 1=item 1 2=item 2 3=item 3"]


@pytest.mark.parametrize("spoil", [lambda batch: [], lambda batch: [*batch, *batch], lambda batch: None, fail])
@pytest.mark.parametrize("routes", [False, True])
def test_one_call_without_exactly_one_outcome_is_a_failed_call(spoil: Spoil, routes: bool) -> None:
    def made() -> Team:
        speaker = generator(Spoilt(spoil), name="speaker")
        if not routes:
            return team(speaker)
        nodes = [
            Node("batch", Route(speaker, ("a", "b"))),
            *(Node(n, generator(Scripted(["91"]), name=n)) for n in "ab"),
        ]
        well = generator(Scripted(lambda request: "I am well."), name="well")
        edges = [Edge(START, "batch"), Edge("batch", "a"), Edge("batch", "b"), Edge(START, "well")]
        return Team("t", [*nodes, Node("well", well)], edges)

    result = both(made)
    assert [message.sender for message in result.messages] == ["well"]
    assert [decision.completion is None for decision in result.decisions] == [True, False]
    assert result.decisions[0].error
