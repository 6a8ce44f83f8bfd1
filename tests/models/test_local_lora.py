"""Adapters in PEFT's layout: our updates against PEFT's own forward, and what is refused."""

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from orchestra.errors import BadData
from orchestra.models import tiny
from orchestra.models.local import LocalModel
from orchestra.types import Request

# peft 0.21 asks transformers 5.23 under a name that the latter is about to drop
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

ASK = Request((("user", "Name a colour, please."),), max_tokens=10, temperature=1.0, seed=5)
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def base_model():
    return AutoModelForCausalLM.from_pretrained(tiny.ensure(), dtype=torch.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One adapter of each shape that a recipe may save, with both factors random."""
    top = tmp_path_factory.mktemp("adapters")
    configs = {
        "all": LoraConfig(r=3, lora_alpha=6, target_modules=ALL),
        "some": LoraConfig(r=4, lora_alpha=2, target_modules=["v_proj", "up_proj"], use_rslora=True),
        "pattern": LoraConfig(r=2, lora_alpha=4, target_modules=r".*layers\.1\.self_attn\.k_proj"),
    }
    for seed, (name, config) in enumerate(configs.items()):
        made = get_peft_model(base_model(), config)
        torch.manual_seed(seed)
        for parameter in made.parameters():
            if parameter.requires_grad:
                torch.nn.init.normal_(parameter, std=0.3)
        made.save_pretrained(top / name)
    return top


@pytest.fixture(scope="module")
def model():
    model = LocalModel(tiny.ensure(), name="tiny", dtype=torch.float32)
    yield model
    model.close()


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder / "all", tmp_path / "copy"))


def test_mixed_adapters_equal_peft(model: LocalModel, folder: Path) -> None:
    """Every reply of one mixed batch, against PEFT's forward over prompt and reply: atol 1e-5 of log-probability."""
    names = ["all", "", "some", "pattern", "all"]
    asked = [replace(ASK, adapter=str(folder / name) if name else "", seed=seed) for seed, name in enumerate(names)]
    replies = asyncio.run(model.generate(asked))
    for name, reply in zip(names, replies, strict=True):
        theirs = PeftModel.from_pretrained(base_model(), folder / name).eval() if name else base_model().eval()
        with torch.no_grad():
            logits = theirs(torch.tensor([reply.prompt_ids + reply.output_ids])).logits[
                0, len(reply.prompt_ids) - 1 : -1
            ]
        wanted = logits.log_softmax(-1).gather(1, torch.tensor(reply.output_ids)[:, None])[:, 0]
        torch.testing.assert_close(torch.tensor(reply.logprobs), wanted, atol=1e-5, rtol=1e-5)
    assert len({reply.logprobs[0] for reply in replies[:4]}) == 4, "a control: the adapters differ"


def test_adapters_share_no_prefix(folder: Path) -> None:
    """Keys and values of one adapter's prompt are never those of another's, nor of the base."""
    model = LocalModel(tiny.ensure(), name="tiny")
    asked = [replace(ASK, adapter=str(folder / name) if name else "") for name in ("", "all", "some", "all", "")]
    asyncio.run(model.generate(asked))
    assert model.statistics().computed == 3 * model.count(ASK)
    assert model.statistics().asked == 5 * model.count(ASK)
    model.close()


def test_a_changed_file_is_read_again(model: LocalModel, copy: Path, folder: Path) -> None:
    asked = replace(ASK, adapter=str(copy))
    before, weights = asyncio.run(model.generate([asked]))[0], model.weights(str(copy))
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(folder / "some" / name, copy / name)
    after = asyncio.run(model.generate([asked]))[0]
    direct = asyncio.run(model.generate([replace(ASK, adapter=str(folder / "some"))]))[0]
    assert before.logprobs != after.logprobs == direct.logprobs
    assert weights != model.weights(str(copy)) == model.weights(str(folder / "some"))


def test_weights_name_what_speaks(model: LocalModel, folder: Path) -> None:
    half = LocalModel(tiny.ensure(), name="other name")
    names = [model.weights(), half.weights(), model.weights(str(folder / "all")), model.weights(str(folder / "some"))]
    assert len(set(names)) == 4
    assert model.weights() == LocalModel(tiny.ensure(), name="tiny", dtype=torch.float32).weights()


def refused(model: LocalModel, adapter: Path, message: str) -> None:
    with pytest.raises(BadData, match=message):
        asyncio.run(model.generate([ASK, replace(ASK, adapter=str(adapter))]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"bias": "all"}, "bias 'none'"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"rank_pattern": {"q_proj": 8}}, "rank_pattern"),
        ({"init_lora_weights": "pissa_niter_4"}, "pissa"),
        ({"peft_type": "IA3"}, "IA3"),
        ({"r": 5}, "shape"),
        ({"r": 0}, "r >= 1"),
    ],
)
def test_other_than_plain_lora_is_refused(model: LocalModel, copy: Path, change: dict, message: str) -> None:
    file = copy / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    refused(model, copy, message)


def add(tensors: dict, name: str) -> None:
    tensors[f"base_model.model.{name}"] = torch.ones(3, 64)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda tensors: next(iter(tensors.values())).fill_(float("nan")), "finite"),
        (lambda tensors: add(tensors, "model.layers.9.self_attn.q_proj.lora_A.weight"), "layers.9"),
        (lambda tensors: add(tensors, "lm_head.weight"), "lm_head"),
        (lambda tensors: tensors.pop(next(iter(tensors))), "both lora_A and lora_B"),
        (lambda tensors: tensors.clear(), "at least one"),
    ],
)
def test_damaged_tensors_are_refused(model: LocalModel, copy: Path, damage, message: str) -> None:
    tensors = load_file(copy / "adapter_model.safetensors")
    damage(tensors)
    save_file(tensors, copy / "adapter_model.safetensors")
    refused(model, copy, message)


def test_absent_or_torn_folders_are_refused(model: LocalModel, copy: Path, tmp_path: Path) -> None:
    refused(model, tmp_path / "nowhere", "PEFT adapter folder")
    (copy / "adapter_model.safetensors").write_bytes(b"pickle")
    refused(model, copy, "safetensors")
    (copy / "adapter_config.json").write_text("{")
    refused(model, copy, "JSON")


def test_an_adapter_of_another_base_is_refused(model: LocalModel, copy: Path) -> None:
    manifest = copy / "manifest.json"
    manifest.write_text(json.dumps({"base": "0" * 32}))
    refused(model, copy, "of base 0000")
    manifest.write_text(json.dumps({"base": model.base}))
    asyncio.run(model.generate([replace(ASK, adapter=str(copy))]))
