"""A step of reinforcement, ours beside TRL's GRPOTrainer: seconds by parts, rows dropped, peak memory, equal gradients.

    python -m scripts.bench.reinforcement [--model smollm2] [--benchmark arith:add2] [--tasks 8] [--draws 8]
                                          [--steps 3] [--turns 3] [--threads N] [--only CASE,...] [--json]

`solo` is one agent, which TRL can train too: the same tasks in the same order, the same prompts and draws of each, the
same tokens that end a reply, rewards, objective, LoRA and AdamW; bf16 base, no checkpointing of activations. TRL draws
by `generate`, we by the local model. With a price of `kl` all rows are read, and once more for the reference; without
one we drop those that have no advantage. `chain` is MALT's team of three adapters, which TRL has no word for.

    rollout     drawing the replies of a step; ours are journaled as they are drawn
    reference   their log-probabilities at the start of training
    update      forward, backward, AdamW; ours has read the log-probabilities before the step by a pass of their own
    rest        rewards and advantages; ours also a checkpoint, and the version that the next rollout is drawn with

Every run is a process of its own, the trainers by turns, every second time backwards; the first step of a run is not
counted. Medians are shown, over the steps of all turns. Before that each takes one step on the same replies, in fp32
from an adapter that has left its start: the benchmark fails where the losses differ by more than 1e-5, or the gradients
by more than that share of their largest entry.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any, Final, NamedTuple

import torch
from datasets import Dataset  # type: ignore[import-untyped]
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer

from orchestra.evaluation.benchmark import Score
from orchestra.learning import Settings, launcher
from orchestra.learning.quiet import quiet
from orchestra.learning.rl.experience import Batch
from orchestra.learning.rl.learner import Figures
from orchestra.models import names
from orchestra.training import _options, _reinforce_options, _rollouts, grpo
from orchestra.training._reinforce import Reinforcement
from orchestra.training._team import Manner, roles
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Task, View
from scripts.bench.engine import machine
from scripts.bench.training import Kept, moved, peak_mb

OURS: Final = "orchestra"
TRL: Final = "trl"
SAME: Final = "same"
"""Both, on the same replies."""
APART = 1e-5
"""More than this is another loss, more than this share of the largest entry another gradient."""
SPEAKER: Final = "generator"
"""The policy of `solo`."""


class Case(NamedTuple):
    name: str
    team: str
    kl: float
    trainers: tuple[str, ...] = (OURS, TRL)


CASES: Final = (Case("solo-kl", "solo", 0.04), Case("solo", "solo", 0.0), Case("chain-kl", "chain", 0.04, (OURS,)))


class Step(NamedTuple):
    """What one step took and had."""

    rollout: float
    reference: float
    update: float
    whole: float
    """Seconds, from the end of the step before."""
    tokens: int
    """Sampled ones."""
    rows: int
    dropped: int
    """Rows that nobody read to learn from."""
    reward: float
    """Mean over the tasks."""


class Taken(NamedTuple):
    """One run."""

    steps: list[Step]
    """But the first."""
    megabytes: float


@dataclass(frozen=True, slots=True)
class Result:
    """One trainer on one case; medians over steps, or means over them where it says so."""

    case: str
    trainer: str
    tokens_per_s: float
    """Of the rollout."""
    rows_per_s: float
    """Of the update, rows that it reads; 0.0 where it dropped all."""
    rollout: float
    reference: float
    update: float
    rest: float
    whole: float
    rows: float
    """Of a step, mean."""
    tokens: float
    """Of a row, mean."""
    dropped: float
    """Rows of a step, mean."""
    reward: float
    """Mean."""
    megabytes: float


class Watch:
    """Seconds and counts of each step, by the names that they are given."""

    def __init__(self) -> None:
        self.steps: list[Mapping[str, float]] = []
        self._now: dict[str, float] = defaultdict(float)
        self._began = time.perf_counter()

    def over(
        self,
        thing: Any,
        method: str,
        name: Callable[[Mapping[str, Any]], str],
        counted: Callable[[Any], Mapping[str, int]] = lambda _: {},
    ) -> None:
        """From here on calls of a method are timed, under a name of its keyword arguments, and its results counted."""
        plain = getattr(thing, method)

        def timed(*given: Any, **named: Any) -> Any:
            span, began = name(named), time.perf_counter()
            found = plain(*given, **named)
            self._now[span] += time.perf_counter() - began
            for what, count in counted(found).items():
                self._now[what] += count
            return found

        setattr(thing, method, timed)

    def end(self) -> None:
        """Ends a step."""
        now = time.perf_counter()
        self._now["whole"] = now - self._began
        self.steps.append(self._now)
        self._now, self._began = defaultdict(float), now


class Ends(TrainerCallback):
    """TRL's steps."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.watch.end()


