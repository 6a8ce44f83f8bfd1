"""The loop on random weights: what it leaves, what goes on from there, and what it refuses."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from orchestra.learning import bind, read_manifest, sft_rows
from orchestra.learning import recipe as recipes
from orchestra.learning.row import IGNORED, Row
from orchestra.models import names
from orchestra.training import _loop, agentevol, atgrpo, cloning, optima
from orchestra.training._demonstrations import DEMONSTRATED, Written
from orchestra.trajectory.store import open_run
from orchestra.trajectory.trajectory import Trajectory

pytestmark = pytest.mark.usefixtures("tiny")
BRIDGE = ["--benchmark", "hotpot:bridge", "--level", "0", "--shots", "0", "--items", "4", "--n", "2", "--dev", "2"]
SMALL = ["--model", "tiny", "--max-tokens", "8", "--turns", "2", "--launch", "here", "--json"]
LETTERS = str(Path(__file__).with_name("letters.py"))
SFT = "--epochs 2 --lr 1e-2 --rank 4"
LEAKING = """
from dataclasses import dataclass, replace
from orchestra.evals import hotpot
from orchestra.evals.hotpot import Hotpot

@dataclass(frozen=True)
class Leaking(Hotpot):
    def sample(self, n, *, split, seed=0, level=1):
        found = hotpot("bridge").sample(n, split="test" if split == "train" else split, seed=seed, level=level)
        return [replace(task, id=f"{split}/{i}", split=split) for i, task in enumerate(found)]

