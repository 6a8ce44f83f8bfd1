"""The team that asks: its seats and policies, what is demonstrated, calls that vary in number, and M-GRPO on them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from orchestra.credit import masses, per_call
from orchestra.engine import Full, grow, run
from orchestra.evals import arith, hotpot
from orchestra.evaluation.benchmark import Benchmark
from orchestra.evaluation.rewards import earned
from orchestra.learning import read_manifest
from orchestra.models.model import Policy
from orchestra.models.scripted import Scripted
from orchestra.team import Team
from orchestra.training import atgrpo, cloning, marft, mgrpo
from orchestra.training._demonstrations import credited, demonstrator
from orchestra.training._team import EXPERT, MAIN, Cast, Manner, answered, cast
from orchestra.trajectory.store import open_run
from orchestra.trajectory.trajectory import Leaf, Trajectory
from orchestra.types import FrozenMap, Key, Request, Task

BRIDGE = hotpot("bridge")
TASKS = BRIDGE.sample(8, split="train", level=0)
TOWNS = str(Path(__file__).with_name("towns.py"))


def asking(tasks: Sequence[Task] = TASKS, calls: int = 3, shown: Sequence[Task] = ()) -> Cast:
    return cast("ask", shown, tasks, Manner(), calls)


def made(model: Scripted, own: Cast | None = None) -> Team:
    own = own or asking()
    return own.make({name: Policy(name, model) for name in own.policies}, 0.7)


def played(team: Team, task: Task) -> Trajectory:
    return asyncio.run(run(team, task))


def said(done: Trajectory) -> list[tuple[str, str]]:
    return [(d.agent, d.completion.text) for d in done.decisions if d.completion is not None]


def test_experts_are_the_seats_and_share_one_policy() -> None:
    team = made(Scripted([]))
    main, *experts = team.agents()
    assert (main.name, main.policy.name, main.role.name) == (MAIN, MAIN, MAIN)
    assert {expert.name for expert in experts} == set(TASKS[0].private)
    assert {(expert.policy.name, expert.role.name) for expert in experts} == {(EXPERT, EXPERT)}
    assert {agent.role.temperature for agent in team.agents()} == {0.7}
    assert asking().policies == (MAIN, EXPERT)


def test_everyone_is_asked_and_tells_its_line_and_the_gold_is_answered() -> None:
    for task in TASKS:
        done = played(demonstrator(asking(), task, answered(task)), task)
        lines = [(seat, " ".join(task.private[seat].split())) for seat in sorted(task.private)]
        asked = [(MAIN, f"{seat}: {task.prompt}") for seat, _ in lines]
        expected = [each for pair in zip(asked, lines, strict=True) for each in pair]
        assert said(done) == [*expected, (MAIN, f"Answer: {task.gold}")]
        assert done.leaf.stopped_by == "answered"


@pytest.mark.parametrize("calls", [1, 2, 3])
def test_no_more_is_demonstrated_than_may_be_asked(calls: int) -> None:
    task = TASKS[0]
    done = played(demonstrator(asking(calls=calls), task, answered(task)), task)
    assert len(done.decisions) == 1 + 2 * min(calls, 2)
    assert BRIDGE.score(task, done.leaf.content).strict == 1.0


def test_who_has_no_line_is_not_asked() -> None:
    private = FrozenMap({"a": "Red Door was\ndirected by Ann.", "c": "Ann was born in Rome."})
    lone = Task("t", "Where was\nhe born?", "Rome", private=private)
    done = played(demonstrator(asking([Task("u", "?", private=FrozenMap({"b": "."})), lone]), lone, ""), lone)
    assert said(done) == [
        (MAIN, "a: Where was he born?"), ("a", "Red Door was directed by Ann."),
        (MAIN, "c: Where was he born?"), ("c", "Ann was born in Rome."), (MAIN, "Answer: Rome"),
    ]  # fmt: skip
    sums = arith("add2").sample(1, split="train", level=0)
    assert said(played(demonstrator(asking(sums), sums[0], ""), sums[0])) == [(MAIN, f"Answer: {sums[0].gold}")]


def test_examples_of_prompts_are_what_is_demonstrated() -> None:
    """Of a shown task: each turn of the role, as the team without examples is asked it."""
    shown, task = TASKS[:2], TASKS[0]
    main, expert, *_ = made(Scripted([]), asking(TASKS[2:], shown=shown)).agents()
    done = played(demonstrator(asking(), task, ""), task)
    turns = [(d.role, (d.request.messages[-1][1], d.completion.text)) for d in done.decisions if d.completion]
    assert main.role.examples[:3] == tuple(turn for role, turn in turns if role == MAIN)
    assert expert.role.examples[:2] == tuple(turn for role, turn in turns if role == EXPERT)
    assert len(main.role.examples) == 6
    assert len(expert.role.examples) == 4


def values(done: Trajectory, benchmark: Benchmark = BRIDGE) -> list[float | None]:
    (table,) = credited(earned([done], benchmark), benchmark)
    return [table.rows[d.key].value for d in done.decisions]


def test_questions_and_lines_are_worth_learning_and_false_answers_are_not() -> None:
    task = TASKS[0]
    assert values(played(demonstrator(asking(), task, ""), task)) == [1.0] * 5
    lying = Scripted(["debater-1: Who?", "Answer: Nowhere", "Answer: Nowhere"])
    assert values(played(made(lying), task)) == [1.0, 0.0, 0.0]


def now_and_then(request: Request) -> str:
    """Asks one of the seats, or answers, as its seed has it; an expert tells a number."""
    if "You alone know" in request.messages[-1][1]:
        return f"It is {request.seed % 3}."
    return ("Answer: Rome", "debater-1: Who?", "debater-2: Where?")[request.seed % 3]


def calls_of(tree: Trajectory, leaf: Leaf, agent: str) -> int:
    known = {d.key: d.agent for d in tree.decisions}
    return sum(known[key] == agent for key in leaf.taken)


def test_calls_vary_in_number_and_share_one_weight() -> None:
    """By the definition, path by path: on single paths a call weighs 1/d, and a tree's states take the mean d."""
    trees = [asyncio.run(grow(made(Scripted(now_and_then), asking(calls=2)), task, Full(3))) for task in TASKS[:3]]
    numbers = Counter[int]()
    for tree in trees:
        agents = {d.key: d.agent for d in tree.decisions}
        mass = masses(tree)
        shared = per_call(tree, mass)
        numbers.update(calls_of(tree, leaf, seat) for leaf in tree.leaves for seat in TASKS[0].private)
        through: dict[str, list[int]] = {}
        for leaf in tree.leaves:
            for key in leaf.taken:
                through.setdefault(key.state, []).append(calls_of(tree, leaf, agents[key]))
        expected: dict[Key, float] = {key: mass[key] / fmean(through[key.state]) for key in mass}
        assert shared == pytest.approx(expected)
        changed = [key for key in mass if agents[key] != MAIN and shared[key] != pytest.approx(mass[key])]
        assert changed, "calls of an expert that is asked several times weigh less"
        once = [key for key in mass if agents[key] != MAIN and set(through[key.state]) == {1}]
        assert once
        assert all(shared[key] == pytest.approx(mass[key]) for key in once)
    assert set(numbers) == {0, 1, 2}


