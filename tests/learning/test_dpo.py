"""Learning from pairs on `tiny`: both trainers' numbers are those of a slow second way, and only the pairs decide."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from math import log
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from datasets import load_dataset
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from orchestra.errors import BadData, BadInput, RunFailed, UnknownName
from orchestra.faults import VARIABLE
from orchestra.learning import loop, recipe
from orchestra.learning.adapters import bind, read_manifest
from orchestra.learning.checkpoints import newest
from orchestra.learning.dpo import Figures, Fit, fit, plan
from orchestra.learning.loop import Keep
from orchestra.learning.pair_packs import pair_packs
from orchestra.learning.pairs_with_trl import Masked
from orchestra.learning.preference import Preference
from orchestra.learning.reference import logprobs
from orchestra.learning.settings import Settings, Trainer
from orchestra.learning.trainable import load, save
from orchestra.models import names
from orchestra.models.cache import file_sha256
from orchestra.training import dpo, sft
from tests.learning.preferences import ROLES, branched, flipped, pairs_of, said, slowly

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:`(is_)?gradient_checkpointing`:FutureWarning"),  # PEFT asks by an older name
]
SETTINGS = Settings(epochs=2, lr=1e-3, rank=4, precision="fp32")
"""Eleven pairs in steps of eight: the second and the fourth step have three, and TRL's are filled up."""
BOTH = pytest.mark.parametrize("trainer", ["packed", "trl"])
WEIGHTS = "adapter_model.safetensors"


def losses(done: Fit) -> list[float]:
    return [figures.loss for figures in done.curve]


def digest(done: Fit, folder: Path, base: Path) -> str:
    folder.mkdir()
    save(done.model, folder, base=base, base_name="tiny", state=done.state)
    return file_sha256(folder / WEIGHTS)


@BOTH
@pytest.mark.parametrize(
    ("preference", "forced"),
    [
        (Preference(), False),
        (Preference(beta=0.5), True),
        (Preference(alpha=1.0), True),
        (Preference(alpha=0.5, norm="completion"), True),
    ],
)
def test_every_step_is_that_of_a_slow_second_way(
    tiny: Path, preference: Preference, forced: bool, trainer: Trainer
) -> None:
    pairs = pairs_of(0, forced=forced)
    done = fit(pairs, tiny, replace(SETTINGS, trainer=trainer), preference)
    curve, weights = slowly(pairs, tiny, SETTINGS, preference)
    assert losses(done) == pytest.approx(curve, abs=1e-5)
    trained = dict(done.model.named_parameters())
    assert all(torch.allclose(trained[name], each, atol=1e-5) for name, each in weights.items())
    if forced:  # control: counting forced tokens gives another loss
        free = [
            replace(p, chosen_mask=(1,) * len(p.chosen_ids), rejected_mask=(1,) * len(p.rejected_ids)) for p in pairs
        ]
        assert slowly(free, tiny, SETTINGS, preference)[0] != pytest.approx(curve, abs=1e-3)


@BOTH
def test_at_the_start_policy_and_reference_are_one(tiny: Path, tmp_path: Path, trainer: Trainer) -> None:
    settings = replace(SETTINGS, trainer=trainer)
    first = fit(pairs_of(0), tiny, replace(settings, lr=5e-3, epochs=4), Preference())
    assert first.curve[0].loss == pytest.approx(log(2), abs=1e-6)
    assert first.curve[0].margin == pytest.approx(0, abs=1e-6)
    assert digest(first, tmp_path / "first", tiny)
    again = fit(pairs_of(0), tiny, settings, Preference(), init=tmp_path / "first")
    assert again.curve[0].loss == pytest.approx(log(2), abs=1e-6), "the reference is the adapter it starts from"
    assert again.curve[-1].margin < first.curve[-1].margin


