"""The benchmark of reinforcement: what is timed and paid, how runs add up, and that a wrong gradient ends it."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from orchestra.learning.rl.experience import Batch, Experience
from orchestra.learning.rl.experience import Path as Leaf
from orchestra.learning.row import IGNORED, Row
from orchestra.training import _rollouts
from orchestra.types import Key
from scripts.bench import reinforcement as bench
from scripts.bench.reinforcement import OURS, TRL, Learnt, Step, Taken

LETTERS = Path(__file__).resolve().parents[1] / "training" / "letters.py"


def learnt(loss: float, *gradient: float) -> Learnt:
    return Learnt(loss, {"weight": torch.tensor(gradient)})


def test_the_same_step_passes_and_says_how_far_it_is_apart() -> None:
    loss, gradient = bench.same(learnt(2.0, 4.0, 0.0), learnt(2.0 + 1e-6, 4.0, -2e-5))
    assert (loss, gradient) == (pytest.approx(1e-6, rel=1e-6), pytest.approx(5e-6))


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (learnt(2.1, 4.0, 1.0), "loss differs by 1.0e-01"),
        (learnt(2.0, 4.0, 1.1), "gradient by 2.5e-02"),
        (learnt(float("nan"), 4.0, 1.0), "loss differs by nan"),
        (learnt(2.0, 0.0, 0.0), "no loss or gradient to compare"),
        (learnt(0.0, 4.0, 1.0), "no loss or gradient to compare"),
        (Learnt(2.0, {"bias": torch.ones(2)}), "other parameters: bias"),
    ],
)
def test_another_step_ends_the_benchmark(other: Learnt, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        bench.same(learnt(2.0, 4.0, 1.0), other)


def test_a_watch_sums_up_each_step_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 3.0, 3.0, 3.5, 4.0, 5.0, 6.0, 10.0])  # start; two calls, end; one call, end
    monkeypatch.setattr(bench.time, "perf_counter", lambda: next(clock))
    watch, thing = bench.Watch(), SimpleNamespace(read=lambda text, *, twice=False: text * (1 + twice))
    watch.over(thing, "read", lambda named: "twice" if named.get("twice") else "once", lambda found: {"n": len(found)})
    assert (thing.read("abc"), thing.read("abc", twice=True)) == ("abc", "abcabc")
    watch.end()
    thing.read("a")
    watch.end()
    assert watch.steps == [
        {"once": 2.0, "twice": 0.5, "n": 9, "whole": 4.0},
        {"once": 1.0, "n": 1, "whole": 6.0},
    ]


def test_a_run_is_summed_up_by_medians_of_its_steps() -> None:
    steps = [Step(1.0, 0.5, 2.0, 4.0, 80, 8, 4, 0.5), Step(2.0, 0.5, 1.0, 4.0, 80, 8, 0, 1.0)]
    slow = Step(100.0, 100.0, 100.0, 400.0, 80, 8, 8, 0.0)
    found = bench.result(bench.CASES[0], OURS, [Taken(steps, 10.0), Taken([slow], 30.0)])
    assert (found.rollout, found.reference, found.update, found.rest, found.whole) == (2.0, 0.5, 2.0, 0.5, 4.0)
    assert found.tokens_per_s == 40.0
    assert found.rows_per_s == 2.0, "the rows that were read: 4 in 2 s, 8 in 1 s, none in 100 s"
    assert (found.rows, found.tokens, found.dropped, found.reward, found.megabytes) == (8, 10, 4, 0.5, 20)


def test_trainers_take_turns_and_every_second_turn_is_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def taken(case: bench.Case, trainer: str, options: object) -> Taken:
        asked.append((case.name, trainer))
        whole = 4.0 if trainer == OURS else 6.0
        return Taken([Step(1.0, 0.0, 1.0, whole, 8, 8, 2, 0.5)], 10.0)

    monkeypatch.setattr(bench, "taken", taken)
    results = bench.measure(bench.CASES[1:], SimpleNamespace(turns=2))
    assert asked == [
        ("solo", OURS),
        ("solo", TRL),
        ("chain-kl", OURS),
        ("solo", TRL),
        ("solo", OURS),
        ("chain-kl", OURS),
    ]
    assert bench.table(results).splitlines()[-1] == "a step of TRL's beside ours: solo 1.50x (2 of 8 rows dropped)"


def test_trl_is_paid_by_the_benchmark_for_the_first_line() -> None:
    texts = ["Answer: 5\n", "Answer: 5", "Answer: 6\nAnswer: 5", "It is 5.", ""]
    asked = {"benchmark": ["arith:add2"] * 5, "task": ["2 + 3"] * 5, "gold": ["5"] * 5, "kind": ["number"] * 5}
    said = [[{"role": "assistant", "content": text}] for text in texts]
    assert bench.paid(said, **asked) == [1.0, 1.0, 0.0, 0.0, 0.0]


class Words:
    """A tokenizer of four tokens."""

    tokens = ("a", "\n", " b\n\n", "c")

    def __len__(self) -> int:
        return len(self.tokens)

    def decode(self, ids: list[int]) -> str:
        return "".join(self.tokens[token] for token in ids)


@pytest.mark.parametrize(("ends", "wanted"), [(3, [1, 2, 3]), ([0, 3], [0, 1, 2, 3])])
def test_replies_end_with_the_model_or_the_line(ends: int | list[int], wanted: list[int]) -> None:
    assert bench.endings(Words(), ends) == wanted


def experience(prompt: tuple[int, ...], said: tuple[int, ...]) -> Experience:
    row = Row("run", Key("state"), "solo", "solo", "task", prompt + said, (IGNORED,) * len(prompt) + said)
    return Experience(row, "solo", 0, (-1.0,) * len(said), 1.0, 1.0)


def test_trl_gets_each_reply_once_with_what_it_earned() -> None:
    drawn = (experience((1, 2), (7,)), experience((1, 2), (8, 9)), experience((3,), (7,)))
    batch = Batch(drawn, (Leaf((0,), 0.0), Leaf((1,), 1.0), Leaf((2,), 0.5)))
    rollout = bench.replay(batch)
    trainer = SimpleNamespace(_tokenize_prompts=lambda prompts: ([[int(n) for n in each] for each in prompts],))
    found = rollout(["3", "12", "12"], trainer)
    assert found["prompt_ids"] == [[3], [1, 2], [1, 2]]
    replies = zip(found["completion_ids"], found["logprobs"], found["earned"], strict=True)
    assert [*replies] == [((7,), (-1.0,), 0.5), ((8, 9), (-1.0, -1.0), 1.0), ((7,), (-1.0,), 0.0)]
    with pytest.raises(IndexError):
        rollout(["3"], trainer)
    with pytest.raises(KeyError):
        rollout(["4"], trainer)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "solo,duo"], "argument --only: no 'duo'; there are solo-kl, solo, chain-kl"),
        (["--draws", "1"], "expected --draws and --steps of 2 or more, --tasks and --turns of 1 or more"),
        (["--steps", "1"], "expected --draws and --steps of 2 or more, --tasks and --turns of 1 or more"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["reinforcement", *words])
    with pytest.raises(SystemExit, match="2"):
        bench.parse()
    assert capsys.readouterr().err.endswith(f"{said}\n")


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Namespace:
    """Of a run small enough for a test."""
    monkeypatch.setenv("ORCHESTRA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    monkeypatch.setattr(_rollouts, "draw", _rollouts.draw)  # a watch stays over it
    return Namespace(model="tiny", benchmark=str(LETTERS), tasks=1, draws=4, steps=2)


def test_one_step_on_the_same_replies_has_the_same_loss_and_gradient(options: Namespace, tmp_path: Path) -> None:
    one, other = bench.both(options, tmp_path)
    loss, gradient = bench.same(one, other)
    assert max(loss, gradient) <= bench.APART
    assert {name.rpartition("lora_")[2][0] for name, each in one.gradient.items() if each.any()} == {"A", "B"}


@pytest.mark.slow
@pytest.mark.parametrize("case", bench.CASES[:2], ids=lambda case: case.name)
def test_both_trainers_read_as_many_rows_for_the_same_tasks(
    case: bench.Case, options: Namespace, tmp_path: Path
) -> None:
    for trainer, take in ((OURS, bench.ours), (TRL, bench.theirs)):
        steps = take(bench.recipe(options, case, tmp_path / trainer), bench.Watch())
        assert [step.rows for step in steps] == [4, 4]
        for step in steps:
            assert 4 <= step.tokens <= 4 * 24
            assert 0 < step.rollout < step.rollout + step.reference + step.update < step.whole
            assert (step.reference > 0) == (case.kl > 0)
            assert 0 <= step.reward <= 1
            mixed = step.reward not in (0.0, 1.0)
            assert step.dropped == (0 if trainer == TRL or case.kl or mixed else 4)
