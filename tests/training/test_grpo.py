"""Multi-agent GRPO on random weights: what it learns, what it leaves, and what no death takes from it."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestra.learning.adapters import bind, read_manifest
from orchestra.learning.rl.experience import Batch, with_advantages
from orchestra.models import names
from orchestra.models.local.model import LocalModel
from orchestra.training import grpo, ppo
from orchestra.training._pay import Pay
from orchestra.training._reinforce import Reinforcement
from orchestra.training._rollouts import seed_of
from orchestra.trajectory.store import open_run
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Request
from tests.training.dying import LETTERS, distance, figures

pytestmark = [
    pytest.mark.usefixtures("tiny"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]
ROOT = Path(__file__).resolve().parents[2]
REVERSE = str(Path(__file__).with_name("reverse.py"))
SMALL = (
    "--model", "tiny", "--shots", "0", "--system", "", "--max-tokens", "2", "--precision", "fp32", "--lr", "1e-2",
    "--rank", "4", "--tasks", "3", "--steps", "2", "--json",
)  # fmt: skip
SOLO = ("--team", "solo", "--branch", "4")


def run(output: Path, *more: str, recipe: Any = grpo, benchmark: str = LETTERS) -> int:
    code: int = recipe.main([*SMALL, "--output", str(output), "--benchmark", benchmark, *more])
    return code


def trees(output: Path) -> list[Trajectory]:
    with open_run(output / "rollouts" / "rank-0") as folder:
        return list(folder.trajectories())


def test_a_run_leaves_versions_figures_and_trees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out"
    assert run(output, *SOLO) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["steps"] == 2 and said["policies"] == {"generator": {"version": 2}}
    lines = figures(output)
    assert [each["reward"] for each in said["curve"]] == [each["reward"] for each in lines]
    entry = read_manifest(output).policies["generator"]
    assert (entry.version, entry.metrics["reward"]) == (2, lines[1]["reward"])
    assert entry.config["recipe"] == "grpo" and entry.config["step"] == 2
    found = trees(output)
    assert len(found) == 6 and all(len(tree.decisions) == 4 for tree in found)
    policies = [{decision.policy for decision in tree.decisions} for tree in found]
    assert policies.count({"generator@0"}) == policies.count({"generator@1"}) == 3, "each step by its own version"
    assert {tree.seed for tree in found} == {seed_of(0, step) for step in range(2)}, "and drawn anew"
    assert len({seed_of(seed, step) for seed in range(2) for step in range(2)}) == 4
    adapters = {decision.request.adapter for tree in found for decision in tree.decisions}
    assert adapters == {"", str(output / "generator@1")}
    assert all(line["mismatch_kl"] <= 0.01 for line in lines)
    adapter = bind(output)["generator"].folder
    asked = Request((("user", "1"),), adapter=str(adapter), max_tokens=2)
    assert asyncio.run(names.load_model("tiny").generate([asked]))[0].output_ids, "the sampler takes what is published"


@pytest.mark.parametrize("given", [SOLO, ("--team", "solo", "--branch", "1", "--single", "moving")], ids=" ".join)
def test_the_same_command_again_changes_nothing_and_more_steps_go_on(given: Sequence[str], tmp_path: Path) -> None:
    """Two steps and then four are four; single draws also need the baselines that they were held against."""
    one, other = tmp_path / "one", tmp_path / "other"
    assert run(one, *given) == run(one, *given) == 0
    assert len(figures(one)) == read_manifest(one).policies["generator"].version == 2
    assert run(one, *given, "--steps", "4") == 0
    assert run(other, *given, "--steps", "4") == 0
    assert distance(one, other) == 0.0 and figures(one) == figures(other)
    third = tmp_path / "third"
    assert run(third, *given, "--steps", "4", "--seed", "1") == 0
    assert distance(one, third) > 1e-3  # control


def test_policies_that_do_not_learn_speak_as_they_started(tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert run(output, "--team", "chain", "--learn", "refiner", "--branch", "2,1,2") == 0
    assert list(read_manifest(output).policies) == ["refiner"]
    said = {(each.role, each.policy, bool(each.request.adapter)) for tree in trees(output) for each in tree.decisions}
    others = {(role, f"{role}@0", False) for role in ("generator", "verifier")}
    assert said == others | {("refiner", "refiner@0", False), ("refiner", "refiner@1", True)}


def test_one_step_behind_is_as_repeatable_as_none(tmp_path: Path) -> None:
    """Drawn beside the update, with the version before; the second step's trees are by version 0 too."""
    folders = [tmp_path / name for name in ("one", "other", "none")]
    for folder, stale in zip(folders, "110", strict=True):
        assert run(folder, *SOLO, "--steps", "4", "--stale", stale) == 0
    one, other, none = folders
    assert distance(one, other) == 0.0 and figures(one) == figures(other)
    assert distance(one, none) > 1e-3
    by_version = [sum(tree.decisions[0].policy == f"generator@{k}" for tree in trees(one)) for k in range(4)]
    assert by_version == [6, 3, 3, 0]
    assert [sum(t.decisions[0].policy == f"generator@{k}" for t in trees(none)) for k in range(4)] == [3, 3, 3, 3]