def recipe(options: argparse.Namespace, case: Case, folder: Path, *more: str) -> argparse.Namespace:
    """The recipe's options of a case, which both trainers go by; the objective is one that TRL has as well."""
    words = ["--output", str(folder), "--model", options.model, "--team", case.team, "--kl", str(case.kl)]
    words += ["--benchmark", options.benchmark, "--tasks", str(options.tasks), "--steps", str(options.steps)]
    words += ["--branch", str(options.draws) if case.team == "solo" else "4,2,2"]
    return grpo.parse([*words, "--normalise", "constant", "--dual", "0", "--importance", "0", *more])


def ours(given: argparse.Namespace, watch: Watch) -> list[Step]:
    run = Reinforcement("grpo", given, _reinforce_options.update(given), lambda *_: None)
    run.report = lambda what, *_: watch.end() if what.startswith("grpo:") else None  # not the drawing's own progress
    watch.over(_rollouts, "draw", lambda _: "rollout", _drawn)
    watch.over(run.learner.reader, "logprobs", lambda named: "reference" if named.get("reference") else "before")
    watch.over(run.learner, "learn", lambda _: "learn")
    run.run()
    return [
        Step(
            spent["rollout"],
            spent["reference"],
            spent["learn"] - spent["reference"],
            spent["whole"],
            int(spent["tokens"]),
            told["rows"],
            told["rows"] - told["kept"],
            told["reward"],
        )
        for spent, told in zip(watch.steps, run.curve, strict=True)
    ]


def _drawn(trees: Sequence[tuple[int, Trajectory]]) -> Mapping[str, int]:
    said = [each.completion for _, tree in trees for each in tree.decisions]
    return {"tokens": sum(len(each.output_ids or ()) for each in said if each is not None)}


def theirs(given: argparse.Namespace, watch: Watch) -> list[Step]:
    with quiet():
        trainer = peer(given, paid, callbacks=[Ends(watch)])
        watch.over(trainer, "_generate", lambda _: "rollout", _generated)
        scored = "_get_per_token_logps_and_entropies"
        watch.over(trainer, scored, lambda _: "forward" if torch.is_grad_enabled() else "reference")
        watch.over(trainer, "_prepare_inputs", lambda _: "prepared")
        trainer.train()
    told = [entry for entry in trainer.state.log_history if "reward" in entry]
    return [
        Step(
            spent["rollout"],
            spent["reference"],
            spent["whole"] - spent["prepared"],
            spent["whole"],
            int(spent["tokens"]),
            int(spent["rows"]),
            0,
            each["reward"],
        )
        for spent, each in zip(watch.steps, told, strict=True)
    ]


def _generated(found: tuple[Any, ...]) -> Mapping[str, int]:
    said: Sequence[Sequence[int]] = found[1]
    return {"tokens": sum(map(len, said)), "rows": len(said)}


