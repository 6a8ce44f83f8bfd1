"""Steps of several policies on `tiny` in fp32: one step however the batch is cut, and nobody moves but whose turn it
is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from math import exp, prod
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import pytest
import torch
from safetensors.torch import load_file, save_file

from orchestra.errors import BadData, RunFailed
from orchestra.learning.rl import reading
from orchestra.learning.rl.clam import AgentModel
from orchestra.learning.rl.estimates import estimated
from orchestra.learning.rl.experience import Batch, Experience, with_advantages
from orchestra.learning.rl.learner import Learner, corrections
from orchestra.learning.rl.normalise import Share, weights
from tests.learning.rl.batches import (
    CRITIC,
    JUDGE,
    NAMES,
    SOLVER,
    UPDATE,
    Leaf,
    batch,
    close,
    experience,
    gradient,
    learner,
    moments,
    reinforce,
    said_alone,
    same,
    shake,
    standing,
    told,
    turned,
    valued_alone,
)

pytestmark = pytest.mark.usefixtures("one_thread")
ROOT = Path(__file__).resolve().parents[3]


def everything(made: Learner) -> dict[str, torch.Tensor]:
    parameters, moments = made.state()
    return {name: each.clone() for name, each in (parameters | moments).items()}


@pytest.mark.parametrize("how", ["rollout", "sequence"])
def test_the_first_step_on_policy_is_reinforce(tiny: Path, how: str) -> None:
    """From trees in packs, with rows that teach nothing left out, to the gradient of each row by itself."""
    made = learner(tiny, replace(UPDATE, normalise=how))  # type: ignore[arg-type]
    given = batch()
    expected = reinforce(made, given.experiences, how)
    figures = made.learn(given, 0)
    assert (figures.rows, figures.clipped) == (18, 0.0)
    assert figures.kl == pytest.approx(0, abs=1e-9)
    assert 0 < figures.kept == sum(bool(each.advantage) for each in given.experiences) < 18
    for name in NAMES:
        assert close(gradient(made, name), expected[name], 1e-5)
        assert max(float(each.abs().max()) for each in expected[name].values()) > 1e-2, "or nothing was compared"
    other = "token" if how == "rollout" else "rollout"
    wrong = reinforce(learner(tiny), given.experiences, other)  # control
    assert not close(gradient(made, SOLVER), wrong[SOLVER], 1e-4)


def company(made: Learner, given: Batch) -> list[torch.Tensor]:
    """The embedding that the critic is to read beside each row, by an agent model that begins as the learner's does."""
    seen = made.reader.observations(given.experiences)
    plays: dict[tuple[str, str], list[torch.Tensor]] = {}
    for each, own in zip(given.experiences, seen, strict=True):
        plays.setdefault((each.row.run, each.agent), []).append(own)
    model = AgentModel(seen[0].shape[1], made.settings.clam, seed=made.settings.seed)
    model.update([max(several, key=len) for several in plays.values()])
    return list(model.embed(seen))


@pytest.mark.parametrize("changes", [{"critic": "action"}, {"critic": "token"}, {"critic": "token", "clam": 4}])
def test_the_first_step_beside_a_critic_row_by_row(tiny: Path, changes: dict[str, Any]) -> None:
    """Advantages are those of the values before the critic learns; it learns from each decision, or token, alike."""
    update, given, level = replace(UPDATE, gamma=0.5, decay=0.8, critic_lr=1e-2, **changes), batch(), changes["critic"]
    made = learner(tiny, update)
    with_it = company(made, given) if "clam" in changes else [None] * 18
    worth = [valued_alone(made, each, own) for each, own in zip(given.experiences, with_it, strict=True)]
    found = estimated(given, {place: each.tolist() for place, each in enumerate(worth)}, level, 0.5, 0.8)
    pairs = [now - torch.tensor(found.returns[place]) for place, now in enumerate(worth)]
    missed = torch.stack([each[0] for each in pairs]) if level == "action" else torch.cat(pairs)
    lost = (missed**2 / 4).mean()
    own = made.optimisers.trained[CRITIC]
    slopes = torch.autograd.grad(lost, list(own.values()), materialize_grads=True)
    expected = reinforce(made, given.experiences, advantages=found.advantages)
    figures = made.learn(given, 0)
    assert figures.explained == pytest.approx(found.explained, abs=1e-4)
    assert figures.value_loss == pytest.approx(float(lost.detach()), abs=1e-6)
    assert close(gradient(made, CRITIC), dict(zip(own, slopes, strict=True)))
    assert all(close(gradient(made, name), expected[name]) for name in NAMES)
    features = torch.stack(with_it) if "clam" in changes else None  # type: ignore[arg-type]
    late = estimated(given, made.reader.values(given.experiences, features), level, 0.5, 0.8)
    wrong = reinforce(learner(tiny, update), given.experiences, advantages=late.advantages)  # control
    assert not close(wrong[SOLVER], expected[SOLVER], 1e-4)