def test_pairs_are_learnt_and_flipped_pairs_the_other_way(tiny: Path) -> None:
    """What counts is measured on pairs that were not trained on."""
    unseen, settings = pairs_of(7, 20), replace(SETTINGS, lr=5e-3, epochs=4)
    start = logprobs(load(tiny, settings), unseen, 4096)
    gained = {}
    for name, pairs in (("right", pairs_of(0, 16)), ("flipped", [flipped(pair) for pair in pairs_of(0, 16)])):
        now = logprobs(fit(pairs, tiny, settings, Preference()).model, unseen, 4096)
        gained[name] = [(a.chosen - a.rejected) > (b.chosen - b.rejected) for a, b in zip(now, start, strict=True)]
    assert sum(gained["right"]) >= 18
    assert sum(gained["flipped"]) <= 2


@BOTH
def test_figures_of_a_step_are_of_its_pairs_alone(tiny: Path, trainer: Trainer) -> None:
    done = fit(pairs_of(0), tiny, replace(SETTINGS, lr=5e-3, epochs=3, trainer=trainer), Preference())
    assert [len(done.curve), done.tokens] == [
        6,
        3 * sum(2 * len(p.prompt_ids) + len(p.chosen_ids) + 4 for p in pairs_of(0)),
    ]
    for figures in done.curve[2:]:
        assert figures.accuracy == 1.0
        assert figures.margin == pytest.approx(0.2 * (figures.chosen_shift - figures.rejected_shift), rel=1e-3)


@BOTH
def test_micro_batches_change_nothing(tiny: Path, trainer: Trainer) -> None:
    settings = replace(SETTINGS, trainer=trainer)
    whole = fit(pairs_of(0), tiny, settings, Preference(alpha=1.0))
    parts = fit(pairs_of(0), tiny, replace(settings, max_tokens_per_step=24), Preference(alpha=1.0))
    assert losses(whole) == pytest.approx(losses(parts), abs=1e-5)


def gradients(
    tiny: Path, trainer: Trainer, preference: Preference, patch: pytest.MonkeyPatch
) -> tuple[list[float], list[list[torch.Tensor]]]:
    """Loss of each step, and its gradient before it is clipped."""
    clip, seen = torch.nn.utils.clip_grad_norm_, list[list[torch.Tensor]]()

    def watched(parameters: Any, *more: Any, **named: Any) -> Any:
        trained = [each for each in parameters if each.requires_grad]
        seen.append([each.grad.clone() for each in trained])
        return clip(trained, *more, **named)

    patch.setattr(torch.nn.utils, "clip_grad_norm_", watched)
    done = fit(pairs_of(4, forced=True), tiny, replace(SETTINGS, lr=5e-3, trainer=trainer), preference)
    patch.undo()
    return losses(done), seen


