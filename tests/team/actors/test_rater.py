"""A rater: shuffled, named, and bounded only where the order cannot matter."""

import pytest

from orchestra.models.scripted import Scripted
from orchestra.roles import generator, peer
from orchestra.team.actors.rater import Rater
from orchestra.types import Message, View


class Still:
    """A context whose shuffle turns the inbox round, and whose calls are made at once."""

    capped = False

    def rng(self):
        return self

    def sample(self, items, n):
        return list(reversed(items))

    async def do(self, effect, via, **rest):
        return (await via([effect]))[0]


INBOX = tuple(Message(f"t/{name}@0", name, 0, f"{name} said it", answer=name) for name in "abc")


async def rate(said, role=peer, inbox=INBOX):
    model = Scripted([said])
    reply = await Rater(role(model))(View("q", inbox), Still())
    return reply, model.calls[0].messages[-1][1]


@pytest.mark.anyio
async def test_ratings_go_to_those_shown_in_that_place():
    reply, text = await rate("9\nRatings: 1 2 5")
    assert [line[:4] for line in text.splitlines()[1:4]] == ["1. c", "2. b", "3. a"]
    assert reply.parsed.ratings == {"c": 1.0, "b": 2.0, "a": 5.0}
    assert (reply.answer, reply.content) == ("9", "9")


@pytest.mark.anyio
async def test_too_few_or_too_many_rate_nobody():
    for said in ("9", "9\nRatings: 1 2", "9\nRatings: 1 2 3 4"):
        reply, _ = await rate(said)
        assert reply.parsed.ratings == {} and reply.answer == reply.content == "9"


@pytest.mark.anyio
async def test_a_reply_of_ratings_alone_is_not_lost():
    reply, _ = await rate("Ratings: 1 2 5")
    assert reply.content == "Ratings: 1 2 5" and reply.answer is None and len(reply.parsed.ratings) == 3


@pytest.mark.anyio
async def test_a_role_that_rates_nobody_is_left_as_it_is():
    reply, _ = await rate("9", role=generator)
    assert reply.parsed == "9"


def test_its_worst_case_is_known_where_there_is_nothing_to_shuffle():
    rater = Rater(peer(Scripted([])))
    assert rater.bound(View("q", INBOX)) is None
    for few in ((), INBOX[:1]):
        assert rater.bound(View("q", few)) == rater.agent.bound(View("q", few))
    assert (rater.name, rater.speaker()) == ("peer", rater.agent.speaker())