@pytest.mark.parametrize("stale", [0, 1])
def test_adapters_are_let_go_of_once_nobody_draws_with_them(
    stale: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that a step was drawn with, at its end: the next one's, which one step behind is drawn beside it, stays."""
    gone, drop = list[str](), LocalModel.drop

    def dropped(model: LocalModel, adapter: str) -> None:
        gone.append(Path(adapter).name)
        drop(model, adapter)

    monkeypatch.setattr(LocalModel, "drop", dropped)
    assert run(tmp_path / "out", *SOLO, "--steps", "3", "--stale", str(stale)) == 0
    assert gone == [f"generator@{step - stale}" for step in range(3)]
    drawn = {Path(d.request.adapter).name for tree in trees(tmp_path / "out") for d in tree.decisions}
    assert drawn - {""} <= {*gone}


def test_the_horizon_grows_stage_by_stage(tmp_path: Path) -> None:
    output = tmp_path / "out"
    given = ("--team", "talk", "--branch", "2", "--horizon", "1,2", "--horizon-every", "2", "--steps", "4")
    assert run(output, *given, "--tasks", "2") == 0
    found = {int(tree.task.id.rpartition("/")[2]): max(d.round for d in tree.decisions) for tree in trees(output)}
    assert [found[task] for task in range(4)] == [0, 0, 0, 0], "two steps of two tasks"
    assert max(found[task] for task in range(4, 8)) == 1


def test_best_draws_are_paid_by_their_own_words(tmp_path: Path) -> None:
    """AT-GRPO as published: one goes on, and each is compared by what it earned itself."""
    output = tmp_path / "out"
    given = ("--team", "chain", "--learn", "generator", "refiner", "--branch", "3")
    assert run(output, *given, "--mode", "best", "--local", "own", "--alpha", "0") == 0
    for tree in trees(output):
        assert len(tree.leaves) == 1 and len(tree.decisions) == 9
    assert sum(line["kept"] for line in figures(output)) > 0


def test_another_start_is_where_it_goes_on_from(tmp_path: Path) -> None:
    """Version 0 is the adapter of --init, to which the divergence is told; published versions name it as parent."""
    first, second = tmp_path / "first", tmp_path / "second"
    assert run(first, *SOLO) == 0
    assert run(second, *SOLO, "--init", str(first), "--kl", "0.1", "--rank", "8") == 0
    lines = figures(second)
    assert lines[0]["reference_kl"] == pytest.approx(0, abs=1e-6) and lines[1]["reference_kl"] > 1e-6
    adapters = {d.request.adapter for tree in trees(second) for d in tree.decisions}
    assert adapters == {str(first / "generator@2"), str(second / "generator@1")}
    entry = read_manifest(second).policies["generator"]
    assert len(entry.parents) == 1 and "generator@2" in entry.parents[0]
    assert all(line["mismatch_kl"] <= 0.01 for line in lines)


TEXT = '{"say": "b"}\n'
REFUSED: Sequence[tuple[Any, tuple[str, ...], str]] = [
    (grpo, ("--temperature", "0"), "expected --temperature > 0"),
    (grpo, ("--model", "scripted:{file}"), "expected a model with weights on this machine"),
    (grpo, ("--model", "tinny"), "did you mean 'tiny'?"),
    (grpo, ("--mode", "best"), "fix: --local own --alpha 0"),
    (grpo, ("--ratio", "action"), "--ratio action and --normalise rollout exclude each other"),
    (grpo, ("--warmup", "2"), "unrecognized arguments: --warmup 2"),
    (grpo, ("--critic", "action"), "unrecognized arguments"),
    (grpo, ("--group", "agent"), "invalid choice: 'agent'"),
    (grpo, ("--alpha", "0"), "expected alpha > 0, or 0 beside a local rule"),
    (grpo, ("--alpha", "nan"), "alpha"),
    (grpo, ("--branch", "4,2"), "expected --branch of one number, or of 1 (generator), got '4,2'"),
    (grpo, ("--branch", "0"), "expected --branch of one number"),
    (grpo, ("--horizon", "1,0"), "expected --horizon"),
    (grpo, ("--tasks", "0"), "expected --tasks >= 1, got 0"),
    (grpo, ("--lr", "nan"), "expected --lr > 0, got nan"),
    (grpo, ("--dual", "1"), "--dual > 1 or 0"),
    (grpo, ("--seed", "-1"), "expected 0 <= --seed"),
    (grpo, ("--learn", "verifier"), "expected --learn of generator, got 'verifier'"),
    (grpo, ("--init", "{folder}/nothing"), "nothing"),
    (grpo, ("--benchmark", "arit"), "unknown benchmark 'arit'; did you mean 'arith'?"),
    (ppo, ("--mode", "best"), "a critic needs none beside it; fix: --mode full"),
    (ppo, ("--critic", "none"), "invalid choice: 'none'"),
    (ppo, ("--group", "turn"), "unrecognized arguments"),
    (ppo, ("--gamma", "2"), "expected --gamma from 0 to 1, got 2.0"),
]


@pytest.mark.parametrize(("recipe", "given", "message"), REFUSED, ids=[" ".join(given) for _, given, _ in REFUSED])
def test_what_cannot_be_used_is_refused_in_one_line(
    recipe: Any, given: Sequence[str], message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "words.jsonl").write_text(TEXT)
    places = {"file": str(tmp_path / "words.jsonl"), "folder": str(tmp_path)}
    words = [each.format(**places) for each in given]
    code = run(tmp_path / "out", "--team", "solo", "--branch", "2", *words, recipe=recipe)
    printed = capfd.readouterr()
    assert code == 2, printed.err
    lines = [line for line in printed.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and message.format(**places) in lines[0], printed.err
    assert "Traceback" not in printed.err and printed.out == ""


def test_what_another_run_left_is_not_gone_on_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Other options, or another recipe: refused with what differs, and nothing of it is touched."""
    output = tmp_path / "out"
    assert run(output, *SOLO) == 0
    before = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert run(output, *SOLO, "--lr", "1e-3") == 2
    said = capsys.readouterr().err
    assert "lr was '0.01', now '0.001'" in said
    assert "error: expected an empty folder, or a run with these options" in said and "fix: --output" in said
    assert run(output, "--team", "solo", "--branch", "4", recipe=ppo) == 2
    assert {path: path.read_bytes() for path in output.rglob("*") if path.is_file()} == before
    assert run(output, *SOLO) == 0


def test_damage_to_the_newest_checkpoint_costs_a_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output, whole = tmp_path / "out", tmp_path / "whole"
    for folder in (output, whole):
        assert run(folder, *SOLO, "--steps", "3") == 0
    newest = max((output / ".checkpoints").glob("step-*"))
    (newest / "adapter.safetensors").write_bytes(b"torn")
    capsys.readouterr()
    assert run(output, *SOLO, "--steps", "3") == 0
    said = capsys.readouterr().err
    assert f"{newest.name} is left out" in said and "goes on after step 2" in said
    assert distance(output, whole) == 0.0 and figures(output) == figures(whole)


class Blind(Pay):
    """Who said what does not matter: advantages are dealt out anew."""

    calls = 0

    def __call__(self, trees: Sequence[Trajectory]) -> tuple[Batch, dict[str, Any]]:
        batch, said = super().__call__(trees)
        advantages = [each.advantage for each in batch.experiences]
        random.Random(self.calls).shuffle(advantages)
        self.calls += 1
        return with_advantages(batch, advantages), said


class Shuffled(Reinforcement):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.pay = Blind(self.benchmark, self.learning, self.options, self.update)


LEARNING = (
    "--lr", "4e-3", "--rank", "16", "--tasks", "9", "--branch", "32", "--scale", "std", "--epochs", "2",
    "--minibatches", "3", "--steps", "30",
)  # fmt: skip


@pytest.mark.slow
def test_tiny_learns_to_reverse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From chance, .31, to over .6 (training.md (e) 22); with advantages dealt out anew it stays at chance."""
    assert run(tmp_path / "out", "--team", "solo", *LEARNING, benchmark=REVERSE) == 0
    curve = figures(tmp_path / "out")
    rewards = [each["reward"] for each in curve]
    assert sum(rewards[:3]) / 3 < 0.4 and sum(rewards[-5:]) / 5 >= 0.6, rewards
    assert max(each["mismatch_kl"] for each in curve) <= 0.01
    monkeypatch.setattr(grpo, "Reinforcement", Shuffled)
    assert run(tmp_path / "shuffled", "--team", "solo", *LEARNING, "--steps", "20", benchmark=REVERSE) == 0
    assert max(each["reward"] for each in figures(tmp_path / "shuffled")) < 0.45


@pytest.fixture(scope="module")
def killed(tiny: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    command = [sys.executable, "-m", "tests.training.dying", str(tmp_path_factory.mktemp("killed"))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
def test_a_killed_run_goes_on_as_if_it_never_died(killed: dict[str, dict[str, Any]]) -> None:
    control = killed.pop("control")
    assert control["distance"] > 1e-3 and not control["same figures"]
    for death, found in killed.items():
        assert found["status"] == -9, f"{death}: it did not die"
        assert found["again"] == 0 and found["distance"] <= 1e-6 and found["same figures"], (death, found)
        assert found["left"] == [], death
    assert {found["steps before"] for found in killed.values()} == {0, 1}


LAUNCHED = """
import os, sys
import torch
from orchestra.training import grpo
from tests.training.dying import die
torch.set_num_threads(1)
if os.environ["RANK"] == "1" and "DEATH" in os.environ:
    die(os.environ["DEATH"])
sys.exit(grpo.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_killed_rank_ends_the_launch_and_the_same_command_goes_on(tmp_path: Path) -> None:
    """Two processes, of which the second dies before its second update: in the end bit by bit what two come to that
    nobody kills; and, in another order of sums, what one alone comes to. Three tasks, so that their shares differ."""
    script = tmp_path / "launched.py"
    script.write_text(LAUNCHED)
    given = ("--team", "chain", "--learn", "generator", "--branch", "3,1,1")

    def launch(output: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        # Not "--cpu": where there is no MPI that is one process, whatever their number.
        command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
        words = [*SMALL, *given, "--benchmark", LETTERS, "--output", str(output)]
        known = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
        return subprocess.run(
            [*command, str(script), *words], env=known, capture_output=True, text=True, check=False, timeout=300
        )

    one, two, whole = (tmp_path / name for name in ("one", "two", "whole"))
    assert launch(two, DEATH="Learner.learn:2").returncode != 0
    assert len(figures(two)) == 1
    for output in (two, whole):
        done = launch(output)
        assert done.returncode == 0, done.stderr
        assert ("goes on after step 1" in done.stderr) == (output == two)
        assert all(list((output / "rollouts" / f"rank-{k}").glob("journal-*")) for k in (0, 1)), "both drew"
    assert distance(two, whole) == 0.0 and figures(two) == figures(whole)
    assert run(one, *given) == 0
    for alone, together in zip(figures(one), figures(two), strict=True):
        assert alone == {
            name: value if value is None else pytest.approx(value, abs=1e-4) for name, value in together.items()
        }