def peer(
    given: argparse.Namespace,
    reward: Callable[..., Any],
    *,
    rollout: Callable[..., Any] | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> Any:
    """TRL's trainer by the recipe's options. It draws by itself where there is no `rollout`."""
    update, base = _reinforce_options.update(given), names.folder(given.model)
    tokenizer: Any = AutoTokenizer.from_pretrained(base, local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=launcher.dtype(update.precision), local_files_only=True)
    model.generation_config.eos_token_id = endings(tokenizer, model.generation_config.eos_token_id)
    asked, draws = prompts(given), int(given.branch)
    rows = given.tasks * draws
    ids = (tokenizer.apply_chat_template(each["prompt"], add_generation_prompt=True)["input_ids"] for each in asked)
    longest = max(map(len, ids)) + given.max_tokens
    fits = max(1, Settings().max_tokens_per_step // longest)
    micro = max(n for n in range(1, rows + 1) if rows % n == 0 and n <= fits)
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=reward,
        args=GRPOConfig(
            output_dir=str(given.output),
            **launcher.arguments(update.precision),
            gradient_checkpointing=False,
            per_device_train_batch_size=micro,
            gradient_accumulation_steps=rows // micro,
            num_generations=draws,
            max_completion_length=given.max_tokens,
            temperature=given.temperature,
            loss_type="dr_grpo",
            scale_rewards="none",
            beta=update.kl,
            use_bias_correction_kl=False,
            epsilon=update.low,
            epsilon_high=update.high,
            learning_rate=update.lr,
            lr_scheduler_type="constant",
            max_grad_norm=update.clip,
            max_steps=given.steps,
            shuffle_dataset=False,
            seed=update.seed,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list(asked),
        processing_class=tokenizer,
        callbacks=list(callbacks),
        peft_config=LoraConfig(
            r=update.rank, lora_alpha=2 * update.rank, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
        rollout_func=rollout,
    )
    trainer.remove_callback(PrinterCallback)  # it writes to stdout, which is the parent's
    return trainer


def prompts(given: argparse.Namespace) -> list[dict[str, Any]]:
    """A row of TRL's data set for each task of the recipe's steps, in order."""
    benchmark = _options.benchmark(given.benchmark)
    wanted = given.shots + given.steps * given.tasks
    tasks = list(benchmark.sample(wanted, split="train", seed=given.seed, level=given.level))
    shown, asked = tasks[: given.shots], tasks[given.shots :]
    speaker = roles(shown, Manner(max_tokens=given.max_tokens, system=given.system), asked[0].kind)[SPEAKER]
    return [
        {
            "prompt": [{"role": role, "content": said} for role, said in speaker.request(View(task.prompt)).messages],
            "benchmark": given.benchmark,
            "task": task.prompt,
            "gold": str(task.gold),
            "kind": task.kind,
        }
        for task in asked
    ]


def endings(tokenizer: Any, ends: int | Sequence[int]) -> list[int]:
    """The tokens that end a reply: those of the model, and any with a line break, as roles of the recipe stop there."""
    lines = [token for token in range(len(tokenizer)) if "\n" in tokenizer.decode([token])]
    return sorted({*([ends] if isinstance(ends, int) else ends), *lines})


def paid(
    completions: Sequence[Sequence[Mapping[str, str]]], benchmark: Sequence[str], task: Sequence[str],
    gold: Sequence[str], kind: Sequence[Any], **_: Any,
) -> list[float]:  # fmt: skip
    """What the benchmark pays for each reply, as TRL asks for it."""
    score = _options.benchmark(benchmark[0]).score
    tasks = [Task("", asked, gold=right, kind=sort) for asked, right, sort in zip(task, gold, kind, strict=True)]
    texts = [said[0]["content"].partition("\n")[0] for said in completions]
    return [score(one, text).strict or 0.0 for one, text in zip(tasks, texts, strict=True)]


class ByLength:
    """A benchmark that pays for the length of replies, so that draws differ in worth whatever the model knows."""

    def __init__(self, own: Any) -> None:
        self._own = own

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def score(self, task: Task, text: str | None) -> Score:
        worth = len(text or "") % 7 / 6
        return Score(worth, worth, parsed=True)


class Learnt(NamedTuple):
    """What one step over the same replies came to."""

    loss: float
    gradient: Mapping[str, torch.Tensor]
    """By the names of TRL's parameters, not clipped."""


def both(options: argparse.Namespace, folder: Path) -> tuple[Learnt, Learnt]:
    """Ours and TRL's of the replies that our step drew: TRL reads its prompts and reckons advantages by itself."""
    one = argparse.Namespace(**{**vars(options), "steps": 1})
    given = recipe(one, CASES[0], folder, "--precision", "fp32", "--clip", "1e9")
    run = Reinforcement("grpo", given, _reinforce_options.update(given), lambda *_: None)
    run.benchmark = ByLength(run.benchmark)
    moved(run.learner.policies.model)
    parameters = {_named(name): each for name, each in run.learner.policies.parameters(SPEAKER).items()}
    start = {name: each.detach().clone() for name, each in parameters.items()}
    batches: list[Batch] = []
    learn = run.learner.learn

    def kept(batch: Batch, step: int) -> Figures:
        batches.append(batch)
        return learn(batch, step)

    run.learner.learn = kept  # type: ignore[method-assign]
    own = run.run()["loss_first"]
    gradient = {name: each.grad for name, each in parameters.items() if each.grad is not None}
    seen = Kept()
    with quiet():
        trainer = peer(given, lambda earned, **_: earned, rollout=replay(batches[0]), callbacks=[seen])
        with torch.no_grad():
            for name, each in trainer.model.named_parameters():
                if each.requires_grad:
                    each.copy_(start[name])
        trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return Learnt(own, gradient), Learnt(losses[0], seen.gradient)


def _named(name: str) -> str:
    """Of a parameter of our first policy, as TRL calls it."""
    return name.replace(".p0.", ".default.")


def replay(batch: Batch) -> Callable[[Sequence[Any], Any], Mapping[str, Any]]:
    """A rollout for TRL of replies that were drawn, with what each earned. Raises KeyError where it asks otherwise."""
    drawn: dict[tuple[int, ...], list[tuple[tuple[int, ...], tuple[float, ...], float]]] = defaultdict(list)
    for path in batch.paths:
        (place,) = path.places
        each = batch.experiences[place]
        cut = len(each.row.input_ids) - each.tokens
        drawn[each.row.input_ids[:cut]].append((each.row.input_ids[cut:], each.logprobs, path.reward))
    waiting = dict(drawn)

    def rollout(prompts: Sequence[Any], trainer: Any) -> Mapping[str, Any]:
        asked = trainer._tokenize_prompts(prompts)[0]
        said, logprobs, earned = zip(*(waiting[tuple(ids)].pop() for ids in asked), strict=True)
        names = ("prompt_ids", "completion_ids", "logprobs", "earned")
        return dict(zip(names, (asked, list(said), list(logprobs), list(earned)), strict=True))

    return rollout


def apart(one: Learnt, other: Learnt) -> tuple[float, float]:
    """How far the losses are apart, and the gradients as a share of their largest entry.

    Advantages of a group add up to 0, so that the loss may be next to nothing and is no measure of itself.
    """
    if one.gradient.keys() != other.gradient.keys():
        raise AssertionError(f"gradients of other parameters: {min(one.gradient.keys() ^ other.gradient.keys())}")
    largest = max(float(each.abs().max()) for each in other.gradient.values())
    worst = max(float((each - other.gradient[name]).abs().max()) for name, each in one.gradient.items())
    return abs(one.loss - other.loss), worst / largest


def same(one: Learnt, other: Learnt) -> tuple[float, float]:
    """`apart`. Raises AssertionError where it is too far, or where there was nothing to compare."""
    if not other.loss or not any(bool(each.any()) for each in other.gradient.values()):
        raise AssertionError("no loss or gradient to compare; fix: more --tasks or --draws")
    loss, gradient = apart(one, other)
    if not max(loss, gradient) <= APART:
        raise AssertionError(f"loss differs by {loss:.1e}, gradient by {gradient:.1e} of its largest entry")
    return loss, gradient


def child(options: argparse.Namespace) -> None:
    """What --child names, in this process; a JSON list on stdout."""
    case = next(case for case in CASES if case.name == options.only.split(",")[0])
    with tempfile.TemporaryDirectory() as scratch:
        if options.child == SAME:
            print(json.dumps(same(*both(options, Path(scratch)))))
            return
        take = ours if options.child == OURS else theirs
        steps = take(recipe(options, case, Path(scratch)), Watch())
    print(json.dumps(Taken(steps[1:], peak_mb())))


def said(what: str, options: argparse.Namespace, case: Case = CASES[0]) -> list[Any]:
    """What a process of its own says. Raises SystemExit with its last line where it fails."""
    words = ["--child", what, "--only", case.name, "--model", options.model, "--threads", str(options.threads)]
    words += ["--benchmark", options.benchmark, "--tasks", str(options.tasks), "--draws", str(options.draws)]
    words += ["--steps", str(options.steps)]
    command = [sys.executable, "-m", "scripts.bench.reinforcement", *words]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TRL_EXPERIMENTAL_SILENCE": "1"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)  # noqa: S603  (this file)
    if done.returncode:
        raise SystemExit(f"{case.name}, {what}: {done.stderr.strip().splitlines()[-1]}")
    found: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def taken(case: Case, trainer: str, options: argparse.Namespace) -> Taken:
    steps, megabytes = said(trainer, options, case)
    return Taken([Step(*each) for each in steps], megabytes)


def result(case: Case, trainer: str, turns: Sequence[Taken]) -> Result:
    """Medians over the steps of all turns."""
    steps = [step for turn in turns for step in turn.steps]
    return Result(
        case.name,
        trainer,
        median(step.tokens / step.rollout for step in steps),
        median((step.rows - step.dropped) / step.update for step in steps),
        median(step.rollout for step in steps),
        median(step.reference for step in steps),
        median(step.update for step in steps),
        median(step.whole - step.rollout - step.reference - step.update for step in steps),
        median(step.whole for step in steps),
        mean(step.rows for step in steps),
        sum(step.tokens for step in steps) / sum(step.rows for step in steps),
        mean(step.dropped for step in steps),
        mean(step.reward for step in steps),
        median(turn.megabytes for turn in turns),
    )


def measure(cases: Sequence[Case], options: argparse.Namespace) -> list[Result]:
    turns: dict[tuple[str, str], list[Taken]] = defaultdict(list)
    for turn in range(options.turns):
        for case in cases:
            for trainer in case.trainers[:: -1 if turn % 2 else 1]:
                turns[case.name, trainer].append(taken(case, trainer, options))
    return [result(case, trainer, turns[case.name, trainer]) for case in cases for trainer in case.trainers]


def table(results: Sequence[Result]) -> str:
    names = "case, trainer, rollout tokens/s, update rows/s, rollout s, reference s, update s, rest s, step s"
    heads = [*names.split(", "), "rows x tokens", "dropped", "reward", "peak MB"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for r in results:
        seconds = " | ".join(f"{each:.2f}" for each in (r.rollout, r.reference, r.update, r.rest, r.whole))
        shape = f"{r.rows:.0f} x {r.tokens:.1f} | {r.dropped:.1f} | {r.reward:.3f} | {r.megabytes:.0f}"
        lines.append(f"| {r.case} | {r.trainer} | {r.tokens_per_s:.0f} | {r.rows_per_s:.1f} | {seconds} | {shape} |")
    peers = {r.case: r.whole for r in results if r.trainer == TRL}
    ratios = [
        f"{r.case} {peers[r.case] / r.whole:.2f}x ({r.dropped:.0f} of {r.rows:.0f} rows dropped)"
        for r in results
        if r.trainer == OURS and r.case in peers
    ]
    return "\n".join([*lines, *([f"a step of TRL's beside ours: {', '.join(ratios)}"] if ratios else [])])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--model", default="smollm2")
    add("--benchmark", default="arith:add2", help="where tasks and rewards come from")
    add("--tasks", type=int, default=8, help="of a step")
    add("--draws", type=int, default=8, help="of each task, by the one agent; the chain has 4,2,2")
    add("--steps", type=int, default=3, help="of a run, the first of which is not counted")
    add("--turns", type=int, default=3)
    add("--threads", type=int, default=torch.get_num_threads())
    add("--only", metavar="CASE,...", default=",".join(case.name for case in CASES))
    add("--json", action="store_true")
    add("--child", choices=(OURS, TRL, SAME), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := {*options.only.split(",")} - {case.name for case in CASES}:
        parser.error(f"argument --only: no {min(unknown)!r}; there are {', '.join(case.name for case in CASES)}")
    if options.draws < 2 or options.steps < 2 or min(options.tasks, options.turns) < 1:
        parser.error("expected --draws and --steps of 2 or more, --tasks and --turns of 1 or more")
    return options


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    if options.child:
        child(options)
        return
    names.folder(options.model)  # downloaded here where it must be: the others are offline
    loss, gradient = said(SAME, options)
    wanted = options.only.split(",")
    results = measure([case for case in CASES if case.name in wanted], options)
    if options.json:
        given = ("model", "benchmark", "tasks", "draws", "steps", "turns", "threads")
        shape = {name: getattr(options, name) for name in given}
        equal = {"loss_apart": loss, "gradient_apart": gradient}
        print(json.dumps({**shape, **equal, "results": [asdict(each) for each in results], "machine": machine()}))
    else:
        print(table(results))
        print(f"the same replies: loss apart {loss:.1e}, gradient {gradient:.1e} of its largest entry")
        print(", ".join(f"{name} {value}" for name, value in machine().items()))


if __name__ == "__main__":
    main()
