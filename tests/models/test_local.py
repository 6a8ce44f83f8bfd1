"""The local back-end against transformers' own forward pass and generate, and the life of its requests."""

import asyncio
import math
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import transformers
from transformers import AutoModelForCausalLM

from orchestra.errors import BadInput, CallFailed
from orchestra.models import tiny
from orchestra.models.local import LocalModel, worker
from orchestra.models.local.network import Network
from orchestra.models.local.prefill import CHUNK, Prefill, Prompt
from orchestra.models.local.sampling import Sampled, sample
from orchestra.models.local.statistics import Tally
from orchestra.models.noise import uniform
from orchestra.types import Completion, Key, Request

ASK = Request((("user", "Name a colour."),), max_tokens=12, temperature=1.0, seed=3)


@pytest.fixture(scope="module")
def model():
    model = LocalModel(tiny.ensure(), name="tiny", dtype=torch.float32)
    yield model
    model.close()


@pytest.fixture(scope="module")
def plain():
    return AutoModelForCausalLM.from_pretrained(tiny.ensure(), dtype=torch.float32).eval()


def ask(model: LocalModel, *requests: Request) -> list[Completion]:
    return list(asyncio.run(model.generate(requests)))


def asked(words: int, **changes) -> Request:
    return replace(ASK, messages=(("user", "wind and rain " * words),), **changes)


@pytest.mark.parametrize("words", [0, 1, 5, 16, 40])
def test_greedy_ids_equal_generate_in_float32(model: LocalModel, plain, words: int) -> None:
    ours = ask(model, asked(words, temperature=0.0, max_tokens=80))[0]
    prompt = torch.tensor([ours.prompt_ids])
    theirs = plain.generate(
        prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=80, pad_token_id=2
    )
    assert list(ours.output_ids) == theirs[0, prompt.shape[1] :].tolist()


@pytest.mark.parametrize("kind", ["Qwen2", "Qwen3"])
def test_other_architectures_equal_generate(kind: str, tmp_path: Path) -> None:
    """Biased projections (Qwen2), normalised queries and keys (Qwen3), tied embeddings, heads wider than the rows."""
    folder = shutil.copytree(tiny.ensure(), tmp_path / kind)
    kept = (
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "eos_token_id",
    )
    config = {name: tiny.CONFIG[name] for name in kept} | {"num_key_value_heads": 1, "tie_word_embeddings": True}
    torch.manual_seed(1)
    built = getattr(transformers, f"{kind}Config")(**config, pad_token_id=2, bos_token_id=1)
    theirs = getattr(transformers, f"{kind}ForCausalLM")(built).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    theirs.save_pretrained(folder)
    model = LocalModel(folder, name=kind, dtype=torch.float32)
    reply = ask(model, asked(4, temperature=0.0, max_tokens=30))[0]
    prompt = torch.tensor([reply.prompt_ids])
    out = theirs.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=30)
    assert list(reply.output_ids) == out[0, prompt.shape[1] :].tolist()


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(tiny.ensure(), tmp_path / "other")
    transformers.GPT2LMHeadModel(
        transformers.GPT2Config(n_layer=1, n_embd=8, n_head=1, vocab_size=304)
    ).save_pretrained(folder)
    with pytest.raises(BadInput, match="'gpt2'"):
        LocalModel(folder, name="other")


@pytest.mark.parametrize("temperature", [0.0, 0.6, 1.0, 1.7])
def test_logprobs_equal_a_full_forward(model: LocalModel, plain, temperature: float) -> None:
    for reply in ask(
        model, *(asked(words, temperature=temperature, seed=words, max_tokens=70) for words in (1, 9, 30))
    ):
        with torch.no_grad():
            logits = plain(torch.tensor([reply.prompt_ids + reply.output_ids])).logits[
                0, len(reply.prompt_ids) - 1 : -1
            ]
        wanted = torch.log_softmax(logits / (temperature or 1.0), -1).gather(1, torch.tensor(reply.output_ids)[:, None])
        torch.testing.assert_close(torch.tensor(reply.logprobs), wanted[:, 0], atol=1e-4, rtol=0)