@pytest.mark.parametrize("preference", [Preference(), Preference(beta=0.5, alpha=0.5, norm="completion")])
def test_both_trainers_have_one_loss_and_one_gradient(
    tiny: Path, preference: Preference, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed, packed_gradients = gradients(tiny, "packed", preference, monkeypatch)
    plain, plain_gradients = gradients(tiny, "trl", preference, monkeypatch)
    assert packed == pytest.approx(plain, abs=1e-4)
    assert len(packed_gradients) == len(plain_gradients) == 4
    for ours, theirs in zip(packed_gradients, plain_gradients, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
    other = gradients(tiny, "packed", replace(preference, beta=0.3), monkeypatch)[1]  # control
    assert any((a - b).abs().max() > 1e-3 for a, b in zip(other[3], packed_gradients[3], strict=True))


@given(st.integers(0, 99), st.sampled_from([1, 20, 60, 1000]))
def test_a_pack_holds_both_replies_of_every_pair_with_their_targets(seed: int, budget: int) -> None:
    """Pairs that share prompts, replies that begin alike and forced tokens; each target is found by its ancestors."""
    random = Random(seed)
    pairs = [
        replace(
            pair, prompt_ids=pair.prompt_ids[: random.randrange(1, 3)],
            chosen_ids=tuple(random.choices((7, 8), k=3)), chosen_mask=(1, *random.choices((0, 1), k=2)),
            rejected_ids=tuple(random.choices((7, 8), k=4)), rejected_mask=tuple(random.choices((0, 1), k=4)),
        )
        for pair in pairs_of(seed % 5, 6)
    ]  # fmt: skip
    made = pair_packs(pairs, budget)
    assert sorted(place for packed in made for place in packed.among) == list(range(6))
    for packed in made:
        pack, ids = packed.pack, packed.pack.ids[0]
        assert len(packed.among) == 1 or len(ids) <= budget
        found: list[list[tuple[int, ...]]] = [[] for _ in range(2 * len(packed.among))]
        for target, reply in zip(pack.which.tolist(), packed.replies.tolist(), strict=True):
            before = ids[pack.mask[0, 0, pack.at[target]]].tolist()
            found[reply].append((*before, int(pack.targets[target])))
        for at, place in enumerate(packed.among):
            pair = pairs[place]
            for side, own, mask in ((0, pair.chosen_ids, pair.chosen_mask), (1, pair.rejected_ids, pair.rejected_mask)):
                whole = [(*pair.prompt_ids, *own[: end + 1]) for end, kept in enumerate(mask) if kept]
                assert found[2 * at + side] == whole


def test_a_rerun_gives_the_same_bytes_whatever_was_trained_before(tiny: Path, tmp_path: Path) -> None:
    """So no weight, optimiser state or random number of one policy reaches the next one's."""
    alone = digest(fit(pairs_of(1), tiny, SETTINGS, Preference()), tmp_path / "alone", tiny)
    other = fit(pairs_of(2), tiny, replace(SETTINGS, lr=5e-3), Preference())
    held = {name: each.clone() for name, each in other.model.named_parameters()}
    base = file_sha256(tiny / "model.safetensors")
    after = digest(fit(pairs_of(1), tiny, SETTINGS, Preference()), tmp_path / "after", tiny)
    assert after == alone
    assert all(torch.equal(each, held[name]) for name, each in other.model.named_parameters())
    assert file_sha256(tiny / "model.safetensors") == base
    seeded = fit(pairs_of(1), tiny, replace(SETTINGS, seed=1), Preference())
    assert digest(seeded, tmp_path / "seeded", tiny) != alone


@BOTH
def test_the_base_stays_as_it_was(tiny: Path, trainer: Trainer) -> None:
    done = fit(pairs_of(0), tiny, replace(SETTINGS, trainer=trainer), Preference())
    stored = load_file(tiny / "model.safetensors")
    now = {name.replace(".base_layer", ""): each for name, each in done.model.get_base_model().named_parameters()}
    assert all(torch.equal(now[name], each.float()) for name, each in stored.items())
    assert not any(".ref." in name for name in done.model.state_dict()), "TRL's copy of the start is not kept"


def test_reference_log_probabilities(tiny: Path) -> None:
    pairs, model = pairs_of(3, forced=True), load(tiny, SETTINGS)
    with torch.no_grad():
        slow = [float(said(model, p.prompt_ids, p.rejected_ids, p.rejected_mask)) for p in pairs]
    for most in (4096, 30, 1):
        assert [each.rejected for each in logprobs(model, pairs, most)] == pytest.approx(slow, abs=1e-5)
    assert model.training


@given(
    st.lists(st.tuples(st.integers(1, 5), st.lists(st.integers(0, 1), min_size=1, max_size=4)), min_size=1, max_size=5)
)
def test_nothing_but_sampled_tokens_is_in_the_loss(rows: list[tuple[int, list[int]]]) -> None:
    examples = [
        {
            "prompt_ids": [5] * prompt, "chosen_ids": [6] * len(mask), "rejected_ids": [7] * len(mask),
            "chosen_mask": mask, "rejected_mask": mask[::-1], "ref_chosen_logps": 0.0, "ref_rejected_logps": 0.0,
        }
        for prompt, mask in rows
    ]  # fmt: skip
    batch = Masked(pad_token_id=0)(examples)
    counted = batch["completion_mask"]
    assert int(counted.sum()) == 2 * sum(sum(mask) for _, mask in rows)
    assert all(not counted[row, :prompt].any() for row, (prompt, _) in enumerate(rows))
    assert batch["attention_mask"].ge(counted).all()


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 3))
def test_every_pair_once_an_epoch(count: int, batch: int, epochs: int) -> None:
    steps = plan(count, Settings(batch=batch, epochs=epochs))
    assert [len(step) for step in steps] == epochs * [min(batch, count - at) for at in range(0, count, batch)]
    assert Counter(at for step in steps for at in step) == dict.fromkeys(range(count), epochs)


