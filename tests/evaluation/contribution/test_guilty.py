"""Planted culprits: found on random teams, as a plain simulation of the same rules finds them."""

import asyncio
from collections import Counter
from random import Random

import pytest

from orchestra.engine import START, Edge, Node, last
from orchestra.evals import arith
from orchestra.evaluation.contribution import Replay, guilty
from orchestra.team import Team
from orchestra.topologies import chain, debate

BENCH = arith()


def blamed(team, task):
    return asyncio.run(guilty(team, Replay(team.run_sync(task)), BENCH))


def test_chain_by_hand(crowd, always, follows, task):
    """b spoils what a had right and c, d pass it on: b is guilty, and d is the cheapest to mend."""
    agents, model = crowd({"a": always("7"), "b": always("9"), "c": lambda h: h[-1], "d": lambda h: h[-1]})
    found = blamed(chain(*agents), task)
    assert found.failed
    assert [(each.sender, each.mends, each.calls) for each in found.tried] == [
        ("b", True, 2),
        ("c", True, 1),
        ("d", True, 0),
    ]
    assert (found.guilty.sender, found.cheapest.sender) == ("b", "d")
    assert len(model.calls) == 4 + 2 + 1


def test_a_harmless_error_is_not_guilty(crowd, always, task):
    agents, _ = crowd({"a": always("9"), "b": always("7"), "c": always("0"), "d": lambda heard: heard[-1]})
    found = blamed(chain(*agents), task)
    assert [(each.sender, each.mends) for each in found.tried] == [("a", False), ("c", True), ("d", True)]
    assert found.guilty.sender == "c"


def test_nobody_alone(crowd, always, task):
    agents, _ = crowd({name: always("9") for name in "abc"})
    found = blamed(debate(agents, rounds=1), task)
    assert found.failed and len(found.tried) == 3
    assert found.guilty is None and found.cheapest is None


def test_a_right_run_has_no_culprit(crowd, always, task):
    agents, _ = crowd({"a": always("9"), "b": always("7")})
    found = blamed(chain(*agents), task)
    assert (found.failed, found.tried, found.guilty) == (False, (), None)


def test_steps_of_a_debate(crowd, always, follows, task):
    """b and c follow a: what a says first is the step, what it says last is not."""
    agents, _ = crowd({"a": always("9"), "b": follows("7"), "c": follows("9")})
    found = blamed(debate(agents, rounds=2, share=0.99), task)
    assert (found.guilty.sender, found.guilty.round) == ("a", 0)


def planted(seed, babblers):
    """A random team of nine: who reads whom, what each does, and the one who spoils it."""
    rng = Random(seed)
    names = [f"n{i}" for i in range(9)]
    reads = {name: [other for other in names[:i] if rng.random() < 0.4] for i, name in enumerate(names)}
    reads[names[-1]] = reads[names[-1]] or [names[-2]]
    kinds = {name: rng.choices(["copies", "knows", "babbles"], [8, 3, babblers])[0] for name in names}
    return names, reads, kinds, rng.choice(names[:-1])


def simulated(names, reads, kinds, wrong=(), forced=()):
    """What each says, by plain Python: a majority of what it hears, first heard of equals; alone it knows."""
    said = {}
    for name in names:
        heard = [said[other] for other in reads[name]]
        if name in forced:
            said[name] = "7"
        elif name in wrong:
            said[name] = "9"
        elif kinds[name] == "babbles":
            said[name] = "8"
        else:
            said[name] = "7" if kinds[name] == "knows" or not heard else Counter(heard).most_common(1)[0][0]
    return said


def as_team(crowd, names, reads, kinds, culprit):
    def rule(name):
        if name == culprit:
            return lambda heard: "9"
        if kinds[name] == "babbles":
            return lambda heard: "8"
        return lambda heard: "7" if kinds[name] == "knows" or not heard else Counter(heard).most_common(1)[0][0]

    agents, _ = crowd({name: rule(name) for name in names})
    edges = [Edge(other, name) for name in names for other in reads[name]]
    edges += [Edge(START, name) for name in names]
    return Team("random", [Node(a.name, a) for a in agents], edges, output=last(names[-1]))


def spoilt(names, reads, kinds, culprit):
    """Who is wrong, in canonical order, in a team that the culprit alone makes wrong; nobody in any other team."""
    said = simulated(names, reads, kinds, {culprit})
    if simulated(names, reads, kinds)[names[-1]] != "7" or said[names[-1]] == "7":
        return []
    rank: dict[str, int] = {}
    for name in names:
        rank[name] = max((1 + rank[other] for other in reads[name]), default=0)
    return sorted((name for name in names if said[name] != "7"), key=lambda name: (rank[name], name))


@pytest.mark.parametrize("babblers", [0, 2])
def test_planted_culprits_are_found(crowd, task, babblers):
    """Whom the simulation blames is blamed, always. That is the culprit, unless others are wrong of themselves and one
    of them, put right before it, would have outvoted it. The control blames any wrong member."""
    cases, found, guessed = 0, 0, 0.0
    for seed in range(1_000):
        names, reads, kinds, culprit = planted(seed, babblers)
        if not (wrong := spoilt(names, reads, kinds, culprit)):
            continue
        blame = blamed(as_team(crowd, names, reads, kinds, culprit), task)
        mends = [n for n in wrong if simulated(names, reads, kinds, {culprit}, {n})[names[-1]] == "7"]
        assert [each.sender for each in blame.tried] == wrong
        assert [each.sender for each in blame.tried if each.mends] == mends
        cases += 1
        found += blame.guilty is not None and blame.guilty.sender == culprit
        guessed += 1 / len(wrong)
    assert cases >= 50
    assert found == cases if not babblers else found / cases > guessed / cases + 0.4


@pytest.mark.parametrize("words", ["I do not know.", "The answer is 12."])
def test_wrong_words_mend_nothing(crowd, always, task, words):
    """The control: a replacement that is not right finds no culprit."""
    agents, _ = crowd({"a": always("9"), "b": lambda heard: heard[-1]})
    team = chain(*agents)
    found = asyncio.run(guilty(team, Replay(team.run_sync(task)), BENCH, lambda task, message: words))
    assert len(found.tried) == 2 and found.guilty is None