def test_scores_equal_a_full_forward_of_option_and_end_of_turn(model: LocalModel, plain) -> None:
    options = ("red", "a darker blue", "")
    requests = [asked(words, options=options) for words in (0, 3, 11)]
    for request, scores in zip(requests, asyncio.run(model.score(requests)), strict=True):
        prompt, ids = model.encode(request)
        assert scores.tokens == tuple(map(len, ids))
        assert scores.usage.tokens_in == len(prompt)
        for option, got in zip(ids, scores.logprobs, strict=True):
            assert option[-1] == 2
            with torch.no_grad():
                logprobs = plain(torch.tensor([prompt + option])).logits.log_softmax(-1)[0, len(prompt) - 1 : -1]
            assert got == pytest.approx(float(logprobs[range(len(option)), list(option)].sum()), abs=1e-4)


def test_a_completion_accounts_for_itself(model: LocalModel) -> None:
    reply = ask(model, ASK)[0]
    assert len(reply.output_ids) == len(reply.logprobs) == len(reply.mask) == reply.usage.tokens_out
    assert reply.usage.tokens_in == len(reply.prompt_ids) == model.count(ASK)
    assert (reply.usage.calls, set(reply.mask), reply.truncated) == (1, {1}, False)
    assert reply.usage.seconds > 0
    tokenizer = model._renderer.tokenizer
    assert reply.text == tokenizer.decode(reply.output_ids, skip_special_tokens=True)
    assert list(reply.prompt_ids) == tokenizer.apply_chat_template(
        [{"role": "user", "content": "Name a colour."}], add_generation_prompt=True, return_dict=False
    )


def test_same_seed_same_reply_other_seed_another(model: LocalModel) -> None:
    first, again, other = ask(model, ASK, ASK, replace(ASK, seed=4))
    assert (first.output_ids, first.logprobs) == (again.output_ids, again.logprobs)
    assert first.output_ids != other.output_ids


