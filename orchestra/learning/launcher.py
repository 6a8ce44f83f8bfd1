"""What `accelerate launch` chose, told to transformers' Trainer, which would choose otherwise.

    CPU, any number of processes     use_cpu: gloo
    CPU under DeepSpeed              not use_cpu, which turns DeepSpeed off; gloo by name, or each process runs alone
    GPU                              no autocast: the base is bf16 as loaded and the adapter fp32
    sharded on GPU                   fp32 as loaded and autocast: a shard has one dtype

Where there is no GPU, DS_ACCELERATOR is set to cpu on import; whoever trains on the CPU under DeepSpeed beside a GPU
sets it.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from accelerate import PartialState  # type: ignore[import-untyped]

from orchestra.learning.settings import Precision

if not torch.cuda.is_available():
    os.environ.setdefault(
        "DS_ACCELERATOR", "cpu"
    )  # else DeepSpeed says on stdout, which is the caller's, that it chose


def on_cpu() -> bool:
    """Whether weights stay on the CPU: there is no GPU, or the launcher was told so."""
    deepspeed = os.environ.get("DS_ACCELERATOR") == "cpu" and _says("ACCELERATE_USE_DEEPSPEED")
    return deepspeed or not torch.cuda.is_available() or _says("ACCELERATE_USE_CPU")


def sharded() -> bool:
    """Whether DeepSpeed or FSDP will cut parameters or what belongs to them into shards, which have one dtype."""
    return _says("ACCELERATE_USE_DEEPSPEED") or _says("ACCELERATE_USE_FSDP")


def dtype(precision: Precision) -> torch.dtype:
    """Of the base as it is loaded."""
    return torch.float32 if precision == "fp32" or sharded() else torch.bfloat16


def arguments(precision: Precision) -> dict[str, Any]:
    """Arguments of `transformers.TrainingArguments` that say where and in which number format."""
    cpu, deepspeed = on_cpu(), _says("ACCELERATE_USE_DEEPSPEED")
    return {
        "use_cpu": cpu and not deepspeed,
        "ddp_backend": "gloo" if cpu and deepspeed else None,
        "bf16": precision == "bf16" and sharded() and not cpu,
        "dataloader_pin_memory": not cpu,
    }


def barrier() -> None:
    """Returns once every process is here; at once where there is one."""
    PartialState().wait_for_everyone()


def _says(name: str) -> bool:
    return os.environ.get(name, "").lower() in ("1", "true")