def start(recipe: Any, out: Path, *more: str) -> int:
    given = [
        "--out",
        str(out),
        "--model",
        "tiny",
        "--team",
        "ask",
        "--benchmark",
        TOWNS,
        "--shots",
        "0",
        "--system",
        "",
    ]
    given += ["--n", "3", "--dev", "2", "--turns", "2", "--max-tokens", "20", "--launch", "here", "--json"]
    code: int = recipe.main([*given, *more])
    return code


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    ("recipe", "words", "message"),
    [
        (mgrpo, ("--main", "refiner"), "unknown --main 'refiner'; known: expert, main"),
        (mgrpo, ("--branch", "2,2,2"), "expected --branch of one number, or of 2 (main, expert), got '2,2,2'"),
        (atgrpo, ("--swap",), "expected --team chain (generator, verifier, refiner) for --swap, got ask"),
        (cloning, ("--turns", "0"), "expected --turns >= 1, got 0"),
    ],
)
def test_what_does_not_fit_the_team_is_refused(
    recipe: Any, words: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(recipe, tmp_path, *words) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.usefixtures("tiny")
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_random_weights_learn_to_ask_and_are_reinforced_from_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--items", "8", "--sft", "--epochs 14 --lr 1e-2 --rank 8")
    assert start(cloning, tmp_path / "cloned", *words) == 0
    capsys.readouterr()
    init = tmp_path / "cloned" / "adapters" / "cloned"
    given = ("--init", str(init), "--branch", "3,2", "--items", "1", "--steps", "1", "--temperature", "0.7")
    assert start(mgrpo, tmp_path / "reinforced", *given, "--grpo", "--rank 8 --lr 1e-3") == 0
    found = json.loads(capsys.readouterr().out)
    entries = read_manifest(tmp_path / "reinforced" / "adapters" / "trained").policies
    assert entries.keys() == {MAIN, EXPERT}
    assert {str(entry.config[name]) for entry in entries.values() for name in ("main", "per_call")} == {MAIN, "True"}
    assert all(entry.parents[0].startswith(f"{name}@1:") for name, entry in entries.items())
    (step,) = found["training"]["trained"]["curve"]
    assert step["kept"] > 0
    with open_run(tmp_path / "reinforced" / "adapters" / "trained" / "rollouts" / "rank-0") as rollouts:
        trees = list(rollouts.trajectories())
    asked = {calls_of(tree, leaf, "a") + calls_of(tree, leaf, "b") for tree in trees for leaf in tree.leaves}
    assert len(asked) > 1, "d is not the same in all rollouts"
    assert any(per_call(tree, masses(tree)) != masses(tree) for tree in trees)


@pytest.mark.slow
@pytest.mark.usefixtures("tiny")
def test_a_critic_stands_beside_a_team_that_asks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--actions", "action", "--branch", "2,1", "--items", "2", "--steps", "1", "--ppo", "--rank 4 --lr 1e-3")
    assert start(marft, tmp_path, *words) == 0
    assert json.loads(capsys.readouterr().out)["training"]["trained"]["curve"][0]["value_loss"] is not None