async def until(condition) -> None:
    """Waits for the worker's thread; a condition that never comes fails."""
    for _ in range(20_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("waited in vain")


def surprise(seen: list[float], expected: list[float]) -> float:
    """Pearson's chi-squared in standard deviations above its mean under the hypothesis (df, variance 2 df)."""
    statistic = sum((s - e) ** 2 / e for s, e in zip(seen, expected, strict=True))
    df = len(seen) - 1
    return (statistic - df) / math.sqrt(2 * df)


def test_first_tokens_follow_the_softmax(model: LocalModel, plain) -> None:
    """3,000 siblings of one state, against the model's own probabilities; rare tokens in one bin."""
    replies = ask(model, *(replace(ASK, max_tokens=1, seed=seed) for seed in range(3000)))
    with torch.no_grad():
        expected = 3000 * plain(torch.tensor([replies[0].prompt_ids])).logits[0, -1].double().softmax(-1)
    seen = torch.bincount(torch.tensor([reply.output_ids[0] for reply in replies]), minlength=len(expected)).double()
    common = expected >= 5

    def binned(counts: torch.Tensor) -> list[float]:
        return [*counts[common].tolist(), float(counts[~common].sum())]

    assert surprise(binned(seen), binned(expected)) < 4
    assert surprise(binned(seen), binned(expected)[::-1]) > 40, "a control: another distribution is told apart"


def test_sampling_is_the_inverse_cdf() -> None:
    logits = torch.tensor([[0.0, math.log(3.0), -math.inf]] * 4)
    got = sample(logits, [1.0, 1.0, 1.0, 0.0], [0.0, 0.24, 1 - 2**-24, 0.0])
    assert got.tokens == [0, 0, 1, 1]
    assert got.logprobs == pytest.approx([math.log(0.25), math.log(0.25), math.log(0.75), math.log(0.75)])


def test_end_of_turn_stops_and_is_recorded(model: LocalModel) -> None:
    """Seeds are tried until a reply ends by itself, which a random model does once in about 300 tokens."""
    replies = ask(model, *(replace(ASK, max_tokens=60, seed=seed) for seed in range(60)))
    ended = [reply for reply in replies if reply.finish == "stop"]
    assert ended
    assert all(reply.output_ids[-1] == 2 and 2 not in reply.output_ids[:-1] for reply in ended)
    assert all(len(reply.output_ids) == 60 for reply in replies if reply.finish == "length")


def test_a_stop_string_ends_the_text_and_keeps_its_tokens(model: LocalModel) -> None:
    whole = ask(model, replace(ASK, max_tokens=40))[0]
    stop = whole.text[7:9]
    first = whole.text.index(stop)
    cut = ask(model, replace(ASK, max_tokens=40, stop=("never said", stop)))[0]
    assert (cut.text, cut.finish) == (whole.text[:first], "stop")
    assert cut.output_ids == whole.output_ids[: len(cut.output_ids)]
    decode = model._renderer.text
    assert stop in decode(list(cut.output_ids))
    assert stop not in decode(list(cut.output_ids[:-1]))


def test_a_cancelled_call_leaves_the_batch(model: LocalModel) -> None:
    async def run() -> Completion:
        long = asyncio.create_task(model.generate([asked(2, max_tokens=5000, temperature=0.0)]))
        await until(lambda: len(model._worker._pools) > 0)
        long.cancel()
        with pytest.raises(asyncio.CancelledError):
            await long
        (short,) = await model.generate([ASK])
        return short

    assert asyncio.run(run()).output_ids == ask(model, ASK)[0].output_ids
    asyncio.run(until(lambda: len(model._worker._pools) == 0))


def test_a_failing_network_reaches_all_waiters_and_the_model_goes_on(model: LocalModel, monkeypatch) -> None:
    before = ask(model, ASK)[0]
    forward, calls = Network.hidden, []

    def broken(self, *args):
        calls.append(args)
        if len(calls) == 4:
            raise MemoryError("no room for the batch")
        return forward(self, *args)

    monkeypatch.setattr(Network, "hidden", broken)

    async def two() -> list:
        return await asyncio.gather(model.generate([ASK]), model.generate([asked(3)]), return_exceptions=True)

    first, second = asyncio.run(two())
    monkeypatch.undo()
    for error in (first, second):
        assert isinstance(error, CallFailed)
        assert "no room for the batch" in str(error)
    assert first is not second
    assert ask(model, ASK)[0].output_ids == before.output_ids


@pytest.mark.parametrize("change", [lambda rows: rows[1:], lambda rows: [*rows, rows[0]]])
def test_tokens_too_few_or_too_many_fail_all_and_shift_none(model: LocalModel, monkeypatch, change) -> None:
    """Replies of one token: each would be complete, with the token of another, before the difference is seen."""

    def drawn(*args) -> Sampled:
        made = sample(*args)
        return Sampled(*(change(column) for column in made))

    asked = [replace(ASK, max_tokens=1, seed=seed) for seed in range(3)]
    before = [reply.output_ids for reply in ask(model, *asked)]
    monkeypatch.setattr(worker, "sample", drawn)

    async def three() -> list:
        return await asyncio.gather(*(model.generate([one]) for one in asked), return_exceptions=True)

    for failed in asyncio.run(three()):
        assert isinstance(failed, CallFailed)
    monkeypatch.undo()
    assert [reply.output_ids for reply in ask(model, *asked)] == before


def test_callers_on_several_event_loops_share_the_model(model: LocalModel) -> None:
    got: dict[int, Completion] = {}
    threads = [
        threading.Thread(target=lambda i=i: got.update({i: ask(model, replace(ASK, seed=i))[0]})) for i in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = ask(model, *(replace(ASK, seed=i) for i in range(6)))
    assert [got[i].output_ids for i in range(6)] == [reply.output_ids for reply in alone]


def test_long_replies_move_through_buffers_unchanged(model: LocalModel, plain) -> None:
    """Past the boundaries of 64, 128, ..., 512 and 640 slots the numbers are still those of one full forward."""
    reply = ask(model, asked(10, max_tokens=700, temperature=0.9))[0]
    with torch.no_grad():
        logits = plain(torch.tensor([reply.prompt_ids + reply.output_ids])).logits[0, len(reply.prompt_ids) - 1 : -1]
    wanted = torch.log_softmax(logits / 0.9, -1).gather(1, torch.tensor(reply.output_ids)[:, None])[:, 0]
    torch.testing.assert_close(torch.tensor(reply.logprobs), wanted, atol=1e-4, rtol=0)


@torch.inference_mode()
def test_a_cached_prefix_has_the_same_bits() -> None:
    """Prompts in one call, in another order, and through a cache with room for a single chunk."""
    network = Network(tiny.ensure(), torch.bfloat16)
    shared = tuple(range(10, 10 + 3 * CHUNK))
    prompts = [
        Prompt(shared[:cut] + tail, None) for cut in (5, CHUNK, 40, 48) for tail in ((77,), (78, 79), (80,) * CHUNK)
    ]

    def states(prefill: Prefill, batches: list[list[Prompt]]) -> dict[Prompt, torch.Tensor]:
        return {
            p: torch.cat([d.keys.flatten(), d.values.flatten(), d.hidden])
            for b in batches
            for f in prefill(b)
            for p, d in f.items()
        }

    alone = {
        p: s for prompt in prompts for p, s in states(Prefill(network, keep=1 << 20, tally=Tally()), [[prompt]]).items()
    }
    for keep in (1 << 20, 1):
        prefill = Prefill(network, keep=keep, tally=Tally())
        for batches in ([prompts], [prompts[::-1]], [[prompt] for prompt in prompts]):
            got = states(prefill, batches)
            assert got.keys() == alone.keys()
            assert all(torch.equal(got[prompt], alone[prompt]) for prompt in prompts)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (replace(ASK, max_tokens=0), "max_tokens >= 1"),
        (replace(ASK, temperature=-1.0), "temperature >= 0"),
        (replace(ASK, temperature=math.nan), "temperature >= 0"),
        (replace(ASK, stop=("",)), "stop strings with text"),
        (replace(ASK, options=("a",)), "without options"),
        (replace(ASK, prefix=Key("x")), "whole messages"),
        (replace(ASK, messages=(("robot", "hi"),)), "chat role"),
    ],
)
def test_what_cannot_be_meant_is_refused(model: LocalModel, request_: Request, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        ask(model, request_)


def test_options_are_needed_to_score(model: LocalModel) -> None:
    with pytest.raises(BadInput, match="options"):
        asyncio.run(model.score([ASK]))


def test_a_context_too_short_names_the_lengths(model: LocalModel) -> None:
    with pytest.raises(CallFailed, match=rf"8192 tokens.*got {model.count(ASK)} \+ 8192"):
        ask(model, replace(ASK, max_tokens=8192))


def test_rows_beyond_the_slots_wait_their_turn() -> None:
    narrow = LocalModel(tiny.ensure(), name="tiny", slots=64)
    replies = ask(narrow, *(replace(ASK, seed=seed, max_tokens=90) for seed in range(3)))
    assert [reply.output_ids for reply in replies] == [
        reply.output_ids
        for reply in ask(
            LocalModel(tiny.ensure(), name="wide"), *(replace(ASK, seed=s, max_tokens=90) for s in range(3))
        )
    ]


def test_close_fails_what_is_in_flight_and_what_comes_later() -> None:
    model = LocalModel(tiny.ensure(), name="tiny")

    async def run() -> None:
        flying = asyncio.create_task(model.generate([asked(1, max_tokens=6000, temperature=0.0)]))
        await until(lambda: len(model._worker._pools) > 0)
        model.close()
        with pytest.raises(CallFailed, match="closed"):
            await flying
        with pytest.raises(CallFailed, match="closed"):
            await model.generate([ASK])

    asyncio.run(run())
    model.close()


def test_an_empty_batch_is_answered(model: LocalModel) -> None:
    assert ask(model) == []


def test_draws_are_even_and_named() -> None:
    draws = [uniform(seed, position) for seed in range(100) for position in range(100)]
    counts = torch.histc(torch.tensor(draws), bins=20, min=0, max=1).tolist()
    assert surprise(counts, [500.0] * 20) < 4
    assert all(0.0 <= draw < 1.0 for draw in draws)
    assert uniform(12, 3) != uniform(1, 23)
