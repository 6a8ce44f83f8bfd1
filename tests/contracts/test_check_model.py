"""The contract of models holds for the double and the local back-end, and one that breaks a promise is found."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestra.contracts import check_model
from orchestra.errors import CallFailed
from orchestra.models import tiny
from orchestra.models.local import LocalModel
from orchestra.models.model import Scores
from orchestra.models.noise import uniform
from orchestra.models.scripted import Scripted
from orchestra.types import Completion, Request, Usage

WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]


class Sampler:
    """A small model that keeps every promise: words drawn by seed, prompt and place."""

    name = "sampler"
    capabilities = frozenset({"ids", "logprobs", "score", "adapters", "exact"})

    def weights(self, adapter=""):
        return f"sampler{adapter}"

    def count(self, request):
        return sum(len(content.split()) + 1 for _, content in request.messages)

    async def generate(self, requests):
        await asyncio.sleep(0)
        return [self.reply(request) for request in requests]

    async def score(self, requests):
        return [
            Scores(tuple(-float(len(o)) for o in r.options), (1,) * len(r.options), Usage(1, self.count(r), 1))
            for r in requests
        ]

    def reply(self, request: Request) -> Completion:
        n = self.count(request)
        seed = request.seed if request.temperature else n
        ids = tuple(int(uniform(seed + n, i) * len(WORDS)) for i in range(min(6, request.max_tokens)))
        text = " ".join(WORDS[i] for i in ids)
        if (cut := min((text.find(s) for s in request.stop if s in text), default=-1)) >= 0:
            text = text[:cut]
        usage = Usage(calls=1, tokens_in=n, tokens_out=len(ids))
        return Completion(text, (0,) * n, ids, (-2.3,) * len(ids), (1,) * len(ids), "stop", usage)


@pytest.mark.parametrize(
    "model", [Sampler(), Scripted(lambda r: f"alpha beta gamma {len(r.messages)}")], ids=lambda m: m.name
)
def test_a_good_model_passes(model):
    check_model(model, adapter="some")


@pytest.fixture(scope="module")
def adapter(tmp_path_factory) -> Path:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("adapter")
    base = AutoModelForCausalLM.from_pretrained(tiny.ensure(), dtype=torch.float32)
    made = get_peft_model(base, LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"]))
    torch.manual_seed(0)
    for parameter in made.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.3)
    made.save_pretrained(folder)
    return folder


# peft 0.21 asks transformers 5.23 under a name that the latter is about to drop
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_the_local_model_passes(adapter):
    model = LocalModel(tiny.ensure(), name="tiny")
    try:
        check_model(model, adapter=str(adapter))
    finally:
        model.close()


class Fewer(Sampler):
    async def generate(self, requests):
        return [self.reply(request) for request in requests[:7]]


class Turned(Sampler):
    async def generate(self, requests):
        return [self.reply(request) for request in requests][::-1]


class Restless(Sampler):
    """Greedy replies that change from call to call."""

    calls = 0

    async def generate(self, requests):
        self.calls += 1
        return [self.reply(replace(r, temperature=1.0, seed=self.calls)) for r in requests]


class Deaf(Sampler):
    """Its seed never reaches the sampler."""

    async def generate(self, requests):
        return [self.reply(replace(r, temperature=0.0)) for r in requests]


class Runs(Sampler):
    def reply(self, request):
        return Sampler.reply(self, replace(request, stop=()))


class Short(Sampler):
    def reply(self, request):
        made = Sampler.reply(self, request)
        return replace(made, text=made.text[: -1 if request.stop else None])


class Crowded(Sampler):
    """The batch shows in the reply."""

    async def generate(self, requests):
        return [
            replace(m, logprobs=(-1.0 - len(requests),) * len(m.logprobs)) for m in await super().generate(requests)
        ]


class Switching(Sampler):
    made = 0

    def weights(self, adapter=""):
        self.made += 1
        return str(self.made)


class Claims(Sampler):
    capabilities = Sampler.capabilities | {"telepathy"}


class Same(Sampler):
    def weights(self, adapter=""):
        return "sampler"


class Mute(Sampler):
    async def score(self, requests):
        return [Scores((-1.0,), (1,), Usage(calls=1)) for _ in requests]


class Glad(Sampler):
    async def score(self, requests):
        return [Scores((1.0,) * len(r.options), (1,) * len(r.options), Usage(calls=1)) for r in requests]


class Empty(Sampler):
    async def score(self, requests):
        return [Scores((-1.0,) * len(r.options), (0,) * len(r.options), Usage(calls=1)) for r in requests]


class Placed(Sampler):
    """Scores by place, not by option."""

    async def score(self, requests):
        return [
            Scores(tuple(-1.0 - i for i in range(len(r.options))), (1,) * len(r.options), Usage(calls=1))
            for r in requests
        ]


class Modest(Sampler):
    """Scores although it does not claim to."""

    capabilities = frozenset({"ids"})


def but(**changes):
    """A model whose completions are changed in one place."""

    class Changed(Sampler):
        def reply(self, request):
            made = Sampler.reply(self, request)
            return replace(made, **{name: change(made) for name, change in changes.items()})

    return Changed


class Free(Sampler):
    capabilities = Sampler.capabilities | {"grammar"}


class Whole(Free):
    def reply(self, request):
        made = Sampler.reply(self, request)
        return replace(made, text=json.loads(request.grammar)["enum"][0]) if request.grammar else made


@pytest.mark.parametrize(
    ("make", "broken"),
    [
        (Claims, r"unknown capabilities \['telepathy'\]"),
        (Fewer, "asked for 8 completions, got 7"),
        (Turned, "count|order"),
        (Restless, "equal greedy requests gave different replies"),
        (Deaf, "8 seeds gave one reply"),
        (Runs, "holds its stop string"),
        (Short, "stopped at .* expected"),
        (Crowded, "it claims exact, and row 0 asked alone differs"),
        (Switching, r"weights\(\) changed between two calls"),
        (Same, "the same with and without an adapter"),
        (Mute, "3 options, got 1 log-probabilities"),
        (Glad, "scores"),
        (Empty, "at least one token"),
        (Placed, "do not follow the order of the options"),
        (Modest, r"does not claim score, so score\(\) must raise"),
        (Free, "it claims grammar, and an enum gave"),
        (Whole, "must say that it is truncated"),
        (but(finish=lambda m: "done"), "finish 'done' is none of"),
        (but(usage=lambda m: replace(m.usage, calls=2)), "a completion is one call"),
        (but(usage=lambda m: replace(m.usage, tokens_in=10_000)), r"count\(\) says"),
        (but(prompt_ids=lambda m: None), "it claims ids and gave none"),
        (but(prompt_ids=lambda m: m.prompt_ids * 3), r"count\(\) says \d+ for \d+ prompt ids"),
        (but(output_ids=lambda m: m.output_ids[1:]), "5 output ids, but usage says 6"),
        (but(mask=lambda m: m.mask[1:]), "the mask must have an entry for each of 6 output ids, got 5"),
        (but(mask=lambda m: (2,) * 6), "the mask must be 0 or 1"),
        (but(logprobs=lambda m: None), "it claims logprobs and gave none"),
        (but(logprobs=lambda m: m.logprobs[1:]), "a log-probability for each of 6 output ids, got 5"),
        (but(logprobs=lambda m: (0.1,) * 6), "log-probabilities"),
        (but(logprobs=lambda m: (float("nan"),) * 6), "log-probabilities"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_each_broken_promise_is_found(make, broken):
    with pytest.raises(AssertionError, match=broken):
        check_model(make(), adapter="some")


def test_more_tokens_than_asked_for_are_found():
    class Endless(Sampler):
        def reply(self, request):
            return Sampler.reply(self, replace(request, max_tokens=6))

    class Long(Endless):
        def reply(self, request):
            made = Endless.reply(self, request)
            n = 5 * len(made.output_ids)
            usage = replace(made.usage, tokens_out=n)
            return replace(made, output_ids=(1,) * n, logprobs=(-1.0,) * n, mask=(1,) * n, usage=usage)

    with pytest.raises(AssertionError, match="30 output ids, asked for at most 16"):
        check_model(Long())


def test_a_model_that_raises_is_not_hidden():
    with pytest.raises(CallFailed, match="no reply left"):
        check_model(Scripted(["one"]))
