"""Where recipes run: the configurations that we ship, and one, two and sharded processes that learn alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file
from accelerate.commands.launch import launch_command_parser
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from accelerate.utils.launch import prepare_multi_gpu_env
from transformers import TrainingArguments

from orchestra.learning import launcher
from tests.learning.deepspeed_here import DEEPSPEED
from tests.learning.preferences import branched

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "training" / "configs").glob("*.yaml"))
PAIRS = ("--roles", "refiner", "--epochs", "2", "--lr", "1e-3")
ALSO = {
    "dpo packed": PAIRS,
    "dpo trl": (*PAIRS, "--trainer", "trl"),
    "sft trl": ("--roles", "refiner", "--trainer", "trl"),
}
"""Options by recipe and trainer."""
SHARDED = {"zero1": 1, "zero2": 2, "zero2_cpu": 2, "zero3": 3}


def launch(
    run: Path, output: Path, *where: object, recipe: str = "dpo", also: Sequence[str] = (), **environment: str
) -> dict[str, Any]:
    """What a recipe under `accelerate launch` prints."""
    words = ["--trajectories", run, "--output", output, "--model", "tiny", "--precision", "fp32", "--json", *also]
    command = [sys.executable, "-m", "accelerate.commands.launch", *where, f"training/{recipe}.py", *words]
    known = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, env=known, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().rpartition("\n")[2])


def test_what_is_shipped() -> None:
    names = {"cpu", "cpu2", "zero1", "zero2", "zero2_cpu", "zero3", "fsdp", "multi_gpu"}
    assert {file.stem for file in CONFIGS} == names


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_accelerate_reads_every_configuration(file: Path) -> None:
    config = load_config_from_file(str(file))
    assert isinstance(config, ClusterConfig)
    assert (config.num_machines, config.num_processes) == (1, 1 if file.stem == "cpu" else 2)
    expected = {"cpu": "NO", "cpu2": "MULTI_GPU", "multi_gpu": "MULTI_GPU", "fsdp": "FSDP"}.get(file.stem, "DEEPSPEED")
    assert config.distributed_type == DistributedType(expected)
    assert config.use_cpu == file.stem.startswith("cpu"), "use_cpu turns DeepSpeed off"
    args = launch_command_parser().parse_args(["--config_file", str(file), "x.py"])
    assert args.config_file == str(file)


def test_a_misspelt_key_is_seen(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text((ROOT / "training/configs/cpu.yaml").read_text() + "num_procs: 2\n")
    with pytest.raises(ValueError, match="num_procs"):
        load_config_from_file(str(wrong))


def test_the_fsdp_plugin_is_what_the_file_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the environment, as `accelerate launch` passes it on."""
    file = ROOT / "training/configs/fsdp.yaml"
    words = "--use_fsdp --num_machines 1 --num_processes 2 --mixed_precision no --dynamo_backend no x.py"
    args = launch_command_parser().parse_args(words.split())
    wanted = load_config_from_file(str(file)).fsdp_config
    for name, value in wanted.items():
        assert hasattr(args, name), f"{name} is no option of accelerate launch"
        setattr(args, name, value if isinstance(value, (bool, int)) else str(value))
    for name, value in prepare_multi_gpu_env(args).items():
        if name.startswith(("FSDP_", "ACCELERATE_")):
            monkeypatch.setenv(name, value)
    plugin = FullyShardedDataParallelPlugin()
    assert plugin.fsdp_version == 2 and plugin.reshard_after_forward is True
    assert plugin.state_dict_type.name == "FULL_STATE_DICT" and not plugin.activation_checkpointing
    assert launcher.sharded() and launcher.dtype("bf16") == torch.float32, "a shard has one dtype"


def test_every_deepspeed_option_is_one_of_the_launcher() -> None:
    args = vars(launch_command_parser().parse_args(["x.py"]))
    for name, stage in SHARDED.items():
        options = yaml.safe_load((ROOT / f"training/configs/{name}.yaml").read_text())["deepspeed_config"]
        assert options["zero_stage"] == stage and options.keys() <= args.keys()
        assert options.get("zero3_save_16bit_model", False) == (stage == 3), "else the weights cannot be gathered"


