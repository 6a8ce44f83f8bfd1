"""From the GGUF of SmolLM2 to an ordinary Transformers folder: dense bf16 weights, a tokenizer that splits as trained.

Three traps of Transformers 5.23 are handled here, each held by a test:

- `gguf_file=` alone gives a model that can be neither trained nor saved; `GgufConfig(dequantize=True)` an ordinary
  one;
- `dtype=` casts the weights and leaves rotary `inv_freq` in fp32; `.to(bfloat16)` would round the frequencies as
  well;
- the pre-tokenizer that the file names ("smollm") is not known there and falls back to GPT-2's: see
  `digits_then_bytes`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
from transformers.utils import logging

from orchestra.models import chatml

STEPS = 3


def convert(gguf: Path, folder: Path, step: Callable[[int], None]) -> None:
    """Fill `folder` with config.json, generation_config.json, model.safetensors and the tokenizer's files.

    The chat template is the file's own, unchanged: where a chat does not begin with a system message, it puts SmolLM's
    default one there ("You are a helpful AI assistant named SmolLM, ..."), with which the model was tuned. A system
    message of the caller's, even an empty one, takes its place. `step` is called with 1 to STEPS. Raises OSError.
    """
    with _quiet():
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        step(1)
        dense = GgufConfig(dequantize=True)
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, quantization_config=dense, dtype=torch.bfloat16
        )
        step(2)
        try:
            model.save_pretrained(folder)
        except SafetensorError as error:  # its Rust writer reports a full disk as text alone
            if os.strerror(errno.ENOSPC) in str(error):
                raise OSError(errno.ENOSPC, str(error), str(folder)) from error
            raise
    backend = tokenizer.backend_tokenizer
    backend.pre_tokenizer = chatml.digits_then_bytes()
    chatml.save(backend, folder, template=tokenizer.chat_template, max_length=model.config.max_position_embeddings)
    step(3)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Transformers' own progress bars; the one over GGUF tensors has no switch and is diverted."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with redirect_stderr(StringIO()):
            yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
