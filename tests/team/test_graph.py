"""A graph is checked when it is made, before any call, and every offending node is named."""

from dataclasses import dataclass

import pytest
from small_teams import Caller

from orchestra.engine import START, Edge, MaxRounds, Node, Quorum, Said, Spoken, Stop, last
from orchestra.errors import BadTeam
from orchestra.team import Team


def team(names, edges, **rest):
    return Team(
        "t", [Node(n, Caller()) for n in names], [e if isinstance(e, Edge) else Edge(*e) for e in edges], **rest
    )


@pytest.mark.parametrize(
    ("make", "faults"),
    [
        (lambda: team("aab", [(START, "a"), (START, "b")]), ["two nodes are called 'a'"]),
        (lambda: team(["Ada", "ada"], [(START, "ada"), (START, "Ada")]), ["two nodes are called 'Ada' and 'ada'"]),
        (lambda: team("ab", [(START, "a"), ("a", "c"), ("x", "y"), (START, "b")]),
         ["edge 'a' -> 'c': no node 'c'", "edge 'x' -> 'y': no node 'x', 'y'"]),
        (lambda: team("abcd", [(START, "a"), ("a", "b"), ("c", "d")]), ["no path from 'start' to 'c', 'd'"]),
        (lambda: team("abc", [(START, "a"), ("a", "b"), ("b", "a"), (START, "c")]), ["form a cycle through 'a', 'b'"]),
        (lambda: team("a", [(START, "a"), ("a", "a")]), ["form a cycle through 'a'; make one of them temporal"]),
        (lambda: team("ab", [(START, "a"), ("a", "b"), ("b", "a", "temporal")]), ["on rounds; add | MaxRounds(n)"]),
        (lambda: team("ab", [(START, "a"), ("a", "b"), ("b", "a", "temporal")], stop=Quorum(0.5) & MaxRounds(2)),
         ["no bound on rounds"]),
        (lambda: team("ab", [("a", "b")]), ["it has no entry; add an edge from 'start'"]),
        (lambda: team("", []), ["it has no nodes", "it has no entry"]),
        (lambda: team(["a", "start"], [(START, "a")]), ["node name 'start' is taken by the entry"]),
        (lambda: team("a", [(START, "a", "temporal")], stop=MaxRounds(2)), ["edge 'start' -> 'a' must be spatial"]),
        (lambda: team("a", [(START, "a"), ("a", START)]), ["edge 'a' -> 'start': no node 'start'"]),
        (lambda: team(["", "a/b", "x" * 81, "é", "-a"], [(START, "a/b")]),
         ["node name ''", "node name 'a/b'", "node name 'xxx", "node name 'é'", "node name '-a'"]),
        (lambda: team("a", [(START, "a")], output=last("b", "a", "c")), ["its output or stop names 'b', 'c'"]),
        (lambda: team("a", [(START, "a")], stop=Spoken(("z",))), ["its output or stop names 'z'"]),
        (lambda: Team("", [Node("a", Caller())], [Edge(START, "a")]), ["the name must be 1 to 80 plain characters"]),
        (lambda: Team("t", [Node("a", None)], [Edge(START, "a")]), ["node 'a': expected an actor, got None"]),
    ],
)  # fmt: skip
def test_every_fault_is_named(make, faults):
    with pytest.raises(BadTeam) as caught:
        make()
    assert all(fault in str(caught.value) for fault in faults), str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_are_compared_after_nfkc_and_case_folding_and_must_be_plain():
    with pytest.raises(BadTeam, match=r"node name 'ｐlain'.*two nodes are called 'plain' and 'ｐlain'"):
        team(["plain", "ｐlain"], [(START, "plain"), (START, "ｐlain")])


def test_a_stop_within_a_combination_is_checked_too():
    for stop in (
        Said(("z",)) | MaxRounds(2),
        MaxRounds(2) & Spoken(("z",)),
        Quorum(0.5) | (Said(("z",)) & MaxRounds(1)),
    ):
        with pytest.raises(BadTeam, match="its output or stop names 'z', which is no node"):
            team("a", [(START, "a")], stop=stop)


def test_what_is_too_large_is_refused_before_it_is_looked_at():
    with pytest.raises(BadTeam, match="10,001 nodes and 0 edges; at most 10,000 and 1,000,000 are accepted"):
        Team("t", [Node("same", Caller())] * 10_001, [])
    with pytest.raises(BadTeam, match="1,000,001 edges"):
        Team("t", [Node("a", Caller())], [Edge(START, "a")] * 1_000_001)


def test_a_stop_of_ones_own_bounds_a_cycle_where_it_says_so():
    @dataclass(frozen=True)
    class Two(Stop):
        @property
        def rounds(self):
            return 2

        def __call__(self, history):
            return "two" if history.rounds >= 2 else None

        def soonest(self, history):
            return 1

    assert team("a", [(START, "a"), ("a", "a", "temporal")], stop=Two()).stop.rounds == 2


@pytest.mark.parametrize("bad", [lambda: MaxRounds(0), lambda: MaxRounds(2.0), lambda: MaxRounds(True),
                                 lambda: Quorum(1), lambda: Quorum(-0.1), lambda: Quorum(float("nan"))])  # fmt: skip
def test_stops_refuse_what_they_cannot_mean(bad):
    with pytest.raises(BadTeam, match="expected"):
        bad()
