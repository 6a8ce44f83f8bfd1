"""Texts as vectors: a small encoder, mean over its tokens, scaled to length 1 (Sentence-BERT, arXiv 1908.10084)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

from orchestra.models.hub import checked

ROWS: Final = 64
"""Texts of one forward."""
TOKENS: Final = 256
"""Of a text; the rest is not read."""


class Embedder:
    """Vectors of texts, (texts, width), float32, each of length 1; an empty text has one too."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(checked(folder), local_files_only=True)
        self._model = AutoModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        parts = [self._embed(texts[i : i + ROWS]) for i in range(0, len(texts), ROWS)]
        return np.concatenate(parts) if parts else np.zeros((0, self._model.config.hidden_size), np.float32)

    @torch.inference_mode()
    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        read = self._tokenizer(list(texts), padding=True, truncation=True, max_length=TOKENS, return_tensors="pt")
        states = self._model(**read).last_hidden_state  # (B, T, C)
        mask = read["attention_mask"].unsqueeze(-1)
        means = (states * mask).sum(1) / mask.sum(1)
        vectors: NDArray[np.float32] = torch.nn.functional.normalize(means, dim=-1).numpy()
        return vectors
