"""The fast back-end against transformers' forward pass over the same rounded weights, and the life of its requests."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip(
    "orchestra.models.fast.runtime", reason="needs the extra `fast`: pip install 'orchestra-teams[fast]'"
)

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from orchestra.contracts import check_model
from orchestra.errors import BadData, BadInput, CallFailed
from orchestra.models import tiny
from orchestra.models.fast import FastModel
from orchestra.models.fast.blocks import SIZE
from orchestra.models.fast.quantised import quantise
from orchestra.models.fast.shape import read_shape
from orchestra.models.local import LocalModel
from orchestra.models.merging import merged
from orchestra.types import Completion, Key, Request

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

ASK = Request((("user", "Name a colour, please."),), max_tokens=12, temperature=1.0, seed=3)
NEAR = 0.35
"""Of log-probability: bf16 arithmetic, 8-bit keys and values, on random weights. Wrong weights move it
by more than 1 (see the control)."""


@pytest.fixture(scope="module")
def model():
    model = FastModel(tiny.ensure(), name="fast:tiny", threads=2)
    yield model
    model.close()


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    top = tmp_path_factory.mktemp("adapters")
    for seed in range(2):
        base = AutoModelForCausalLM.from_pretrained(tiny.ensure(), dtype=torch.float32)
        made = get_peft_model(base, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear"))
        torch.manual_seed(seed)
        for parameter in made.parameters():
            if parameter.requires_grad:
                torch.nn.init.normal_(parameter, std=0.2)
        made.save_pretrained(top / str(seed))
    return [str(top / str(seed)) for seed in range(2)]


def rounded(adapter: str = ""):
    """transformers' model with the weights that the engine multiplies by, unpacked."""
    model = AutoModelForCausalLM.from_pretrained(tiny.ensure(), dtype=torch.float32).eval()
    tensors = merged(tiny.ensure(), Path(adapter) if adapter else None)
    for name, tensor in tensors.items():
        if tensor.ndim == 2 and "embed" not in name:
            numbers, scale = quantise(tensor)
            tensors[name] = (numbers.float() * scale).flatten(1)
    model.load_state_dict(tensors)
    return model


def logprobs(model, made: Completion) -> torch.Tensor:
    with torch.no_grad():
        logits = model(torch.tensor([made.prompt_ids + made.output_ids])).logits[0, len(made.prompt_ids) - 1 : -1]
    return logits.log_softmax(-1).gather(1, torch.tensor(made.output_ids)[:, None])[:, 0]


def ask(model: FastModel, *requests: Request) -> list[Completion]:
    return list(asyncio.run(model.generate(requests)))


def asked(words: int, **changes) -> Request:
    return replace(ASK, messages=(("user", "wind and rain " * words),), **changes)


def test_the_contract_holds(model: FastModel, adapters: list[str]) -> None:
    check_model(model, adapter=adapters[0])
    assert "exact" not in model.capabilities


@pytest.mark.parametrize("words", [0, 1, 5, 8, 16, 40])
def test_logprobs_are_those_of_the_rounded_weights(model: FastModel, words: int) -> None:
    """Prompts on both sides of a block's end, and replies that cross one."""
    made = ask(model, asked(words, max_tokens=SIZE + 3))[0]
    torch.testing.assert_close(torch.tensor(made.logprobs), logprobs(rounded(), made), atol=NEAR, rtol=0.0)


def test_logprobs_of_other_weights_are_further_away(model: FastModel, adapters: list[str]) -> None:
    """A control: the comparison above can fail."""
    made = ask(model, asked(5))[0]
    assert (torch.tensor(made.logprobs) - logprobs(rounded(adapters[0]), made)).abs().max() > 1.0


def test_prompts_are_those_of_the_default_back_end(model: FastModel) -> None:
    default = LocalModel(tiny.ensure(), name="tiny")
    chats = [
        (("user", "1.\n\n2. <|im_start|>system\nno"),),
        (("system", ""), ("user", "a 12"), ("assistant", "b"), ("user", "\n\n3")),
        (("user", "wind and rain " * 40),),
    ]
    batch = [replace(ASK, messages=chat, max_tokens=1) for chat in chats]
    theirs = asyncio.run(default.generate(batch))
    assert [made.prompt_ids for made in ask(model, *batch)] == [made.prompt_ids for made in theirs]
    assert [model.count(request) for request in batch] == [len(made.prompt_ids or ()) for made in theirs]
    assert model.base == default.base and model.weights() != default.weights()
    default.close()


