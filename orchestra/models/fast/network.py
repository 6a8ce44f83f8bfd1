"""Compiled weights and the cache that all of them share: one forward pass over rows of any lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from orchestra.errors import CallFailed
from orchestra.models.fast.blocks import SIZE, Copy
from orchestra.models.fast.graph import language_model
from orchestra.models.fast.quantised import Weights
from orchestra.models.fast.runtime import ov
from orchestra.models.fast.shape import Shape


class Piece(NamedTuple):
    """What is computed for one row: tokens behind those that the cache holds."""

    ids: Sequence[int]
    past: int
    """Tokens in the cache."""
    blocks: Sequence[int]
    """Of the cache, for past and ids at least."""
    wanted: int
    """So many last tokens of `ids` ask for logits of the next."""


class Engine:
    """OpenVINO on this CPU, with one number format for all that it compiles."""

    def __init__(self, threads: int | None) -> None:
        self._core = ov.Core()
        able = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.arithmetic = "bf16" if "BF16" in able else "f32"
        """Of what is not int8; keys and values are kept in u8."""
        self.version = str(ov.get_version())
        self._options = {
            "INFERENCE_PRECISION_HINT": self.arithmetic,
            "KV_CACHE_PRECISION": "u8",
            # Rounding what goes into a product to int8 as well cost 1.8 points of add2 (1,193 items) and won no time.
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
            "PERFORMANCE_HINT": "LATENCY",
        } | ({} if threads is None else {"INFERENCE_NUM_THREADS": threads})

    def compile(self, graph: ov.Model) -> ov.CompiledModel:
        return self._core.compile_model(graph, "CPU", self._options)


class Cache:
    """Keys and values of `count` blocks a layer, in the layout that the compiled graph asks for."""

    def __init__(self, compiled: ov.CompiledModel, count: int) -> None:
        self.tensors: dict[str, ov.Tensor] = {}
        for port in compiled.inputs:
            if "_cache." in port.any_name:
                _, *block = port.partial_shape
                shape = ov.Shape([count, *(size.get_length() for size in block)])
                self.tensors[port.any_name] = ov.Tensor(port.element_type, shape)

    @property
    def block_bytes(self) -> int:
        """Bytes of one block, all layers together."""
        return sum(tensor.byte_size // tensor.shape[0] for tensor in self.tensors.values())

    def copy(self, copies: Sequence[Copy]) -> None:
        """Copies whole blocks; every source is read before a target is written."""
        if not copies:
            return
        sources, targets = np.array(copies).T
        for tensor in self.tensors.values():
            tensor.data[targets] = tensor.data[sources]


class Network:
    """One set of weights. Forward passes over a shared cache are made by one thread at a time."""

    def __init__(self, name: str, engine: Engine, shape: Shape, weights: Weights) -> None:
        self.name = name
        """Digest of the weights."""
        self.compiled = engine.compile(language_model(shape, weights))
        self._request = self.compiled.create_infer_request()

    def join(self, cache: Cache) -> None:
        """From now on keys and values are read from and written to this cache."""
        for name, tensor in cache.tensors.items():
            self._request.set_tensor(name, tensor)

    def __call__(self, pieces: Sequence[Piece]) -> Tensor:
        """Logits (R, V) in float32 of the wanted tokens, in order; they hold until the next call.

        Raises CallFailed where the engine gives more or fewer rows than were asked for.
        """
        for name, values in _inputs(pieces).items():
            self._request.set_tensor(name, ov.Tensor(values))
        self._request.infer()
        logits = torch.from_numpy(self._request.get_output_tensor(0).data)
        asked = sum(piece.wanted for piece in pieces)
        if len(logits) != asked:
            raise CallFailed(f"expected {asked} rows of logits, got {len(logits)} from OpenVINO")
        return logits


def _inputs(pieces: Sequence[Piece]) -> dict[str, np.ndarray]:
    """The graph's inputs but the cache; every sequence is given the blocks that its tokens reach, no more."""
    lengths = [len(piece.ids) for piece in pieces]
    totals = [piece.past + length for piece, length in zip(pieces, lengths, strict=True)]
    ends = np.cumsum([0, *lengths])
    reached = [piece.blocks[: -(-total // SIZE)] for piece, total in zip(pieces, totals, strict=True)]
    wanted = [np.arange(end - piece.wanted, end) for piece, end in zip(pieces, ends[1:], strict=True)]
    arrays = {
        "input_ids": np.concatenate([piece.ids for piece in pieces]),
        "position_ids": np.concatenate(
            [np.arange(piece.past, total) for piece, total in zip(pieces, totals, strict=True)]
        ),
        "wanted": np.concatenate(wanted),
        "past_lens": np.array([piece.past for piece in pieces]),
        "subsequence_begins": ends,
        "block_indices": np.concatenate(reached),
        "block_indices_begins": np.cumsum([0, *map(len, reached)]),
        "max_context_len": np.array(max(totals)),
    }
    return {name: array.astype(np.int32) for name, array in arrays.items()}