@pytest.mark.parametrize(
    ("environment", "use_cpu", "backend"),
    [
        ({}, True, None),
        ({"ACCELERATE_USE_CPU": "true"}, True, None),
        ({"ACCELERATE_USE_DEEPSPEED": "true"}, False, "gloo"),
        ({"ACCELERATE_USE_FSDP": "true"}, True, None),
    ],
)
def test_what_the_trainer_is_told_on_a_cpu(
    environment: dict[str, str], use_cpu: bool, backend: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    told = launcher.arguments("bf16")
    assert told == {"use_cpu": use_cpu, "ddp_backend": backend, "bf16": False, "dataloader_pin_memory": False}
    assert told.keys() <= set(TrainingArguments.__dataclass_fields__)
    assert launcher.dtype("bf16") == (torch.float32 if launcher.sharded() else torch.bfloat16)


@pytest.mark.parametrize(("sharded", "autocast"), [(False, False), (True, True)])
def test_on_a_gpu_autocast_is_for_shards_alone(sharded: bool, autocast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.delenv("DS_ACCELERATOR", raising=False)  # which a machine without a GPU has set
    if sharded:
        monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    assert launcher.arguments("bf16")["bf16"] is autocast and not launcher.arguments("fp32")["bf16"]
    assert launcher.arguments("bf16")["use_cpu"] is False


@pytest.mark.slow
@DEEPSPEED
@pytest.mark.parametrize("recipe", ["sft", "dpo"])
def test_stdout_is_the_json_alone_where_deepspeed_is_installed(
    recipe: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is imported by TRL, and tells which accelerator it found unless it is told."""
    monkeypatch.delenv("DS_ACCELERATOR", raising=False)
    words = ["--trajectories", branched(tmp_path / "run", 2), "--output", tmp_path / "out", "--model", "tiny"]
    command = [sys.executable, f"training/{recipe}.py", *words, "--roles", "refiner", "--trainer", "trl", "--json"]
    known = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(list(map(str, command)), cwd=ROOT, env=known, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["policies"].keys() == {"refiner"}


@pytest.fixture(scope="module")
def curve(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[float]]:
    """Loss of each step of a refiner, by recipe and configuration; trained once."""
    run = branched(tmp_path_factory.mktemp("run") / "run", 13)

    @cache
    def of(recipe: str, name: str) -> list[float]:
        where = ("--config_file", ROOT / f"training/configs/{name}.yaml")
        said = launch(run, tmp_path_factory.mktemp("out"), *where, recipe=recipe.partition(" ")[0], also=ALSO[recipe])
        return list(said["policies"]["refiner"]["curve"])

    return of


@pytest.mark.slow
@pytest.mark.parametrize("trainer", ["packed", "trl"])
def test_one_and_two_processes_learn_the_same_from_pairs(trainer: str, curve: Callable[..., list[float]]) -> None:
    """13 pairs in steps of eight: the last step of an epoch has five, which two processes do not share alike."""
    one, two = curve(f"dpo {trainer}", "cpu"), curve(f"dpo {trainer}", "cpu2")
    assert len(one) == 4 and one == pytest.approx(two, abs=1e-4)
    assert one[-1] < one[0] - 0.01


@pytest.mark.slow
@DEEPSPEED
def test_deepspeed_learns_the_same_from_pairs(curve: Callable[..., list[float]]) -> None:
    """ZeRO-2 in two processes on the CPU. The first time, an operator is compiled for half a minute."""
    assert curve("dpo trl", "zero2_cpu") == pytest.approx(curve("dpo trl", "cpu"), abs=1e-4)


@pytest.mark.slow
@DEEPSPEED
def test_deepspeed_takes_the_first_step_of_rows_alike(curve: Callable[..., list[float]]) -> None:
    """Of the later ones TRL makes other steps: 13 rows in two processes are filled up by some of them again."""
    alone, shards = curve("sft trl", "cpu"), curve("sft trl", "zero2_cpu")
    assert len(alone) == len(shards) and alone[0] == pytest.approx(shards[0], abs=1e-4)


@pytest.mark.slow
@DEEPSPEED
@pytest.mark.parametrize("name", SHARDED)
def test_deepspeed_takes_every_configuration(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accelerate's plugin makes DeepSpeed's own configuration of it, which checks the keys of each section."""
    from accelerate.utils import DeepSpeedPlugin
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig

    options = load_config_from_file(str(ROOT / f"training/configs/{name}.yaml")).deepspeed_config
    plugin = DeepSpeedPlugin(
        zero_stage=options["zero_stage"], offload_optimizer_device=options["offload_optimizer_device"],
        offload_param_device=options["offload_param_device"], zero3_init_flag=options["zero3_init_flag"],
        zero3_save_16bit_model=options.get("zero3_save_16bit_model", False),
    )  # fmt: skip
    section = plugin.deepspeed_config["zero_optimization"]
    given = {key: value for key, value in section.items() if value not in ("auto", None)}
    assert DeepSpeedZeroConfig(**given).stage == SHARDED[name]
    with pytest.raises(ValueError, match="stagee"):
        DeepSpeedZeroConfig(**given, stagee=1)
