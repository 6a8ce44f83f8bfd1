"""Learning from pairs on `tiny`: TRL's numbers are those of a slow second way, and nothing but the pairs decides."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import load_dataset
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from orchestra.errors import BadData, BadInput, RunFailed, UnknownName
from orchestra.learning.adapters import bind, read_manifest
from orchestra.learning.dpo import Fit, Masked, fit, plan
from orchestra.learning.preference import Preference
from orchestra.learning.reference import logprobs
from orchestra.learning.settings import Settings
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
"""Eleven pairs in steps of eight: the second and the fourth step are filled up."""
WEIGHTS = "adapter_model.safetensors"


def losses(done: Fit) -> list[float]:
    return [figures.loss for figures in done.curve]


def digest(done: Fit, folder: Path, base: Path) -> str:
    folder.mkdir()
    save(done.model, folder, base=base, base_name="tiny", state=done.state)
    return file_sha256(folder / WEIGHTS)


@pytest.mark.parametrize(
    ("preference", "forced"),
    [
        (Preference(), False),
        (Preference(beta=0.5), True),
        (Preference(alpha=1.0), True),
        (Preference(alpha=0.5, norm="completion"), True),
    ],
)
def test_every_step_is_that_of_a_slow_second_way(tiny: Path, preference: Preference, forced: bool) -> None:
    pairs = pairs_of(0, forced=forced)
    done = fit(pairs, tiny, SETTINGS, preference)
    curve, weights = slowly(pairs, tiny, SETTINGS, preference)
    assert losses(done) == pytest.approx(curve, abs=1e-5)
    trained = dict(done.model.named_parameters())
    assert all(torch.allclose(trained[name], each, atol=1e-5) for name, each in weights.items())
    if forced:  # control: counting forced tokens gives another loss
        free = [
            replace(p, chosen_mask=(1,) * len(p.chosen_ids), rejected_mask=(1,) * len(p.rejected_ids)) for p in pairs
        ]
        assert slowly(free, tiny, SETTINGS, preference)[0] != pytest.approx(curve, abs=1e-3)


def test_at_the_start_policy_and_reference_are_one(tiny: Path, tmp_path: Path) -> None:
    first = fit(pairs_of(0), tiny, replace(SETTINGS, lr=5e-3, epochs=4), Preference())
    assert first.curve[0].loss == pytest.approx(log(2), abs=1e-6)
    assert first.curve[0].margin == pytest.approx(0, abs=1e-6)
    assert digest(first, tmp_path / "first", tiny)
    again = fit(pairs_of(0), tiny, SETTINGS, Preference(), init=tmp_path / "first")
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


def test_figures_of_a_step_are_of_its_pairs_alone(tiny: Path) -> None:
    done = fit(pairs_of(0), tiny, replace(SETTINGS, lr=5e-3, epochs=3), Preference())
    assert [len(done.curve), done.tokens] == [
        6,
        3 * sum(2 * len(p.prompt_ids) + len(p.chosen_ids) + 4 for p in pairs_of(0)),
    ]
    for figures in done.curve[2:]:
        assert figures.accuracy == 1.0
        assert figures.margin == pytest.approx(0.2 * (figures.chosen_shift - figures.rejected_shift), rel=1e-3)


def test_micro_batches_change_nothing(tiny: Path) -> None:
    whole = fit(pairs_of(0), tiny, SETTINGS, Preference(alpha=1.0))
    parts = fit(pairs_of(0), tiny, replace(SETTINGS, max_tokens_per_step=24), Preference(alpha=1.0))
    assert losses(whole) == pytest.approx(losses(parts), abs=1e-5)


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


def test_the_base_stays_as_it_was(tiny: Path) -> None:
    done = fit(pairs_of(0), tiny, SETTINGS, Preference())
    stored = load_file(tiny / "model.safetensors")
    now = {name.replace(".base_layer", ""): each for name, each in done.model.get_base_model().named_parameters()}
    assert all(torch.equal(now[name], each.float()) for name, each in stored.items())
    assert not any(".ref." in name for name in done.state), "TRL's copy of the start is not kept"


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
    assert {len(step) for step in steps} == {batch}
    assert Counter(at for step in steps for at in step if at is not None) == dict.fromkeys(range(count), epochs)
    assert sum(at is None for step in steps for at in step) == epochs * (-count % batch)


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
    with pytest.raises(RunFailed, match=r"got nan in step \d of pairs t\d+/"):
        fit(pairs_of(0, 3), tiny, replace(SETTINGS, lr=1e38, epochs=4), Preference())
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(BadInput, match="expected a batch that 3 processes can share, got 8"):
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
