"""Adapters with random weights, as PEFT saves them."""

from __future__ import annotations

from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def lora(base: Path, folder: Path, *, std: float = 0.3, seed: int = 0, rank: int = 3) -> Path:
    """An adapter of every projection of `base`, far enough from zero to be seen."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    made = get_peft_model(model, LoraConfig(r=rank, lora_alpha=5, target_modules=ALL))
    torch.manual_seed(seed)
    for parameter in made.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=std)
    made.save_pretrained(folder)
    return folder
