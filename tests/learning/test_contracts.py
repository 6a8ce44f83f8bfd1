"""What we use of TRL, PEFT, transformers and Accelerate that they have not promised: each is pinned here, and a
release that changes one fails here first, by name."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from packaging.version import Version
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments
from trl.trainer import dpo_trainer
from trl.trainer.dpo_trainer import DataCollatorForPreference, DPOTrainer

from orchestra.learning.pairs_with_trl import PairTrainer

PINNED = {"trl": ("1.16", "2"), "peft": ("0.21", "1"), "transformers": ("5.23", "6"), "accelerate": ("1.15", "2")}


@pytest.mark.parametrize("library", PINNED)
def test_the_installed_release_is_one_that_this_file_knows(library: str) -> None:
    low, high = map(Version, PINNED[library])
    assert low <= Version(version(library)) < high


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (DPOTrainer._prepare_dataset, ["self", "dataset", "processing_class", "args", "dataset_name"]),
        (DPOTrainer._precompute_ref_logps, ["self", "dataset", "name", "batch_size"]),
        (DPOTrainer._compute_loss, ["self", "model", "inputs", "return_outputs"]),
        (DataCollatorForPreference.torch_call, ["self", "examples"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_overridden_is_there_with_these_parameters(function: Any, parameters: list[str]) -> None:
    assert list(inspect.signature(function).parameters) == parameters


def test_what_is_overridden_is_called_with_these_arguments() -> None:
    source = inspect.getsource(DPOTrainer.__init__)
    assert 'self._prepare_dataset(train_dataset, processing_class, args, "train")' in source
    assert "self._precompute_ref_logps(\n                self.train_dataset," in source
    assert not hasattr(Trainer, "_prepare_dataset"), "else ours would hide another's"
    own = {name for name, value in vars(PairTrainer).items() if inspect.isfunction(value)}
    assert own == {"__init__", "_prepare_dataset", "_precompute_ref_logps", "_compute_loss"}


def test_the_loss_calls_its_model_once_and_reads_these_keys() -> None:
    """So a callable may stand in for the model, and references that are numbers are read and not made."""
    source = inspect.getsource(DPOTrainer._compute_loss)
    before, after = source.split("if self.precompute_ref_logps:", 1)
    assert before.count("model(**") == 1 and "outputs.log_probs" in before
    assert 'inputs["ref_chosen_logps"], inputs["ref_rejected_logps"]' in after.split("else:", 1)[0]
    for key in ("rewards/accuracies", "rewards/margins", "rewards/chosen", "rewards/rejected"):
        assert f'self._metrics[mode]["{key}"]' in source


def test_the_collator_takes_ids_and_reference_numbers_and_pads_on_the_right() -> None:
    example = {"prompt_ids": [5, 6], "chosen_ids": [7], "rejected_ids": [8, 9], "ref_chosen_logps": -1.0,
               "ref_rejected_logps": -2.0, "chosen_mask": [1]}  # fmt: skip
    batch = DataCollatorForPreference(pad_token_id=0)([example])
    assert batch["input_ids"].tolist() == [[5, 6, 7, 0], [5, 6, 8, 9]], "chosen ones first, then rejected ones"
    assert batch["completion_mask"].tolist() == [[0, 0, 1, 0], [0, 0, 1, 1]]
    assert batch["ref_rejected_logps"].tolist() == [-2.0]
    assert batch.keys() == {"input_ids", "attention_mask", "completion_mask", "ref_chosen_logps", "ref_rejected_logps"}


def test_dpo_of_trl_still_copies_the_adapter_named_default() -> None:
    """The reason for our name while training, and for deleting the copy."""
    source = inspect.getsource(dpo_trainer.DPOTrainer.__init__)
    assert 'model.peft_config["default"]' in source and 'model.add_adapter("ref"' in source


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (PeftModel.save_pretrained, {"save_directory", "selected_adapters", "save_embedding_layers", "kwargs"}),
        (PeftModel.delete_adapter, {"adapter_name"}),
        (PeftModel.from_pretrained, {"model", "model_id", "is_trainable"}),
        (TrainingArguments, {"use_cpu", "ddp_backend", "bf16", "dataloader_pin_memory", "train_sampling_strategy"}),
        (Accelerator.get_state_dict, {"model"}),
    ],
    ids=["save_pretrained", "delete_adapter", "from_pretrained", "TrainingArguments", "get_state_dict"],
)
def test_public_functions_take_what_they_are_given(function: Any, parameters: set[str]) -> None:
    assert parameters <= set(inspect.signature(function).parameters)


RENAMED = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # PEFT asks by an older name


@pytest.fixture
def two() -> PeftModel:
    """A model of two adapters, `left` and `right`."""
    config = LlamaConfig(
        vocab_size=32, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    lora = LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(LlamaForCausalLM(config), lora, adapter_name="left")
    model.add_adapter("right", lora)
    return model


@RENAMED
def test_a_step_of_one_adapter_leaves_everything_else_bit_identical(two: PeftModel) -> None:
    """Base, the other adapter and the other's optimiser: what one optimiser a policy rests on."""

    def of(name: str) -> dict[str, torch.Tensor]:
        return {key: each for key, each in two.named_parameters() if f".{name}." in key}

    def step(name: str) -> None:
        two.set_adapter(name)
        ids = torch.arange(12).reshape(2, 6)
        two(input_ids=ids, labels=ids).loss.backward()
        optimisers[name].step()
        optimisers[name].zero_grad()

    two.set_requires_grad(["left", "right"])
    optimisers = {name: torch.optim.AdamW(of(name).values(), lr=0.1) for name in ("left", "right")}
    step("right")
    still = {key: each.detach().clone() for key, each in two.named_parameters() if ".left." not in key}
    moments = [each["exp_avg"].clone() for each in optimisers["right"].state.values()]
    before = {key: each.detach().clone() for key, each in of("left").items()}
    step("left")
    assert all(torch.equal(each, still[key]) for key, each in two.named_parameters() if ".left." not in key)
    assert all(
        torch.equal(each["exp_avg"], old) for each, old in zip(optimisers["right"].state.values(), moments, strict=True)
    )
    assert moments and any(not torch.equal(each, before[key]) for key, each in of("left").items())


@RENAMED
def test_an_optimiser_made_for_the_active_adapter_alone_never_trains_the_other(two: PeftModel) -> None:
    """The control: PEFT freezes what is not active, so an optimiser over what can be trained forgets it (peft#1303)."""
    two.set_adapter("left")
    trained = [name for name, each in two.named_parameters() if each.requires_grad]
    assert trained and not any(".right." in name for name in trained)
