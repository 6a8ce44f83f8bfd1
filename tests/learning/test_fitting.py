"""The packed trainer on `tiny` in fp32: one gradient however it is cut, one curve however often it stops."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor
from transformers import AutoModelForCausalLM

from orchestra.errors import BadData, BadInput, RunFailed, Unavailable
from orchestra.learning import Row, Settings, fitting, loop
from orchestra.learning.loop import Keep
from orchestra.learning.packing import Weighed, labelled, read
from orchestra.learning.scorer import Scorer
from orchestra.learning.sft import fit, save
from orchestra.learning.trainable import load
from tests.learning.trees import row, siblings

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
]
ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "sft-losses.json"
FAST = Settings(epochs=2, lr=5e-3, rank=4, batch=5, precision="fp32")


def weights_of(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: each.detach().clone() for name, each in model.named_parameters() if each.requires_grad}


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    a, b = weights_of(one), weights_of(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def step_gradient(tiny: Path, rows: Sequence[Weighed], budget: int, parts: int) -> tuple[float, dict[str, Tensor]]:
    """Loss and gradient of one step in `parts` calls of at most `budget` tokens a pack; B of LoRA is not zero."""
    model = load(tiny, replace(FAST, seed=3))
    generator = torch.Generator().manual_seed(0)
    for name, each in model.named_parameters():
        if "lora_B" in name:
            each.data.normal_(std=0.02, generator=generator)
    total, loss = sum(labelled(one) for one, _ in rows), 0.0
    for part in range(parts):
        loss += float(
            fitting.accumulate(Scorer(model), rows[part::parts], total, budget, torch.device("cpu")).figures["loss"]
        )
    return loss, {name: each.grad for name, each in model.named_parameters() if each.grad is not None}


def test_every_cut_of_a_step_has_one_gradient(tiny: Path) -> None:
    """Any micro-batches, any order, a row split in two: the same sum, at 1e-5."""
    rows = [Weighed(one, weight) for one, weight in zip(siblings(0), [1.0, 0.5, 3.0] * 4, strict=True)]
    loss, gradient = step_gradient(tiny, rows, 1000, 1)
    said = rows[2].row
    half = len(said.labels) - 2
    split = [
        Weighed(replace(said, labels=(*said.labels[:half], *[-100] * 2)), 3.0),
        Weighed(replace(said, labels=(*[-100] * half, *said.labels[half:])), 3.0),
    ]
    others = [(rows, 1, 1), (rows, 30, 3), (rows[::-1], 1000, 2), (rows[:2] + split + rows[3:], 1000, 1)]
    for other, budget, parts in others:
        other_loss, other_gradient = step_gradient(tiny, other, budget, parts)
        assert other_loss == pytest.approx(loss, abs=1e-5)
        for name in gradient:
            torch.testing.assert_close(other_gradient[name], gradient[name], atol=1e-5, rtol=0)
    _, wrong = step_gradient(tiny, [Weighed(one, 1.0) for one, _ in rows], 1000, 1)  # control
    assert any((wrong[name] - gradient[name]).abs().max() > 1e-3 for name in gradient)


def test_the_curve_is_the_golden_one(tiny: Path) -> None:
    """Loss of each step, kept from an earlier commit: machines and libraries may differ by 1e-4, not the method."""
    curve = fit(siblings(0), tiny, FAST).curve
    assert curve == pytest.approx(json.loads(GOLDEN.read_text())["losses"], abs=1e-4)


def test_both_trainers_take_the_same_step(tiny: Path) -> None:
    """One step over all rows, in which order is no matter: the loss, and the adapter after it."""
    rows, one = siblings(1), replace(FAST, epochs=1, batch=12, lr=1e-3)
    packed, plain = (fit(rows, tiny, replace(one, trainer=name)) for name in ("packed", "trl"))
    assert packed.curve == pytest.approx(plain.curve, abs=1e-4)  # TRL logs four digits
    assert packed.tokens == plain.tokens
    for name, each in weights_of(packed.model).items():
        torch.testing.assert_close(weights_of(plain.model)[name], each, atol=1e-5, rtol=0)


class Stopped(Exception):
    pass


@pytest.mark.parametrize("stop", [1, 3, 4])
def test_a_stopped_fit_goes_on_as_if_it_never_stopped(tiny: Path, tmp_path: Path, stop: int) -> None:
    """With dropout, so that random numbers matter: losses to 1e-6 and the adapter bit by bit."""
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32),
        LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", lora_dropout=0.2, task_type="CAUSAL_LM"),
    )
    save(model, tmp_path / "init", base_name="tiny")
    settings, lines = replace(FAST, save_every=2), list[str]()
    keep = Keep(tmp_path / "checkpoints", {"data": "d"}, lines.append)

    def interrupt(done: int, total: int) -> None:
        if done == stop:
            raise Stopped

    with pytest.raises(Stopped):
        fit(siblings(0), tiny, settings, init=tmp_path / "init", keep=keep, report=interrupt)
    resumed = fit(siblings(0), tiny, settings, init=tmp_path / "init", keep=keep)
    # What was written at step 2 is written before `report` of step 3.
    assert lines == ([] if stop == 1 else [f"goes on after step {2 * ((stop - 1) // 2)}"])
    whole = fit(siblings(0), tiny, settings, init=tmp_path / "init")
    assert resumed.curve == pytest.approx(whole.curve, abs=1e-6)
    assert same(resumed.model, whole.model)
    assert not same(fit(siblings(0), tiny, replace(settings, seed=1), init=tmp_path / "init").model, whole.model)


def test_a_fit_without_its_moments_is_another(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control of the test above."""
    keep, settings = Keep(tmp_path / "checkpoints"), replace(FAST, save_every=2)
    whole = fit(siblings(0), tiny, settings, keep=keep)
    monkeypatch.setattr(loop, "newest", lambda *_: _without_moments(*_))
    assert fit(siblings(0), tiny, settings, keep=keep).curve != pytest.approx(whole.curve, abs=1e-6)


