"""Baselines of the shelf at the cost of a team, on scripted models whose tokens are known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from orchestra import topologies
from orchestra.errors import BadInput
from orchestra.evals import arith
from orchestra.evaluation.course import Course
from orchestra.evaluation.equal_budget.baselines import (
    WARM,
    Baseline,
    Bind,
    Matched,
    answers_alone,
    baseline,
    ensemble,
    measure,
    warmed,
)
from orchestra.evaluation.equal_budget.matching import SIZINGS
from orchestra.evaluation.result import Result
from orchestra.models.model import Policy
from orchestra.models.scripted import Scripted
from orchestra.roles import generator, refiner, verifier
from orchestra.team import Agent, Team
from orchestra.topologies import chain, self_consistency, solo
from orchestra.trajectory.store import open_run

BENCH = arith("add2")
TASKS = BENCH.sample(8, split="test")


def wordy(words: int = 6, parameters: int | None = None) -> Scripted:
    """Says so many words, whose answer depends on the seed."""
    model = Scripted(lambda request: "so " * (words - 1) + str(request.seed % 5), name=f"wordy-{words}")
    if parameters is not None:
        model.parameters = parameters  # type: ignore[attr-defined]
    return model


def team(model: Scripted) -> Team:
    return chain(generator(model), verifier(model), refiner(model))


def made(name: str, model: Scripted) -> Callable[[int | None, Bind], Team]:
    """As the command line makes it: the slots filled from the shelf's ROLES, the size as an option."""
    import importlib

    from orchestra import roles

    module = importlib.import_module(f"orchestra.topologies.{name}")

    def make(size: int | None, bind: Bind) -> Team:
        cast = {slot: getattr(roles, role) for slot, (role, *_) in module.ROLES.items()}
        slots = {slot: role(bind(Policy(role.name, model))) for slot, role in cast.items()}
        return getattr(topologies, name)(**slots, **({} if size is None else {SIZINGS[name].parameter: size}))

    return make


def measured(
    tmp_path, other: Baseline, ours: Team, match, per="question", tasks=TASKS
) -> tuple[Result, Result, Matched]:
    async def both() -> tuple[Result, Result, Matched]:
        first = await course.measure(ours, "ours")
        second, how = await measure(course, other, ours, first, match, per)
        assert how is not None
        return first, second, how

    with open_run(tmp_path, create=True) as folder:
        course = Course(tasks, BENCH, folder)
        return asyncio.run(both())


SIZED = [name for name in SIZINGS if name != "ensemble"]


@pytest.mark.parametrize("name", SIZED)
def test_tokens_are_matched_and_what_was_spent_is_told(name: str, tmp_path) -> None:
    """A team that spends about ten times one sample, so that a step of any baseline is small beside it."""
    model = wordy()
    ours = self_consistency(generator(model), n=12)
    first, second, how = measured(tmp_path, baseline(name, made(name, model)), ours, "tokens")
    assert how.target == pytest.approx(first.usage.tokens / 8)
    assert how.spent == pytest.approx(second.usage.tokens / 8)
    ratio = how.summary()["ratio"]
    if name == "long":  # a model that stops by itself spends less, and that is said
        assert ratio < 0.2
        assert max(how.sizes) > 100
    else:
        assert 0.85 < ratio < 1.15
    exact = {"self_consistency": 1.0}
    assert ratio == pytest.approx(exact.get(name, ratio))


@pytest.mark.parametrize("name", [name for name in SIZED if name != "long"])
def test_calls_are_matched_exactly(name: str, tmp_path) -> None:
    """Seven calls are 7 samples, 6 candidates and a judge, or a draft and three rounds."""
    model = wordy()
    ours = self_consistency(generator(model), n=7)
    _, second, how = measured(tmp_path, baseline(name, made(name, model)), ours, "calls")
    assert (how.target, how.spent) == (7.0, 7.0)
    assert [item.usage.calls for item in second.items] == [7] * 8


