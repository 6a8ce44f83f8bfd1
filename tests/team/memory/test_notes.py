"""Notes: a snapshot that no run writes into, and the next one."""

import asyncio
from dataclasses import FrozenInstanceError

import pytest

from orchestra.engine import Full
from orchestra.models.scripted import Scripted
from orchestra.roles import generator
from orchestra.team.memory.notes import Note, Notes, facts, learned
from orchestra.topologies import solo


def run(prompt, said):
    return asyncio.run(solo(generator(Scripted([said]))).run(prompt))


def test_a_snapshot_is_named_by_what_is_in_it():
    one, two = facts(["a", "b"]), facts(["a", "b", " "])
    assert one == two and one.digest == two.digest and hash(one) == hash(two)
    different = [Notes(), facts(["ab"]), facts(["b", "a"]), Notes((Note("a", "episodic"), Note("b")))]
    assert len({notes.digest for notes in [one, *different]}) == 5


def test_it_cannot_be_written_into():
    with pytest.raises(FrozenInstanceError):
        facts(["a"]).notes = ()
    assert isinstance(facts(["a"]).notes, tuple)


def test_what_is_learned_is_another_snapshot():
    before = facts(["a"])
    after = learned(before, [run("q1", "It is 4."), run("q2", "I cannot tell."), run("q3", "5")])
    assert before == facts(["a"])
    assert after.of("semantic") == before
    assert [note.text for note in after.of("episodic").notes] == ["q1\nAnswer: 4", "q3\nAnswer: 5"]


def test_only_what_is_worth_it_is_learned():
    runs = [run("q1", "4"), run("q2", "5")]
    assert [n.text for n in learned(Notes(), runs, worth=lambda done: done.answer == "5").notes] == ["q2\nAnswer: 5"]


def test_what_is_known_is_not_learned_twice_and_the_oldest_is_forgotten():
    runs = [run(f"q{i}", str(i)) for i in range(3)]
    notes = learned(learned(Notes(), runs), runs[:1], most=2)
    assert [note.text for note in notes.notes] == ["q2\nAnswer: 2", "q0\nAnswer: 0"]


def test_of_a_tree_nothing():
    replies = iter("12")
    tree = asyncio.run(solo(generator(Scripted(lambda request: next(replies)))).grow("q", Full(2)))
    assert len(tree.leaves) == 2 and learned(Notes(), [tree]) == Notes()
