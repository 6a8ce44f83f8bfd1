"""The loops of reinforcement on random weights: what they compare, what they leave, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestra.learning.adapters import read_manifest
from orchestra.models import names
from orchestra.training import _gain, atgrpo, marft, mgrpo
from orchestra.training._loop import Loop
from orchestra.trajectory.store import open_run
from tests.training.dying import LETTERS

pytestmark = [
    pytest.mark.usefixtures("tiny"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]
UPDATE = "--lr 1e-2 --rank 4 --precision fp32"
CHAIN = {"generator", "verifier", "refiner"}


def start(recipe: Any, out: Path, *more: str) -> int:
    trainer = "ppo" if recipe is marft else "grpo"
    given = ["--out", str(out), "--model", "tiny", "--benchmark", LETTERS, "--max-tokens", "2", "--shots", "0"]
    given += ["--items", "3", "--steps", "1", "--n", "6", "--dev", "4", "--launch", "here", "--json"]
    code: int = recipe.main([*given, *more] if f"--{trainer}" in more else [*given, f"--{trainer}", UPDATE, *more])
    return code


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_team_is_measured_before_and_after_and_beside_a_control(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before the control, it goes on there; told again, nothing is loaded."""
    given = ("--branch", "2", "--against", "--group turn", "--swap")
    fitted = Loop.fitted

    def stopped(self: Loop, name: str, recipe: str, *words: str) -> dict[str, Any]:
        if name == "train group-turn":
            raise KeyboardInterrupt
        return fitted(self, name, recipe, *words)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "fitted", stopped)
        assert start(atgrpo, tmp_path, *given) == 130
    before = (tmp_path / "stages" / "train trained.json").read_bytes()
    capsys.readouterr()
    assert start(atgrpo, tmp_path, *given) == 0
    found = told(capsys)
    assert (tmp_path / "stages" / "train trained.json").read_bytes() == before, "not trained again"
    assert found["systems"].keys() == {"start", "trained", "group-turn"}
    assert found["paired"]["trained"].keys() == {"start", "group-turn"}
    assert len(found["swapped"]["systems"]) == 3
    for name, group in (("trained", "state"), ("group-turn", "turn")):
        made = read_manifest(tmp_path / "adapters" / name).policies
        assert made.keys() == CHAIN
        assert {entry.config["group"] for entry in made.values()} == {group}
        assert {entry.config["scale"] for entry in made.values()} == {"std"}
        with open_run(tmp_path / "adapters" / name / "rollouts" / "rank-0") as run:
            assert all(len(tree.decisions) == 2 + 4 + 8 for tree in run.trajectories())
    assert found == json.loads((tmp_path / "result.json").read_text())

    def load(name: str) -> Any:
        raise AssertionError(f"{name} was loaded again")

    monkeypatch.setattr(names, "load_model", load)
    assert start(atgrpo, tmp_path, *given) == 0
    assert told(capsys) == found


def test_own_words_are_counted_role_by_role(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is told is what the recorded words of the held-out runs say, counted by hand."""
    assert start(atgrpo, tmp_path, "--branch", "2") == 0
    found = told(capsys)["own_words"]
    assert found.keys() == {"start", "trained"}
    for name, roles in found.items():
        with open_run(tmp_path / "measured" / name) as run:
            made = [tree.decisions for tree in run.trajectories()]
        assert roles.keys() <= CHAIN and len(made) == 6
        right = [[even(d.completion.text if d.completion else "") for d in each] for each in made]
        assert roles["generator"] == sum(each[0] for each in right) / 6
        assert roles["refiner"] == sum(each[2] for each in right) / 6


def even(text: str) -> bool:
    said = text.strip()
    return bool(said) and ord(said[0]) % 2 == 0


@pytest.mark.parametrize(
    ("recipe", "given", "config"),
    [
        (marft, ("--actions", "action"), {"critic": "action", "ratio": "action", "normalise": "sequence"}),
        (marft, ("--actions", "token", "--branch", "2,1,1"), {"critic": "token", "ratio": "token"}),
        (mgrpo, ("--branch", "2"), {"ratio": "turn", "normalise": "rollout", "local": "own", "main": "refiner"}),
        (mgrpo, ("--branch", "2", "--main", "verifier", "--alpha", "0.5"), {"main": "verifier", "alpha": "0.5"}),
    ],
)
def test_the_other_loops_train_as_they_say(
    recipe: Any, given: Sequence[str], config: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(recipe, tmp_path, *given) == 0
    found = told(capsys)
    assert found["systems"].keys() == {"start", "trained"}
    made = read_manifest(tmp_path / "adapters" / "trained").policies
    assert made.keys() == CHAIN
    for entry in made.values():
        assert {name: str(entry.config[name]) for name in config} == config
        assert entry.config["order"] == ("sequential" if recipe is marft else "joint")
    (step,) = found["training"]["trained"]["curve"]
    assert (step["value_loss"] is None) == (recipe is mgrpo)


def test_what_a_person_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--branch", "4,1,1", "--grpo", f"{UPDATE} --learn generator --screen 2")
    assert start(atgrpo, tmp_path, *words) == 0
    found = told(capsys)
    lines = _gain.summary(found).splitlines()
    (course,) = [line for line in lines if line.startswith("trained: reward")]
    (step,) = found["training"]["trained"]["curve"]
    assert f"{step['calls']} calls" in course and f"{step['kept']} of {step['rows']} rows learnt from" in course
    assert sum(line.startswith("right by its own words: ") for line in lines) == len(
        found["own_words"]["start"].keys() | found["own_words"]["trained"].keys()
    )
    assert lines[-1].startswith("stands: ")


@pytest.mark.parametrize(
    ("recipe", "given", "message"),
    [
        (atgrpo, ("--grpo", "--lr 1e-4 --seed 3"), "expected --seed of the loop itself"),
        (atgrpo, ("--against", "--group turn --steps=9"), "expected --steps=9 of the loop itself"),
        (atgrpo, ("--against", "--group turn", "--against", "--group turn"), "that no other control has"),
        (atgrpo, ("--against", "--group=turn"), "fix: what begins with - goes behind ="),
        (atgrpo, ("--against", ""), "expected --against of words"),
        (atgrpo, ("--swap", "--team", "solo"), "expected --team chain"),
        (atgrpo, ("--steps", "0"), "expected --steps >= 1, got 0"),
        (atgrpo, ("--init", "nothing"), "nothing"),
        (mgrpo, ("--main", "editor"), "unknown --main 'editor'"),
        (mgrpo, ("--branch", "2,2"), "expected --branch of one number, or of 3"),
    ],
)
def test_what_would_not_be_measured_is_refused(
    recipe: Any, given: Sequence[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(recipe, tmp_path, *given) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert message in line
    assert not (tmp_path / "adapters").exists()
