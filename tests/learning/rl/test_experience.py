"""What becomes of trajectories: the sampled tokens of the policies that learn, all of them, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.credit import Scored, group_relative, nested_mean
from orchestra.credit.credit import Annotation, Table
from orchestra.engine import Full
from orchestra.errors import BadData
from orchestra.learning.rl.experience import Batch, batch_of, with_advantages
from orchestra.learning.row import IGNORED
from orchestra.topologies import chain
from orchestra.trajectory.trajectory import Decision, Leaf, Trajectory
from orchestra.types import Completion, Finish, Key, Request, Task, Usage
from tests.learning.rl.toys import Tabular, grown, speaker, taught


def made(run: str, *decisions: Decision, leaves: tuple[tuple[Key, ...], ...] | None = None) -> Trajectory:
    taken = leaves if leaves is not None else (tuple(d.key for d in decisions),)
    ends = tuple(Leaf(each, None, "end", Usage()) for each in taken)
    return Trajectory(run, Task(run, "1 + 1?"), 0, "team", decisions, (), ends)


def batched(tree: Trajectory, policies: Any = ("solver",), rewards: tuple[float | None, ...] | None = None) -> Batch:
    earned = rewards if rewards is not None else (1.0,) * len(tree.leaves)
    scored = Scored(tree, tuple({"task": each} for each in earned))
    worth = {d.key: Annotation(None, advantage=0.5) for d in tree.decisions}
    return batch_of([scored], [Table("t", "", worth)], [{d.key: 0.25 for d in tree.decisions}], policies)


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    """Of three policies, of any version; sampled, forced, failed, cancelled, or a choice among options."""
    number = draw(st.integers(0, 10**6))
    policy = draw(st.sampled_from(("solver", "solver2", "judge")))
    version = draw(st.sampled_from(("@0", "@12", "")))
    prompt = tuple(draw(st.lists(st.integers(3, 9), min_size=1, max_size=5)))
    output = tuple(draw(st.lists(st.integers(3, 9), max_size=5)))
    mask = tuple(draw(st.integers(0, 1)) for _ in output)
    options = draw(st.sampled_from(((), (), ("yes", "no"))))
    finish = draw(st.sampled_from(get_args(Finish)))
    logprobs = tuple(-float(place + 1) for place in range(len(output)))
    said = Completion("x", prompt, output, logprobs, mask, finish, Usage(calls=1))
    failed = draw(st.booleans()) and draw(st.booleans())
    request = Request((("user", "x"),), options=options)
    return Decision(
        Key(str(number), draw(st.integers(0, 3))), (), "agent", policy, "agent", 0, 0, f"{policy}{version}", "w",
        request, None if failed else said,
    )  # fmt: skip


@given(st.lists(decisions(), max_size=8, unique_by=lambda d: d.key), st.sets(st.sampled_from(("solver", "judge"))))
def test_labels_are_the_tokens_that_the_learning_policies_sampled(made_of: list[Decision], policies: set[str]) -> None:
    """One by one: each labelled token was sampled by its own decision, and each that was sampled is labelled."""
    batch = batched(made("run", *made_of), policies)
    own = [d for d in made_of if d.policy.partition("@")[0] in policies]
    learnt = [
        d
        for d in own
        if d.completion is not None
        and d.completion.finish != "cancelled"
        and not d.request.options
        and any(d.completion.mask or ())
    ]
    assert [e.row.key for e in batch.experiences] == [d.key for d in learnt]
    assert batch.left_out == len(own) - len(learnt)
    assert sum(e.tokens for e in batch.experiences) == sum(sum(d.completion.mask or ()) for d in learnt if d.completion)
    for each, decision in zip(batch.experiences, learnt, strict=True):
        said = decision.completion
        assert said is not None and said.prompt_ids is not None and said.output_ids is not None
        assert each.row.input_ids == said.prompt_ids + said.output_ids
        assert all(label == IGNORED for label in each.row.labels[: len(said.prompt_ids)]), "what others said"
        sampled = [bool(mask) for mask in said.mask or ()]
        assert [label != IGNORED for label in each.row.labels[len(said.prompt_ids) :]] == sampled
        assert all(label in (IGNORED, i) for label, i in zip(each.row.labels, each.row.input_ids, strict=True))
        assert each.logprobs == tuple(-float(k + 1) for k, mask in enumerate(sampled) if mask)
        assert len(each.logprobs) == each.tokens > 0


def test_every_token_of_a_real_tree_is_counted_once() -> None:
    """Two agents, three and two draws of two tokens: the first's words are the second's context and are not its own."""
    texts = ["s", "sa", "sb", *(f"{x}{y}{rest}" for x in "ab" for y in "ab" for rest in ("", "a", "b"))]
    model = Tabular("ab", texts)
    first = speaker(model, "first", prompt="s", tokens=2)
    second = speaker(model, "second", prompt="{% for m in inbox %}{{ m.content }}{% endfor %}", tokens=2)
    scored = grown(chain(first, second), Full(3), lambda said: float(said[-1] == "ab"), range(4))
    whole = taught(scored, group_relative(), ("first", "second"))
    for role in ("first", "second"):
        alone = taught(scored, group_relative(), (role,))
        decided = [d for tree, _ in scored for d in tree.decisions if d.role == role]
        assert sum(e.tokens for e in alone.experiences) == 2 * len(decided) > 0
        assert {e.agent for e in alone.experiences} == {role}
    assert sum(e.tokens for e in whole.experiences) == 2 * sum(len(tree.decisions) for tree, _ in scored)
    assert len(whole.paths) == sum(len(tree.leaves) for tree, _ in scored)
    for path in whole.paths:
        assert [whole.experiences[place].agent for place in path.places] == ["first", "second"]
        opening, answer = (whole.experiences[place].row for place in path.places)
        assert answer.input_ids[:2] == opening.input_ids[-2:], "it read what was said on its own path"


def test_paths_lead_through_the_policies_that_learn_and_end_with_what_was_earned(
    decide: Callable[..., Decision],
) -> None:
    a, b, c = decide("a", logprobs=(-1.0, -1.0)), decide("b", role="judge"), decide("c", logprobs=(-1.0, -1.0))
    c = replace(c, completion=replace(c.completion, logprobs=(-1.0, -2.0)))  # type: ignore[type-var]
    tree = made("run", a, b, c, leaves=((a.key, b.key, c.key), (a.key, b.key), (c.key,)))
    batch = batched(tree, rewards=(1.0, None, 0.0))
    assert [e.row.key for e in batch.experiences] == [a.key, c.key]
    assert [(path.places, path.reward) for path in batch.paths] == [((0, 1), 1.0), ((1,), 0.0)], "None is not scored"


def test_what_a_decision_brings_along(decide: Callable[..., Decision]) -> None:
    one = replace(decide("a", logprobs=(-1.0, -2.0)), round=3, agent="seat")
    scored = [Scored(made("run", one), ({"task": 1.0},))]
    tables = [Table("t", "", {one.key: Annotation(0.5, advantage=0.25)})]
    (found,) = batch_of(scored, tables, [{one.key: 0.5}], ["solver"], local=[{one.key: 2.0}]).experiences
    assert (found.agent, found.round, found.mass, found.advantage, found.local) == ("seat", 3, 0.5, 0.25, 2.0)
    assert (found.logprobs, found.temperature, found.tokens) == ((-1.0, -2.0), 1.0, 2)
    (bare,) = batch_of(scored, [Table("t", "", {})], [{}], ["solver"]).experiences
    assert (bare.advantage, bare.mass, bare.local) == (None, 0.0, 0.0), "no rule is no advantage, not one of 0"
    batch = batch_of(scored, nested_mean()(scored), [{}], ["solver"])
    assert with_advantages(batch, [3.0]).experiences == (replace(batch.experiences[0], advantage=3.0),)
    with pytest.raises(ValueError, match="zip"):
        with_advantages(batch, [])


def test_each_trajectory_has_its_own_advantages_masses_and_rewards(decide: Callable[..., Decision]) -> None:
    """Though their decisions share a Key."""
    one = decide("a", logprobs=(-1.0, -2.0))
    scored = [Scored(made(run, one), ({"task": earned},)) for run, earned in (("x", 1.0), ("y", 0.0))]
    tables = [Table("t", "", {one.key: Annotation(None, advantage=worth)}) for worth in (0.25, -0.25)]
    masses = [{one.key: 0.5}, {one.key: 1.0}]
    batch = batch_of(scored, tables, masses, ["solver"], local=[{one.key: 2.0}, {one.key: 3.0}])
    found = [(e.row.run, e.advantage, e.mass, e.local) for e in batch.experiences]
    assert found == [("x", 0.25, 0.5, 2.0), ("y", -0.25, 1.0, 3.0)]
    assert [(path.places, path.reward) for path in batch.paths] == [((0,), 1.0), ((1,), 0.0)]


def test_leaves_have_their_chance(decide: Callable[..., Decision]) -> None:
    """One draw ends at once, the other goes on to two."""
    said = {"logprobs": (-1.0, -1.0)}
    first, second = (decide("a", draw=draw, **said) for draw in range(2))
    third, fourth = (decide("b", draw=draw, **said) for draw in range(2))
    leaves = ((first.key,), (second.key, third.key), (second.key, fourth.key))
    batch = batched(made("run", first, second, third, fourth, leaves=leaves))
    assert [path.mass for path in batch.paths] == [0.5, 0.25, 0.25]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"prompt": None, "output": None, "logprobs": None},
            "expected token ids and log-probabilities, got text alone",
        ),
        ({"logprobs": None}, "expected token ids and log-probabilities"),
        ({"logprobs": (-1.0, -1.0), "truncated": True}, r"got one that was cut; fix: no grammar, top-k or top-p"),
    ],
)
def test_what_has_no_exact_log_probabilities_is_refused(
    decide: Callable[..., Decision], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadData, match=rf"^trajectory run: solver@0: .*{message}") as caught:
        batched(made("run", decide("a", **changes)))
    assert "\n" not in str(caught.value)
    assert batched(made("run", decide("a", role="judge", **changes))).experiences == (), "of others nothing is asked"


def test_greedy_words_are_refused(decide: Callable[..., Decision]) -> None:
    one = decide("a", logprobs=(-1.0, -1.0))
    with pytest.raises(BadData, match="expected sampled tokens, got greedy ones; fix: --temperature 1"):
        batched(made("run", replace(one, request=replace(one.request, temperature=0.0))))
