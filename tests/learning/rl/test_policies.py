"""Several adapters on one base: what is trained is what is saved, and what is saved says the same to everyone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from orchestra.errors import BadData, BadInput
from orchestra.learning.rl.learner import Learner
from orchestra.learning.rl.policies import Policies
from orchestra.models.local.model import LocalModel
from orchestra.types import Completion, Request
from tests.learning.rl.batches import (
    JUDGE,
    NAMES,
    SOLVER,
    UPDATE,
    batch,
    experience,
    learner,
    said_alone,
    same,
    shake,
    standing,
    told,
)

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]


def saved(made: Learner, name: str, folder: Path) -> Path:
    folder.mkdir()
    made.policies.save(name, folder, base_name="tiny")
    return folder


def replies(tiny: Path, adapter: Path, number: int = 6) -> Sequence[Completion]:
    """What the sampler says with an adapter, in fp32: of several lengths, all at once."""
    model = LocalModel(tiny, name="tiny", dtype=torch.float32, threads=1)
    asked = [
        Request((("user", f"say {'x ' * k}"),), temperature=1.0, max_tokens=2 + 3 * k, seed=k, adapter=str(adapter))
        for k in range(number)
    ]
    try:
        return asyncio.run(_generated(model, asked))
    finally:
        model.close()


async def _generated(model: LocalModel, asked: Sequence[Request]) -> Sequence[Completion]:
    return await model.generate(asked)


def test_the_sampler_and_the_trainer_agree_on_every_token(tiny: Path, tmp_path: Path) -> None:
    """|d| < 1e-4 a token in fp32, with the adapter in force; and the step's own figure says so."""
    made = learner(tiny, shaken=0.05)
    for _ in range(3):
        made.learn(batch(), 0)
    said = replies(tiny, saved(made, JUDGE, tmp_path / "judge"))
    found = [
        experience(c.prompt_ids or (), c.output_ids or (), JUDGE, name=str(k), logprobs=c.logprobs, advantage=k - 2.5)
        for k, c in enumerate(said)
    ]
    assert sum(each.tokens for each in found) > 20
    ours = made.reader.logprobs(found, range(len(found)))
    for place, each in enumerate(found):
        assert ours[place] == pytest.approx(each.logprobs, abs=1e-4)
    figures = made.learn(replace(batch(), experiences=tuple(found), paths=()), 3)
    assert figures.mismatch < 1e-4 and figures.mismatch_kl < 1e-7
    assert figures.kept == len(found)
    others = [replace(each, row=replace(each.row, policy=SOLVER)) for each in found]  # control: another's weights
    assert learner(tiny, shaken=0.05).learn(replace(batch(), experiences=tuple(others), paths=()), 0).mismatch > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_adapter_is_the_one_that_was_trained(tiny: Path, tmp_path: Path, name: str) -> None:
    """PEFT finds it complete, free of the others' tensors, and reads the same numbers."""
    made = learner(tiny, replace(UPDATE, critic="action"), shaken=0.05)
    made.learn(batch(), 0)
    folder = saved(made, name, tmp_path / name)
    assert sorted(file.name for file in folder.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    tensors = load_file(folder / "adapter_model.safetensors")
    assert len(tensors) == len(made.policies.parameters(name)) == 2 * 7 * 2
    assert not any(".p0." in each or ".critic." in each for each in tensors)
    assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == "tiny"
    base = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, folder).eval()
    ids = torch.tensor([[5, 60, 61, 70, 2]])
    made.policies.use(name)
    with torch.no_grad():
        ours, theirs = made.policies.model(input_ids=ids).logits, model(input_ids=ids).logits
        made.policies.use(SOLVER if name == JUDGE else JUDGE)
        other = made.policies.model(input_ids=ids).logits
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)
    assert (other - ours).abs().max() > 1e-3  # control
    again = learner(tiny, shaken=0.0, starts={name: folder})
    assert same(standing(again, name), {each: standing(made, name)[each] for each in standing(again, name)})


