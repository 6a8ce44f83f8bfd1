"""Fitting `tiny`: what is learnt and what is left alone, exactly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from orchestra.errors import BadData, BadInput
from orchestra.learning import Row, Settings, joined
from orchestra.learning.row import IGNORED
from orchestra.learning.settings import Trainer
from orchestra.learning.sft import fit, save
from orchestra.models.cache import file_sha256
from orchestra.types import Key

# PEFT asks transformers by a name that is going away.
RENAMED = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
pytestmark = [pytest.mark.usefixtures("one_thread"), RENAMED]
WEIGHTS = "adapter_model.safetensors"
BOTH = pytest.mark.parametrize("trainer", ["packed", "trl"])


def rows_of(seed: int, count: int = 12) -> list[Row]:
    """Prompts of random letters; the answer is the prompt's first id and the end of turn."""
    random, rows = Random(seed), []
    for index in range(count):
        prompt = tuple(random.randrange(60, 90) for _ in range(random.randrange(4, 9)))
        labels = (*[IGNORED] * len(prompt), prompt[0], 2)
        rows.append(Row("run", Key(str(index)), "solver", "solver", "task", (*prompt, prompt[0], 2), labels))
    return rows


def logits(base: Path, adapter: Path | None, ids: tuple[int, ...]) -> torch.Tensor:
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter)
    with torch.no_grad():
        found: torch.Tensor = model.eval()(torch.tensor([ids])).logits[0]
    return found


@pytest.fixture(scope="module", params=["packed", "trl"])
def trained(
    request: pytest.FixtureRequest, tiny: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, tuple[float, ...]]:
    folder = tmp_path_factory.mktemp("adapter")
    done = fit(rows_of(0), tiny, Settings(epochs=12, lr=5e-3, rank=4, trainer=request.param))
    save(done.model, folder, base_name="tiny")
    return folder, done.curve


def test_the_loss_falls(trained: tuple[Path, tuple[float, ...]]) -> None:
    curve = trained[1]
    assert len(curve) == 24  # 12 rows in steps of 8 and 4, 12 times
    assert curve[-1] < 0.5 * curve[0]


def test_the_saved_adapter_is_the_trained_one(tiny: Path, tmp_path: Path) -> None:
    done = fit(rows_of(0), tiny, Settings(epochs=1, lr=5e-3, rank=4))
    save(done.model, tmp_path, base_name="tiny")
    assert "tiny" in (tmp_path / "adapter_config.json").read_text()
    assert str(tiny) not in (tmp_path / "adapter_config.json").read_text()

    ids = rows_of(0)[0].input_ids
    with torch.no_grad():
        own = done.model(torch.tensor([ids])).logits[0].float()
    base = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.bfloat16)
    again = PeftModel.from_pretrained(base, tmp_path).eval()
    with torch.no_grad():
        assert torch.equal(again(torch.tensor([ids])).logits[0].float(), own)
    assert not torch.equal(logits(tiny, tmp_path, ids), logits(tiny, None, ids))


@BOTH
def test_a_rerun_gives_the_same_bytes_and_another_seed_others(tiny: Path, tmp_path: Path, trainer: Trainer) -> None:
    digests = []
    for run, seed in enumerate((0, 0, 1)):
        done = fit(rows_of(0), tiny, Settings(epochs=1, seed=seed, rank=4, trainer=trainer))
        save(done.model, tmp_path / str(run), base_name="tiny")
        digests.append(file_sha256(tmp_path / str(run) / WEIGHTS))
    assert digests[0] == digests[1] != digests[2]


