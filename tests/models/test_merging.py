"""Merged weights against PEFT's own merge, and against our network with the adapter beside its weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from orchestra.errors import BadData
from orchestra.models import tiny
from orchestra.models.local.lora import base_digest
from orchestra.models.merging import adapter_digest, merged

# peft 0.21 asks transformers 5.23 under a name that the latter is about to drop
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
CONFIGS = {
    "all": LoraConfig(r=4, lora_alpha=8, target_modules=ALL),
    "uneven": LoraConfig(r=3, lora_alpha=5, target_modules=ALL),
    "rslora": LoraConfig(r=4, lora_alpha=2, target_modules=["v_proj", "up_proj"], use_rslora=True),
    "one": LoraConfig(r=2, lora_alpha=4, target_modules=r".*layers\.1\.self_attn\.k_proj"),
}


def base_model():
    return AutoModelForCausalLM.from_pretrained(tiny.ensure(), dtype=torch.float32)


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("adapters")
    for seed, (name, config) in enumerate(CONFIGS.items()):
        made = get_peft_model(base_model(), config)
        torch.manual_seed(seed)
        for parameter in made.parameters():
            if parameter.requires_grad:
                torch.nn.init.normal_(parameter, std=0.3)
        made.save_pretrained(top / name)
    return top


def peft_merge(adapter: Path) -> dict[str, torch.Tensor]:
    return PeftModel.from_pretrained(base_model(), adapter).merge_and_unload().state_dict()


def largest_difference(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> float:
    assert ours.keys() == theirs.keys()
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


@pytest.mark.parametrize("name", CONFIGS)
def test_merged_weights_equal_those_of_peft(adapters: Path, name: str) -> None:
    """To 1e-6, of updates up to 1: the scale goes into B before the product here, behind it there."""
    assert largest_difference(merged(tiny.ensure(), adapters / name), peft_merge(adapters / name)) < 1e-6


def test_a_scale_that_is_a_power_of_two_merges_to_the_bit(adapters: Path) -> None:
    assert largest_difference(merged(tiny.ensure(), adapters / "all"), peft_merge(adapters / "all")) == 0.0


def test_without_an_adapter_the_base_stays(adapters: Path) -> None:
    plain, state = merged(tiny.ensure()), base_model().state_dict()
    assert largest_difference(plain, state) == 0.0
    touched = {
        name for name, tensor in merged(tiny.ensure(), adapters / "one").items() if (tensor != plain[name]).any()
    }
    assert touched == {"model.layers.1.self_attn.k_proj.weight"}


@pytest.mark.parametrize("change", [{"lora_alpha": 9}, {"use_rslora": True}])
def test_a_wrong_scale_is_seen(adapters: Path, tmp_path: Path, change: dict) -> None:
    """A control: the comparison above can fail."""
    copy = Path(shutil.copytree(adapters / "all", tmp_path / "copy"))
    file = copy / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    assert largest_difference(merged(tiny.ensure(), copy), peft_merge(adapters / "all")) > 1e-2
    assert adapter_digest(copy) != adapter_digest(adapters / "all")


@pytest.mark.parametrize(
    ("change", "message"), [({"use_dora": True}, "use_dora"), ({"r": 5}, "shape"), ({"peft_type": "IA3"}, "IA3")]
)
def test_what_cannot_be_merged_is_refused(adapters: Path, tmp_path: Path, change: dict, message: str) -> None:
    copy = Path(shutil.copytree(adapters / "all", tmp_path / "copy"))
    file = copy / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(BadData, match=message):
        merged(tiny.ensure(), copy)


def test_an_update_of_embeddings_is_refused(adapters: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(adapters / "all", tmp_path / "copy"))
    tensors = load_file(copy / "adapter_model.safetensors")
    tensors["base_model.model.lm_head.lora_A.weight"] = torch.zeros(4, 64)
    save_file(tensors, copy / "adapter_model.safetensors")
    with pytest.raises(BadData, match="lm_head"):
        merged(tiny.ensure(), copy)


def test_an_adapter_of_another_base_is_refused(adapters: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(adapters / "all", tmp_path / "copy"))
    (copy / "manifest.json").write_text(json.dumps({"base": base_digest(tiny.ensure())}))
    merged(tiny.ensure(), copy)
    (copy / "manifest.json").write_text(json.dumps({"base": "0" * 32}))
    with pytest.raises(BadData, match="one of base"):
        merged(tiny.ensure(), copy)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    for read in (adapter_digest, lambda folder: merged(tiny.ensure(), folder)):
        with pytest.raises(BadData, match="nowhere"):
            read(tmp_path / "nowhere")
