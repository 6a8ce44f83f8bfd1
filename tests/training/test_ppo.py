"""Multi-agent PPO with a critic on random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestra.learning.adapters import read_manifest
from orchestra.training import ppo
from tests.training.dying import LETTERS, distance, figures

pytestmark = [
    pytest.mark.usefixtures("tiny"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]
SMALL = (
    "--model", "tiny", "--benchmark", LETTERS, "--shots", "0", "--system", "", "--max-tokens", "2",
    "--precision", "fp32", "--lr", "1e-2", "--rank", "4", "--tasks", "4", "--steps", "2", "--json",
)  # fmt: skip


def run(output: Path, *more: str) -> int:
    return ppo.main([*SMALL, "--output", str(output), *more])


@pytest.mark.parametrize("critic", ["action", "token"])
def test_a_run_needs_no_siblings(critic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One draw of each state, and every decision teaches; the critic is kept, but is no policy."""
    output = tmp_path / "out"
    assert run(output, "--team", "chain", "--branch", "1", "--critic", critic) == 0
    said = json.loads(capsys.readouterr().out)
    assert sorted(said["policies"]) == ["generator", "refiner", "verifier"] == sorted(read_manifest(output).policies)
    assert all(line["kept"] > 0 and line["value_loss"] is not None for line in figures(output))


def test_the_critic_warms_up_before_policies_move(tmp_path: Path) -> None:
    """Versions of the first two steps are the start; gone on with, the critic knows what it had learnt."""
    one, other = tmp_path / "one", tmp_path / "other"
    given = ("--team", "solo", "--branch", "2", "--warmup", "2", "--critic-lr", "1e-2")
    assert run(one, *given) == 0
    assert all(line["kept"] == 0 for line in figures(one))
    assert run(one, *given, "--steps", "4") == run(other, *given, "--steps", "4") == 0
    assert distance(one, other) == 0.0 and figures(one) == figures(other)
    assert figures(one)[2]["kept"] > 0


def test_a_policy_that_went_too_far_is_named(tmp_path: Path) -> None:
    given: tuple[Any, ...] = ("--team", "solo", "--branch", "2", "--epochs", "3", "--minibatches", "1")
    assert run(tmp_path / "far", *given, "--kl-stop", "1e-9") == 0
    assert any(line["stopped"] == ["generator"] for line in figures(tmp_path / "far"))
    assert run(tmp_path / "free", *given, "--kl-stop", "0") == 0
    assert all(line["stopped"] == [] for line in figures(tmp_path / "free"))


@pytest.mark.slow
@pytest.mark.parametrize("critic", ["action", "token"])
def test_tiny_learns_a_kind_of_letter(critic: str, tmp_path: Path) -> None:
    """From .2 to over .8, with two draws of a task and the critic for a baseline."""
    given = (
        "--lr",
        "5e-3",
        "--critic-lr",
        "3e-3",
        "--rank",
        "16",
        "--max-tokens",
        "1",
        "--tasks",
        "32",
        "--steps",
        "12",
    )
    assert run(tmp_path / "out", "--team", "solo", "--branch", "2", "--critic", critic, *given) == 0
    rewards = [line["reward"] for line in figures(tmp_path / "out")]
    assert rewards[0] < 0.4 and sum(rewards[-3:]) / 3 > 0.8, rewards
    assert max(line["mismatch_kl"] for line in figures(tmp_path / "out")) <= 0.01