def _without_moments(*arguments: Any) -> Any:
    from orchestra.learning.checkpoints import newest

    found = newest(*arguments)
    assert found is not None
    return replace(found, optimiser={name: torch.zeros_like(each) for name, each in found.optimiser.items()})


def test_nan_stops_with_step_and_rows_and_keeps_the_last_good_checkpoint(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = siblings(0)
    poisoned = rows[7]

    class Poisoned(Scorer):
        calls = 0

        def __call__(self, pack: Any) -> Tensor:
            logprobs = super().__call__(pack)
            Poisoned.calls += 1
            ends = [tuple(pack.ids[0, seen].tolist()) for seen in pack.mask[0, 0]]
            return logprobs * float("nan") if Poisoned.calls > 4 and read(poisoned) in ends else logprobs

    monkeypatch.setattr(fitting, "Scorer", Poisoned)
    keep = Keep(tmp_path / "checkpoints")
    with pytest.raises(RunFailed) as caught:
        fit(rows, tiny, replace(FAST, save_every=1), keep=keep)
    step = Poisoned.calls  # at least; the rows are told apart by reading each alone
    assert step > 4
    message = str(caught.value)
    assert "got nan" in message and f"rows {poisoned.run}:{poisoned.key.state}/0; the last good" in message
    assert "\n" not in message
    made = sorted(path.name for path in keep.folder.glob("step-*"))
    last = int(made[-1].removeprefix("step-"))
    assert f"at step {last + 1}," in message
    assert len(made) == 2


def test_two_trainings_do_not_share_a_folder(tiny: Path, tmp_path: Path) -> None:
    keep = Keep(tmp_path / "checkpoints")

    def second(done: int, total: int) -> None:
        with pytest.raises(BadInput, match=r"expected a folder to itself, got one in use at .*; fix: wait"):
            fit(siblings(1), tiny, FAST, keep=keep)

    fit(siblings(0), tiny, replace(FAST, epochs=1, batch=12), keep=keep, report=second)


def test_weights_scale_what_a_row_teaches(tiny: Path) -> None:
    rows = siblings(0)[:2]
    once = replace(FAST, epochs=1)
    by_hand = [fit([one], tiny, once).curve[0] * labelled(one) for one in rows]
    total = sum(map(labelled, rows))
    assert fit(rows, tiny, once).curve[0] == pytest.approx(sum(by_hand) / total, abs=1e-5)
    weighed = fit(rows, tiny, once, weights=[2.0, 0.5]).curve[0]
    assert weighed == pytest.approx((2 * by_hand[0] + 0.5 * by_hand[1]) / total, abs=1e-5)
    nothing = fit(rows, tiny, replace(FAST, epochs=2), weights=[0.0, 0.0])
    assert nothing.curve == (0.0, 0.0)
    assert same(nothing.model, load(tiny, FAST))  # zero gradients move nothing


@pytest.mark.parametrize(
    ("rows", "more", "message"),
    [
        ([], {}, "expected rows to learn from, got none"),
        ([row((5, 6), ())], {}, r"trajectory run: expected a labelled token after the first, got 2 tokens, 0 labelled"),
        ([row((), (7,))], {}, r"expected a labelled token after the first"),
        ([row((5, -1), (7,))], {}, "expected token ids below 304, got -1"),
        ([row((5,), (7,))], {"weights": [float("nan")]}, r"expected a finite weight >= 0, got nan"),
        ([row((5,), (7,))], {"weights": [-1.0]}, r"expected a finite weight >= 0, got -1.0"),
    ],
)
def test_rows_that_teach_nothing_are_refused(tiny: Path, rows: list[Row], more: dict[str, Any], message: str) -> None:
    with pytest.raises(BadData, match=message):
        fit(rows, tiny, FAST, **more)


def test_adapters_that_do_not_fit_are_refused(tiny: Path, tmp_path: Path) -> None:
    model = load(tiny, FAST)
    save(model, tmp_path / "good", base_name="tiny")
    next(iter(each for each in model.parameters() if each.requires_grad)).data[0, 0] = float("nan")
    save(model, tmp_path / "nan", base_name="tiny")
    save(model, tmp_path / "rank", base_name="tiny")
    config = json.loads((tmp_path / "rank" / "adapter_config.json").read_text())
    (tmp_path / "rank" / "adapter_config.json").write_text(json.dumps({**config, "r": 8}))
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "adapter_config.json").write_text(json.dumps(config))
    (tmp_path / "torn" / "adapter_model.safetensors").write_bytes(b"\x80\x04 a pickle")
    (tmp_path / "none").mkdir()
    cases = {"nan": "expected finite tensors", "rank": "got others in .* size mismatch",
             "torn": "got others in .*header",
             "none": "expected adapter_model.safetensors or model.safetensors, got neither"}  # fmt: skip
    fit(siblings(0)[:1], tiny, FAST, init=tmp_path / "good")
    for name, message in cases.items():
        with pytest.raises(BadData, match=message) as caught:
            fit(siblings(0)[:1], tiny, FAST, init=tmp_path / name)
        assert "\n" not in str(caught.value)