@pytest.mark.parametrize(
    "changes",
    [{}, {"ratio": "turn", "kl": 0.1}, {"critic": "action"}, {"critic": "token", "gamma": 0.9}],
    ids=["grpo", "gspo and kl", "action critic", "token critic"],
)
def test_every_cut_and_order_has_one_gradient(
    tiny: Path, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row a pack, all rows in one, and the batch turned round."""
    found = []
    for budget, given in ((1, batch()), (4096, batch()), (30, turned(batch()))):
        monkeypatch.setattr(reading, "PACK", budget)
        made = learner(tiny, replace(UPDATE, **changes))
        figures = made.learn(given, 0)
        found.append(({name: gradient(made, name) for name in made.optimisers.trained}, figures))
    (first, figures), *others = found
    assert {CRITIC, *NAMES} >= first.keys() >= set(NAMES)
    for other, other_figures in others:
        assert all(close(other[name], first[name]) for name in first)
        assert other_figures.loss == pytest.approx(figures.loss, abs=1e-5)
        assert (other_figures.kept, other_figures.tokens) == (figures.kept, figures.tokens)
    made = learner(tiny, replace(UPDATE, **changes))  # control: a batch that lacks a tree
    lacking = Batch(
        batch().experiences[6:], tuple(Leaf(tuple(p - 6 for p in e.places), e.reward) for e in batch().paths[4:])
    )
    made.learn(lacking, 0)
    assert not close(gradient(made, SOLVER), first[SOLVER], 1e-4)


def test_the_temperature_is_that_of_the_samples(tiny: Path) -> None:
    given = Batch(tuple(replace(each, temperature=0.7) for each in batch().experiences), ())
    made = learner(tiny, temperature=0.7)
    expected = reinforce(made, given.experiences)
    made.learn(given, 0)
    assert close(gradient(made, SOLVER), expected[SOLVER])
    with pytest.raises(
        BadData, match=r"trajectory run0: expected replies sampled at temperature 1, got 0\.7; fix: one"
    ):
        learner(tiny).learn(given, 0)


@pytest.mark.parametrize("advantage", [0.0, None])
@pytest.mark.parametrize("order", ["joint", "sequential", "round_robin"])
def test_without_advantages_nothing_moves(tiny: Path, advantage: float | None, order: Any) -> None:
    made = learner(tiny, replace(UPDATE, order=order, epochs=2, minibatches=2))
    before = everything(made)
    given = with_advantages(batch(), [advantage] * 18)
    figures = made.learn(given, 0)
    assert (figures.rows, figures.kept, figures.tokens, figures.loss) == (18, 0, 0, 0.0)
    assert same(everything(made), before)


@pytest.mark.parametrize("critic", ["none", "action", "token"])
def test_an_empty_batch_is_no_step(tiny: Path, critic: Any) -> None:
    made = learner(tiny, replace(UPDATE, critic=critic))
    before = everything(made)
    figures = made.learn(Batch((), ()), 0)
    assert (figures.rows, figures.kept, figures.value_loss, figures.explained) == (0, 0, None, None)
    assert same(everything(made), before)


def test_stepping_one_policy_leaves_the_others_bit_identical(tiny: Path) -> None:
    """After both have moments to lose: the judge's adapter, its optimiser and the base."""
    made = learner(tiny)
    made.learn(batch(), 0)
    base = {n: v.clone() for n, v in made.policies.model.named_parameters() if "lora_" not in n}
    judge, judged = standing(made, JUDGE), moments(made, JUDGE)
    solver = standing(made, SOLVER)
    assert judged and base
    given = batch(1)
    figures = made.learn(
        with_advantages(given, [e.advantage if e.agent == SOLVER else 0.0 for e in given.experiences]), 1
    )
    assert 0 < figures.kept <= 6
    assert not same(standing(made, SOLVER), solver)
    assert same(standing(made, JUDGE), judge) and same(moments(made, JUDGE), judged)
    assert same({n: v for n, v in made.policies.model.named_parameters() if "lora_" not in n}, base)
    made.learn(given, 2)
    assert not same(standing(made, JUDGE), judge)  # control


def test_round_robin_is_one_policy_at_a_time(tiny: Path) -> None:
    made = learner(tiny, replace(UPDATE, order="round_robin", every=2))
    moved = []
    for step in range(5):
        before = {name: standing(made, name) for name in NAMES}
        made.learn(batch(step), step)
        moved.append([name for name in NAMES if not same(standing(made, name), before[name])])
    assert moved == [[SOLVER], [SOLVER], [JUDGE], [JUDGE], [SOLVER]]


def test_corrections_are_the_products_of_the_others_ratios() -> None:
    """Three agents speak in one round, and the first again in the next; the last leaf goes its own way."""
    rounds = [0, 0, 0, 1, 0]
    found = tuple(experience((5,), (6,), str(place), round=at) for place, at in enumerate(rounds))
    paths = (Leaf((0, 1, 2, 3), 1.0), Leaf((0, 4), 0.0))
    ratios, ones = {0: 2.0, 1: 3.0}, dict.fromkeys(range(5), 1.0)
    factors = corrections(Batch(found, paths), ratios, ones)
    # 0: with 1 on one path and alone on the other; 1: with 0; 2: with both; 3: alone in its round; 4: with 0.
    assert factors == pytest.approx({0: (3 + 1) / 2, 1: 2.0, 2: 6.0, 3: 1.0, 4: 2.0})
    assert corrections(Batch(found, paths), {}, ones) == ones
    assert corrections(Batch(found, ()), ratios, ones) == ones, "what lies on no path"


@pytest.mark.parametrize("order", [(SOLVER, JUDGE), (JUDGE, SOLVER)])
def test_who_learns_later_is_weighed_by_what_the_earlier_changed(tiny: Path, order: tuple[str, str]) -> None:
    """One after another is, for the first, as all at once; for the second as all at once with corrected advantages.

    What the first says without an advantage has changed as well: some of the judge's rows have none.
    """
    given, update = batch(), replace(UPDATE, lr=5e-3)
    made, joint = learner(tiny, replace(update, order="sequential")), learner(tiny, update)
    step = next(step for step in range(20) if tuple(made._turn(step)) == order)
    made.learn(given, step)
    steps = {name: standing(made, name) for name in NAMES}
    before = joint.reader.logprobs(given.experiences, range(18))
    joint.learn(given, step)
    first, second = order
    assert close(standing(joint, first), steps[first])
    assert not close(standing(joint, second), steps[second], 1e-4), "the correction is to be seen"
    after = joint.reader.logprobs(given.experiences, range(18))
    ratios = {
        place: exp(sum(after[place]) - sum(before[place]))
        for place, each in enumerate(given.experiences)
        if each.agent == first
    }
    factors = corrections(given, ratios, dict.fromkeys(range(18), 1.0))
    other = learner(tiny, update)
    corrected = [(e.advantage or 0.0) * factors[p] for p, e in enumerate(given.experiences)]
    other.learn(with_advantages(given, corrected), step)
    assert close(standing(other, second), steps[second])


def test_the_last_of_three_is_weighed_by_both_before_it(tiny: Path) -> None:
    names, update = (SOLVER, JUDGE, "editor"), replace(UPDATE, lr=5e-3)
    given = Batch(
        tuple(
            experience((60, 70 + tree), (61 + 3 * tree + at, 75, 2), name, run=f"run{tree}", name=name, advantage=worth)
            for tree, worth in enumerate((1.0, -1.0, 0.5))
            for at, name in enumerate(names)
        ),
        tuple(Leaf((3 * tree, 3 * tree + 1, 3 * tree + 2), 0.0) for tree in range(3)),
    )
    made = learner(tiny, replace(update, order="sequential"), names)
    order = made._turn(0)
    made.learn(given, 0)
    joint = learner(tiny, update, names)
    before = joint.reader.logprobs(given.experiences, range(9))
    after = made.reader.logprobs(given.experiences, range(9))
    for earlier in (order[:2], order[1:2]):
        factors = [
            prod(exp(sum(after[at]) - sum(before[at])) for at in path.places if given.experiences[at].agent in earlier)
            for path in given.paths
        ]
        other = learner(tiny, update, names)
        corrected = [(each.advantage or 0.0) * factors[at // 3] for at, each in enumerate(given.experiences)]
        other.learn(with_advantages(given, corrected), 0)
        assert close(standing(other, order[2]), standing(made, order[2])) == (len(earlier) == 2)


def test_the_order_is_drawn_anew_each_step(tiny: Path) -> None:
    made = learner(tiny, replace(UPDATE, order="sequential"))
    assert {tuple(made._turn(step)) for step in range(20)} == {(SOLVER, JUDGE), (JUDGE, SOLVER)}
    assert [made._turn(step) for step in range(20)] == [made._turn(step) for step in range(20)]


def test_a_policy_that_went_too_far_stays_where_it_was(tiny: Path) -> None:
    """The first pass has no KL, the second would be the first too far: weights and moments are those of one pass."""
    stopped, once = learner(tiny, replace(UPDATE, epochs=4, kl_stop=1e-9)), learner(tiny)
    figures = stopped.learn(batch(), 0)
    read = once.learn(batch(), 0).tokens
    assert sorted(figures.stopped) == sorted(NAMES) and figures.kl > 1e-9
    assert figures.tokens == 2 * read, "two passes, and none after"
    assert same(everything(stopped), everything(once))
    free = learner(tiny, replace(UPDATE, epochs=4, kl_stop=1e9))  # control
    assert free.learn(batch(), 0).stopped == []
    assert not same(everything(free), everything(once))


def test_every_minibatch_is_held_against_the_policy_before_the_step(tiny: Path) -> None:
    """Not against what the mini-batches before it have made of it: those numbers are no sampler's."""
    made = learner(tiny, replace(UPDATE, lr=1e-2, minibatches=3))
    figures = made.learn(told(batch(), made), 0)
    assert figures.mismatch == pytest.approx(0, abs=1e-5)
    assert figures.kl > 1e-4, "the later ones are off-policy"
    whole = learner(tiny, replace(UPDATE, lr=1e-2))  # control: one mini-batch
    assert whole.learn(told(batch(), whole), 0).kl == pytest.approx(0, abs=1e-9)


def test_a_second_pass_is_clipped_as_the_settings_have_it(tiny: Path) -> None:
    """Token by token, from the policy before the step; each bound is met, so that another one is told from it: what
    one row is praised for, more than another is blamed for it, becomes likelier in both."""
    update = replace(UPDATE, lr=2e-3, low=0.05, high=0.6, dual=1.2)
    said = ((62, (70, 71, 2), 2.0), (62, (70, 71, 2), -0.5), (63, (80, 81, 82), -2.0), (64, (75, 76, 77), 0.1))
    given = tuple(experience((60, a), s, run=f"run{at}", advantage=worth) for at, (a, s, worth) in enumerate(said))
    once, twice = learner(tiny, update), learner(tiny, replace(update, epochs=2))
    old = once.reader.logprobs(given, range(4))
    once.learn(Batch(given, ()), 0)
    figures = twice.learn(Batch(given, ()), 0)
    far = torch.cat([said_alone(once, each) - torch.tensor(old[place]) for place, each in enumerate(given)]).detach()
    assert figures.kl == pytest.approx(float((far.exp() - 1 - far).sum()) / (2 * len(far)), rel=1e-4), "by token"
    own = once.policies.parameters(SOLVER)
    shares = [Share(each.row.run, each.agent, each.tokens, each.mass) for each in given]
    weight = weights(shares, "rollout", longest=8)

    def slopes(low: float, high: float, dual: float) -> dict[str, torch.Tensor]:
        lost = torch.zeros(())
        for place, each in enumerate(given):
            worth = each.advantage or 0.0
            ratio = (said_alone(once, each) - torch.tensor(old[place])).exp()
            gained = torch.minimum(ratio * worth, ratio.clamp(1 - low, 1 + high) * worth)
            lost = lost - weight[place] * (gained.clamp(min=dual * worth) if worth < 0 else gained).sum()
        return dict(zip(own, torch.autograd.grad(lost, list(own.values())), strict=True))

    found, right = gradient(twice, SOLVER), (0.05, 0.6, 1.2)
    ways = [right, (0.6, 0.6, 1.2), (0.05, 0.05, 1.2), (0.05, 0.6, 9e9)]
    assert [way for way in ways if close(found, slopes(*way))] == [right]


@pytest.mark.parametrize(("epochs", "minibatches"), [(1, 1), (2, 1), (2, 2), (3, 9)])
def test_each_pass_reads_each_row_once(tiny: Path, epochs: int, minibatches: int) -> None:
    """More mini-batches than trees are as many as trees."""
    given = batch()
    kept = sum(each.tokens for each in given.experiences if each.advantage)
    made = learner(tiny, replace(UPDATE, epochs=epochs, minibatches=minibatches))
    assert made.learn(given, 0).tokens == epochs * kept
    steps = {int(each) for name, each in moments(made, SOLVER).items() if name.endswith("/step")}
    assert steps == {epochs * min(minibatches, 3)}


def test_minibatches_are_drawn_anew_by_seed_step_pass_and_policy(tiny: Path) -> None:
    """Whole trees, each once a pass, whatever the order that they stand in."""
    update = replace(UPDATE, minibatches=4, epochs=2)
    made, other = learner(tiny, update), learner(tiny, replace(update, seed=1))
    given = batch(trees=8).experiences

    def runs(of: Learner, step: int = 0, name: str = SOLVER, rows: Sequence[Experience] = given) -> list[list[str]]:
        parts = of._parts(rows, range(len(rows)), step, name)
        assert [sorted(place for part in half for place in part) for half in (parts[:4], parts[4:])] == [
            list(range(len(rows)))
        ] * 2
        return [sorted({rows[place].row.run for place in part}) for part in parts]

    first = runs(made)
    assert first == runs(made) == runs(made, rows=given[::-1])
    assert all(len(each) == 2 for each in first), "trees are whole"
    assert first[:4] != first[4:]
    assert first not in (runs(made, step=1), runs(made, name=JUDGE), runs(other))


def test_minibatches_weigh_as_much_as_the_whole(tiny: Path) -> None:
    """At a rate of almost 0 their gradients have the whole's as their mean."""
    found = []
    for minibatches in (1, 3):
        made = learner(tiny, replace(UPDATE, lr=1e-12, minibatches=minibatches))
        sums: list[tuple[str, dict[str, torch.Tensor]]] = []
        step = made.optimisers.step

        def kept(*given: Any, step: Any = step, made: Learner = made, sums: Any = sums, **more: Any) -> Any:
            done = step(*given, **more)
            sums.append((given[0], gradient(made, given[0])))
            return done

        made.optimisers.step = kept  # type: ignore[method-assign]
        made.learn(batch(), 0)
        own = [each for name, each in sums if name == SOLVER]
        assert len(own) == minibatches
        found.append({name: torch.stack([each[name] for each in own]).mean(0) for name in own[0]})
    assert close(found[1], found[0])


@pytest.mark.parametrize("changes", [{}, {"critic": "token"}, {"critic": "action", "clam": 4}])
def test_a_step_depends_on_weights_moments_and_number_alone(tiny: Path, changes: dict[str, Any]) -> None:
    """What a learner did before, and in which process, is no matter: resuming rests on it."""
    update = replace(UPDATE, **changes, order="sequential", minibatches=2, lr=5e-3)
    whole = learner(tiny, update)
    for step in range(2):
        whole.learn(batch(step), step)
    parameters, kept = whole.state()
    copied = {n: v.clone() for n, v in parameters.items()}, {n: v.clone() for n, v in kept.items()}
    whole.learn(batch(2), 2)
    torch.manual_seed(5)
    again = learner(tiny, update, shaken=0.0)
    again.restore(*copied)
    again.learn(batch(2), 2)
    assert same(everything(again), everything(whole))
    other = learner(tiny, update, shaken=0.0)
    other.restore(copied[0], {})  # control: weights without moments
    other.learn(batch(2), 2)
    assert not close(everything(other), everything(whole), 1e-4)


def test_a_first_step_goes_by_the_rate_and_the_clipped_gradient_alone(tiny: Path) -> None:
    """AdamW's first step is -lr g / (|g| + 1e-8), without decay; the norm that is told is that before the clip."""
    made = learner(tiny, replace(UPDATE, critic="action", lr=1e-3, critic_lr=3e-3, clip=1e-3))
    before = {name: standing(made, name) for name in (*NAMES, CRITIC)}
    assert made.learn(batch(), 0).norm > 1e-2
    for name, rate in ((SOLVER, 1e-3), (JUDGE, 1e-3), (CRITIC, 3e-3)):
        slopes = gradient(made, name)
        assert float(torch.nn.utils.get_total_norm(slopes.values())) == pytest.approx(1e-3, rel=1e-3)
        stepped = {each: before[name][each] - rate * g / (g.abs() + 1e-8) for each, g in slopes.items()}
        assert close(standing(made, name), stepped, 2e-7)


def test_what_is_not_finite_stops_before_weights_are_touched(tiny: Path) -> None:
    made = learner(tiny)
    made.learn(batch(), 0)
    before = everything(made)
    given = batch(1)
    worth = [float("nan") if each.agent == JUDGE else 0.0 for each in given.experiences]
    with pytest.raises(
        RunFailed, match=r"finite loss and gradient of judge, got nan and .* at step 2, rows run"
    ) as caught:
        made.learn(with_advantages(given, worth), 1)
    assert "\n" not in str(caught.value) and "with a lower --lr" in str(caught.value)
    assert same(everything(made), before)


def test_the_mismatch_is_that_of_the_samplers_numbers(tiny: Path) -> None:
    made = learner(tiny)
    exact = told(batch(), made)
    figures = learner(tiny).learn(exact, 0)
    assert figures.mismatch == pytest.approx(0, abs=1e-6)
    shifted = Batch(
        tuple(replace(e, logprobs=tuple(v - 0.1 for v in e.logprobs)) for e in exact.experiences), exact.paths
    )
    figures = learner(tiny).learn(shifted, 0)
    assert figures.mismatch == pytest.approx(0.1, abs=1e-6)
    assert figures.mismatch_kl == pytest.approx(exp(0.1) - 1.1, abs=1e-6)
    kept = [v for e in exact.experiences if e.advantage for v in e.logprobs]
    assert figures.entropy == pytest.approx(-sum(kept) / len(kept), abs=1e-5)


def test_the_samplers_numbers_weigh_the_gradient(tiny: Path) -> None:
    """A token that the sampler held for e^0.1 times likelier than the trainer does counts e^-0.1 times, and none counts
    more than twice."""
    made = learner(tiny)
    exact = told(batch(), made)
    for shift, factor in ((0.1, exp(-0.1)), (-5.0, 2.0)):
        moved = tuple(replace(e, logprobs=tuple(v + shift for v in e.logprobs)) for e in exact.experiences)
        plain, weighed = learner(tiny), learner(tiny, replace(UPDATE, importance=2.0))
        for each in (plain, weighed):
            each.learn(Batch(moved, ()), 0)
        scaled = {name: factor * each for name, each in gradient(plain, SOLVER).items()}
        assert close(gradient(weighed, SOLVER), scaled)


LEVELS: list[Literal["token", "turn", "action"]] = ["token", "turn", "action"]


@pytest.mark.parametrize("level", LEVELS)
def test_the_samplers_numbers_weigh_at_the_level_of_the_ratio(tiny: Path, level: Any) -> None:
    """Tokens that it was off by unlike amounts: each by its own, or all of a row by their mean or their sum."""
    made = learner(tiny, replace(UPDATE, importance=2.0, ratio=level, normalise="sequence"))
    exact, shifts = told(batch(), made).experiences, (0.4, -0.3, 0.2, -0.1, 0.05)
    given = tuple(replace(e, logprobs=tuple(map(sum, zip(e.logprobs, shifts, strict=False)))) for e in exact)

    def expected(at: str) -> dict[str, torch.Tensor]:
        gained = []
        for each in given:
            off = [-shift for shift in shifts[: each.tokens]]
            alike = {"token": off, "turn": [fmean(off)] * len(off), "action": [sum(off)] * len(off)}[at]
            times = len(off) if level == "action" else 1  # a sum moves with each of its tokens
            gained.append([(each.advantage or 0.0) * times * min(exp(each_off), 2.0) for each_off in alike])
        return reinforce(made, given, "sequence", gained)[SOLVER]

    slopes = {at: expected(at) for at in LEVELS}
    made.learn(Batch(given, ()), 0)
    assert [at for at in LEVELS if close(gradient(made, SOLVER), slopes[at])] == [level]


def test_divergence_from_the_start_is_told_and_paid_for(tiny: Path) -> None:
    """0 at the start; later what it is; and a price on it draws the policy back."""
    update = replace(UPDATE, kl=1.0, lr=1e-2)
    made = learner(tiny, update, shaken=0.0)
    nothing = with_advantages(batch(), [0.0] * 18)
    assert made.learn(nothing, 0).reference_kl == pytest.approx(0, abs=1e-9)
    for name in NAMES:
        shake(made, name, 0.05)
    ours, before = (made.reader.logprobs(nothing.experiences, range(18), reference=each) for each in (False, True))
    apart = [b - o for place in ours for b, o in zip(before[place], ours[place], strict=True)]
    found = [made.learn(nothing, step).reference_kl for step in range(1, 12)]
    assert found[0] == pytest.approx(fmean(exp(d) - d - 1 for d in apart), rel=1e-3)
    assert found[0] != pytest.approx(fmean(exp(-d) + d - 1 for d in apart), rel=1e-2), "nor the other way round"
    assert all(each is not None for each in found)
    assert found[0] > 1e-4 and found[-1] < found[0] / 2  # type: ignore[operator]
    assert learner(tiny).learn(batch(), 0).reference_kl is None


@pytest.mark.parametrize("level", ["action", "token"])
def test_a_critic_alone_learns_while_it_warms_up(tiny: Path, level: Any) -> None:
    """It comes to know what each task earns; policies stand still, and move once it is over."""
    update = replace(UPDATE, critic=level, critic_lr=1e-2, warmup=25, decay=1.0, value_clip=10.0)
    made = learner(tiny, update, shaken=0.0)
    before = {name: standing(made, name) for name in NAMES}
    drawn = batch()
    given = Batch(drawn.experiences, tuple(Leaf(path.places, float(path.places[0] < 6)) for path in drawn.paths))
    curve = [made.learn(given, step) for step in range(25)]
    assert all(same(standing(made, name), before[name]) for name in NAMES)
    assert curve[0].explained == pytest.approx(0, abs=1e-6), "an untrained critic expects nothing"
    assert curve[-1].value_loss < curve[0].value_loss / 4  # type: ignore[operator]
    assert curve[-1].explained > 0.5  # type: ignore[operator]
    assert all(figures.kept == 0 for figures in curve)
    critic = standing(made, CRITIC)
    figures = made.learn(given, 25)
    assert figures.kept == 18
    assert not same(standing(made, SOLVER), before[SOLVER]) and not same(standing(made, CRITIC), critic)


@pytest.mark.parametrize("clip", [1e-3, 10.0])
def test_a_second_pass_of_the_critic_counts_no_way_beyond_its_clip(tiny: Path, clip: float) -> None:
    """From the values before the step, not those before the pass; row by row, with the clip and without."""
    update, given = replace(UPDATE, critic="action", critic_lr=1e-2, value_clip=clip, warmup=1), batch()
    once, twice = learner(tiny, update), learner(tiny, replace(update, epochs=2))
    before = once.reader.values(given.experiences)
    returns = estimated(given, before, "action", 1.0, 0.95).returns
    once.learn(given, 0)
    twice.learn(given, 0)
    old, goal = (torch.tensor([each[place][0] for place in range(18)]) for each in (before, returns))
    now = torch.stack([valued_alone(once, each)[0] for each in given.experiences])
    assert float((now - old).abs().detach().max()) > 1e-2
    near = torch.minimum(torch.maximum(now, old - clip), old + clip)
    own = once.optimisers.trained[CRITIC]

    def slopes(missed: torch.Tensor) -> dict[str, torch.Tensor]:
        found = torch.autograd.grad(missed.mean() / 4, list(own.values()), retain_graph=True, materialize_grads=True)
        return dict(zip(own, found, strict=True))

    found = gradient(twice, CRITIC)
    assert close(found, slopes(torch.maximum((now - goal) ** 2, (near - goal) ** 2)))
    assert close(found, slopes((now - goal) ** 2), 1e-4) == (clip > 1)


def test_a_policy_may_have_any_name(tiny: Path) -> None:
    """Dots, which PEFT refuses, and the critic's own."""
    given = tuple(
        replace(e, row=replace(e.row, policy={SOLVER: "a.b-1", JUDGE: "critic"}[e.agent])) for e in batch().experiences
    )
    made = learner(tiny, replace(UPDATE, critic="action", warmup=1), ["a.b-1", "critic"])
    before = standing(made, "critic")
    made.learn(Batch(given, batch().paths), 0)
    assert same(standing(made, "critic"), before), "the critic alone learns"
    made.learn(Batch(given, batch().paths), 1)
    assert not same(standing(made, "critic"), before)


VARIANTS: list[dict[str, Any]] = [
    {"minibatches": 3, "epochs": 2},
    {"order": "sequential", "kl": 0.1, "ratio": "turn"},
    {"order": "round_robin", "critic": "action", "clam": 4},
    {"critic": "token", "warmup": 1, "kl_stop": 1e-4, "epochs": 3},
]
LAUNCHED = """
import sys
from pathlib import Path
import torch
from tests.learning.rl.test_learner import launched
torch.set_num_threads(1)
launched(Path(sys.argv[1]), Path(sys.argv[2]), 2)
"""


def launched(tiny: Path, folder: Path, processes: int) -> None:
    """Steps of each variant on ragged batches, and on one row, which all processes but one have nothing of."""
    for place, changes in enumerate(VARIANTS):
        # A low rate for the critic: Adam divides a gradient of 1e-8, which the order of sums decides, by itself.
        made = learner(tiny, replace(UPDATE, **changes, critic_lr=3e-5))
        assert made.accelerator.num_processes == processes
        figures = [
            made.learn(given, step)
            for step, given in enumerate((batch(), Batch(batch(1).experiences[:1], ()), batch(2)))
        ]
        state = everything(made)
        if made.accelerator.is_main_process:
            state["figures"] = torch.tensor([[f.loss, f.norm, f.mismatch, f.kl, f.tokens] for f in figures])
            save_file(state, folder / f"{processes}-{place}.safetensors")


@pytest.mark.slow
def test_one_process_and_two_take_the_same_steps(tiny: Path, tmp_path: Path) -> None:
    """Over gloo, and none waits for a row that it lacks."""
    script = tmp_path / "launched.py"
    script.write_text(LAUNCHED)
    # Not "--cpu": where there is no MPI that is one process, whatever their number.
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(script), str(tiny), str(tmp_path)], env=environment, capture_output=True, text=True, check=False,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    launched(tiny, tmp_path, 1)
    for place in range(len(VARIANTS)):
        one, two = (load_file(tmp_path / f"{processes}-{place}.safetensors") for processes in (1, 2))
        assert len(one) > 50 and close(one, two), VARIANTS[place]
        first, second = ({name: each for name, each in state.items() if "/exp_avg" in name} for state in (one, two))
        assert len(first) > 50 and close(first, second, 1e-6), VARIANTS[place]
        assert not same(one, two), "sums in another order"