@pytest.mark.parametrize("started", [(), (JUDGE,), NAMES], ids=str)
def test_the_reference_is_what_the_policy_was_at_the_start(tiny: Path, tmp_path: Path, started: Sequence[str]) -> None:
    """The base, or the adapter that it went on from, even one with dropout; training moves the policy alone."""
    starts = {name: tmp_path / name for name in started}
    for at, folder in enumerate(starts.values()):
        model = get_peft_model(
            AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32),
            LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", lora_dropout=0.5, task_type="CAUSAL_LM"),
        )
        for name, each in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(each, std=0.1, generator=torch.Generator().manual_seed(len(name) + at))
        model.save_pretrained(str(folder))
    made = learner(tiny, shaken=0.0, starts=starts)
    given = told(batch(), made)
    at_first = made.reader.logprobs(given.experiences, range(18))
    alone = [said_alone(made, each).tolist() for each in given.experiences]
    assert all(at_first[place] == pytest.approx(each, abs=1e-5) for place, each in enumerate(alone)), "no dropout"
    before = made.reader.logprobs(given.experiences, range(18), reference=True)
    assert all(before[place] == pytest.approx(each, abs=1e-5) for place, each in at_first.items())
    for name in NAMES:
        shake(made, name, 0.05)
    made.learn(given, 0)
    after = made.reader.logprobs(given.experiences, range(18), reference=True)
    now = made.reader.logprobs(given.experiences, range(18))
    assert after == before
    assert max(abs(a - b) for place in range(18) for a, b in zip(now[place], before[place], strict=True)) > 1e-2
    moved = standing(made, JUDGE)
    made.learn(given, 1)
    assert not same(standing(made, JUDGE), moved), "it goes on learning once its reference was read"


def test_adapters_begin_by_seed_and_name(tiny: Path) -> None:
    """Whatever else was drawn before, and whoever else learns."""
    one = Policies(tiny, NAMES, UPDATE, {})
    torch.manual_seed(3)
    other = Policies(tiny, (JUDGE,), UPDATE, {}, critic=True)
    renamed = {name.replace(".p1.", ".p0."): each for name, each in one.parameters(JUDGE).items()}
    assert same(other.parameters(JUDGE), renamed)
    assert not same(one.parameters(SOLVER), renamed)
    third = Policies(tiny, (JUDGE,), replace(UPDATE, seed=1), {}).parameters(JUDGE)
    assert not same(third, renamed)


def test_the_base_is_in_bf16_and_what_learns_in_fp32(tiny: Path) -> None:
    found = Policies(tiny, NAMES, replace(UPDATE, precision="bf16"), {}, critic=True)
    learnt = {name for each in (*NAMES, "@critic") for name in found.parameters(each)}
    kinds = {(name in learnt, value.dtype) for name, value in found.model.named_parameters()}
    assert kinds == {(True, torch.float32), (False, torch.bfloat16)}


def test_eleven_policies_are_told_apart(tiny: Path) -> None:
    """p1 is no p10."""
    names = [f"agent{place}" for place in range(11)]
    found = Policies(tiny, names, UPDATE, {})
    parameters = [set(found.parameters(name)) for name in names]
    assert len(set.union(*parameters)) == sum(map(len, parameters)) == 11 * 28


def test_starts_that_do_not_fit_are_refused_in_one_line(tiny: Path, tmp_path: Path) -> None:
    good = saved(learner(tiny), SOLVER, tmp_path / "good")
    with pytest.raises(BadInput, match=r"expected an adapter to go on from, got none in .*; fix: --init"):
        Policies(tiny, NAMES, UPDATE, {JUDGE: tmp_path})
    for kind, place in (("rank", 0), ("torn", 0), ("rank", 1), ("torn", 1)):
        folder = tmp_path / f"{kind}{place}"
        folder.mkdir()
        config = json.loads((good / "adapter_config.json").read_text())
        (folder / "adapter_config.json").write_text(json.dumps({**config, "r": 8} if kind == "rank" else config))
        whole = (good / "adapter_model.safetensors").read_bytes()
        (folder / "adapter_model.safetensors").write_bytes(whole if kind == "rank" else b"\x80\x04 a pickle")
        with pytest.raises(
            BadData, match=r"expected an adapter of this base, got another in .*; fix: --init"
        ) as caught:
            Policies(tiny, NAMES, UPDATE, {NAMES[place]: folder})
        assert "\n" not in str(caught.value)