def test_siblings_share_a_prompt_and_differ_by_seed(model: FastModel) -> None:
    batch = [asked(30, seed=seed) for seed in range(8)]
    made = ask(model, *batch)
    assert len({completion.text for completion in made}) > 1
    for completion in made:
        torch.testing.assert_close(
            torch.tensor(completion.logprobs), logprobs(rounded(), completion), atol=NEAR, rtol=0.0
        )


def test_temperature_divides_the_logits(model: FastModel) -> None:
    made = ask(model, asked(3, temperature=2.0, max_tokens=1))[0]
    with torch.no_grad():
        logits = rounded()(torch.tensor([made.prompt_ids])).logits[0, -1]
    assert made.logprobs[0] == pytest.approx(float((logits / 2).log_softmax(-1)[made.output_ids[0]]), abs=NEAR)


def test_adapters_mixed_in_one_call_each_speak_with_their_own_weights(model: FastModel, adapters: list[str]) -> None:
    names = [adapters[0], "", adapters[1], adapters[0], ""]
    batch = [asked(12, adapter=name, seed=seed) for seed, name in enumerate(names)]
    for name, made in zip(names, ask(model, *batch), strict=True):
        torch.testing.assert_close(torch.tensor(made.logprobs), logprobs(rounded(name), made), atol=NEAR, rtol=0.0)
    assert len({model.weights(name) for name in names}) == 3


def test_a_changed_adapter_is_another_network(model: FastModel, adapters: list[str], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(adapters[0], tmp_path / "copy"))
    request = asked(12, adapter=str(copy))
    before, weights = ask(model, request)[0], model.weights(str(copy))
    shutil.copy(Path(adapters[1]) / "adapter_model.safetensors", copy)
    made = ask(model, request)[0]
    assert model.weights(str(copy)) not in (weights, model.weights()) and made.logprobs != before.logprobs
    torch.testing.assert_close(torch.tensor(made.logprobs), logprobs(rounded(str(copy)), made), atol=NEAR, rtol=0.0)


@pytest.mark.parametrize("change", [{"use_dora": True}, {"modules_to_save": ["lm_head"]}, {"peft_type": "IA3"}])
def test_an_adapter_that_cannot_be_merged_is_refused(
    model: FastModel, adapters: list[str], tmp_path: Path, change: dict
) -> None:
    copy = Path(shutil.copytree(adapters[0], tmp_path / "copy"))
    file = copy / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(BadData):
        ask(model, ASK, replace(ASK, adapter=str(copy)))
    with pytest.raises(BadData):
        ask(model, replace(ASK, adapter=str(tmp_path / "nowhere")))


def test_scores_are_sums_over_option_and_end_of_turn(model: FastModel) -> None:
    request = asked(30, options=("red", "dark blue", "", "green and red " * 12))
    prompt, options = model.encode(request)
    scored = asyncio.run(model.score([request]))[0]
    plain = rounded()
    for option, sum_, count in zip(options, scored.logprobs, scored.tokens, strict=True):
        made = Completion("", prompt, option, None, None, "stop", scored.usage)
        assert sum_ == pytest.approx(float(logprobs(plain, made).sum()), abs=NEAR * math.sqrt(len(option)))
        assert count == len(option)


def test_callers_side_by_side_share_batches(model: FastModel) -> None:
    """Forty calls of generate and score at once, more of them than rows are let in at a time."""
    small = FastModel(tiny.ensure(), name="fast:tiny", rows=3, slots=1)

    async def crowd() -> tuple[list[Completion], list]:
        asks = [asked(i % 20, seed=i, max_tokens=1 + i % 7) for i in range(40)]
        scores = [asked(i % 9, options=("yes", "no")) for i in range(10)]
        made, scored = await asyncio.gather(
            asyncio.gather(*(small.generate([each]) for each in asks)),
            asyncio.gather(*(small.score([each]) for each in scores)),
        )
        assert [one.prompt_ids for (one,) in made] == [small.encode(each)[0] for each in asks]
        return made, scored

    made, scored = asyncio.run(crowd())
    assert [len(one.output_ids) <= 1 + i % 7 for i, (one,) in enumerate(made)] == [True] * 40
    assert all(len(one.logprobs) == 2 for (one,) in scored)
    small.close()


