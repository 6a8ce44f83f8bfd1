"""Adapters become models and runs become tables; what cannot be exported is told in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from gguf import GGUFReader
from safetensors.torch import load_file

from orchestra.cli.decisions import rows
from orchestra.learning import base_digest, publish
from orchestra.models import tiny
from orchestra.models.merging import merged
from orchestra.trajectory.store import open_run
from tests.models.lora_folders import lora

# peft 0.21 asks transformers 5.23 under a name that the latter is about to drop
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """Two policies, as training publishes them."""
    for seed, name in enumerate(("generator", "verifier")):
        publish(
            tmp_path / "adapters",
            name,
            lambda folder, seed=seed: lora(tiny.ensure(), folder, seed=seed),
            base_digest=base_digest(tiny.ensure()),
            data_digest="",
            config={},
            metrics={},
        )
    return tmp_path / "adapters"


def test_each_policy_becomes_a_model(orchestra, trained: Path) -> None:
    said = orchestra("export", "adapters", "--model", "tiny", "--output", "models", "--json").json
    assert said["format"] == "safetensors"
    assert all(Path(each["file"]).stat().st_size == each["bytes"] for each in said["files"])
    for name in ("generator", "verifier"):
        made, wanted = load_file(f"models/{name}/model.safetensors"), merged(tiny.ensure(), trained / name)
        assert all(torch.equal(made[tensor], wanted[tensor]) for tensor in wanted)
    assert orchestra("run", "chain", "Hello", "--model", "hf:./models/generator", "--max-tokens", "4").code == 0


def test_one_policy_becomes_a_gguf(orchestra, trained: Path) -> None:
    for source, more in (
        ("adapters", ("--policy", "verifier")),
        ("adapters/verifier", ()),
        ("adapters/verifier@1", ()),
    ):
        out = f"from-{source.replace('/', '-')}"
        words = ("export", source, "--format", "gguf", "--model", "tiny", "--output", out, *more, "--json")
        assert [each["file"] for each in orchestra(*words).json["files"]] == [f"{out}/verifier.gguf"]
        assert {tensor.tensor_type.name for tensor in GGUFReader(f"{out}/verifier.gguf").tensors} == {"BF16", "F32"}


def test_a_run_becomes_rows(orchestra) -> None:
    orchestra("run", "chain", "What is 34 + 57?", "--model", "scripted:s.txt", "--run-dir", "r")
    (file,) = orchestra("export", "r", "--format", "jsonl", "--output", "out", "--json").json["files"]
    assert file["file"] == "out/decisions.jsonl"
    found = [json.loads(line) for line in Path(file["file"]).read_text().splitlines()]
    with open_run(Path("r")) as run:
        (trajectory,) = run.trajectories()
    assert [row["text"] for row in found] == ["The answer is 91.", "Yes.", "The answer is 92."]
    assert [row["state"] for row in found] == [decision.key.state for decision in trajectory.decisions]
    assert [row["agent"] for row in found] == ["generator", "verifier", "refiner"]
    assert found[0]["messages"][-1]["content"].count("34 + 57") == 1
    assert sum(row["tokens_out"] for row in found) == trajectory.usage.tokens_out
    assert all(row.keys() == found[0].keys() and row["logprobs"] is None for row in found)


def test_a_table_holds_the_same_rows(orchestra) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    orchestra("run", "chain", "What is 34 + 57?", "--model", "tiny", "--max-tokens", "4", "--run-dir", "r")
    assert orchestra("export", "r", "--format", "parquet", "--output", "out").code == 0
    assert parquet.read_table("out/decisions.parquet").to_pylist() == list(rows(Path("r")))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nowhere", "--output", "o"), "expected trained adapters (manifest.json or adapter_config.json)"),
        (("r", "--output", "o"), "--format jsonl|parquet|inspect for a run folder"),
        (("adapters", "--output", "o", "--format", "jsonl"), "no run folder"),
        (("empty", "--output", "o", "--format", "jsonl"), "expected a run with decisions"),
        (("adapters", "--output", "o", "--format", "gguff"), "unknown format 'gguff'; did you mean 'gguf'?"),
        (("adapters", "--output", "o", "--policy", "citizens"), "unknown policy in adapters 'citizens'"),
        (("adapters", "--output", "o"), "was trained on another base than 'tiny'"),
        (("adapters", "--output", "o", "--model", "scripted:s.txt"), "expected a model with weights on this machine"),
        (("r", "--output", "r", "--format", "jsonl"), "expected a file that does not exist yet"),
    ],
)
def test_what_cannot_be_exported_is_told_in_one_line(
    orchestra, adapters: Path, words: tuple[str, ...], message: str
) -> None:
    orchestra("run", "chain", "What is 34 + 57?", "--model", "scripted:s.txt", "--run-dir", "r")
    Path("r/decisions.jsonl").touch()
    with open_run(Path("empty"), create=True):
        pass
    said = orchestra("export", *(("--model", "tiny") if "--model" not in words else ()), *words)
    assert said.code == 2 and message in said.err and said.out == ""
    assert len(said.err.splitlines()) == 1
    assert not list(Path().glob("o/*"))
