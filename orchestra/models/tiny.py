"""A Llama with random weights that takes a blink to make: the same code paths as a real model, and nonsense for words.

Its weights are the same bytes on every machine and with every version of the libraries, because each is read off a
SHAKE-256 stream named after its tensor and is exact in bf16.
"""

from __future__ import annotations

import json
import math
from hashlib import shake_256
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from orchestra.digest import digest
from orchestra.models import cache, chatml
from orchestra.models.progress import Report, reporting

MERGES = (
    "Ġ t,Ġ a,h e,i n,r e,o n,Ġt he,e r,Ġ s,a t,Ġ w,Ġ o,e n,Ġ c,i t,i s,a n,o r,e s,Ġ b,e d,Ġ f,in g,Ġ p,o u,Ġa n,a l,"
    "a r,Ġt o,Ġ m,Ġo f,Ġ in,Ġ d,Ġ h,Ġan d,i c,a s,l e,Ġt h,i on,o m,l l,en t,s t,Ċ Ċ"
)
"""A few frequent pairs, so that a text has more than one encoding, as with a real vocabulary."""

TEMPLATE = """\
{% for message in messages %}{{ '<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""
"""ChatML, with no system message but the caller's."""

VOCABULARY, WIDTH, INNER, LAYERS, HEADS, KV_HEADS, HEAD, CONTEXT = 304, 64, 128, 2, 4, 2, 16, 8192
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "head_dim": HEAD,
    "hidden_act": "silu",
    "attention_bias": False,
    "mlp_bias": False,
    "rms_norm_eps": 1e-5,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
    "max_position_embeddings": CONTEXT,
    "tie_word_embeddings": False,  # tied random weights would mostly repeat their last token
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 2,
    "dtype": "bfloat16",
}
GENERATION = {name: CONFIG[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
RECIPE = 1
"""Raised whenever another folder would be built."""
NAME = f"tiny-{digest('tiny', str(RECIPE))[:8]}"
NEEDS = 1_000_000


def ensure(report: Report | None = None) -> Path:
    """The folder of `tiny`, built where the cache lacks it. Raises Unavailable where the cache cannot be written."""
    with reporting(report) as told:
        return cache.ensure(NAME, lambda folder, scratch: build(folder), needs=NEEDS, report=told)


def build(folder: Path) -> None:
    """Fill `folder` with all that `from_pretrained` reads; the same bytes each time."""
    for name, value in (("config.json", CONFIG), ("generation_config.json", GENERATION)):
        (folder / name).write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    save_file(weights(), folder / "model.safetensors", metadata={"format": "pt"})
    chatml.save(tokenizer(), folder, template=TEMPLATE, max_length=CONTEXT)


def tokenizer() -> Tokenizer:
    """Byte-level BPE: 3 special tokens, 256 bytes, 45 merges; any text survives encoding and decoding.

    >>> tokenizer().encode("the 12").tokens
    ['t', 'he', 'Ġ', '1', '2']
    """
    merges = [(left, right) for left, right in (pair.split() for pair in MERGES.split(","))]
    symbols = [
        *chatml.SPECIALS,
        *sorted(pre_tokenizers.ByteLevel.alphabet()),
        *(left + right for left, right in merges),
    ]
    made = Tokenizer(models.BPE({symbol: index for index, symbol in enumerate(symbols)}, merges))
    made.pre_tokenizer = chatml.digits_then_bytes()
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in chatml.SPECIALS])
    return made


def weights() -> dict[str, torch.Tensor]:
    """Every tensor of `LlamaForCausalLM`, bf16: norms are 1, matrices (outputs, inputs) random.

    >>> weights()["model.layers.0.self_attn.k_proj.weight"].shape
    torch.Size([32, 64])
    """
    layer = {
        "self_attn.q_proj": (HEADS * HEAD, WIDTH),
        "self_attn.k_proj": (KV_HEADS * HEAD, WIDTH),
        "self_attn.v_proj": (KV_HEADS * HEAD, WIDTH),
        "self_attn.o_proj": (WIDTH, HEADS * HEAD),
        "mlp.gate_proj": (INNER, WIDTH),
        "mlp.up_proj": (INNER, WIDTH),
        "mlp.down_proj": (WIDTH, INNER),
    }
    shapes = {"model.embed_tokens": (VOCABULARY, WIDTH), "lm_head": (VOCABULARY, WIDTH)}
    norms = ["model.norm"]
    for index in range(LAYERS):
        shapes |= {f"model.layers.{index}.{name}": shape for name, shape in layer.items()}
        norms += [f"model.layers.{index}.{name}" for name in ("input_layernorm", "post_attention_layernorm")]
    matrices = {f"{name}.weight": _random(name, shape) for name, shape in shapes.items()}
    return matrices | {f"{name}.weight": torch.ones(WIDTH, dtype=torch.bfloat16) for name in norms}


def _random(name: str, shape: tuple[int, int]) -> torch.Tensor:
    """(outputs, inputs): odd multiples of 2^-10 up to 255, either sign, equally likely; 8 bits, so exact in bf16."""
    stream = bytearray(shake_256(f"orchestra tiny {RECIPE} {name}".encode()).digest(math.prod(shape)))
    odd = torch.frombuffer(stream, dtype=torch.uint8).to(torch.int16) * 2 - 255
    return (odd * 2.0**-10).to(torch.bfloat16).reshape(shape)
