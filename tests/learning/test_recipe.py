"""The recipe as a person starts it: options, what it prints, what it leaves, and going on after a stop."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from orchestra.credit import Scored, nested_mean
from orchestra.faults import VARIABLE
from orchestra.learning import recipe
from orchestra.learning.adapters import bind, read_manifest
from orchestra.models.cache import file_sha256
from orchestra.training import sft
from orchestra.trajectory.store import open_run
from orchestra.trajectory.trajectory import Decision, Trajectory

pytestmark = pytest.mark.usefixtures("one_thread")
ROOT = Path(__file__).resolve().parents[2]
Decide = Callable[..., Decision]
RunOf = Callable[..., Trajectory]


@pytest.fixture(scope="module")
def collected(
    tiny: Path, tmp_path_factory: pytest.TempPathFactory, decide: Decide, run_of: RunOf
) -> Callable[..., Path]:
    """Writes a run folder: generator and verifier on each task, each task's reward given."""

    def made(rewards: Sequence[float | None], split: str = "train") -> Path:
        folder = tmp_path_factory.mktemp("run")
        batch = [
            run_of(
                *(
                    decide(f"{role}{index}", (60 + index, 70), (80 + index, 2), role=role)
                    for role in ("generator", "verifier")
                ),
                run=f"t{index}", prompt=f"{index} + 1?", split=split,
            )
            for index in range(len(rewards))
        ]  # fmt: skip
        scored = [Scored(t, ({"task": reward},)) for t, reward in zip(batch, rewards, strict=True)]
        with open_run(folder, create=True) as run:
            for trajectory in batch:
                run.add(trajectory)
            asyncio.run(run.flushed())
            run.annotate("nested_mean", {t.id: table for t, table in zip(batch, nested_mean()(scored), strict=True)})
        return folder

    return made


def start(run: Path, output: Path, *more: str) -> int:
    return sft.main(["--trajectories", str(run), "--output", str(output), "--model", "tiny", "--rank", "4", *more])


