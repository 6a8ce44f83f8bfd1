"""Runs written down by hand, so that every figure can be worked out beside them."""

from __future__ import annotations

import pytest

from orchestra.trajectory.trajectory import Decision, Leaf, Trajectory
from orchestra.types import Completion, Key, Message, Request, Task, Usage


def written(lines, *, gold="1", answer=None, prompt="What is it?", remote=False, error=None):
    """A run of the team `t` from lines `(sender, round, content, what it read)`, where "a0" is what a said in round 0,
    and anything else an id. A content is its own answer unless it is "?", an abstention. Every message is one call: its
    words are its tokens, in and out."""
    messages, decisions, known = [], [], {}
    for sender, round, content, reads in lines:
        saw = tuple(known.get(name, name) for name in reads)
        said = {message.id: message.content for message in messages}
        asked = "\n".join([prompt, *(said[id.partition(">")[0]] for id in saw if id.partition(">")[0] in said)])
        id = f"t/{sender}@{round}~{len(messages)}"
        messages.append(Message(id, sender, round, content, answer=None if content == "?" else content, saw=saw))
        usage = Usage(1, len(asked.split()), len(content.split()))
        ids = None if remote else tuple(range(usage.tokens_out))
        decisions.append(
            _decision(
                len(decisions), sender, round, saw, asked, Completion(content, (), ids, None, None, "stop", usage)
            )
        )
        known[f"{sender}{round}"] = id
    reply = lines[-1][2] if answer is None else answer
    spent = sum((made.completion.usage for made in decisions), Usage())
    leaf = Leaf(tuple(made.key for made in decisions), reply, "done", spent, content=reply, error=error)
    task = Task("t/1", prompt, gold, "number")
    return Trajectory(f"run-{hash(tuple(lines)) & 0xFFFF}", task, 0, "d", tuple(decisions), tuple(messages), (leaf,))


def _decision(number, sender, round, saw, asked, completion):
    request, key = Request((("user", asked),)), Key(f"s{number}")
    return Decision(key, saw, sender, "r", f"t/{sender}", round, 0, "p@0", "w", request, completion)


@pytest.fixture(name="written")
def _written():
    return written


@pytest.fixture
def swayed():
    """Three debaters, two rounds: c is talked out of the right answer, a and b keep theirs."""
    return written(
        [
            ("a", 0, "2", ()), ("b", 0, "2", ()), ("c", 0, "1", ()),
            ("a", 1, "2", ("b0", "c0")), ("b", 1, "2", ("a0", "c0")), ("c", 1, "2", ("a0", "b0")),
        ],
        answer="2",
    )  # fmt: skip