def test_a_failed_step_fails_its_callers_and_the_next_is_served(
    model: FastModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = model._network("")
    called = []

    def short(pieces):
        called.append(pieces)
        monkeypatch.undo()
        return torch.zeros(sum(piece.wanted for piece in pieces) + 1, 304)

    monkeypatch.setattr(type(network), "__call__", lambda self, pieces: short(pieces))
    with pytest.raises(CallFailed, match="the fast model failed"):
        ask(model, asked(30, seed=1), asked(30, seed=2))
    assert called
    made = ask(model, asked(30))[0]
    torch.testing.assert_close(torch.tensor(made.logprobs), logprobs(rounded(), made), atol=NEAR, rtol=0.0)


def test_calls_that_arrive_while_others_run_are_let_in(model: FastModel) -> None:
    async def trickle() -> list[Completion]:
        long = asyncio.create_task(model.generate([asked(3, max_tokens=200, seed=seed) for seed in range(4)]))
        made = []
        while not long.done():
            made += await model.generate([asked(len(made), max_tokens=2)])
        return [*made, *await long]

    made = asyncio.run(trickle())
    assert len(made) > 8 and all(completion.output_ids for completion in made)


def test_a_cancelled_call_leaves_the_others_alone(model: FastModel) -> None:
    async def race() -> Completion:
        long = asyncio.create_task(model.generate([asked(3, max_tokens=400)]))
        await asyncio.sleep(0.05)
        long.cancel()
        return (await model.generate([ASK]))[0]

    assert asyncio.run(race()).output_ids
    for _ in range(500):  # the worker lets go of blocks after its callers have their outcome
        if model._worker._blocks.room == model._worker._room:
            return
        time.sleep(0.01)
    raise AssertionError(f"{model._worker._blocks.room} of {model._worker._room} blocks are free after all calls")


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (replace(ASK, max_tokens=0), BadInput),
        (replace(ASK, temperature=math.nan), BadInput),
        (replace(ASK, stop=("",)), BadInput),
        (replace(ASK, options=("a",)), BadInput),
        (replace(ASK, prefix=Key("s")), BadInput),
        (replace(ASK, max_tokens=9000), CallFailed),
    ],
)
def test_what_cannot_be_meant_is_refused(model: FastModel, request_: Request, error: type[Exception]) -> None:
    with pytest.raises(error):
        ask(model, request_)
    with pytest.raises(BadInput, match="options"):
        asyncio.run(model.score([ASK]))


def test_a_closed_model_fails_its_callers() -> None:
    model = FastModel(tiny.ensure(), name="fast:tiny")
    model.close()
    with pytest.raises(CallFailed, match="closed"):
        ask(model, ASK)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}, "of type llama"),
        ({"attention_bias": True}, "biases"),
        ({"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}}, "linear"),
    ],
)
def test_a_model_that_the_graph_is_not_is_refused(tmp_path: Path, change: dict, message: str) -> None:
    copy = Path(shutil.copytree(tiny.ensure(), tmp_path / "copy"))
    file = copy / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(BadInput, match=message):
        read_shape(copy)


def test_quantised_numbers_are_within_half_a_step() -> None:
    torch.manual_seed(0)
    for weight in (torch.randn(8, 192), torch.randn(3, 50) * 1e-4, torch.zeros(2, 64), torch.full((2, 64), 1e-9)):
        numbers, scale = quantise(weight)
        step = scale.expand_as(numbers).flatten(1)
        back = (numbers.float() * scale).flatten(1)
        assert bool(((back - weight).abs() <= 0.5001 * step).all())
        assert numbers.shape == (len(weight), *((weight.shape[1] // 64, 64) if weight.shape[1] % 64 == 0 else (1, 50)))
