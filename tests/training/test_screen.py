"""Screened rollouts: what is drawn and what is not, and what that does to the gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import exp, prod, sqrt
from pathlib import Path
from typing import Any

import pytest

from orchestra.credit.group_relative import SCALES, Scale, relative
from orchestra.training import grpo, ppo
from orchestra.training._pay import Pay
from orchestra.trajectory.store import open_run
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Key
from tests.training.dying import LETTERS, distance, figures
from tests.training.letters import letters

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
SMALL = (
    "--model", "tiny", "--shots", "0", "--system", "", "--max-tokens", "2", "--precision", "fp32", "--lr", "1e-2",
    "--rank", "4", "--tasks", "8", "--steps", "2", "--benchmark", LETTERS, "--json",
)  # fmt: skip
CHAIN = ("--branch", "4,1,1", "--learn", "generator")


def run(output: Path, *more: str, recipe: Any = grpo) -> int:
    code: int = recipe.main([*SMALL, "--output", str(output), *more])
    return code


def trees(output: Path) -> list[Trajectory]:
    with open_run(output / "rollouts" / "rank-0") as folder:
        return list(folder.trajectories())


@pytest.mark.usefixtures("tiny")
def test_what_is_drawn_is_a_part_of_what_would_be(tmp_path: Path) -> None:
    """Of the first step, drawn by the same weights: whole trees where the first two draws differ, their beginning
    elsewhere, to the letter."""
    assert run(tmp_path / "all", *CHAIN, "--steps", "1") == 0
    assert run(tmp_path / "few", *CHAIN, "--steps", "1", "--screen", "2") == 0
    whole, screened = ({t.task.id: t for t in trees(tmp_path / name)} for name in ("all", "few"))
    assert whole.keys() == screened.keys() and len(whole) == 8
    sizes = {len(tree.leaves) for tree in screened.values()}
    assert sizes == {2, 4}, "some differ, and some do not"
    for name, tree in screened.items():
        said = {d.key: d.completion.output_ids for d in whole[name].decisions if d.completion}
        assert all(said[d.key] == d.completion.output_ids for d in tree.decisions if d.completion)
        grown = len(tree.leaves) == 4
        assert grown == differs(whole[name], first=2)
        assert {d.key for d in tree.decisions} == {k for k in said if grown or all_below(whole[name], k, 2)}
    (line,) = figures(tmp_path / "few")
    made = [d.completion.usage for tree in screened.values() for d in tree.decisions if d.completion]
    assert (line["calls"], line["tokens_out"]) == (len(made), sum(each.tokens_out for each in made))
    assert line["calls"] < figures(tmp_path / "all")[0]["calls"] == 8 * 4 * 3


def all_below(tree: Trajectory, key: Key, first: int) -> bool:
    """Whether a decision lies on a path of first draws alone."""
    paths = [leaf.taken[: leaf.taken.index(key) + 1] for leaf in tree.leaves if key in leaf.taken]
    return any(all(each.draw < first for each in path) for path in paths)


def differs(tree: Trajectory, first: int) -> bool:
    """Whether leaves of the first draws earn unlike."""
    rewards = [
        letters.score(tree.task, leaf.content).strict
        for leaf in tree.leaves
        if all(key.draw < first for key in leaf.taken)
    ]
    return len(set(rewards)) > 1


@pytest.mark.usefixtures("tiny")
def test_what_is_told_to_be_earned_is_of_the_first_draws(tmp_path: Path) -> None:
    """Else tasks that got more draws would count by other draws than those that did not."""
    assert run(tmp_path / "few", *CHAIN, "--steps", "1", "--screen", "2") == 0
    assert run(tmp_path / "two", *CHAIN, "--branch", "2,1,1", "--steps", "1") == 0
    assert figures(tmp_path / "few")[0]["reward"] == figures(tmp_path / "two")[0]["reward"]


@pytest.mark.usefixtures("tiny")
def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    assert run(one, *CHAIN, "--screen", "2", "--steps", "1") == run(one, *CHAIN, "--screen", "2") == 0
    assert run(other, *CHAIN, "--screen", "2") == 0
    assert distance(one, other) == 0


@pytest.mark.usefixtures("tiny")
def test_what_is_paid_besides_is_told_apart_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent's own words that differ are worth more draws though the team earns alike."""
    seen = list[tuple[Trajectory, bool]]()
    asked: Callable[[Pay, Trajectory], bool] = Pay.differs

    def watched(pay: Pay, tree: Trajectory) -> bool:
        seen.append((tree, asked(pay, tree)))
        return seen[-1][1]

    monkeypatch.setattr(Pay, "differs", watched)
    more = ("--local", "own", "--alpha", "0.5", "--tasks", "24")
    assert run(tmp_path / "own", *CHAIN, "--screen", "2", "--steps", "1", *more) == 0
    assert any(found and not differs(tree, first=2) for tree, found in seen), "by their own words alone"
    assert all(found for tree, found in seen if differs(tree, first=2))


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("recipe", "given", "message"),
    [
        (grpo, ("--screen", "4"), "expected --screen from 2 to below the 4 draws of --branch, got 4; fix: 2"),
        (grpo, ("--screen", "1"), "got 1"),
        (grpo, ("--screen", "-2"), "got -2"),
        (grpo, ("--screen", "2", "--single", "moving"), "fix: drop --screen"),
        (grpo, ("--screen", "2", "--branch", "4", "--mode", "aligned"), "fix: drop --screen"),
        (ppo, ("--screen", "2"), "fix: drop --screen"),
    ],
)
def test_what_could_not_be_told_apart_is_refused(
    recipe: Any, given: Sequence[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "out", *CHAIN, *given, recipe=recipe) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert message in line


POLICY = [exp(x) / sum(map(exp, (0.3, -0.5, 1.1))) for x in (0.3, -0.5, 1.1)]
DRAWS, FIRST = 4, 2


def expected(rewards: Sequence[float], scale: Scale, first: int) -> list[float]:
    """The expected gradient by the logits of a softmax of three arms, summed over all ways to draw DRAWS of them.

    Where the first draws earn alike nothing is learnt.
    """
    total = [0.0] * 3
    for arms in product(range(3), repeat=DRAWS):
        earned = [rewards[arm] for arm in arms]
        if len(set(earned[:first])) == 1:
            continue
        chance = prod(POLICY[arm] for arm in arms)
        for arm, advantage in zip(arms, relative(earned, scale), strict=True):
            for k in range(3):
                total[k] += chance * advantage * (float(k == arm) - POLICY[k]) / DRAWS
    return total


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    both, first, second = (sum(x * y for x, y in zip(u, v, strict=True)) for u, v in ((a, b), (a, a), (b, b)))
    return both / sqrt(first * second)


def plain(rewards: Sequence[float]) -> list[float]:
    """The gradient of what is earned: pi (r - mean)."""
    mean = sum(p * r for p, r in zip(POLICY, rewards, strict=True))
    return [p * (r - mean) for p, r in zip(POLICY, rewards, strict=True)]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("rewards", [(1.0, 0.0, 0.0), (0.0, 1.0, 1.0)])
def test_a_task_that_is_right_or_wrong_keeps_its_direction(rewards: Sequence[float], scale: Scale) -> None:
    """Tasks are weighed anew by how often their first draws differ; none is pushed elsewhere."""
    screened, whole = expected(rewards, scale, FIRST), expected(rewards, scale, DRAWS)
    assert cosine(screened, plain(rewards)) == pytest.approx(1, abs=1e-12)
    assert 0 < sum(map(abs, screened)) < sum(map(abs, whole))


def test_other_rewards_do_not_keep_it() -> None:
    """Why this is said of right and wrong alone."""
    rewards = (1.0, 0.1, 0.0)
    assert cosine(expected(rewards, "none", DRAWS), plain(rewards)) == pytest.approx(1, abs=1e-12)
    assert cosine(expected(rewards, "none", FIRST), plain(rewards)) < 1 - 1e-6
