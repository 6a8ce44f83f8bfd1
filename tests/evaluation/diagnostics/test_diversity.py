"""IDS and UPR on graphs small enough to draw; paths are also counted one by one."""

import math
import random

import pytest

from orchestra.evaluation.diagnostics import information_diversity, unnecessary_paths
from orchestra.evaluation.diagnostics.diversity import cosine, tfidf


def test_diversity_by_hand(written):
    same = written([("a", 0, "red fish", ()), ("b", 0, "red fish", ("a0",))])
    other = written([("a", 0, "red fish", ()), ("b", 0, "blue bird", ("a0",))])
    assert information_diversity(same) == pytest.approx(0.0, abs=1e-12)
    assert information_diversity(other) == 1.0
    both = written([("a", 0, "red fish", ()), ("b", 0, "red fish", ("a0",)), ("c", 0, "blue bird", ("a0",))])
    assert information_diversity(both) == pytest.approx(0.5)
    assert information_diversity(written([("a", 0, "red", ()), ("b", 0, "blue", ())])) is None


def test_tfidf_by_hand():
    """Two texts share one of two words each: idf 1 for the shared one, 1 + ln(3/2) for the others."""
    a, b = tfidf(["red fish", "red bird"])
    rare = 1 + math.log(3 / 2)
    assert a == {"red": 1.0, "fish": pytest.approx(rare)}
    assert cosine(a, b) == pytest.approx(1 / (1 + rare**2))
    assert cosine(a, {}) == 0.0


def test_paths_by_hand(written, swayed):
    """Six arcs into round 1: only the two into c changed its answer."""
    assert unnecessary_paths(swayed) == pytest.approx(1 - 2 / 6)
    chain = written([("a", 0, "1", ()), ("b", 0, "2", ("a0",)), ("c", 0, "3", ("b0",))])
    assert unnecessary_paths(chain) == 0.0
    parrot = written([("a", 0, "1", ()), ("b", 0, "1", ()), ("a", 1, "1", ("b0",)), ("b", 1, "1", ("a0",))])
    assert unnecessary_paths(parrot) == 1.0
    assert unnecessary_paths(written([("a", 0, "1", ()), ("b", 0, "1", ())])) is None


@pytest.mark.parametrize("seed", range(30))
def test_paths_counted_one_by_one(written, seed):
    rng = random.Random(seed)
    lines, here = [], []
    for round in range(4):
        before, here = here, [name for name in "abcd" if rng.random() < 0.8]
        lines += [
            (n, round, rng.choice("12"), tuple(f"{b}{round - 1}" for b in before if rng.random() < 0.7)) for n in here
        ]
    if not lines:
        return
    run = written(lines)
    ids = {m.id: m for m in run.messages}
    reads = {m.id: [s for s in m.saw if ids[s].sender != m.sender] for m in run.messages}
    heard = {s for read in reads.values() for s in read}

    def paths(id):
        return [[id]] if not reads[id] else [[*path, id] for s in reads[id] for path in paths(s)]

    def moved(id):
        earlier = [m for m in run.messages if m.sender == ids[id].sender and m.round < ids[id].round]
        return not earlier or earlier[-1].answer != ids[id].answer

    every = [path for id in ids if reads[id] and id not in heard for path in paths(id)]
    useful = [path for path in every if all(moved(id) for id in path[1:])]
    found = unnecessary_paths(run)
    assert found is None if not every else found == pytest.approx(1 - len(useful) / len(every))
