"""The sizes of a language model that this back-end can build: a plain Llama, and nothing that merely looks like one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from transformers import AutoConfig

from orchestra.errors import BadInput

ARCHITECTURES = ("llama",)


class Shape(NamedTuple):
    """Of a decoder with grouped queries, rotary positions and a gated MLP."""

    layers: int
    heads: int
    kv_heads: int
    head_size: int
    inner: int
    """Width of the MLP."""
    epsilon: float
    theta: float
    """Base of the rotary angles."""
    context: int
    """Tokens that a prompt and its reply may have together."""
    vocabulary: int
    ends: tuple[int, ...]
    """Ids that end a reply; the first is the end of turn that a scored option closes with."""


def read_shape(folder: Path) -> Shape:
    """The shape of a model folder; BadInput where the graph of this package would not be that model."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    if config.model_type not in ARCHITECTURES:
        raise _other(f"a model of type {', '.join(ARCHITECTURES)}", config.model_type, folder)
    if config.attention_bias or config.mlp_bias or config.hidden_act != "silu":
        raise _other("SiLU and no biases", f"{config.hidden_act!r} and biases", folder)
    rotary = config.rope_parameters
    if rotary["rope_type"] != "default":
        raise _other("plain rotary positions", rotary["rope_type"], folder)
    return Shape(
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        head_size=getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads,
        inner=config.intermediate_size,
        epsilon=config.rms_norm_eps,
        theta=rotary["rope_theta"],
        context=config.max_position_embeddings,
        vocabulary=config.vocab_size,
        ends=_ends(folder, config.eos_token_id),
    )


def _ends(folder: Path, default: int | list[int]) -> tuple[int, ...]:
    """Those of generation_config.json go before those of config.json, as in the default back-end."""
    file = folder / "generation_config.json"
    ends = json.loads(file.read_text(encoding="utf-8")).get("eos_token_id") if file.is_file() else None
    ends = default if ends is None else ends
    return (ends,) if isinstance(ends, int) else tuple(ends)


def _other(expected: str, got: object, folder: Path) -> BadInput:
    return BadInput(f"expected {expected}, got {got!r} in {folder}; fix: leave out the prefix fast:")
