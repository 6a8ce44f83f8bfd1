"""LoRA adapters in PEFT's layout, read and checked before a row may go through one (Hu et al. 2021, arXiv 2106.09685).

What is not plain LoRA on the projections of this very base is refused: an adapter half applied would train on, and
publish, something that nobody sampled from. Only safetensors are read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from orchestra.digest import digest as digest_of
from orchestra.digest import file_digest
from orchestra.errors import BadData

CONFIG, WEIGHTS, MANIFEST = "adapter_config.json", "adapter_model.safetensors", "manifest.json"
UNSUPPORTED = (
    "use_dora", "lora_bias", "modules_to_save", "fan_in_fan_out", "rank_pattern", "alpha_pattern", "megatron_config",
    "trainable_token_indices", "target_parameters", "alora_invocation_tokens", "layer_replication", "use_qalora",
)  # fmt: skip
"""Fields of PEFT's LoraConfig that change the forward pass in a way that this reader does not follow."""
MOVES_BASE = ("pissa", "olora", "corda", "loftq")
"""Initialisations that also change the base weights, which one shared base cannot do."""

_TENSOR = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")


class Place(NamedTuple):
    """Sibling linears of the network that one product computes, under the names of a PEFT file."""

    names: tuple[str, ...]
    inputs: int
    widths: tuple[int, ...]


class LowRank(NamedTuple):
    """x -> up @ down @ x for a product of siblings."""

    down: Tensor
    """Their A below one another (R, K)."""
    up: Tensor
    """Their scaled B, block-diagonal (N, R)."""


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """One adapter, ready to add to the products of the base that it was checked against."""

    digest: str
    updates: Mapping[str, LowRank]
    """By the first name of the product's place."""


def read_adapter(
    folder: Path, digest: str, places: Sequence[Place], *, dtype: torch.dtype, base: str | None = None
) -> Adapter:
    """The adapter of a PEFT folder for the network with these places; its tensors are rounded to `dtype`.

    `base` is the digest of the base weights: a manifest.json beside the adapter that names another is refused. Raises
    BadData, naming the file and what is wrong with it.
    """
    scale, rank = _config(folder / CONFIG)
    _check_base(folder / MANIFEST, base)
    tensors = _tensors(folder / WEIGHTS)
    known = {name: place for place in places for name in place.names}
    for name, tensor in tensors.items():
        match = _TENSOR.fullmatch(name)
        if match is None or match["module"] not in known:
            raise BadData(f"expected LoRA tensors of this base's projections, got {name!r} in {folder / WEIGHTS}")
        place = known[match["module"]]
        width = place.widths[place.names.index(match["module"])]
        shape = (rank, place.inputs) if match["side"] == "A" else (width, rank)
        if tuple(tensor.shape) != shape:
            raise BadData(f"expected {name!r} of shape {shape}, got {tuple(tensor.shape)} in {folder / WEIGHTS}")
        if not bool(torch.isfinite(tensor).all()):
            raise BadData(f"expected finite numbers, got NaN or infinity in {name!r} of {folder / WEIGHTS}")
        if f"base_model.model.{match['module']}.lora_{'B' if match['side'] == 'A' else 'A'}.weight" not in tensors:
            raise BadData(f"expected both lora_A and lora_B of {match['module']!r}, got one in {folder / WEIGHTS}")
    updates = {place.names[0]: _stack(place, tensors, scale, dtype) for place in places if _touches(place, tensors)}
    if not updates:
        raise BadData(f"expected at least one LoRA tensor, got none in {folder / WEIGHTS}")
    return Adapter(digest, updates)


def base_digest(folder: Path) -> str:
    """Digest of a base's safetensors alone, which an adapter's manifest names as `base`."""
    return digest_of(*(file_digest(file) for file in sorted(folder.glob("*.safetensors"))))


def _config(file: Path) -> tuple[float, int]:
    """Scale (alpha / r, or alpha / sqrt(r) of rsLoRA, arXiv 2312.03732) and rank."""
    config = _json(file)
    if config.get("peft_type") != "LORA":
        raise BadData(f"expected peft_type 'LORA', got {config.get('peft_type')!r} in {file}")
    if config.get("bias", "none") != "none":
        raise BadData(f"expected bias 'none', got {config['bias']!r} in {file}; fix: train without biases")
    extra = [name for name in UNSUPPORTED if config.get(name)]
    if extra:
        raise BadData(
            f"expected plain LoRA, got {', '.join(extra)} in {file}; fix: train without it, or merge the adapter"
        )
    start = str(config.get("init_lora_weights"))
    if start.startswith(MOVES_BASE):
        raise BadData(
            f"expected an initialisation that leaves the base alone, got {start!r} in {file}; fix: convert it"
        )
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if not isinstance(rank, int) or rank < 1 or not isinstance(alpha, (int, float)):
        raise BadData(f"expected r >= 1 and a number lora_alpha, got r={rank!r}, lora_alpha={alpha!r} in {file}")
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank), rank


def _check_base(file: Path, base: str | None) -> None:
    named = _json(file).get("base") if file.is_file() else None
    if base and named and named != base:
        raise BadData(
            f"expected an adapter of base {base}, got one of base {named} in {file}; fix: train it on this base"
        )


def _json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadData(f"expected a JSON file, got {error!r} at {file}") from error
    if not isinstance(value, dict):
        raise BadData(f"expected a JSON object, got {value!r} at {file}")
    return value


def _tensors(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise BadData(f"expected safetensors of a LoRA adapter, got {error!r} at {file}") from error


def _touches(place: Place, tensors: Mapping[str, Tensor]) -> bool:
    return any(f"base_model.model.{name}.lora_A.weight" in tensors for name in place.names)


def _stack(place: Place, tensors: Mapping[str, Tensor], scale: float, dtype: torch.dtype) -> LowRank:
    """Siblings side by side: (A1; A2) below one another, scale * diag(B1, B2); zeros where a sibling has no update."""
    downs: list[Tensor] = []
    up = torch.zeros(sum(place.widths), 0)
    top = 0
    for name, width in zip(place.names, place.widths, strict=True):
        down = tensors.get(f"base_model.model.{name}.lora_A.weight")
        if down is not None:
            downs.append(down.float())
            columns = torch.zeros(sum(place.widths), len(down))
            columns[top : top + width] = tensors[f"base_model.model.{name}.lora_B.weight"].float() * scale
            up = torch.cat([up, columns], 1)
        top += width
    return LowRank(torch.cat(downs).to(dtype), up.to(dtype))