def test_every_question_is_matched_on_its_own_and_the_average_alone_only_there(tmp_path) -> None:
    """A team that is verbose on long prompts alone."""
    model = Scripted(lambda request: "word " * (40 if "5" in request.messages[-1][1] else 4) + "0")
    sample = wordy()
    other = baseline("self_consistency", made("self_consistency", sample))
    ours = solo(generator(Policy("ours", model)))
    first, second, how = measured(tmp_path / "q", other, ours, "tokens")
    spent, bought = ([item.usage.tokens for item in found.items] for found in (first, second))
    assert len(set(how.sizes)) > 1
    assert all(abs(a - b) <= 6 for a, b in zip(spent, bought, strict=True))
    _, even, how = measured(tmp_path / "a", other, ours, "tokens", per="average")
    assert len(set(how.sizes)) == 1
    assert abs(how.target - how.spent) <= 6
    assert any(abs(a - b.usage.tokens) > 12 for a, b in zip(spent, even.items, strict=True))  # the control


def test_flops_weigh_tokens_by_parameters(tmp_path) -> None:
    """A small model under a team of a ten times larger one: ten times as many samples as tokens alone would buy."""
    large, small = wordy(6, 1000), wordy(6, 100)
    small.name = "small"
    ours = self_consistency(generator(Policy("large", large)), n=2)
    other = baseline("self_consistency", made("self_consistency", small))
    _, second, how = measured(tmp_path / "f", other, ours, "flops")
    assert set(how.sizes) == {20}
    assert how.summary()["ratio"] == pytest.approx(1.0)
    assert how.spent == pytest.approx(2 * 100 * second.usage.tokens / 8)
    _, _, by_tokens = measured(tmp_path / "t", other, ours, "tokens")
    assert set(by_tokens.sizes) == {2}


def test_flops_of_a_model_of_unknown_size_are_refused(tmp_path) -> None:
    model = wordy()
    with pytest.raises(BadInput, match="number of parameters of every model, which wordy-6 does not tell"):
        measured(
            tmp_path, baseline("self_consistency", made("self_consistency", model)), solo(generator(model)), "flops"
        )


def test_who_answers_alone() -> None:
    generating, verifying, refining = team(wordy()).agents()
    assert [answers_alone(agent) for agent in (generating, verifying, refining)] == [True, False, False]


def test_an_ensemble_is_the_teams_own_agents_again_and_again(tmp_path) -> None:
    model = wordy()

    def make(agents: Sequence[Agent], repeat: int) -> Team:
        return topologies.ensemble(agents, repeat=repeat)

    other = ensemble(team(model), make)
    assert [agent.role.name for agent in other.usual.agents()] == ["generator"] * 3
    _, second, how = measured(tmp_path, other, team(model), "tokens")
    assert abs(how.spent - how.target) <= 6
    assert second.usage.calls == sum(how.sizes)
    with pytest.raises(BadInput, match="no agent of 'chain' answers without reading others"):
        ensemble(chain(verifier(model)), make)


def test_what_is_asked_again_is_sampled_and_nothing_else() -> None:
    cold = generator(wordy())
    cold = replace(cold, role=replace(cold.role, temperature=0.0))
    heats = [agent.role.temperature for agent in warmed(self_consistency(cold, n=2)).agents()]
    assert heats == [WARM, WARM]
    warm = self_consistency(generator(wordy()), n=2)
    assert warmed(warm).digest == warm.digest


def test_a_team_without_a_size_is_run_as_it_is(tmp_path) -> None:
    model = wordy()
    plain = baseline("chain", lambda size, bind: team(model))
    with open_run(tmp_path, create=True) as folder:
        course = Course(TASKS, BENCH, folder)
        ours = asyncio.run(course.measure(solo(generator(model)), "solo"))
        found, how = asyncio.run(measure(course, plain, solo(generator(model)), ours, "tokens", "question"))
    assert how is None
    assert found.usage.calls == 24