leaking = Leaking("bridge")
"""


def start(recipe: Any, out: Path, *more: str) -> int:
    code: int = recipe.main(["--out", str(out), *SMALL, *BRIDGE, "--sft", SFT, *more])
    return code


@pytest.fixture(scope="module")
def cloned(tmp_path_factory: pytest.TempPathFactory, tiny: None) -> Path:
    out = tmp_path_factory.mktemp("cloned")
    assert start(cloning, out) == 0
    return out


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory, tiny: None) -> Path:
    out = tmp_path_factory.mktemp("chain")
    assert start(cloning, out, "--team", "chain") == 0
    return out


def learnt(out: Path) -> tuple[list[Trajectory], list[Row]]:
    """Demonstrations, and the rows that training makes of them."""
    batch, tables = recipes.read(out / DEMONSTRATED, DEMONSTRATED)
    return batch, sft_rows(batch, tables, encoder=recipes.encoder(names.folder("tiny"), batch))


def test_it_learns_what_it_demonstrates_and_tells_it_again(
    cloned: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = json.loads((cloned / "result.json").read_text())
    assert [stage["name"] for stage in found["stages"]] == [
        "demonstrate", "measure untrained, development", "measure untrained", "train cloned",
        "measure cloned, development", "gate cloned", "measure cloned",
    ]  # fmt: skip
    assert found["systems"].keys() == {"untrained", "cloned"} and found["paired"]["cloned"].keys() == {"untrained"}
    shown = found["demonstrated"]
    assert (shown["trajectories"], shown["decisions"], shown["learnable"]) == (4, 16, 16)
    assert found["training"]["policies"]["talker"]["rows"] == 16
    assert found["training"]["loss_last"] < found["training"]["loss_first"]
    assert read_manifest(cloned / "adapters" / "cloned").policies.keys() == {"talker"}

    def load(name: str) -> Any:
        raise AssertionError(f"{name} was loaded again")

    monkeypatch.setattr(names, "load_model", load)
    assert start(cloning, cloned) == 0
    assert json.loads(capsys.readouterr().out) == found


def going(out: Path) -> cloning.Cloning:
    """The loop in this folder, nothing of it done yet or gone on with."""
    options = cloning.parse(["--out", str(out), *SMALL, *BRIDGE, "--sft", SFT])
    loop = _loop.begin("cloning", options, lambda *_: None)
    return cloning.Cloning(loop, options, _loop.drawn(loop, options, shown=0, rounds=1))


def test_demonstrations_that_were_made_before_a_stop_are_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cloning, "credited", stopped)
        with pytest.raises(KeyboardInterrupt):
            going(tmp_path).demonstrate()
    monkeypatch.setattr(Written, "generate", stopped)
    assert going(tmp_path).demonstrate()["learnable"] == 16


def test_a_reply_that_is_longer_than_it_may_be_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    team = going(tmp_path)
    shown = team.demonstrate()
    with open_run(tmp_path / DEMONSTRATED) as run:
        plain = recipes.encoder(names.folder("tiny"), list(run.trajectories()))
    assert plain is not None
    told = [" ".join(task.private[min(task.private)].split()) for task in team.tasks.training]
    assert shown["longest"] == max(len(plain.plain(line)) for line in told) + 1
    assert f"are longer than a reply may be; fix: --max-tokens {shown['longest']}" in capsys.readouterr().err


@pytest.mark.parametrize("out", ["cloned", "chain"])
def test_rows_are_what_the_trained_team_reads_and_says(out: str, request: pytest.FixtureRequest) -> None:
    """Prompt ids are those that the model itself tells when it is asked the same; then the words, and the end."""
    folder: Path = request.getfixturevalue(out)
    batch, rows = learnt(folder)
    model, adapters = names.load_model("tiny"), bind(folder / "adapters" / "cloned")
    decisions = {(each.id, d.key): d for each in batch for d in each.decisions}
    for row in rows:
        decision = decisions[row.run, row.key]
        (told,) = asyncio.run(model.generate([decision.request]))
        assert told.prompt_ids is not None and decision.completion is not None and row.source == "reencoded"
        prompt, output = row.input_ids[: len(told.prompt_ids)], row.input_ids[len(told.prompt_ids) :]
        assert prompt == told.prompt_ids
        assert row.labels == (IGNORED,) * len(prompt) + output
        assert bytes_of(output[:-1]) == decision.completion.text and output[-1] == 2, "the end of the turn"
        assert row.policy in adapters


def bytes_of(ids: tuple[int, ...]) -> str:
    from orchestra.models.tiny import tokenizer

    return str(tokenizer().decode(list(ids)))


def test_the_trained_team_is_asked_what_was_demonstrated(cloned: Path) -> None:
    """Its first turn, as it is measured: by its own ids, on a training task."""
    batch, rows = learnt(cloned)
    team = going(cloned)
    task = team.tasks.training[0]
    done = asyncio.run(team.team("cloned").run(task))
    first = done.decisions[0]
    assert first.completion is not None and first.completion.prompt_ids is not None
    (shown,) = [each for each in batch if each.task == task]
    row = next(each for each in rows if each.run == shown.id and each.key == shown.decisions[0].key)
    assert row.input_ids[: len(first.completion.prompt_ids)] == first.completion.prompt_ids
    assert first.policy == "talker@1", "on the new weights"


def test_wrong_proposals_are_demonstrated_and_not_learnt(chain: Path) -> None:
    batch, rows = learnt(chain)
    wrong = {
        (each.id, d.key)
        for each in batch
        for d in each.decisions
        if d.role == "generator" and d.completion and d.completion.text != f"Answer: {each.task.gold}"
    }
    assert len(wrong) == 2, "half of four"
    everyone = {(each.id, d.key) for each in batch for d in each.decisions}
    assert {(row.run, row.key) for row in rows} == everyone - wrong
    assert read_manifest(chain / "adapters" / "cloned").policies.keys() == {"generator", "verifier", "refiner"}


def test_optima_begins_with_it(cloned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    init = cloned / "adapters" / "cloned"
    given = ["--init", str(init), "--iterations", "1", "--samples", "1", "--over", "-9", "--lambda-readable", "0"]
    given += ["--sft", "--epochs 1 --lr 1e-2"]  # the rank is that of the adapters
    assert start(optima, tmp_path, *given) == 0
    found = json.loads(capsys.readouterr().out)
    assert [point["name"] for point in found["iterations"]] == ["start", "isft-1"]
    assert found["systems"].keys() == {"start", "isft-1"} and found["paired"]["isft-1"].keys() == {"start"}
    assert found["stands"] in ("start", "isft-1")
    (parent,) = read_manifest(tmp_path / "adapters" / "isft-1").policies["talker"].parents
    assert parent.startswith("talker@1:"), "trained on from there"
    with open_run(tmp_path / "generated-1") as run:
        spoke = {d.policy for each in run.trajectories() for d in each.decisions}
    assert spoke == {"talker@1"}, "and not the base, which is talker@0"


def test_agentevol_takes_the_demonstrations(cloned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--team", "talk", "--iterations", "0", "--demonstrations", str(cloned / DEMONSTRATED)]
    assert start(agentevol, tmp_path, *given) == 0
    found = json.loads(capsys.readouterr().out)
    explored = next(stage["figures"] for stage in found["stages"] if stage["name"] == "explore 0")
    assert explored == {"kept": 4, "trained_on": 4}


@pytest.mark.parametrize(
    ("recipe", "words", "message"),
    [
        (cloning, ("--wrong", "1.5"), "expected a --wrong share from 0 to 1, got 1.5"),
        (cloning, ("--turns", "0"), "expected --turns >= 1, got 0"),
        (cloning, ("--items", "0"), "expected --items >= 1, got 0"),
        (cloning, ("--benchmark", "hotpott"), "unknown benchmark 'hotpott'; did you mean 'hotpot'?"),
        (cloning, ("--team", "crowd"), "invalid choice: 'crowd'"),
        (cloning, ("--sft", "'"), "expected options as a shell reads them"),
        (optima, ("--init", "nowhere"), "expected an adapter folder, got 'No such file or directory' at nowhere"),
    ],
    ids=lambda each: "".join(each) if isinstance(each, tuple) else "",
)
def test_what_cannot_be_used_is_refused_in_one_line(
    recipe: Any, words: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(recipe, tmp_path / "out", *words) == 2
    printed = capsys.readouterr()
    assert message in printed.err and printed.err.count("\n") == 1 and printed.out == ""
    assert not (tmp_path / "out").exists(), "nothing was begun that the next command would have to keep to"


def test_adapters_of_another_team_are_refused(chain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(optima, tmp_path, "--init", str(chain / "adapters" / "cloned")) == 2
    assert "expected adapters of talker for --team talk, got those of generator, " in capsys.readouterr().err
    out, init = tmp_path / "reinforced", str(chain / "adapters" / "cloned")
    assert atgrpo.main(["--out", str(out), *SMALL, *BRIDGE, "--team", "talk", "--branch", "2", "--init", init]) == 2
    assert "expected adapters of talker for --team talk, got those of generator, " in capsys.readouterr().err
    assert not out.exists(), "the right adapters may follow in the same folder"


def test_golds_that_are_not_read_behind_the_word_answer_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Letters wants a first letter of even code, which "Answer: b" has not."""
    assert start(cloning, tmp_path, "--benchmark", LETTERS, "--team", "solo") == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: expected demonstrations that letters finds strictly right, got 4 of 4 that are not")
    assert not (tmp_path / "adapters").exists()


def test_a_task_to_be_measured_on_is_not_demonstrated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "leaking.py").write_text(LEAKING)
    assert start(cloning, tmp_path / "out", "--benchmark", str(tmp_path / "leaking.py")) == 2
    assert "expected training and evaluation tasks to be disjoint, got 2" in capsys.readouterr().err
    assert not (tmp_path / "out" / DEMONSTRATED).exists()
