"""The language model itself: transformers' own modules over slots, with this package's matrix products inside."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedConfig
from transformers.utils import logging

from orchestra.errors import BadData, BadInput
from orchestra.models.local.attention import NAME, Span, grouped
from orchestra.models.local.linear import Product, replace_linears, row_invariant
from orchestra.models.local.lora import Adapter, Place
from orchestra.models.local.mixing import Routes, mix_invariant

ARCHITECTURES = ("llama", "qwen2", "qwen3")
"""Causal attention over all earlier tokens, grouped queries, fixed rotary positions; no window, sink or soft cap."""
FIXED_ROTARY = ("default", "linear", "llama3", "yarn")
"""Rotary schemes whose angles do not depend on the longest row of a batch."""


class Network:
    """A model folder, loaded for inference. Forward passes are made by one thread at a time."""

    def __init__(self, folder: Path, dtype: torch.dtype) -> None:
        with _quiet():
            model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, local_files_only=True)
            model.eval()  # type: ignore[no-untyped-call]
        config = _checked(model.config, folder)
        model.requires_grad_(requires_grad=False)
        model.set_attn_implementation(NAME)
        self.dtype = dtype
        self.layers: int = config.num_hidden_layers
        self.heads: int = config.num_attention_heads
        self.kv_heads: int = config.num_key_value_heads
        self.head_size: int = getattr(config, "head_dim", None) or config.hidden_size // self.heads
        self.context: int = config.max_position_embeddings
        self.vocabulary: int = config.vocab_size
        self.ends = _ends(folder)
        """Ids of the tokens that end a reply; the first is the end of turn that a scored option closes with."""
        self._routes = Routes()
        products = replace_linears(model, self._routes)
        self._head = Product(["lm_head"], [model.lm_head], Routes())
        self._decoder = model.model
        self._no_mask = torch.zeros(1, 1, 1, 1, dtype=dtype)  # four axes: transformers builds none of its own
        self.places: tuple[Place, ...] = tuple(product.place for product in products)
        self.exact = (
            dtype is torch.bfloat16 and row_invariant([*products, self._head]) and mix_invariant(self.places, dtype)
        )
        """Measured at load: products and updates give a row the same bits in every batch."""

    def hidden(
        self, ids: Tensor, positions: Tensor, spans: Sequence[Span], adapters: Sequence[Adapter | None]
    ) -> Tensor:
        """Last hidden states (N, H) of tokens (N,) at these positions, whose keys and values go into the spans."""
        self._routes.assign(adapters)
        out = self._decoder(
            input_ids=ids[:, None],  # every token is a row of its own: rows of any lengths share one pass
            position_ids=positions[:, None],
            attention_mask=self._no_mask,
            use_cache=False,
            spans=spans,
        )
        return out.last_hidden_state[:, 0]  # type: ignore[no-any-return]

    def logits(self, hidden: Tensor) -> Tensor:
        """Next-token logits (R, V) of hidden states (R, H)."""
        return self._head(hidden)

    def buffers(self, rows: int, slots: int) -> tuple[Tensor, Tensor]:
        """Zeroed keys and values (layers, rows, key-value heads, slots, head size). Zero, since NaN x weight 0 is
        NaN."""
        shape = (self.layers, rows, self.kv_heads, slots, self.head_size)
        return torch.zeros(shape, dtype=self.dtype), torch.zeros(shape, dtype=self.dtype)

    def slot_bytes(self) -> int:
        """Bytes of the keys and values of one token."""
        return 2 * self.layers * self.kv_heads * self.head_size * self.dtype.itemsize

    def bias(self, mask: Tensor) -> Tensor:
        """Attention bias of a mask (rows or 1, T, slots), True where a query may not look."""
        return grouped(mask, self.heads, self.kv_heads, self.dtype)


def _checked(config: PreTrainedConfig, folder: Path) -> PreTrainedConfig:
    if config.model_type not in ARCHITECTURES or getattr(config, "use_sliding_window", False):
        raise BadInput(
            f"expected full attention of type {', '.join(ARCHITECTURES)}, got {config.model_type!r} in {folder}; "
            "fix: serve it (vLLM, transformers serve) and use openai:MODEL@BASE_URL"
        )
    rotary = (config.rope_parameters or {}).get("rope_type", "default")
    if rotary not in FIXED_ROTARY:
        raise BadInput(f"expected rotary positions of type {', '.join(FIXED_ROTARY)}, got {rotary!r} in {folder}")
    return config


def _ends(folder: Path) -> tuple[int, ...]:
    """The end-of-sequence ids of generation_config.json, else of config.json."""
    for name in ("generation_config.json", "config.json"):
        file = folder / name
        ends = json.loads(file.read_text(encoding="utf-8")).get("eos_token_id") if file.is_file() else None
        if ends is not None:
            return (ends,) if isinstance(ends, int) else tuple(ends)
    raise BadData(f"expected eos_token_id in generation_config.json or config.json, got none in {folder}")


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bar of transformers while the weights load."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