def test_each_policy_gets_its_adapter_and_is_not_trained_twice(
    collected: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = collected([1.0, 0.0, 1.0, None])
    assert start(run, tmp_path, "--roles", "generator", "--json") == 0
    alone = json.loads(capsys.readouterr().out)
    assert list(alone["policies"]) == ["generator"]

    assert start(run, tmp_path, "--json") == 0
    printed = capsys.readouterr()
    both: dict[str, Any] = json.loads(printed.out)
    assert "generator: already trained, version 1" in printed.err
    assert both["policies"]["generator"] == alone["policies"]["generator"]
    assert both.keys() == {"output", "steps", "loss_first", "loss_last", "seconds", "policies"}
    assert both["steps"] == 4
    verifier = both["policies"]["verifier"]
    assert (verifier["rows"], verifier["decisions"], verifier["tokens"], verifier["steps"]) == (2, 2, 16, 2)
    assert verifier["curve"] == json.loads((tmp_path / "verifier" / "losses.json").read_text())

    assert start(run, tmp_path, "--roles", "verifier", "--epochs", "1") == 0
    assert "verifier@2: 2 rows, 1 steps, loss" in capsys.readouterr().out
    assert {name: bound.version for name, bound in bind(tmp_path).items()} == {"generator": 1, "verifier": 2}


def test_going_on_from_adapters(collected: Callable[..., Path], tmp_path: Path) -> None:
    run = collected([1.0, 1.0])
    assert start(run, tmp_path / "first", "--roles", "generator") == 0
    more = ["--trajectories", str(run), "--output", str(tmp_path / "next"), "--model", "tiny"]
    assert sft.main([*more, "--init", str(tmp_path / "first")]) == 0
    entries = read_manifest(tmp_path / "next").policies
    digest = file_sha256(tmp_path / "first" / "generator" / "adapter_model.safetensors")
    assert entries["generator"].parents == [f"generator@1:{digest}"]
    assert entries["verifier"].parents == []
    config = json.loads((tmp_path / "next" / "generator" / "adapter_config.json").read_text())
    assert config["r"] == 4


def test_rows_count_by_their_value(collected: Callable[..., Path], tmp_path: Path) -> None:
    run = collected([1.0, 0.75])
    for way in ("one", "value"):
        assert start(run, tmp_path / way, "--roles", "generator", "--epochs", "1", "--weigh", way) == 0
    one, value = (read_manifest(tmp_path / way).policies["generator"] for way in ("one", "value"))
    assert (one.config["weigh"], value.config["weigh"]) == ("one", "value")
    assert value.data_digest != one.data_digest
    assert one.metrics["loss_first"] * 0.75 < value.metrics["loss_first"] < one.metrics["loss_first"]


def test_one_adapter_for_all_and_whole_weights(collected: Callable[..., Path], tmp_path: Path) -> None:
    run = collected([1.0, 1.0])
    assert start(run, tmp_path / "shared", "--share", "--epochs", "1") == 0
    shared = read_manifest(tmp_path / "shared").policies
    assert shared.keys() == {"generator", "verifier"}
    assert shared["generator"].metrics["rows"] == 4
    files = {file_sha256(tmp_path / "shared" / each / "adapter_model.safetensors") for each in shared}
    assert len(files) == 1

    whole = ["--trajectories", str(run), "--output", str(tmp_path / "full"), "--model", "tiny", "--epochs", "1"]
    assert sft.main([*whole, "--full", "--share"]) == 0
    assert (tmp_path / "full" / "shared" / "model.safetensors").is_file()
    assert not (tmp_path / "full" / "shared" / "adapter_config.json").exists()


def test_a_stopped_policy_goes_on_from_its_checkpoint(
    collected: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C at step 3 of 4; the same command then gives the adapter of an undisturbed run, byte by byte."""
    run, options = collected([1.0, 1.0]), ("--roles", "generator", "--epochs", "4", "--save-every", "1")
    assert start(run, tmp_path / "whole", *options) == 0

    def stopping(report: Callable[..., object] | None) -> Any:
        def stop(stage: str, done: int, total: int) -> None:
            if done == 3 and stage.startswith("train"):
                raise KeyboardInterrupt

        return nullcontext(stop)

    with monkeypatch.context() as patch:
        patch.setattr(recipe, "reporting", stopping)
        assert start(run, tmp_path / "out", *options) == 130
    assert (tmp_path / "out" / sft.CHECKPOINTS / "generator" / "step-00000002").is_dir()
    assert start(run, tmp_path / "out", *options) == 0
    assert "generator: goes on after step 2" in capsys.readouterr().err
    digests = {file_sha256(tmp_path / each / "generator" / "adapter_model.safetensors") for each in ("whole", "out")}
    assert len(digests) == 1
    assert not (tmp_path / "out" / sft.CHECKPOINTS).exists()


@pytest.mark.slow
def test_a_killed_policy_goes_on_from_its_checkpoint(collected: Callable[..., Path], tmp_path: Path) -> None:
    """SIGKILL inside the second save; the losses are those of an undisturbed run to 1e-6."""
    run = collected([1.0, 1.0])
    more = ("--epochs", "5", "--save-every", "1", "--precision", "fp32", "--roles", "generator")
    whole = launched(run, tmp_path / "whole", 1, *more)
    assert whole.returncode == 0, whole.stderr
    assert launched(run, tmp_path / "out", 1, *more, fault="atomic.written:5").returncode != 0
    done = launched(run, tmp_path / "out", 1, *more)
    assert "generator: goes on after step 1" in done.stderr
    curves = [json.loads(each.stdout)["policies"]["generator"]["curve"] for each in (whole, done)]
    assert len(curves[0]) == 5
    assert curves[1] == pytest.approx(curves[0], abs=1e-6)


def test_what_cannot_be_used_is_refused_in_one_line(
    collected: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, test = collected([0.0, 0.5, None]), collected([1.0], split="test")
    with open_run(tmp_path / "empty", create=True):
        pass
    cases = [
        ((tmp_path / "none",), "is no run folder"),
        ((tmp_path / "empty",), "expected trajectories, got none"),
        ((run,), "got none of 6 in"),
        ((run,), "4 with a value <= 0.5, 2 not scored; fix: more tasks"),
        ((run, "--roles", "verifer"), "unknown role 'verifer'; did you mean 'verifier'?"),
        ((run, "--credit", "nested"), "unknown annotation producer 'nested'; did you mean 'nested_mean'?"),
        ((run, "--lr", "0"), "expected --lr > 0, got 0.0"),
        ((run, "--epochs", "0"), "expected --epochs > 0, got 0"),
        ((run, "--batch", "0"), "expected --batch > 0, got 0"),
        ((run, "--seed", str(2**64)), "expected 0 <= --seed < 2**32"),
        ((run, "--trainer", "pack"), "argument --trainer: invalid choice: 'pack'"),
        ((run, "--precision", "fp8"), "argument --precision: invalid choice: 'fp8'"),
        ((run, "--weigh", "value", "--credit", "none"), "expected credit to weigh by value, got none; fix: --credit"),
        ((run, "--over", "0", "--weigh", "advantage"), "expected the advantage of decision generator1, got none"),
        (
            (run, "--over", "0", "--weigh", "value", "--trainer", "trl"),
            "--trainer trl and --weigh value exclude each other",
        ),
        ((run, "--epochs", "two"), "argument --epochs: invalid int value: 'two'"),
        ((run, "--over", "nan"), "expected a finite --over"),
        ((run, "--per-task", "0"), "expected --per-task >= 1"),
        ((run, "--init", "x"), "--rank and --init exclude each other"),
        ((run, "--full"), "--rank and --full exclude each other"),
        ((run, "--trainer", "trl", "--report-to", "tensorboard"), "--trainer trl and --report-to tensorboard exclude"),
        ((run, "--model", "tinny"), "unknown model 'tinny'; did you mean 'tiny'?"),
        ((run, "--epoch", "3"), "unrecognized arguments: --epoch 3"),
        ((run, "--over", "0", "--held-out", str(run)), "expected no training row of a held-out task, got 2"),
        ((test,), "expected no item of a test split, got 1 of 1"),
    ]
    for (folder, *more), message in cases:
        assert start(Path(folder), tmp_path / "out", *map(str, more)) == 2, message
        printed = capsys.readouterr()
        assert message in printed.err
        assert printed.err.startswith("error: ")
        assert printed.err.count("\n") == 1
        assert printed.out == ""
    assert not (tmp_path / "out").exists()


def launched(run: Path, output: Path, processes: int, *more: str, fault: str = "") -> subprocess.CompletedProcess[str]:
    launch = [sys.executable, "-m", "accelerate.commands.launch", *(["--multi_gpu"] if processes > 1 else ["--cpu"])]
    launch += ["--num_processes", str(processes)]
    options = ["--trajectories", str(run), "--output", str(output), "--model", "tiny", "--rank", "4", "--json", *more]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", VARIABLE: fault}
    return subprocess.run(
        [*launch, "training/sft.py", *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_one_and_two_processes_learn_alike(collected: Callable[..., Path], tmp_path: Path) -> None:
    """Under `accelerate launch`; two processes share each step's rows, over gloo."""
    run = collected([1.0] * 16)
    curves = []
    for processes in (1, 2):
        done = launched(run, tmp_path / str(processes), processes)
        assert done.returncode == 0, done.stderr
        curves.append(json.loads(done.stdout)["policies"]["verifier"]["curve"])
        bind(tmp_path / str(processes))
    assert curves[0] == pytest.approx(curves[1], rel=0.01)
