"""DeepSpeed's shards under learning by reinforcement: the steps of the plain run, whatever the number of processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from accelerate import Accelerator
from safetensors.torch import load_file, save_file

from orchestra.errors import BadInput
from orchestra.learning.rl.processes import accelerator, stage
from orchestra.training import grpo
from tests.learning.deepspeed_here import DEEPSPEED
from tests.learning.rl import sharded_steps
from tests.learning.rl.batches import UPDATE, close
from tests.learning.rl.sharded_steps import VARIANTS, WORDS, State, learn, learner, state

pytestmark = pytest.mark.usefixtures("one_thread")
ROOT = Path(__file__).resolve().parents[3]


def launched(processes: int, script: str, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Under ZeRO-2 over gloo."""
    file = ROOT / "training/configs/zero2_cpu.yaml"
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", file, "--num_processes", processes]
    known = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu", **environment}
    return subprocess.run(
        [*map(str, command), script, *map(str, words)],
        cwd=ROOT, env=known, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def without_figures(found: State) -> State:
    return {name: each for name, each in found.items() if name != "figures"}


def versions(output: Path) -> State:
    """Every tensor of every version that stands."""
    files = sorted(output.glob("*@*/adapter_model.safetensors"))
    return {f"{file.parent.name}/{name}": each for file in files for name, each in load_file(file).items()}


@pytest.fixture(scope="module")
def plain(tiny: Path) -> list[list[State]]:
    """Of each variant, what one process without DeepSpeed comes to: after a step, and after three."""
    found = []
    for variant in range(len(VARIANTS)):
        made = learner(tiny, variant)
        first = learn(made, 0, 1)
        after = state(made, first)
        found.append([after, state(made, first + learn(made, 1, 3))])
    return found


@pytest.fixture(scope="module")
def shards(plain: list[list[State]], tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes in shards left."""
    folder = tmp_path_factory.mktemp("shards")
    for variant, (after, _) in enumerate(plain):
        save_file(after, folder / f"{variant}-after-1")
    done = launched(2, sharded_steps.__file__, tiny, folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
@DEEPSPEED
@pytest.mark.parametrize("variant", range(len(VARIANTS)))
def test_two_processes_in_shards_take_the_steps_of_one(variant: int, plain: list[list[State]], shards: Path) -> None:
    """Ragged batches in fp32: weights, moments, and loss, norm and KL of each step."""
    after, last = plain[variant]
    straight = load_file(shards / f"{variant}-straight")
    assert len(last) > 50 and close(straight, last)
    assert not close(without_figures(straight), without_figures(after)), "steps move weights"


@pytest.mark.slow
@DEEPSPEED
@pytest.mark.parametrize("variant", range(len(VARIANTS)))
def test_a_run_goes_on_in_shards_and_out_of_them(
    variant: int, plain: list[list[State]], shards: Path, tiny: Path
) -> None:
    """What is kept is whole: from a plain process into two with shards, and back."""
    last = without_figures(plain[variant][1])
    assert close(without_figures(load_file(shards / f"{variant}-onwards")), last)
    back = learner(tiny, variant, load_file(shards / f"{variant}-first"))
    assert close(without_figures(state(back, learn(back, 1, 3))), last)


@pytest.mark.slow
@DEEPSPEED
def test_a_recipe_goes_on_after_one_of_two_processes_was_killed(shards: Path, tmp_path: Path) -> None:
    """In the second step: the launch ends, and the same command comes to the versions of the run that never stopped."""
    output, died = tmp_path / "ppo", tmp_path / "died"
    killed = launched(2, "training/ppo.py", *WORDS, "--output", output, MORTAL=str(died))
    assert killed.returncode != 0 and "SIGKILL" in killed.stderr and died.exists()
    assert len((output / "steps.jsonl").read_text().splitlines()) == 1
    done = launched(2, "training/ppo.py", *WORDS, "--output", output, MORTAL=str(died))
    assert done.returncode == 0 and "goes on after step 1" in done.stderr, done.stderr
    assert {each.name for each in (output / "rollouts").iterdir()} == {"rank-0", "rank-1"}
    assert len(versions(output)) > 50 and close(versions(output), versions(shards / "ppo"))


@pytest.mark.slow
@DEEPSPEED
def test_a_recipe_in_shards_is_the_plain_recipe(tiny: Path, tmp_path: Path) -> None:
    """One process of each, so that both draw the same words."""
    done = launched(1, "training/grpo.py", *WORDS, "--output", tmp_path / "shards")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["steps"] == 3 and all(each["kept"] and each["norm"] > 0 for each in told["curve"])
    assert grpo.main([*WORDS, "--output", str(tmp_path / "plain")]) == 0
    assert len(versions(tmp_path / "plain")) > 50 and close(versions(tmp_path / "shards"), versions(tmp_path / "plain"))


def test_no_deepspeed_is_no_stage() -> None:
    assert stage(accelerator(UPDATE)) == 0


def test_weights_in_shards_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(BadInput, match="got FSDP"):
        accelerator(UPDATE)


@pytest.mark.parametrize(
    ("zero", "device", "refused"), [(1, "none", False), (2, "none", False), (3, "none", True), (2, "cpu", True)]
)
def test_what_deepspeed_may_cut(zero: int, device: str, refused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Plugin:
        zero_stage, offload_optimizer_device = zero, device

    monkeypatch.setattr(Accelerator, "deepspeed_plugin", Plugin())
    if refused:
        with pytest.raises(BadInput, match=f"got ZeRO-{zero}, optimiser offloaded to {device}"):
            accelerator(UPDATE)
    else:
        assert stage(accelerator(UPDATE)) == zero
