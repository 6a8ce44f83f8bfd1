"""Hypothesis strategies for every record, and a small tree by hand: A and B in parallel, then J, two draws of J."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

from hypothesis import strategies as st

from orchestra.trajectory.trajectory import Decision, Event, Leaf, Trajectory
from orchestra.types import Completion, FrozenMap, Key, Message, Request, Task, Usage

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
number = st.floats(allow_nan=False, allow_infinity=False)
count = st.integers(0, 2**40)
key = st.builds(Key, text, st.integers(0, 2**31))
scalar = st.none() | st.booleans() | st.integers() | number | text
plain = st.recursive(
    scalar,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
usage = st.builds(Usage, count, count, count, number, number)


def tuples(of: st.SearchStrategy[Any], **sizes: int) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(of, **({"max_size": 4} | sizes)).map(tuple)


def maps(values: st.SearchStrategy[Any]) -> st.SearchStrategy[FrozenMap[str, Any]]:
    return st.dictionaries(text, values, max_size=3).map(FrozenMap)


task = st.builds(
    Task, text, text, plain, st.sampled_from(["number", "choice", "text", "code"]), maps(text), tuples(text), text, text
)
message = st.builds(
    Message, text, text, count, text, st.sampled_from(["agent", "tool", "world", "person", "data"]), st.none() | text,
    plain, tuples(text), maps(number),
)  # fmt: skip
request = st.builds(
    Request, tuples(st.tuples(text, text)), text, tuples(text), st.none() | key, count, number, tuples(text), count
)
event = st.builds(
    Event, st.sampled_from(get_args(get_type_hints(Event)["kind"])), text, count, text, maps(text)
)  # fmt: skip


@st.composite
def completions(draw: st.DrawFn, options: int = 0) -> Completion:
    length = draw(st.integers(0, 5))
    same = {"min_size": length, "max_size": length}
    scores = {"min_size": options, "max_size": options}
    return Completion(
        draw(text),
        draw(st.none() | tuples(count)),
        draw(st.none() | tuples(count, **same)),
        draw(st.none() | tuples(number, **same)),
        draw(st.none() | tuples(st.integers(0, 1), **same)),
        draw(st.sampled_from(["stop", "length", "cancelled"])),
        draw(usage),
        draw(st.booleans()),
        draw(tuples(number, **scores)),
        draw(tuples(number, **scores)),
    )


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    asked = draw(request)
    said = draw(st.none() | completions(len(asked.options)))
    names = [draw(text) for _ in range(3)]
    return Decision(
        draw(key), draw(tuples(text)), *names, draw(count), draw(count), draw(text), draw(text), asked, said,
        draw(st.none() | text),
    )  # fmt: skip


@st.composite
def trajectories(draw: st.DrawFn) -> Trajectory:
    made = draw(st.lists(decisions(), max_size=3, unique_by=lambda decision: decision.key))
    taken = tuples(st.sampled_from([d.key for d in made])) if made else st.just(())
    leaf = st.builds(Leaf, taken, st.none() | text, text, usage, count, text, st.none() | text)
    return Trajectory(
        draw(text), draw(task), draw(st.integers()), draw(text), tuple(made), draw(tuples(message)), draw(tuples(leaf)),
        draw(tuples(event)), draw(usage),
    )  # fmt: skip


def decision(agent: str, draw: int = 0, said: str = "12", **changes: Any) -> Decision:
    """A generated reply of two tokens."""
    completion = Completion(said, (1, 2, 3), (7, 8), (-0.1, -1 / 3), (1, 1), "stop", Usage(1, 3, 2, 0.0, 0.25))
    values = {
        "key": Key(agent, draw), "saw": (), "agent": agent, "role": "solver", "path": f"sum/{agent}", "round": 0,
        "index": 0, "policy": "smollm2@0", "weights": "b179", "completion": completion,
        "request": Request((("system", "Add."), ("user", "5 + 7?"))),
    }  # fmt: skip
    return Decision(**values | changes)


def tree(name: str = "tree-1") -> Trajectory:
    """Two leaves that share A and B; J is a scored choice; the second draw of J failed."""
    choice = Completion(
        "12", (4, 5), (9,), (-0.5,), (0,), "stop", Usage(1, 2, 1, 0.0, 0.125), True, (-0.5, -1.25), (-3.0, -3.75)
    )
    asked = Request((("user", "Which: 12 or 13?"),), "adapters/judge", ("12", "13"), Key("A", 0), 1, 0.7, ("\n",), 7)
    said = decision("J", 0, round=1, saw=("A@0~", "B@0~"), request=asked, completion=choice)
    failed = decision(
        "J", 1, round=1, saw=("A@0~", "B@0~"), request=asked, completion=None, error="timed out after 30 s"
    )
    past = (Key("A", 0), Key("B", 0))
    return Trajectory(
        id=name,
        task=Task("arith-7", "What is 5 + 7?", 12, "number", FrozenMap({"B": "Carry the one."}), (), "arith", "train"),
        seed=2**62 + 1,
        team="0" * 32,
        decisions=(decision("A"), decision("B", said="13 — or “12”?"), said, failed),
        messages=(
            Message("A@0~", "A", 0, "12", answer="12", parsed={"steps": (5, 7), "sum": 12.0}),
            Message("B@0~", "B", 0, "13 — or “12”?", "agent", None, None, (), FrozenMap({"B": -0.5})),
        ),
        leaves=(
            Leaf((*past, Key("J", 0)), "12", "output", Usage(3, 8, 5, 0.0, 0.625), 2, "12"),
            Leaf((*past, Key("J", 1)), None, "failed", Usage(3, 6, 4, 0.0, 0.5), 2, "", "timed out after 30 s"),
        ),
        events=(Event("budget", "sum/J", 1, "refused", FrozenMap({"calls": "3"})),),
        waste=Usage(calls=1, tokens_in=3),
    )
