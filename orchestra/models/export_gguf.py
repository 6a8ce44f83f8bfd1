"""A model, with an adapter merged into its weights or not, as one GGUF file, for llama.cpp and what is built on it.

Only what can be said exactly is written: a plain Llama whose tokenizer splits text as SmolLM's does, since a GGUF names
its pre-tokenizer and does not describe it. Matrices are float32 or bfloat16, norms float32. GGUF keeps the rows of the
query and key products in another order than transformers (pairs of a rotation side by side, not half a head apart).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Literal

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer, models
from torch import Tensor

from orchestra.atomic import replacing
from orchestra.errors import BadData, BadInput
from orchestra.models import chatml
from orchestra.models.local.lora import base_digest
from orchestra.models.merging import adapter_digest, merged, rounded

Dtype = Literal["float32", "bfloat16"]
TYPES: Final = {
    "float32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
    "bfloat16": (gguf.GGMLQuantizationType.BF16, gguf.LlamaFileType.MOSTLY_BF16),
}
NAMES: Final = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
"""Of a layer: here and there."""
WHOLE: Final = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def write(base: Path, adapter: Path | None, file: Path, *, dtype: Dtype = "bfloat16") -> list[Path]:
    """Writes `file`, whole or not at all, and returns it. It says in `orchestra.base` and `orchestra.adapter` what it
    was made of.

    Raises BadInput where `file` exists or the model is no such Llama, Unavailable where the disk refuses, BadData as
    `merging.merged` does.
    """
    if file.exists() or file.is_symlink():
        raise BadInput(f"expected a file that does not exist yet, got {file}; fix: another --output")
    config = _config(base)
    tensors = _arranged(rounded(merged(base, adapter), dtype), config)
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as part, closing(gguf.GGUFWriter(part, "llama")) as writer:
        _describe(writer, config, file.stem, dtype)
        writer.add_string("orchestra.base", base_digest(base))
        writer.add_string("orchestra.adapter", adapter_digest(adapter) if adapter else "")
        _spell(writer, base, config["vocab_size"])
        for name, tensor in tensors:
            _add(writer, name, tensor, dtype)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    return [file]


def _config(base: Path) -> dict[str, Any]:
    """The settings of a plain Llama; BadInput for any other model."""
    config: dict[str, Any] = json.loads((base / "config.json").read_text(encoding="utf-8"))
    rotary = config.get("rope_parameters") or {"rope_theta": config.get("rope_theta", 10_000.0)}
    plain = {
        "model_type": ("llama", config.get("model_type")),
        "rope_type": ("default", rotary.get("rope_type", "default")),
        "rope_scaling": (None, config.get("rope_scaling")),
        "attention_bias": (False, config.get("attention_bias", False)),
        "mlp_bias": (False, config.get("mlp_bias", False)),
        "hidden_act": ("silu", config.get("hidden_act", "silu")),
    }
    for field, (expected, got) in plain.items():
        if got != expected:
            raise BadInput(
                f"GGUF is written for plain Llamas: expected {field} {expected!r}, got {got!r} in {base}; "
                "fix: --format safetensors, and llama.cpp's own converter"
            )
    return {**config, "rope_theta": rotary["rope_theta"]}


def _describe(writer: gguf.GGUFWriter, config: Mapping[str, Any], name: str, dtype: Dtype) -> None:
    heads = config["num_attention_heads"]
    writer.add_name(name)
    writer.add_file_type(TYPES[dtype][1])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    size = config.get("head_dim") or config["hidden_size"] // heads
    writer.add_rope_dimension_count(size)
    writer.add_key_length(size)
    writer.add_value_length(size)
    writer.add_add_bos_token(False)
    for role, add in (
        ("bos", writer.add_bos_token_id),
        ("eos", writer.add_eos_token_id),
        ("pad", writer.add_pad_token_id),
    ):
        if isinstance(token := config.get(f"{role}_token_id"), int):
            add(token)


def _spell(writer: gguf.GGUFWriter, base: Path, size: int) -> None:
    """The tokenizer and the chat template of a folder; BadInput where it splits text otherwise."""
    try:
        told = json.loads((base / "tokenizer.json").read_text(encoding="utf-8"))
        vocabulary, merges = told["model"]["vocab"], told["model"]["merges"]
        added = {token["id"]: token for token in told["added_tokens"]}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise BadData(f"expected a byte-pair tokenizer, got {error!r} at {base / 'tokenizer.json'}") from error
    if told["pre_tokenizer"] != _splits():
        raise BadInput(
            f"GGUF is written for tokenizers that split text as SmolLM's, got another in {base / 'tokenizer.json'}; "
            "fix: --format safetensors, and llama.cpp's own converter"
        )
    texts = {index: text for text, index in vocabulary.items()} | {i: token["content"] for i, token in added.items()}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list([texts.get(index, f"[PAD{index}]") for index in range(size)])
    writer.add_token_types([_kind(added.get(index), index in texts) for index in range(size)])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    template = base / "chat_template.jinja"
    if template.is_file():
        writer.add_chat_template(template.read_text(encoding="utf-8"))


def _kind(added: Mapping[str, Any] | None, known: bool) -> int:
    kinds = gguf.TokenType
    if added is not None:
        return int(kinds.CONTROL if added["special"] else kinds.USER_DEFINED)
    return int(kinds.NORMAL if known else kinds.UNUSED)


def _splits() -> Any:
    """The pre-tokenizer that "smollm" names, as a tokenizer.json has it."""
    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = chatml.digits_then_bytes()
    return json.loads(bare.to_str())["pre_tokenizer"]


def _arranged(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """Tensors by their names in a GGUF, rows in its order. Raises BadData for one that no Llama has."""
    heads = config["num_attention_heads"]
    groups = {"attn_q": heads, "attn_k": config.get("num_key_value_heads") or heads}
    for name, tensor in tensors.items():
        place = name.removesuffix(".weight")
        if place in WHOLE:
            yield f"{WHOLE[place]}.weight", tensor
            continue
        layer, _, part = place.removeprefix("model.layers.").partition(".")
        if part not in NAMES or not layer.isdecimal():
            raise BadData(f"expected the tensors of a Llama, got {name!r}; fix: --format safetensors")
        theirs = NAMES[part]
        yield f"blk.{layer}.{theirs}.weight", _paired(tensor, groups[theirs]) if theirs in groups else tensor


def _paired(weight: Tensor, heads: int) -> Tensor:
    """Rows of each head from (first halves, second halves) to pairs."""
    return weight.reshape(heads, 2, -1, weight.shape[1]).transpose(1, 2).reshape(weight.shape)


def _add(writer: gguf.GGUFWriter, name: str, tensor: Tensor, dtype: Dtype) -> None:
    if tensor.ndim == 1 or dtype == "float32":
        writer.add_tensor(name, tensor.float().contiguous().numpy())
        return
    bits = tensor.contiguous().view(torch.int16).numpy()
    writer.add_tensor(name, bits.view(np.uint8), raw_dtype=TYPES[dtype][0])
