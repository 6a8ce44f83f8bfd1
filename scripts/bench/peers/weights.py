"""A folder's weights, counted for the roofline; and adapters made up for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors.numpy import save_file


class Shape(NamedTuple):
    """Weights that take part in products: of a token that is read, and of one that is generated besides."""

    body: int
    head: int


def shape(folder: Path) -> Shape:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    places = projections(config)
    return Shape(
        config["num_hidden_layers"] * sum(inputs * outputs for inputs, outputs in places.values()),
        config["vocab_size"] * config["hidden_size"],
    )


def projections(config: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Inputs and outputs of a layer's linears, in a model of Llama's kind."""
    width, inner, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    size = config.get("head_dim") or width // heads
    queries, keys = heads * size, config["num_key_value_heads"] * size
    return {
        "self_attn.q_proj": (width, queries),
        "self_attn.k_proj": (width, keys),
        "self_attn.v_proj": (width, keys),
        "self_attn.o_proj": (queries, width),
        "mlp.gate_proj": (width, inner),
        "mlp.up_proj": (width, inner),
        "mlp.down_proj": (inner, width),
    }


def random_adapters(folder: Path, target: Path, count: int, rank: int = 16) -> list[str]:
    """PEFT folders with updates of all projections, small enough to leave the language alone."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    places, dice = projections(config), np.random.default_rng(0)
    made = []
    for number in range(count):
        tensors = {}
        for layer in range(config["num_hidden_layers"]):
            for name, (inputs, outputs) in places.items():
                stem = f"base_model.model.model.layers.{layer}.{name}"
                tensors[f"{stem}.lora_A.weight"] = dice.normal(0, 0.005, (rank, inputs)).astype(np.float32)
                tensors[f"{stem}.lora_B.weight"] = dice.normal(0, 0.005, (outputs, rank)).astype(np.float32)
        place = target / str(number)
        place.mkdir()
        save_file(tensors, place / "adapter_model.safetensors")
        targets = [name.partition(".")[2] for name in places]
        settings = {"peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank, "target_modules": targets, "bias": "none"}
        (place / "adapter_config.json").write_text(json.dumps(settings), encoding="utf-8")
        made.append(str(place))
    return made