def test_weights_are_for_the_packed_trainer(tiny: Path) -> None:
    with pytest.raises(BadInput, match="TRL's trainer counts all rows alike; fix: --trainer packed, or --weigh one"):
        fit(siblings(0)[:2], tiny, replace(FAST, trainer="trl"), weights=[1.0, 2.0])


def test_shards_are_refused_before_anything_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    with pytest.raises(BadInput, match="expected whole weights on each process, got DeepSpeed or FSDP; fix: --trainer"):
        fit(siblings(0), tmp_path / "absent", FAST)


def test_all_weights_are_trained_where_that_is_asked(tiny: Path) -> None:
    """No adapter; the head is the embedding, and both stay one."""
    done = fit(siblings(0), tiny, replace(FAST, lr=1e-3), full=True)
    assert not isinstance(done.model, PeftModel)
    assert done.curve[-1] < done.curve[0]
    before = load(tiny, FAST, full=True).state_dict()
    assert all(not torch.equal(each, before[name]) for name, each in weights_of(done.model).items())


def test_a_scaled_head_is_refused(tiny: Path) -> None:
    """Of a model whose logits are not its head's product alone, as Granite's or Gemma's."""
    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    Scorer(model)
    whole = model.forward
    model.forward = lambda **inputs: type("Out", (), {"logits": whole(**inputs).logits / 2})
    with pytest.raises(
        BadInput, match=r"expected logits that are the head's product, got others from LlamaForCausalLM"
    ):
        Scorer(model)


def test_curves_go_to_tensorboard(tiny: Path, tmp_path: Path) -> None:
    tracked = replace(FAST, epochs=1, report_to="tensorboard")
    keep = Keep(tmp_path / "checkpoints", curves=tmp_path / "curves")
    if find_spec("tensorboard") is None:
        with pytest.raises(Unavailable, match=r"tensorboard is not installed; fix: pip install"):
            fit(siblings(0), tiny, tracked, keep=keep)
        pytest.skip("tensorboard is not installed; that it is asked for in one line was tested")
    reader = import_module("tensorboard.backend.event_processing.event_accumulator")
    done = fit(siblings(0), tiny, tracked, keep=keep)
    (folder,) = {file.parent for file in (tmp_path / "curves").rglob("events.*")}
    events = reader.EventAccumulator(str(folder)).Reload()
    assert [event.value for event in events.Scalars("loss")] == pytest.approx(done.curve, abs=1e-6)
    assert [event.step for event in events.Scalars("lr")] == list(range(1, len(done.curve) + 1))


LAUNCHED = """
import json, sys
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
import torch
from accelerate import PartialState
from orchestra.learning.sft import fit, save
from tests.learning.test_fitting import FAST
from tests.learning.trees import siblings
torch.set_num_threads(1)
done = fit(siblings(0, prompts=3), Path(sys.argv[1]), replace(FAST, batch=4))
assert PartialState().num_processes == int(sys.argv[3])
if PartialState().is_main_process:
    save(done.model, Path(sys.argv[2]), base_name="tiny")
    print(json.dumps(done.curve))
"""


@pytest.mark.slow
def test_one_process_and_two_are_one_fit(tiny: Path, tmp_path: Path) -> None:
    """Over gloo; 9 rows in steps of 4, 4 and 1, so that in the last one process has nothing to read."""
    script = tmp_path / "launched.py"
    script.write_text(LAUNCHED)
    curves, adapters = [], []
    for processes in (1, 2):
        out = tmp_path / str(processes)
        kind = "--multi_gpu" if processes > 1 else "--cpu"
        command = [sys.executable, "-m", "accelerate.commands.launch", kind, "--num_processes", str(processes)]
        command += [str(script), str(tiny), str(out), str(processes)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        curves.append(json.loads(done.stdout.strip().splitlines()[-1]))
        base = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
        adapters.append(PeftModel.from_pretrained(base, out, is_trainable=True))
    assert len(curves[0]) == 6
    assert curves[1] == pytest.approx(curves[0], abs=1e-5)
    one, two = map(weights_of, adapters)
    for name in one:
        torch.testing.assert_close(two[name], one[name], atol=1e-4, rtol=0)
