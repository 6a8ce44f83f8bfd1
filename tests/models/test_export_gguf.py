"""A GGUF that is read back gives the same tensors to the bit and the same token ids."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from gguf import GGUFReader
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import AutoTokenizer

from orchestra.errors import BadData, BadInput
from orchestra.models import export_gguf, smollm2, tiny
from orchestra.models.conversion import convert
from orchestra.models.local.lora import base_digest
from orchestra.models.merging import adapter_digest, merged
from tests.models.lora_folders import lora

# peft 0.21 asks transformers 5.23 under a name that the latter is about to drop
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

TEXT = "The 12th of May:\n\n1 + 1 = 2? <|im_start|>user é 😀\t\tdone<|im_end|>"


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lora(tiny.ensure(), tmp_path_factory.mktemp("adapters") / "solver")


def read_back(gguf: Path, folder: Path) -> Path:
    """The model folder that our reader of GGUF makes of the file."""
    folder.mkdir()
    convert(gguf, folder, lambda step: None)
    return folder


def same(base: Path, adapter: Path | None, work: Path) -> Path:
    """Writes, reads back and compares; the folder that was read back."""
    (file,) = export_gguf.write(base, adapter, work / "model.gguf")
    back = read_back(file, work / "back")
    expected = {name: tensor.bfloat16() for name, tensor in merged(base, adapter).items()}
    found = load_file(back / "model.safetensors")
    assert found.keys() == expected.keys()
    assert [name for name in expected if not torch.equal(found[name], expected[name])] == []
    ours, theirs = (AutoTokenizer.from_pretrained(folder) for folder in (base, back))
    assert ours(TEXT).input_ids == theirs(TEXT).input_ids
    assert ours.chat_template == theirs.chat_template
    settings = [json.loads((folder / "config.json").read_text()) for folder in (base, back)]
    for field in ("hidden_size", "num_hidden_layers", "num_key_value_heads", "eos_token_id", "vocab_size"):
        assert settings[0][field] == settings[1][field]
    assert settings[0]["rope_parameters"] == settings[1]["rope_parameters"]
    return back


@pytest.mark.parametrize("merge", [False, True])
def test_tensors_and_tokens_come_back(adapter: Path, tmp_path: Path, merge: bool) -> None:
    same(tiny.ensure(), adapter if merge else None, tmp_path)


@pytest.mark.slow
def test_those_of_the_real_model_are_in_the_file(tmp_path: Path) -> None:
    """Read by the `gguf` package alone: our own reader takes half a minute for this one."""
    base = smollm2.ensure()
    (file,) = export_gguf.write(base, None, tmp_path / "smollm2.gguf")
    reader = GGUFReader(file)
    held = {tensor.name: tensor for tensor in reader.tensors}
    stored = load_file(base / "model.safetensors")
    assert len(held) == len(stored)
    for ours, theirs in (("mlp.down_proj", "ffn_down"), ("self_attn.v_proj", "attn_v")):
        for layer in range(30):
            bits = torch.from_numpy(held[f"blk.{layer}.{theirs}.weight"].data.copy()).view(torch.bfloat16)
            assert torch.equal(bits, stored[f"model.layers.{layer}.{ours}.weight"])
    told = json.loads((base / "tokenizer.json").read_text())["model"]
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    assert {token: index for index, token in enumerate(tokens)} == told["vocab"]
    assert reader.fields["tokenizer.ggml.merges"].contents() == [" ".join(pair) for pair in told["merges"]]
    assert reader.fields["tokenizer.chat_template"].contents() == (base / "chat_template.jinja").read_text()


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30))
def test_any_text_has_the_same_tokens(text: str) -> None:
    ours, theirs = tokenizers()
    assert ours(text).input_ids == theirs(text).input_ids


_TOKENIZERS: list = []


def tokenizers() -> list:
    """Of `tiny`, and of what was read back of it; made once."""
    import tempfile

    if not _TOKENIZERS:
        with tempfile.TemporaryDirectory() as work:
            (file,) = export_gguf.write(tiny.ensure(), None, Path(work, "tiny.gguf"))
            back = read_back(file, Path(work, "back"))
            _TOKENIZERS.extend(AutoTokenizer.from_pretrained(folder) for folder in (tiny.ensure(), back))
    return _TOKENIZERS


def test_in_float32_the_file_holds_the_sum_itself(adapter: Path, tmp_path: Path) -> None:
    (file,) = export_gguf.write(tiny.ensure(), adapter, tmp_path / "a.gguf", dtype="float32")
    reader = GGUFReader(file)
    tensors, held = merged(tiny.ensure(), adapter), {tensor.name: tensor for tensor in reader.tensors}
    assert {tensor.tensor_type.name for tensor in reader.tensors} == {"F32"}
    for ours, theirs in (("mlp.up_proj", "ffn_up"), ("self_attn.o_proj", "attn_output")):
        data = torch.from_numpy(held[f"blk.1.{theirs}.weight"].data.copy())
        assert torch.equal(data, tensors[f"model.layers.1.{ours}.weight"])
    query = torch.from_numpy(
        held["blk.1.attn_q.weight"].data.copy()
    )  # row 2i is i of the first half, 2i + 1 of the other
    ours = tensors["model.layers.1.self_attn.q_proj.weight"]
    assert torch.equal(query[0:16:2], ours[0:8]) and torch.equal(query[1:16:2], ours[8:16])
    assert not torch.equal(query, ours)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    assert fields["orchestra.base"] == base_digest(tiny.ensure())
    assert fields["orchestra.adapter"] == adapter_digest(adapter)
    assert (fields["tokenizer.ggml.pre"], fields["llama.context_length"]) == ("smollm", 8192)


def test_rows_in_the_order_of_transformers_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A control: a file without the other order of queries and keys fails the comparison."""
    monkeypatch.setattr(export_gguf, "_paired", lambda weight, heads: weight)
    with pytest.raises(AssertionError, match=r"k_proj"):
        same(tiny.ensure(), None, tmp_path)


def changed(tmp_path: Path, name: str, change: dict) -> Path:
    copy = Path(shutil.copytree(tiny.ensure(), tmp_path / "copy"))
    file = copy / name
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    return copy


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("config.json", {"model_type": "qwen2"}, "expected model_type 'llama', got 'qwen2'"),
        ("config.json", {"attention_bias": True}, "attention_bias"),
        ("config.json", {"rope_parameters": {"rope_type": "llama3", "rope_theta": 1.0}}, "rope_type"),
        ("tokenizer.json", {"pre_tokenizer": None}, "split text as SmolLM's"),
        ("tokenizer.json", {"model": {"type": "Unigram"}}, "byte-pair tokenizer"),
    ],
)
def test_what_a_gguf_cannot_say_is_refused(tmp_path: Path, name: str, change: dict, message: str) -> None:
    with pytest.raises((BadInput, BadData), match=message):
        export_gguf.write(changed(tmp_path, name, change), None, tmp_path / "a.gguf")
    assert not list(tmp_path.glob("*.gguf")) and not list(tmp_path.glob(".*"))


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    file = tmp_path / "a.gguf"
    file.write_text("mine")
    with pytest.raises(BadInput, match="does not exist yet"):
        export_gguf.write(tiny.ensure(), None, file)
    assert file.read_text() == "mine"
