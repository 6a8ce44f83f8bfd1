"""The tokenizers against a slow derivation: digits alone, GPT-2's regex between them, then merges by rank."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, pre_tokenizers

from orchestra.models import chatml, smollm2, tiny

GPT2 = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
DIGIT = regex.compile(r"\p{N}")
FOLDERS = [pytest.param(tiny, id="tiny"), pytest.param(smollm2, id="smollm2", marks=pytest.mark.slow)]
TEXTS = st.lists(st.sampled_from([*"aZé½٣7019 \n\t.'!-日\N{ROCKET}", "the", " and", "\n\n", "'s", "What is "])).map(
    "".join
)


def pieces(text: str) -> list[str]:
    """First rule: each digit parts the text; second rule: GPT-2's regex on each part."""
    parts, end = [], 0
    for digit in DIGIT.finditer(text):
        parts += [text[end : digit.start()], digit[0]]
        end = digit.end()
    return [piece for part in (*parts, text[end:]) for piece in GPT2.findall(part)]


def byte_symbols() -> list[str]:
    """GPT-2's printable stand-in for each byte: itself where it prints, else the next free code point from 256."""
    prints = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in prints else chr(next(others)) for byte in range(256)]


def merged(symbols: list[str], ranks: dict[tuple[str, str], int]) -> list[str]:
    while pairs := [(ranks[pair], at) for at, pair in enumerate(pairwise(symbols)) if pair in ranks]:
        _, at = min(pairs)
        symbols = [*symbols[:at], symbols[at] + symbols[at + 1], *symbols[at + 2 :]]
    return symbols


@pytest.fixture(scope="module", params=FOLDERS)
def folder(request, tmp_path_factory):
    if request.param is smollm2:
        return smollm2.ensure()
    made = tmp_path_factory.mktemp("tiny")
    tiny.build(made)
    return made


def test_ids_follow_the_two_rules(folder):
    stored = json.loads((folder / "tokenizer.json").read_text())["model"]
    ranks = {tuple(pair): rank for rank, pair in enumerate(stored["merges"])}
    symbols, tokenizer = byte_symbols(), Tokenizer.from_file(str(folder / "tokenizer.json"))

    @given(TEXTS)
    def check(text: str) -> None:
        slow = [
            symbol for piece in pieces(text) for symbol in merged([symbols[byte] for byte in piece.encode()], ranks)
        ]
        encoded = tokenizer.encode(text)
        assert encoded.ids == [stored["vocab"][symbol] for symbol in slow]
        assert tokenizer.decode(encoded.ids) == text

    check()


def test_gpt2s_rule_alone_parts_the_newlines():
    """The negative control: what a GGUF's tokenizer does before it is repaired."""
    alone = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    assert [piece for piece, _ in alone.pre_tokenize_str("\n\n1")] == ["Ċ", "Ċ", "1"]
    assert [piece for piece, _ in chatml.digits_then_bytes().pre_tokenize_str("\n\n1")] == ["ĊĊ", "1"]
    assert pieces("\n\n1") == ["\n\n", "1"]
