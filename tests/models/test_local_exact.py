"""The promise of `exact`: ids and log-probabilities are the same bits, whatever else is in the batch."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from orchestra.models import smollm2, tiny
from orchestra.models.local import LocalModel
from orchestra.models.local.network import Network
from orchestra.types import Completion, Request

TOPICS = (
    "rain",
    "the sea at night",
    "12 cows and 30 more",
    "a very long and winding road to the north of the old town",
)


def make_adapter(folder: Path, config: dict, *, seed: int, rank: int = 4, size: float = 0.3) -> str:
    """A PEFT folder with random updates of q, v and down projections of a Llama."""
    width, inner, heads = config["hidden_size"], config["intermediate_size"], config["num_key_value_heads"]
    shapes = {
        "self_attn.q_proj": (width, width),
        "self_attn.v_proj": (width, heads * config["head_dim"]),
        "mlp.down_proj": (inner, width),
    }
    rng = torch.Generator().manual_seed(seed)
    tensors = {}
    for layer in range(config["num_hidden_layers"]):
        for name, (inputs, outputs) in shapes.items():
            stem = f"base_model.model.model.layers.{layer}.{name}"
            tensors[f"{stem}.lora_A.weight"] = torch.randn(rank, inputs, generator=rng) / inputs**0.5
            tensors[f"{stem}.lora_B.weight"] = torch.randn(outputs, rank, generator=rng) * size
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors")
    target = [name.split(".")[1] for name in shapes]
    settings = {"peft_type": "LORA", "r": rank, "lora_alpha": 8, "target_modules": target, "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return str(folder)


def adapters_of(folder: Path, tmp_path: Path, size: float = 0.3) -> list[str]:
    config = json.loads((folder / "config.json").read_text())
    return ["", *(make_adapter(tmp_path / name, config, seed=seed, size=size) for seed, name in enumerate("ab"))]


def requests(count: int, adapters: list[str], max_tokens: int) -> list[Request]:
    """Mixed lengths, adapters and temperatures; every third has a sibling that differs in its seed alone."""
    made = []
    for index in range(count):
        text = f"Tell me about {TOPICS[index % 4]}." + " Be brief." * (index % 7) * (index % 3)
        asked = Request(
            (("system", "You speak plainly."), ("user", text)),
            adapter=adapters[index % len(adapters)],
            max_tokens=max_tokens + index % 5,
            temperature=(0.0, 1.0, 0.7)[index % 3],
            seed=index,
        )
        made += [asked, replace(asked, seed=1000 + index)] if index % 3 == 1 else [asked]
    return made[:count]


def words(completion: Completion) -> tuple:
    return completion.output_ids, completion.logprobs, completion.text, completion.finish


def check_exact(folder: Path, adapters: list[str], max_tokens: int) -> None:
    """33 requests alone, one after another, are the reference for batches of 3, 8 and 33, each with the prefixes still
    to be computed and once more with them at hand."""
    asked = requests(33, adapters, max_tokens)

    async def run(model: LocalModel, sizes: list[int]) -> list[Completion]:
        done: list[Completion] = []
        for size in sizes:
            done += await model.generate(asked[len(done) : len(done) + size])
        return done

    def outcomes(sizes: list[int], times: int = 2) -> list[list[tuple]]:
        model = LocalModel(folder, name="under test")
        assert "exact" in model.capabilities
        try:
            made = [[words(completion) for completion in asyncio.run(run(model, sizes))]]
            computed = model.statistics().computed
            for _ in range(times - 1):
                made.append([words(completion) for completion in asyncio.run(run(model, sizes))])
                assert model.statistics().computed - computed < computed, "prefixes are at hand"
            return made
        finally:
            model.close()

    (alone,) = outcomes([1] * 33, times=1)
    assert len({ids for ids, *_ in alone}) > 20, "a test of equal rows needs rows that differ"
    for sizes in ([33], [3] * 11, [8, 8, 8, 8, 1]):
        assert outcomes(sizes) == [alone, alone]


def test_batches_are_bit_equal_with_adapters_mixed(tmp_path: Path) -> None:
    folder = tiny.ensure()
    check_exact(folder, adapters_of(folder, tmp_path), max_tokens=8)


@pytest.mark.slow
def test_batches_are_bit_equal_on_smollm2(tmp_path: Path) -> None:
    folder = smollm2.ensure()
    check_exact(folder, adapters_of(folder, tmp_path, size=0.02), max_tokens=10)


def test_scores_are_bit_equal_in_any_company(tmp_path: Path) -> None:
    folder = tiny.ensure()
    adapters = adapters_of(folder, tmp_path)
    asked = [
        replace(r, options=("yes", "no, never", "it depends")[: 2 + i % 2])
        for i, r in enumerate(requests(17, adapters, 1))
    ]
    model, other = LocalModel(folder, name="a"), LocalModel(folder, name="b")
    together = asyncio.run(model.score(asked))
    alone = [asyncio.run(other.score([request]))[0] for request in reversed(asked)][::-1]
    assert [s.logprobs for s in together] == [s.logprobs for s in alone]


def test_concurrent_callers_get_their_own_answers(tmp_path: Path) -> None:
    """No shift: tasks that submit at any moment, some cancelled, get what their request gets alone."""
    folder = tiny.ensure()
    asked = requests(24, adapters_of(folder, tmp_path), 6)
    model = LocalModel(folder, name="tiny", rows=7)

    async def late(index: int) -> Completion:
        await asyncio.sleep(0.003 * (index % 5))
        return (await model.generate([asked[index]]))[0]

    async def crowd() -> list[Completion]:
        doomed = [asyncio.create_task(model.generate([replace(r, max_tokens=4000)])) for r in asked[:4]]
        tasks = [asyncio.create_task(late(index)) for index in range(24)]
        await asyncio.sleep(0.01)
        for task in doomed:
            task.cancel()
        return list(await asyncio.gather(*tasks))

    crowded = asyncio.run(crowd())
    alone = asyncio.run(model.generate(asked))
    assert [words(c) for c in crowded] == [words(c) for c in alone]
    assert [c.prompt_ids for c in crowded] == [c.prompt_ids for c in alone]


def test_control_another_adapter_changes_the_bits(tmp_path: Path) -> None:
    """The comparison can fail: the smallest change that ought to matter does."""
    folder = tiny.ensure()
    one, other = adapters_of(folder, tmp_path)[1:]
    asked = requests(3, [one], 8)
    model = LocalModel(folder, name="tiny")
    before = asyncio.run(model.generate(asked))
    after = asyncio.run(model.generate([asked[0], replace(asked[1], adapter=other), asked[2]]))
    assert words(before[0]) == words(after[0])
    assert words(before[1]) != words(after[1])


def test_control_left_padding_changes_the_bits() -> None:
    """Why this back-end exists: transformers' left-padded batches move a row's logits in bf16."""
    folder = tiny.ensure()
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    texts = ["Tell me about rain." + " Be brief." * index for index in range(12)]
    batch = tokenizer(texts, return_tensors="pt", padding=True)
    places = (batch.attention_mask.cumsum(-1) - 1).clamp_min(0)
    with torch.no_grad():
        together = model(**batch, position_ids=places).logits[:, -1]
        alone = torch.cat([model(**tokenizer([text], return_tensors="pt")).logits[:, -1] for text in texts])
    assert not torch.equal(alone, together)
    torch.testing.assert_close(alone, together, atol=0.1, rtol=0.1)


def test_float32_does_not_promise_exactness() -> None:
    assert Network(tiny.ensure(), torch.bfloat16).exact
    assert not Network(tiny.ensure(), torch.float32).exact
