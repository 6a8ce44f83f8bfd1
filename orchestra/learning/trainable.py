"""A policy as it is trained: a base with one LoRA adapter (arXiv 2106.09685), or all of its weights.

An adapter sits on every linear layer but the head and is called "default" while it trains, the name that TRL expects.
What is saved loads without this package: an adapter in PEFT's layout, full weights as a folder that transformers and
`hf:FOLDER` take.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from accelerate.utils import set_seed  # type: ignore[import-untyped]
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from orchestra.errors import BadData, BadInput, Unavailable
from orchestra.learning import launcher
from orchestra.learning.quiet import quiet
from orchestra.learning.recipe import WEIGHTS
from orchestra.learning.settings import Settings

NAME = "default"
"""Of the adapter while it trains."""
ADAPTER_CONFIG = "adapter_config.json"
TOKENIZER = ("tokenizer*.json", "special_tokens_map.json", "*.jinja")
Trainable = PeftModel | PreTrainedModel


def load(base: Path, settings: Settings, *, init: Path | None = None, full: bool = False) -> Trainable:
    """The model folder `base` with a new adapter, or with that of the folder `init` to go on from.

    With `full` there is no adapter: every weight is trained, in fp32, since a step of usual size is lost in the 8 bits
    of bf16; `init` then is an adapter, which is merged first, or a folder of full weights. Raises BadInput for full
    weights to go on from without `full`, BadData for weights that do not fit `base` or are no numbers.
    """
    if init is not None and not any((init / name).is_file() for name in WEIGHTS):
        raise BadData(f"expected {' or '.join(WEIGHTS)}, got neither in {init}; fix: save it with safetensors")
    set_seed(settings.seed)
    try:
        model = _made(base, settings, init, full)
    except (RuntimeError, ValueError, KeyError, SafetensorError) as error:
        raise BadData(
            f"expected weights for {base.name}, got others in {init or base}: {' '.join(str(error).split())[:200]}; "
            "fix: --model"
        ) from error
    for name, each in model.named_parameters() if init else ():
        if each.requires_grad and not each.isfinite().all():
            raise BadData(f"expected finite tensors, got {name} in {init}; fix: train it again")
    return model


def save(
    model: Trainable, folder: Path, *, base: Path, base_name: str, state: Mapping[str, Tensor] | None = None
) -> None:
    """Writes the adapter, or the weights with the tokenizer of `base`, into an empty folder.

    The base of an adapter is named, not where it lies. `state` is the whole state dict where the weights are sharded.
    Raises Unavailable where the disk refuses.
    """
    whole = dict(state) if state else None
    try:
        with quiet():
            _write(model, folder, base, base_name, whole)
    except (OSError, SafetensorError) as error:
        raise Unavailable(f"cannot write {folder}: {error}; fix: free space or choose another folder") from error


def _write(model: Trainable, folder: Path, base: Path, base_name: str, whole: dict[str, Tensor] | None) -> None:
    if isinstance(model, PeftModel):
        model.peft_config[NAME].base_model_name_or_path = base_name
        model.save_pretrained(str(folder), save_embedding_layers=False, selected_adapters=[NAME], state_dict=whole)
        return
    for pattern in TOKENIZER:
        for file in base.glob(pattern):
            shutil.copyfile(file, folder / file.name)
    model.save_pretrained(str(folder), state_dict=whole, max_shard_size="1TB")


def _made(base: Path, settings: Settings, init: Path | None, full: bool) -> Trainable:
    adapter = init is not None and (init / ADAPTER_CONFIG).exists()
    if init is not None and not adapter and not full:
        raise BadInput(f"expected an adapter to go on from, got full weights in {init}; fix: --full")
    start = init if init is not None and not adapter else base
    dtype = torch.float32 if full else launcher.dtype(settings.precision)
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(start, dtype=dtype, local_files_only=True)
    if full and adapter:
        model = PeftModel.from_pretrained(model, init).merge_and_unload()  # type: ignore[arg-type]
    if full:
        return model.requires_grad_(True)  # merging leaves them frozen
    if adapter:
        return PeftModel.from_pretrained(model, init, is_trainable=True)  # type: ignore[arg-type]
    lora = LoraConfig(r=settings.rank, lora_alpha=2 * settings.rank, target_modules="all-linear", task_type="CAUSAL_LM")
    return get_peft_model(model, lora)
