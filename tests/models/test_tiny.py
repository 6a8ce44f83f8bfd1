"""The random Llama: equal bytes everywhere, read by Transformers as it stands, and no model that repeats itself."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from orchestra.errors import BadData
from orchestra.models import cache, tiny
from orchestra.models.tokens import special_tokens

WEIGHTS = "fa8855c0f30684af84bc631b9041798adf528d8627969677a2915fafed905c93"
"""SHA-256 of model.safetensors of recipe 1: the same on every machine."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORCHESTRA_CACHE", str(tmp_path_factory.mktemp("cache")))
        return tiny.ensure()


@pytest.fixture(scope="module")
def tokenizer(folder):
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def model(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)


def test_its_weights_are_these_bytes(folder):
    assert cache.file_sha256(folder / "model.safetensors") == WEIGHTS


def test_it_builds_the_same_files_again(folder, tmp_path):
    tiny.build(tmp_path)
    for file in tmp_path.iterdir():
        assert file.read_bytes() == (folder / file.name).read_bytes(), file.name


def test_weights_are_exact_in_bf16():
    for name, tensor in tiny.weights().items():
        steps = tensor.double() * 2**10
        assert tensor.dtype is torch.bfloat16
        assert torch.equal(steps, steps.round()), name
        if tensor.ndim == 2:
            assert (steps % 2 == 1).all(), name
            assert abs(tensor.double().mean()) < 0.02, name
            # Uniform on 256 steps of 2^-9: deviation 2^-9 * sqrt((256^2 - 1) / 12).
            assert tensor.double().std() == pytest.approx(2**-9 * ((256**2 - 1) / 12) ** 0.5, rel=0.05), name


def test_transformers_finds_every_weight_and_no_other(folder):
    _, told = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, output_loading_info=True)
    assert not any(told.values()), told


def test_it_loads_in_bf16_with_frequencies_in_fp32(model):
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    exact = 10_000.0 ** -(torch.arange(0, 16, 2).float() / 16)
    assert model.model.rotary_emb.inv_freq.dtype is torch.float32
    assert torch.allclose(model.model.rotary_emb.inv_freq, exact, rtol=1e-6, atol=0)


def test_its_words_depend_on_the_prompt_and_do_not_repeat(model, tokenizer):
    def reply(text: str) -> list[int]:
        ids = tokenizer(text, return_tensors="pt")
        return model.generate(**ids, max_new_tokens=16, do_sample=False)[0, ids["input_ids"].shape[1] :].tolist()

    one, other = reply("What is 34 + 57?"), reply("What is 34 + 58?")
    assert one != other
    assert len(set(one)) > 8
    assert one == reply("What is 34 + 57?")


def test_ids_of_a_text_by_hand(tokenizer):
    # 3 special tokens, then the 256 bytes in the order of their symbols, then the merges in order.
    symbols = "".join(tokenizer.convert_ids_to_tokens(range(3, 259)))
    assert symbols[:94] == "".join(map(chr, range(33, 127)))
    the, newlines = 259 + 6, 259 + 44
    assert tokenizer.encode("1 the\n\n2") == [3 + ord("1") - 33, the, newlines, 3 + ord("2") - 33]
    assert len(tokenizer) == tiny.VOCABULARY == 304


def test_the_template_is_chatml_with_no_system_message_of_its_own(tokenizer):
    chat = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]
    said = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHo<|im_end|>\n"
    assert tokenizer.apply_chat_template(chat, tokenize=False) == said
    begun = tokenizer.apply_chat_template(chat[:1], tokenize=False, add_generation_prompt=True)
    assert begun == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    ids = tokenizer.apply_chat_template(chat[:1], add_generation_prompt=True, return_dict=False)
    assert [index for index in ids if index < 3] == [1, 2, 1]


def test_special_tokens_are_those_of_the_tokenizer(folder, tokenizer):
    assert special_tokens(folder) == {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}
    assert special_tokens(folder) == set(tokenizer.all_special_tokens)


@pytest.mark.parametrize("text", [None, "{", "[]", '{"added_tokens": [1]}'])
def test_special_tokens_of_no_tokenizer_are_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(BadData, match=r"tokenizer\.json"):
        special_tokens(tmp_path)
