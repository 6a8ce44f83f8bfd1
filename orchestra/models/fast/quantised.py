"""A model's weights in int8, merged with one adapter or none, converted once and kept by the digest of its sources.

Each product's weight is cut along its inputs into groups of GROUP numbers: w = scale x q, q in -127..127, one scale
a group, so that |w - scale x q| is at most half a scale. Embeddings and norms are not quantised.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from orchestra.digest import digest
from orchestra.errors import BadData
from orchestra.models import cache
from orchestra.models.fast.shape import Shape
from orchestra.models.merging import adapter_digest, merged
from orchestra.models.progress import Report

GROUP = 64
RECIPE = f"int8 in groups of {GROUP}, 2"
"""Raised whenever the same weights would give another file."""
FILE = "weights.safetensors"

Weights = Mapping[str, Tensor]
"""By the names that `graph` asks for; a product NAME is the pair NAME.int8 (N, groups, group), NAME.scale (N, groups,
1)."""


def quantise(weight: Tensor) -> tuple[Tensor, Tensor]:
    """int8 numbers (N, groups, group) and float32 scales (N, groups, 1) of a weight (N, K); one group where GROUP does
    not divide K."""
    size = GROUP if weight.shape[1] % GROUP == 0 else weight.shape[1]
    groups = weight.float().reshape(len(weight), -1, size)
    scale = groups.abs().amax(-1, keepdim=True).clamp_min(1e-30) / 127  # zeros stay zeros
    return (groups / scale).round().clamp(-127, 127).to(torch.int8), scale


def ensure(folder: Path, shape: Shape, base: str, adapter: Path | None, name: str, report: Report) -> Weights:
    """The quantised weights of `folder` (digest `base`) and `adapter` (digest `name`, "" for none), made if need be.

    Raises as `merging.merged` and `cache.ensure` do, and BadData for an adapter that is written to meanwhile.
    """

    def make(made: Path, _: Path) -> None:
        report("merge and quantise", 0, 1)
        tensors = convert(merged(folder, adapter), shape)
        if adapter is not None and adapter_digest(adapter) != name:
            raise BadData(f"expected {adapter} to stay as it was, got other bytes while it was read; fix: try again")
        save_file(dict(tensors), made / FILE)
        report("merge and quantise", 1, 1)

    size = 2 * sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    title = f"fast-{digest(RECIPE, base, name)[:16]}"
    return load_file(cache.ensure(title, make, needs=size, report=report) / FILE)


def convert(tensors: Weights, shape: Shape) -> Weights:
    """From the tensors of a Llama to those that `graph` asks for: siblings stacked, products quantised."""
    made = {"embeddings": tensors["model.embed_tokens.weight"].half(), "norm": tensors["model.norm.weight"]}
    made |= _product("head", tensors.get("lm_head.weight", tensors["model.embed_tokens.weight"]))
    for layer in range(shape.layers):
        ours, theirs = f"{layer}.", f"model.layers.{layer}."
        for name, parts in PRODUCTS.items():
            made |= _product(ours + name, torch.cat([tensors[f"{theirs}{part}.weight"] for part in parts]))
        made[ours + "before attention"] = tensors[theirs + "input_layernorm.weight"]
        made[ours + "before mlp"] = tensors[theirs + "post_attention_layernorm.weight"]
    return made


PRODUCTS = {
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "out": ("self_attn.o_proj",),
    "gate up": ("mlp.gate_proj", "mlp.up_proj"),
    "down": ("mlp.down_proj",),
}


def _product(name: str, weight: Tensor) -> dict[str, Tensor]:
    numbers, scale = quantise(weight)
    return {f"{name}.int8": numbers, f"{name}.scale": scale}