def test_full_weights_are_a_model_of_their_own(tiny: Path, tmp_path: Path) -> None:
    adapter = fit(pairs_of(0), tiny, SETTINGS, Preference())
    digest(adapter, tmp_path / "adapter", tiny)
    for name, init in (("base", None), ("adapter", tmp_path / "adapter")):
        done = fit(pairs_of(1), tiny, SETTINGS, Preference(), init=init, full=True)
        assert done.curve[0].loss == pytest.approx(log(2), abs=1e-6)
        folder = tmp_path / f"full-{name}"
        folder.mkdir()
        save(done.model, folder, base=tiny, base_name="tiny", state=done.state)
        again = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        ids = torch.tensor([[60, 61, 62]])
        with torch.no_grad():
            assert torch.equal(again(ids).logits, done.model.eval()(ids).logits)
        assert names.folder(f"hf:{folder}") == folder
    with pytest.raises(BadInput, match="got full weights in"):
        fit(pairs_of(0), tiny, SETTINGS, Preference(), init=tmp_path / "full-base")


@pytest.mark.parametrize(("change", "message"), [("rank", "got others in"), ("nan", "expected finite tensors")])
def test_an_adapter_that_does_not_fit_is_refused(tiny: Path, tmp_path: Path, change: str, message: str) -> None:
    save(load(tiny, SETTINGS), tmp_path, base=tiny, base_name="tiny")
    if change == "rank":
        config = json.loads((tmp_path / "adapter_config.json").read_text())
        (tmp_path / "adapter_config.json").write_text(json.dumps(config | {"r": 8}))
    else:
        save_file({key: each * torch.nan for key, each in load_file(tmp_path / WEIGHTS).items()}, tmp_path / WEIGHTS)
    with pytest.raises(BadData, match=message):
        fit(pairs_of(0), tiny, SETTINGS, Preference(), init=tmp_path)


