"""A Hypothesis strategy of teams of every registered kind of part, for what must hold of any team as data."""

from __future__ import annotations

from dataclasses import replace
from string import ascii_letters

from hypothesis import strategies as st
from small_teams import ANSWERER, RANKER, Caller

from orchestra.engine import START, Edge, MaxRounds, Never, Node, Quorum, Said, Spoken, everything, last, majority
from orchestra.models.model import Policy
from orchestra.models.scripted import Scripted
from orchestra.roles import debater, generator
from orchestra.team import Route, Switch, Team, TopK, register

MODEL = Scripted([])
NAMES = ("a", "b", "c", "d e", "f.g", "9", "x > y", "h@i")
POLICIES = {name: Policy(name, MODEL) for name in ("p", "q")}
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{}<>[]|"), max_size=30)


@register("random_teams.two")
def two(inbox):
    return len(inbox) >= 2


@register("random_teams.same")
def same(message):
    return message


@st.composite
def roles(draw):
    """Roles with all their plain fields."""
    return replace(
        draw(st.sampled_from([ANSWERER, debater, generator])),
        system=draw(TEXTS),
        examples=tuple(draw(st.lists(st.tuples(TEXTS, TEXTS), max_size=2))),
        temperature=draw(st.sampled_from([0, 0.0, 0.5, 0.7, 1.0])),
        stop=draw(st.sampled_from([(), ("\n",), ("a", "b")])),
        max_tokens=draw(st.sampled_from([1, 256])),
    )


@st.composite
def actors(draw, names, near, depth):
    """`near` are the nodes that the actor's edges lead to."""
    kind = draw(st.sampled_from(["agent", "agent", "caller", "switch", "route", *(["team"] if depth else [])]))
    policy = draw(st.sampled_from(list(POLICIES.values())))
    if kind == "team":
        return draw(teams(depth=depth - 1))
    if kind == "caller":
        return Caller(draw(st.integers(0, 2)), draw(st.none() | st.just(tuple(names))))
    if kind == "switch":
        rounds = draw(st.sampled_from([range(3), range(1, 9, 2), range(0)]))
        return Switch(TopK(RANKER(policy), draw(st.integers(1, 2))), tuple(names), rounds)
    if kind == "route" and len(near) > 1:
        return Route(ANSWERER(policy), tuple(near))
    return draw(roles())(policy, name=draw(st.text(ascii_letters, min_size=1, max_size=3)), persona=draw(TEXTS))


@st.composite
def stops(draw, names):
    plain = st.sampled_from([Never(), Quorum(0.5), Said(), Said((names[0],)), Spoken((names[-1],)), MaxRounds(2)])
    one = draw(plain)
    for _ in range(draw(st.integers(0, 2))):
        one = one | draw(plain) if draw(st.booleans()) else one & draw(plain)
    return one


@st.composite
def teams(draw, depth=1):
    """Valid teams: spatial edges go forward, every node has an entry or is fed, equal edges may stand twice."""
    names = draw(st.permutations(NAMES))[: draw(st.integers(1, 4))]
    edges = [Edge(START, name) for name in names]
    for i, src in enumerate(names):
        for j, dst in enumerate(names):
            kind = "spatial" if i < j else "temporal"
            carry = draw(st.sampled_from([None, None, same]))
            edges += [Edge(src, dst, kind, carry)] * draw(st.sampled_from([0, 0, 1, 1, 2]))
    edges = draw(st.permutations(edges))
    nodes = [
        Node(
            name,
            draw(actors(names, dict.fromkeys(e.dst for e in edges if e.src == name), depth)),
            when=draw(st.sampled_from([None, None, two])),
            votes=draw(st.booleans()),
            on_error=draw(st.sampled_from(["abstain", "fail"])),
        )
        for name in names
    ]
    output = draw(st.sampled_from([last(), last(names[-1]), majority(), everything()]))
    return Team(draw(st.sampled_from(["t", "team two"])), nodes, edges, draw(stops(names)) | MaxRounds(3), output)
