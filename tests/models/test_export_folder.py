"""A merged folder is the model that base and adapter are together, and says what it was made of."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from orchestra.errors import BadInput, Unavailable
from orchestra.models import cache, export_folder, smollm2, tiny
from orchestra.models.local import LocalModel
from orchestra.models.local.lora import base_digest
from orchestra.models.merging import adapter_digest, merged
from orchestra.models.names import load_model
from orchestra.types import Request
from tests.models.lora_folders import lora

# peft 0.21 asks transformers 5.23 under a name that the latter is about to drop
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

WORDS = "What is 34 + 57?\n\n12 apples and 30 pears; the sum is"


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lora(tiny.ensure(), tmp_path_factory.mktemp("adapters") / "solver", std=0.1)


def logits(folder: Path, adapter: Path | None = None, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """(T, V) of WORDS, by transformers and PEFT alone."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter).to(dtype)
    ids = AutoTokenizer.from_pretrained(folder)(WORDS, return_tensors="pt").input_ids
    with torch.no_grad():
        return model(input_ids=ids).logits[0]


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max())


def test_its_logits_are_those_of_base_and_adapter(adapter: Path, tmp_path: Path) -> None:
    """In float32, and in float64, which leaves the rounding of the merged weights alone."""
    for name in ("float32", "bfloat16"):
        export_folder.write(tiny.ensure(), adapter, tmp_path / "out" / name, dtype=name)
    for dtype in (torch.float32, torch.float64):
        expected = logits(tiny.ensure(), adapter, dtype)
        assert distance(logits(tmp_path / "out" / "float32", dtype=dtype), expected) < 1e-5
        assert 1e-4 < distance(logits(tmp_path / "out" / "bfloat16", dtype=dtype), expected) < 1.0
        assert distance(logits(tiny.ensure(), dtype=dtype), expected) > 0.1  # a control: the adapter is seen


@pytest.mark.slow
def test_so_are_those_of_the_real_model(tmp_path: Path) -> None:
    """Relative to its largest logit, which is 36."""
    base = smollm2.ensure()
    adapter = lora(base, tmp_path / "solver", std=0.02, rank=8)
    export_folder.write(base, adapter, tmp_path / "out")
    expected = logits(base, adapter)
    largest = float(expected.abs().max())
    assert (
        distance(logits(tmp_path / "out"), expected) / largest
        < 1e-5
        < 1e-3
        < distance(logits(base), expected) / largest
    )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_it_holds_the_merged_tensors_to_the_bit_and_says_so(
    adapter: Path, tmp_path: Path, dtype: export_folder.Dtype
) -> None:
    out = tmp_path / "out"
    files = export_folder.write(tiny.ensure(), adapter, out, dtype=dtype)
    made, tensors = load_file(out / "model.safetensors"), merged(tiny.ensure(), adapter)
    assert made.keys() == tensors.keys()
    assert all(torch.equal(made[name], tensors[name].to(getattr(torch, dtype))) for name in made)
    facts = json.loads((out / "merged.json").read_text())
    assert facts == {
        "schema": 1,
        "merged": True,
        "base": base_digest(tiny.ensure()),
        "adapter": adapter_digest(adapter),
        "dtype": dtype,
        "weights": base_digest(out),
    }
    card = (out / "README.md").read_text()
    assert all(str(facts[name]) in card for name in ("base", "adapter", "dtype", "weights"))
    assert cache.faults(out, deep=True) == []
    assert sorted(files) == sorted(out.iterdir())
    assert AutoModelForCausalLM.from_pretrained(out).dtype == getattr(torch, dtype)
    with (out / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x7f")
    assert cache.faults(out, deep=True)  # a control: an altered file is seen


def test_as_a_model_of_ours_it_speaks_as_base_and_adapter_do_under_another_digest(
    adapter: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export_folder.write(tiny.ensure(), adapter, out)
    beside = LocalModel(tiny.ensure(), name="tiny", dtype=torch.float32)
    own = LocalModel(out, name="own", dtype=torch.float32)
    asked = Request((("user", WORDS),), max_tokens=12, temperature=0.0)
    try:
        (one,) = asyncio.run(own.generate([asked]))
        (two,) = asyncio.run(beside.generate([Request(asked.messages, str(adapter), max_tokens=12, temperature=0.0)]))
        assert one.output_ids == two.output_ids
        assert one.logprobs == pytest.approx(two.logprobs, abs=1e-4)
        assert len({own.weights(), beside.weights(), beside.weights(str(adapter))}) == 3
    finally:
        own.close()
        beside.close()
    assert load_model(f"hf:{out}").name == f"hf:{out}"


def test_nothing_is_overwritten_and_nothing_is_left_of_what_failed(
    adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    with pytest.raises(BadInput, match="does not exist yet"):
        export_folder.write(tiny.ensure(), adapter, there)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export_folder, "save_file", full)
    with pytest.raises(Unavailable, match="No space left on device; fix: free space"):
        export_folder.write(tiny.ensure(), adapter, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