def test_what_cannot_be_trained_is_refused(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = pairs_of(0, 1)[0]
    with pytest.raises(BadData, match="expected token ids below 304, got 400"):
        fit([replace(pair, rejected_ids=(400,), rejected_mask=(1,))], tiny, SETTINGS, Preference())
    with pytest.raises(BadData, match="expected at most 4 tokens"):
        fit([pair], tiny, replace(SETTINGS, max_tokens_per_step=4), Preference())
    with pytest.raises(BadData, match="expected token ids below 304, got -1"):
        fit([replace(pair, prompt_ids=(-1, 5))], tiny, SETTINGS, Preference())
    with pytest.raises(BadData, match="expected pairs to learn from, got none"):
        fit([], tiny, SETTINGS, Preference())
    with pytest.raises(BadData, match=r"trajectory t0: expected two replies at 0, got one twice"):
        fit([replace(pair, rejected_ids=pair.chosen_ids, rejected_mask=pair.chosen_mask)], tiny, SETTINGS, Preference())
    with pytest.raises(BadData, match="expected a prompt and a sampled token after it, got 0 and 2 tokens"):
        fit([replace(pair, prompt_ids=())], tiny, SETTINGS, Preference())
    for trainer, what in (("packed", "rows"), ("trl", "pairs")):
        with pytest.raises(RunFailed, match=rf"got nan .*at step \d, {what} t\d+:"):
            fit(pairs_of(0, 3), tiny, replace(SETTINGS, lr=1e38, epochs=4, trainer=trainer), Preference())
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(BadInput, match="expected a batch that 3 processes can share, got 8"):
        fit([pair], tiny, replace(SETTINGS, trainer="trl"), Preference())
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    with pytest.raises(BadInput, match="expected whole weights on each process, got DeepSpeed or FSDP; fix: --trainer"):
        fit([pair], tiny, SETTINGS, Preference())


@pytest.mark.parametrize("wrong", [{"beta": 0.0}, {"beta": float("nan")}, {"alpha": -1.0}, {"norm": "half"}])
def test_a_loss_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((BadInput, UnknownName), match=f"--{next(iter(wrong))}"):
        Preference(**wrong)


# ── the recipe ──


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return branched(tmp_path_factory.mktemp("run") / "run", 5)


@pytest.fixture
def start(run: Path, tiny: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Starts the recipe with --json and returns what it printed."""

    def started(output: Path, *more: object) -> Any:
        words = ["--trajectories", run, "--output", output, "--model", "tiny", "--json", "--precision", "fp32", *more]
        assert dpo.main([str(word) for word in words]) == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    return started


def test_verifier_and_refiner_learn_and_the_generator_is_carried_along(
    run: Path, tmp_path: Path, start: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    first, output = tmp_path / "sft", tmp_path / "dpo"
    assert sft.main(["--trajectories", str(run), "--output", str(first), "--model", "tiny", "--rank", "4"]) == 0
    capsys.readouterr()
    done = start(output, "--init", first, "--epochs", 3, "--lr", 1e-3)
    assert list(done["policies"]) == ["verifier", "refiner"]
    assert {"output", "steps", "loss_first", "loss_last", "seconds"} <= done.keys()
    for figures in done["policies"].values():
        assert (figures["pairs"], figures["steps"], figures["accuracy"]) == (5, 3, 1.0)
        assert figures["loss_last"] < figures["loss_first"] == pytest.approx(log(2), abs=1e-5)
        assert figures["margin"] > 0 > figures["rejected_shift"]
    entries, parents = read_manifest(output).policies, read_manifest(first).policies
    assert entries.keys() == set(ROLES)
    for name in ROLES:
        assert entries[name].parents == [f"{name}@1:{parents[name].files[WEIGHTS].sha256}"]
    assert entries["generator"].files[WEIGHTS] == parents["generator"].files[WEIGHTS]
    assert entries["verifier"].files[WEIGHTS] != parents["verifier"].files[WEIGHTS]

    assert start(output, "--init", first, "--epochs", 3, "--lr", 1e-3) == done, "not trained twice"
    assert {name: bound.version for name, bound in bind(output).items()} == dict.fromkeys(ROLES, 1)
    start(output, "--init", first, "--epochs", 3, "--lr", 1e-3, "--beta", 0.5, "--roles", "refiner")
    assert {name: bound.version for name, bound in bind(output).items()} == {
        "generator": 1,
        "verifier": 2,
        "refiner": 2,
    }


def test_one_adapter_or_one_model_for_all(run: Path, tmp_path: Path, start: Callable[..., Any], tiny: Path) -> None:
    start(tmp_path / "adapter", "--share", "--roles", *ROLES)
    files = [entry.files[WEIGHTS] for entry in read_manifest(tmp_path / "adapter").policies.values()]
    assert len(files) == 3 and len(set(files)) == 1
    full = start(tmp_path / "full", "--share", "--full")
    assert list(full["policies"]) == ["shared"] and full["policies"]["shared"]["pairs"] == 10
    AutoModelForCausalLM.from_pretrained(names.folder(f"hf:{tmp_path / 'full' / 'shared'}"))


def test_a_start_of_another_base_is_refused_before_any_policy_is_trained(
    run: Path, tmp_path: Path, tiny: Path, start: Callable[..., Any]
) -> None:
    start(tmp_path / "first", "--epochs", 1)
    manifest = json.loads((tmp_path / "first" / "manifest.json").read_text())
    manifest["policies"]["refiner"]["base_digest"] = "0" * 64  # the last one to be trained
    (tmp_path / "first" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(AssertionError, match="expected adapters of 'tiny', got those of another base"):
        start(tmp_path / "out", "--init", tmp_path / "first")
    assert not (tmp_path / "out").exists()


def weights(output: Path) -> dict[str, str]:
    return {name: entry.files[WEIGHTS].sha256 for name, entry in read_manifest(output).policies.items()}


def test_a_stopped_policy_goes_on_from_its_checkpoint(
    run: Path, tmp_path: Path, tiny: Path, start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Ctrl-C at step 3 of 4; the same command then gives the adapters of an undisturbed run, byte by byte."""
    options = ("--epochs", 4, "--save-every", 1, "--lr", 1e-3)
    whole = start(tmp_path / "whole", *options)

    def stopping(report: Callable[..., object] | None) -> Any:
        def stop(stage: str, done: int, total: int) -> None:
            if done == 3 and stage == "train refiner":
                raise KeyboardInterrupt

        return nullcontext(stop)

    with monkeypatch.context() as patch:
        patch.setattr(recipe, "reporting", stopping)
        words = [
            "--trajectories",
            run,
            "--output",
            tmp_path / "out",
            "--model",
            "tiny",
            "--precision",
            "fp32",
            *options,
        ]
        assert dpo.main([str(word) for word in words]) == 130
    assert (tmp_path / "out" / dpo.CHECKPOINTS / "refiner" / "step-00000002").is_dir()
    capsys.readouterr()
    words.append("--json")
    assert dpo.main([str(word) for word in words]) == 0
    printed = capsys.readouterr()
    assert "verifier: already trained" in printed.err and "refiner: goes on after step 2" in printed.err
    assert json.loads(printed.out)["policies"]["refiner"]["curve"] == whole["policies"]["refiner"]["curve"]
    assert weights(tmp_path / "out") == weights(tmp_path / "whole")
    assert not (tmp_path / "out" / dpo.CHECKPOINTS).exists()


@pytest.mark.slow
def test_a_killed_policy_goes_on_from_its_checkpoint(run: Path, tmp_path: Path, tiny: Path) -> None:
    """SIGKILL inside the second save; weights and losses are those of an undisturbed run to 1e-6."""
    root = Path(__file__).resolve().parents[2]
    words = ["--model", "tiny", "--roles", "refiner", "--epochs", "5", "--save-every", "1", "--lr", "1e-3",
             "--precision", "fp32", "--json", "--trajectories", str(run)]  # fmt: skip

    def ended(output: Path, fault: str = "") -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", VARIABLE: fault}
        command = [sys.executable, "training/dpo.py", *words, "--output", str(output)]
        return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)

    whole = ended(tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    assert ended(tmp_path / "out", "atomic.written:5").returncode == -signal.SIGKILL
    done = ended(tmp_path / "out")
    assert "refiner: goes on after step 1" in done.stderr
    curves = [json.loads(each.stdout)["policies"]["refiner"]["curve"] for each in (whole, done)]
    assert len(curves[0]) == 5 and curves[1] == pytest.approx(curves[0], abs=1e-6)
    one, other = (load_file(tmp_path / name / "refiner" / WEIGHTS) for name in ("whole", "out"))
    assert all(torch.allclose(each, other[name], atol=1e-6, rtol=0) for name, each in one.items())


def test_a_fit_that_forgets_its_moments_is_another(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control of the two above."""
    keep, settings = Keep(tmp_path), replace(SETTINGS, save_every=2)
    whole = fit(pairs_of(0), tiny, settings, Preference(), keep=keep)

    def forgetful(*arguments: Any) -> Any:
        found = newest(*arguments)
        assert found is not None
        return replace(found, optimiser={name: torch.zeros_like(each) for name, each in found.optimiser.items()})

    assert losses(fit(pairs_of(0), tiny, settings, Preference(), keep=keep)) == pytest.approx(losses(whole), abs=1e-6)
    monkeypatch.setattr(loop, "newest", forgetful)
    again = fit(pairs_of(0), tiny, settings, Preference(), keep=keep)
    assert losses(again) != pytest.approx(losses(whole), abs=1e-6)


def test_figures_go_to_tensorboard(
    run: Path, tmp_path: Path, tiny: Path, start: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--roles", "refiner", "--epochs", 3, "--lr", 1e-3, "--report-to", "tensorboard")
    if find_spec("tensorboard") is None:
        with pytest.raises(AssertionError, match=r"tensorboard is not installed; fix: pip install"):
            start(tmp_path / "out", *options)
        pytest.skip("tensorboard is not installed; that it is asked for in one line was tested")
    done = start(tmp_path / "out", *options)["policies"]["refiner"]
    (folder,) = {file.parent for file in (tmp_path / "out" / dpo.CURVES / "refiner").rglob("events.*")}
    reader = import_module("tensorboard.backend.event_processing.event_accumulator")
    events = reader.EventAccumulator(str(folder)).Reload()
    assert [event.value for event in events.Scalars("loss")] == pytest.approx(done["curve"], abs=1e-6)
    assert [event.value for event in events.Scalars("margin")][-1] == pytest.approx(done["margin"], abs=1e-6)
    assert [event.step for event in events.Scalars("lr")] == [1, 2, 3]
    assert set(Figures._fields) | {"lr"} <= set(events.Tags()["scalars"])


def test_pairs_for_others(run: Path, tmp_path: Path, tiny: Path, start: Callable[..., Any]) -> None:
    folder = tmp_path / "pairs"
    said = start(tmp_path / "out", "--export-rows", folder)
    assert said["pairs"] == 10 and not (tmp_path / "out").exists()
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlicense: apache-2.0\n")
    assert "| pairs | 10 |" in card and "| of policy verifier | 5 |" in card and "| base digest |" in card
    found = load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert found[0]["prompt_ids"] == [60, 71, 71] and found[0]["chosen_ids"] == [80, 2]
    assert {"prompt", "chosen", "rejected", "role", "run", "state"} <= set(found.column_names)
    with pytest.raises(AssertionError, match="expected an empty folder or none"):
        start(tmp_path / "out", "--export-rows", folder)


def test_what_cannot_be_used_is_refused_in_one_line(
    run: Path, tmp_path: Path, tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tests = branched(tmp_path / "tests", 1, split="test")
    cases = [
        ((tmp_path / "none",), "is no run folder"),
        ((tests,), "expected no item of a test split, got 1 of 1"),
        ((run, "--gap", "1.5"), "got none in"),
        ((run, "--roles", "verifer"), "unknown role 'verifer'; did you mean 'verifier'?"),
        ((run, "--credit", "none"), "a pair is a difference of values"),
        ((run, "--beta", "0"), "expected --beta > 0, got 0.0"),
        ((run, "--keep", "0"), "0 < keep <= 1"),
        ((run, "--over", "nan"), "expected finite --over"),
        ((run, "--select", "worst"), "argument --select: invalid choice"),
        ((run, "--trainer", "trl", "--report-to", "tensorboard"), "--trainer trl and --report-to tensorboard exclude"),
        ((run, "--save-every", "-1"), "expected --save-every >= 0, got -1"),
        ((run, "--init", "x", "--rank", "4"), "--rank and --init exclude each other"),
        ((run, "--init", str(tmp_path / "out")), "expected another --output than --init"),
        ((run, "--held-out", str(run)), "expected no training row of a held-out task, got 10"),
        ((run, "--model", "tinny"), "unknown model 'tinny'; did you mean 'tiny'?"),
    ]
    for (folder, *more), message in cases:
        words = ["--trajectories", folder, "--output", tmp_path / "out", "--model", "tiny", *more]
        assert dpo.main([str(word) for word in words]) == 2, message
        printed = capsys.readouterr()
        assert message in printed.err
        assert printed.err.startswith("error: ") and printed.err.count("\n") == 1 and printed.out == ""
    assert not (tmp_path / "out").exists()