def test_training_one_policy_leaves_base_and_others_bit_identical(
    tiny: Path, trained: tuple[Path, tuple[float, ...]]
) -> None:
    before = file_sha256(trained[0] / WEIGHTS), file_sha256(tiny / "model.safetensors")
    done = fit(rows_of(1), tiny, Settings(epochs=1, lr=5e-3, rank=4), init=trained[0])
    assert (file_sha256(trained[0] / WEIGHTS), file_sha256(tiny / "model.safetensors")) == before

    stored = load_file(tiny / "model.safetensors")
    assert isinstance(done.model, PeftModel)
    now = {name.replace(".base_layer", ""): value for name, value in done.model.get_base_model().named_parameters()}
    assert all(torch.equal(now[name], value) for name, value in stored.items())
    old = load_file(trained[0] / WEIGHTS)
    new = {name.replace(".default", ""): value for name, value in done.model.named_parameters() if "lora_" in name}
    assert old.keys() == new.keys()
    assert any(not torch.equal(new[name], value) for name, value in old.items())


@BOTH
def test_prompt_tokens_are_read_and_not_learnt(tiny: Path, trainer: Trainer) -> None:
    """The loss of a row is that of its labelled tokens alone, worked out from the logits; its context matters."""
    row = rows_of(3, count=1)[0]
    table = logits(tiny, None, row.input_ids).log_softmax(-1)
    expected = -sum(float(table[at - 1, i]) for at, i in enumerate(row.labels) if i != IGNORED) / 2

    def first(changed: Row) -> float:
        return fit([changed], tiny, Settings(epochs=1, trainer=trainer)).curve[0]

    assert first(row) == pytest.approx(expected, rel=0.005)
    assert first(replace(row, labels=row.input_ids)) != pytest.approx(expected, rel=0.005)  # control
    assert first(replace(row, input_ids=(row.input_ids[0] + 1, *row.input_ids[1:]))) != first(row)


@BOTH
def test_micro_batches_and_cuts_do_not_change_the_step(tiny: Path, trainer: Trainer) -> None:
    """8 rows at once, or one by one; two turns in two rows, or in one."""
    once = Settings(epochs=1, trainer=trainer)
    whole = fit(rows_of(0, count=8), tiny, once)
    parts = fit(rows_of(0, count=8), tiny, replace(once, max_tokens_per_step=12))
    assert whole.curve == pytest.approx(parts.curve, rel=0.005)

    first = rows_of(0, count=1)[0]
    prompt = (*first.input_ids, 70, 71)
    second = replace(first, input_ids=(*prompt, 72, 2), labels=(*[IGNORED] * len(prompt), 72, 2))
    (one,) = joined([first, second])
    assert fit([one], tiny, once).curve == pytest.approx(fit([first, second], tiny, once).curve, rel=0.005)


def test_what_cannot_be_trained_is_refused(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = rows_of(0, count=1)[0]
    with pytest.raises(BadData, match="expected token ids below 304, got 400"):
        fit([replace(row, input_ids=(*row.input_ids[:-1], 400))], tiny, Settings())
    with pytest.raises(BadData, match="expected at most 4 tokens"):
        fit([row], tiny, Settings(max_tokens_per_step=4))
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(BadInput, match="expected a batch that 3 processes can share, got 8"):
        fit([row], tiny, Settings(trainer="trl"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"lr": 0.0}, "expected --lr > 0, got 0.0"),
        ({"lr": -1.0}, "expected --lr > 0, got -1.0"),
        ({"lr": float("nan")}, "expected --lr > 0, got nan"),
        ({"epochs": 0}, "expected --epochs > 0, got 0"),
        ({"rank": -1}, "expected --rank > 0, got -1"),
        ({"batch": 0}, "expected --batch > 0, got 0"),
        ({"max_tokens_per_step": 0}, "expected --max-tokens-per-step > 0, got 0"),
        ({"save_every": -1}, "expected --save-every >= 0, got -1"),
        ({"seed": -1}, r"expected 0 <= --seed < 2\*\*32, got -1"),
        ({"seed": 2**64}, r"expected 0 <= --seed < 2\*\*32, got 18446744073709551616"),
        ({"trainer": "pack"}, "unknown --trainer 'pack'; did you mean 'packed'?"),
        ({"precision": "fp16"}, "unknown --precision 'fp16'; did you mean"),
        ({"report_to": "wandb"}, "unknown --report-to 'wandb'; known: none, tensorboard"),
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        Settings(**wrong)
