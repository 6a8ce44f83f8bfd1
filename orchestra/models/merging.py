"""A LoRA adapter added to the weights of its base, for engines that know no adapters.

The sum W + scale x B A is taken in float32 for every projection that the adapter touches; whoever stores it rounds it
once. What `local.lora` refuses is refused here: an adapter is merged whole or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from orchestra.digest import digest, file_digest
from orchestra.errors import BadData
from orchestra.models.local.lora import CONFIG, WEIGHTS, Place, base_digest, read_adapter

ENDING = ".weight"


def adapter_files(adapter: Path) -> tuple[Path, Path]:
    """What an adapter is made of: its settings and its tensors."""
    return adapter / CONFIG, adapter / WEIGHTS


def adapter_digest(adapter: Path) -> str:
    """Digest of an adapter's two files. Raises BadData where one is missing."""
    try:
        return digest(*(file_digest(file) for file in adapter_files(adapter)))
    except OSError as error:
        raise BadData(f"expected a PEFT adapter folder, got {error!r} at {str(adapter)!r}") from error


def merged(folder: Path, adapter: Path | None = None) -> dict[str, Tensor]:
    """Every tensor of a model folder in float32, by its name there, with the adapter's updates added.

    Raises BadData for weights that cannot be read, and as `read_adapter` does for the adapter.
    """
    tensors = _tensors(folder)
    if adapter is None:
        return tensors
    places = [
        Place((name.removesuffix(ENDING),), tensor.shape[1], (tensor.shape[0],))
        for name, tensor in tensors.items()
        if tensor.ndim == 2 and ".layers." in name
    ]
    read = read_adapter(adapter, "", places, dtype=torch.float32, base=base_digest(folder))
    for place in places:
        update = read.updates.get(place.names[0])
        if update is not None:
            tensors[place.names[0] + ENDING] += update.up @ update.down
    return tensors


def rounded(tensors: Mapping[str, Tensor], dtype: Literal["float32", "bfloat16"]) -> dict[str, Tensor]:
    """The tensors in that number format."""
    kind = {"float32": torch.float32, "bfloat16": torch.bfloat16}[dtype]
    return {name: tensor.to(kind).contiguous() for name, tensor in tensors.items()}


def _tensors(folder: Path) -> dict[str, Tensor]:
    try:
        files = [load_file(file) for file in sorted(folder.glob("*.safetensors"))]
    except (OSError, SafetensorError) as error:
        raise BadData(f"expected safetensors of a model, got {error!r} in {folder}") from error
    return {name: tensor.float() for held in files for name, tensor in held.items()}
