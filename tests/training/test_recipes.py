"""Whole loops on random weights: stopped and gone on with, told again, and what they leave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestra.learning.adapters import read_manifest
from orchestra.models import names
from orchestra.training import agentevol, malt, optima
from orchestra.training._loop import Loop
from orchestra.trajectory.store import open_run
from orchestra.types import Key

pytestmark = pytest.mark.usefixtures("tiny")
LETTERS = Path(__file__).with_name("letters.py")
SFT = "--epochs 2 --lr 1e-2 --rank 4"


def start(recipe: Any, out: Path, *more: str) -> int:
    small = ["--out", str(out), "--model", "tiny", "--benchmark", str(LETTERS), "--max-tokens", "6", "--json"]
    code: int = recipe.main([*small, "--launch", "here", "--sft", SFT, *more])
    return code


def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> Any:
        raise AssertionError(f"{name} was loaded again")

    monkeypatch.setattr(names, "load_model", load)


def test_agentevol_keeps_one_right_trajectory_of_each_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--items", "4", "--samples", "4", "--n", "2", "--dev", "2", "--iterations", "1"]
    assert start(agentevol, tmp_path, *given) == 0
    found = json.loads(capsys.readouterr().out)
    assert [point["name"] for point in found["iterations"]] == ["untrained", "evolved-0", "evolved-1"]
    for number in (0, 1):
        with open_run(tmp_path / f"kept-{number}") as run:
            kept, tables = list(run.trajectories()), run.annotations("selected")
        stage = next(s["figures"] for s in found["stages"] if s["name"] == f"explore {number}")
        assert len(kept) == stage["trained_on"] > 0
        assert all(ord(each.leaf.content[0]) % 2 == 0 for each in kept), "right ones alone"
        assert {row.value for each in kept for row in tables[each.id].values()} == {1.0}
        if number == 0:
            assert len({each.task.id for each in kept}) == len(kept) == stage["kept"]
        entry = read_manifest(tmp_path / "adapters" / f"evolved-{number}").policies["generator"]
        assert entry.parents == [], "always from the base"


@pytest.mark.slow
def test_malt_goes_on_after_a_stop_and_is_told_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["--items", "6", "--n", "4", "--dev", "8", "--contrast", "0", "--branch", "2", "--swap"]
    fitted = Loop.fitted

    def stopped(self: Loop, name: str, recipe: str, *words: str) -> dict[str, Any]:
        if recipe == "dpo":
            raise KeyboardInterrupt
        return fitted(self, name, recipe, *words)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "fitted", stopped)
        assert start(malt, tmp_path, *given) == 130
    assert "the same command goes on" in capsys.readouterr().err
    before = (tmp_path / "stages" / "train sft-1.json").read_bytes()

    assert start(malt, tmp_path, *given) == 0
    found = json.loads(capsys.readouterr().out)
    assert (tmp_path / "stages" / "train sft-1.json").read_bytes() == before, "not trained again"
    collected = next(stage["figures"] for stage in found["stages"] if stage["name"] == "collect 1")
    assert collected["decisions"] == 6 * (2 + 4 + 8), "what the forecast counts on"
    single = {"untrained", "sft", "malt", "single"}
    assert found["systems"].keys() == single | {f"{name}, vote" for name in single}
    assert found["paired"]["malt"].keys() == single - {"malt"}
    assert found["systems"]["malt, vote"]["usage"]["calls"] == 3 * found["systems"]["malt"]["usage"]["calls"]
    assert len(found["swapped"]["systems"]) == 3
    assert found["stands"] in ("untrained", "sft-1", "dpo-1")
    assert 0.4 < found["trained_tokens"]["single"] / found["trained_tokens"]["team"] < 2.5
    dpo = read_manifest(tmp_path / "adapters" / "dpo-1").policies
    sft = read_manifest(tmp_path / "adapters" / "sft-1").policies
    learnt = [policy for policy, entry in dpo.items() if entry.config["recipe"] == "dpo"]
    assert learnt
    assert set(learnt) <= {"verifier", "refiner"}
    for policy in learnt:
        parents = [parent.partition(":")[0] for parent in dpo[policy].parents]
        assert parents == ([f"{policy}@1"] if policy in sft else [])
    assert found == json.loads((tmp_path / "result.json").read_text())

    untouched(monkeypatch)
    assert start(malt, tmp_path, *given) == 0
    assert json.loads(capsys.readouterr().out) == found


@pytest.mark.slow
def test_optima_in_turn(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["--method", "hybrid", "--iterations", "2", "--items", "4", "--n", "3", "--dev", "3", "--samples", "4"]
    given += ["--rollouts", "6", "--over", "0", "--pair-over", "0", "--gap", "0.02", "--keep", "1"]
    assert start(optima, tmp_path, *given) == 0
    found = json.loads(capsys.readouterr().out)
    assert [point["name"] for point in found["iterations"]] == ["untrained", "isft-1", "idpo-2"]
    for point in found["iterations"]:
        assert point.keys() >= {"accuracy", "tokens_said", "of_its_words", "of_its_tokens", "non_inferior"}
    assert found["iterations"][0]["of_its_words"] == 1.0
    figures = {stage["name"]: stage["figures"] for stage in found["stages"]}
    assert figures["generate 1"]["rewards"].keys() == {"task", "tokens", "readability", "total"}
    chosen = figures["generate 1"]["learnable"]
    with open_run(tmp_path / "generated-1") as run:
        tables = run.annotations("selected")
        whole = [{row.value for row in rows.values()} for rows in tables.values()]
    assert sum(values == {1.0} for values in whole) == chosen > 0
    assert all(values in ({1.0}, {0.0}) for values in whole), "a conversation is taken whole"
    parent = read_manifest(tmp_path / "adapters" / "idpo-2").policies["talker"].parents
    assert parent[0].startswith("talker@1:"), "from the iteration before"

    untouched(monkeypatch)
    assert start(optima, tmp_path, *given) == 0
    assert json.loads(capsys.readouterr().out) == found


def test_what_the_single_agent_learns_from_is_its_own_answer() -> None:
    """Not the team's: the generator's words alone decide."""
    from orchestra.training._options import benchmark
    from orchestra.trajectory.trajectory import Decision, Leaf, Trajectory
    from orchestra.types import Completion, Request, Task, Usage

    def decision(name: str, role: str, text: str) -> Decision:
        said = Completion(text, None, None, None, None, "stop", Usage(calls=1))
        return Decision(Key(name), (), role, role, role, 0, 0, f"{role}@0", "w", Request((("user", "q"),)), said)

    made = (decision("1", "generator", "c"), decision("2", "generator", "b"), decision("3", "refiner", "b"))
    tree = Trajectory("r", Task("t", "q", "b"), 0, "team", made, (), (Leaf((made[0].key,), None, "end", Usage()),))
    assert [row.value for row in malt.own(tree, benchmark(str(LETTERS))).rows.values()] == [0.0, 1.0, None]
