"""A Llama as an OpenVINO graph over rows of mixed lengths: tokens lie behind one another, keys and values in blocks.

Inputs, for T tokens of S sequences: `input_ids` and `position_ids` (T,); `past_lens` (S,), tokens that a sequence
already has in the cache; `subsequence_begins` (S + 1,), where each begins among the T; `block_indices` and
`block_indices_begins` (S + 1,), the cache blocks of each; `max_context_len` (); `wanted` (R,), the tokens whose next
is asked for; `key_cache.L` and `value_cache.L`, which the graph also writes. Output: logits (R, V).

The attention operator is OpenVINO's own, as its GenAI pipelines use it. It is no public interface there, so the extra
`fast` pins the release, and the parity test holds its 28 inputs to their meaning.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from orchestra.models.fast.quantised import Weights
from orchestra.models.fast.runtime import PagedAttention, ops, ov
from orchestra.models.fast.shape import Shape

Node: TypeAlias = Any
"""A node of OpenVINO or one of its outputs: the operator functions take both."""


def language_model(shape: Shape, weights: Weights) -> ov.Model:
    """The graph of these weights, not yet compiled."""
    inputs = {name: _input(name, [-1], np.int32) for name in ("input_ids", "position_ids", "wanted", *PLACES)}
    inputs["max_context_len"] = _input("max_context_len", [], np.int32)
    angles = _angles(shape, inputs["position_ids"])
    x = ops.gather(_constant(weights["embeddings"].numpy()), inputs["input_ids"], _whole(0))
    x = ops.unsqueeze(ops.convert(x, "f32"), _whole([1]))  # (T, 1, H): every token is a row of its own
    for layer in range(shape.layers):
        for side in ("key", "value"):
            name = f"{side}_cache.{layer}"
            inputs[name] = _input(name, [-1, shape.kv_heads, -1, -1], ov.Type.dynamic)
        attended = _attention(
            shape, weights, layer, _norm(shape, weights, f"{layer}.before attention", x), angles, inputs
        )
        x = ops.add(x, _product(weights, f"{layer}.out", attended))
        x = ops.add(x, _mlp(shape, weights, layer, _norm(shape, weights, f"{layer}.before mlp", x)))
    x = _norm(shape, weights, "norm", ops.gather(x, inputs["wanted"], _whole(0)))
    logits = ops.result(ops.squeeze(_product(weights, "head", x), _whole([1])))
    return ov.Model([logits], list(inputs.values()), "language model")


PLACES = ("past_lens", "subsequence_begins", "block_indices", "block_indices_begins")


def _attention(
    shape: Shape, weights: Weights, layer: int, x: Node, angles: tuple[Node, Node], inputs: dict[str, Node]
) -> Node:
    width, kv_width = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    parts = ops.variadic_split(_product(weights, f"{layer}.qkv", x), _whole(2), _whole([width, kv_width, kv_width]))
    none, zero, empty = _constant(np.zeros(0, np.int32)), _constant(np.int32(0)), _constant(np.zeros(0, np.float32))
    arguments = [
        _turned(shape, parts.output(0), shape.heads, angles),
        _turned(shape, parts.output(1), shape.kv_heads, angles),
        ops.reshape(parts.output(2), _whole([-1, kv_width]), False),
        inputs[f"key_cache.{layer}"],
        inputs[f"value_cache.{layer}"],
        *(inputs[name] for name in PLACES),
        _constant(np.float32(shape.head_size**-0.5)),
        zero,  # sliding window: none
        empty,  # slopes of ALiBi
        inputs["max_context_len"],
        none,  # score aggregation window
        none, _constant(np.zeros((0, 0), np.int32)), _constant(np.zeros((0, 0), np.float32)),  # rotated blocks
        empty, zero, zero,  # sparse attention: threshold, block, stride
        _constant(np.zeros((0, 0, 0, 0), np.float32)),  # sinks
        zero, none, none, none,  # eviction: start, sizes, sets, their begins
        none,  # token types
        _constant(np.zeros(0, np.uint8)), none,  # bias between queries, its begins
    ]  # fmt: skip
    node = PagedAttention([argument.output(0) for argument in arguments])
    facts = node.get_rt_info()
    for side in ("k", "v"):
        facts[f"num_{side}_heads"], facts[f"{side}_head_size"] = shape.kv_heads, shape.head_size
    return ops.unsqueeze(node.output(0), _whole([1]))


def _mlp(shape: Shape, weights: Weights, layer: int, x: Node) -> Node:
    parts = ops.variadic_split(_product(weights, f"{layer}.gate up", x), _whole(2), _whole([shape.inner, shape.inner]))
    return _product(weights, f"{layer}.down", ops.multiply(ops.swish(parts.output(0)), parts.output(1)))


def _angles(shape: Shape, positions: Node) -> tuple[Node, Node]:
    """Cosines and sines (T, 1, 1, D) of the rotary embedding (Su et al. 2021, arXiv 2104.09864), in halves."""
    steps = shape.theta ** -(np.arange(0, shape.head_size, 2, dtype=np.float32) / shape.head_size)
    turns = ops.convert(ops.reshape(positions, _whole([-1, 1, 1, 1]), False), "f32")
    half = ops.multiply(turns, _constant(steps.reshape(1, 1, 1, -1).astype(np.float32)))
    both = ops.concat([half, half], -1)
    return ops.cos(both), ops.sin(both)


def _turned(shape: Shape, x: Node, heads: int, angles: tuple[Node, Node]) -> Node:
    """Queries or keys (T, 1, heads x D) with their positions turned in, as (T, heads x D)."""
    x = ops.transpose(ops.reshape(x, _whole([0, 0, heads, shape.head_size]), True), _whole([0, 2, 1, 3]))
    first, second = (_slice(x, start, start + shape.head_size // 2) for start in (0, shape.head_size // 2))
    across = ops.concat([ops.multiply(second, _constant(np.float32(-1))), first], -1)
    x = ops.add(ops.multiply(x, angles[0]), ops.multiply(across, angles[1]))
    return ops.reshape(ops.transpose(x, _whole([0, 2, 1, 3])), _whole([-1, heads * shape.head_size]), False)


def _norm(shape: Shape, weights: Weights, name: str, x: Node) -> Node:
    square = ops.reduce_mean(ops.power(x, _constant(np.float32(2))), _whole([-1]), True)
    root = ops.sqrt(ops.add(square, _constant(np.float32(shape.epsilon))))
    scale = _constant(weights[name].float().reshape(1, 1, -1).numpy())
    return ops.multiply(ops.multiply(x, ops.divide(_constant(np.float32(1)), root)), scale)


def _product(weights: Weights, name: str, x: Node) -> Node:
    """x @ weight.T; the weight stays int8 in memory, and the plugin unpacks it inside the product."""
    numbers, scale = weights[f"{name}.int8"], weights[f"{name}.scale"]
    weight = ops.multiply(ops.convert(_constant(numbers.numpy()), "f32"), _constant(scale.numpy()))
    return ops.matmul(x, ops.reshape(weight, _whole([len(numbers), -1]), False), False, True)


def _slice(x: Node, start: int, stop: int) -> Node:
    return ops.slice(x, _whole([start]), _whole([stop]), _whole([1]), _whole([3]))


def _input(name: str, shape: list[int], kind: Any) -> Node:
    node = ops.parameter(shape, kind)
    node.set_friendly_name(name)
    node.output(0).get_tensor().set_names({name})
    return node


def _constant(value: Any) -> Node:
    return ops.constant(value)


def _whole(value: int | list[int]) -> Node:
    return ops.constant(np.asarray(value, np.int64))
