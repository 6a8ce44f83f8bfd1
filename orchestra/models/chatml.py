"""The tokenizer files of our ChatML models: equal special tokens, digits one by one, newlines whole before a digit."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.pre_tokenizers import PreTokenizer

UNKNOWN, START, END = SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
"""Ids 0, 1, 2, as in SmolLM2; `<|im_end|>` also ends a reply and pads."""


def digits_then_bytes() -> PreTokenizer:
    r"""SmolLM's two regexes in order: each `\p{N}` alone, then GPT-2's on what lies between.

    Digits come first because GPT-2's `\s+(?!\S)` parts the last newline of "\n\n1" from the one before: the model
    would read "\n", "\n", "1" where it was trained on "\n\n", "1".

    >>> [piece for piece, _ in digits_then_bytes().pre_tokenize_str("a 12")]
    ['a', 'Ġ', '1', '2']
    """
    levels = [
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    ]
    return pre_tokenizers.Sequence(levels)


def save(tokenizer: Tokenizer, folder: Path, *, template: str, max_length: int) -> None:
    """Write tokenizer.json, tokenizer_config.json and chat_template.jinja as `AutoTokenizer` reads them.

    The class is the general one: a class named after a model may put its own pre-tokenizer in place of the stored one.
    """
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": START,
        "eos_token": END,
        "pad_token": END,
        "unk_token": UNKNOWN,
        "model_max_length": max_length,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
