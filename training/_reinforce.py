"""The steps of learning by reinforcement, which every such recipe shares.

    step k:  trees with version k (--stale: k - 1) -> rewards -> credit -> update -> checkpoint -> version k + 1

A step is on disk before its weights are published, and what was drawn is journaled as it is drawn: a run that is killed
anywhere, in any process, goes on with the same command, and comes to the weights of one that never stopped.
"""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, Final, Protocol, runtime_checkable

from orchestra.atomic import write_atomic
from orchestra.credit import (
    Annotation,
    Baselines,
    Credit,
    Scored,
    Table,
    group_relative,
    masses,
    nested_mean,
    per_agent,
    per_call,
)
from orchestra.digest import canonical, digest
from orchestra.errors import BadData, BadInput, UnknownName
from orchestra.evaluation.benchmark import Benchmark
from orchestra.evaluation.rewards import OWN, TASK, VERDICT, earned, rule
from orchestra.learning import recipe
from orchestra.learning.adapters import base_digest, bind
from orchestra.learning.publishing import publish
from orchestra.learning.rl.experience import Batch, batch_of
from orchestra.learning.rl.settings import CHOICES, Update
from orchestra.learning.settings import CHOICES as SETTINGS
from orchestra.models import names
from orchestra.models.model import Model
from orchestra.models.progress import Report
from orchestra.training import _options, _rollouts
from orchestra.training._team import Manner, cast
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Task

CHECKPOINTS: Final = ".checkpoints"
STEPS: Final = "steps.jsonl"
"""In the output: figures of each step, a JSON object a line."""
CRITICS: Final = ("critic_lr", "gamma", "decay", "value_clip", "warmup", "clam")
"""Settings that mean something beside a critic alone."""
CURVES: Final = ".runs"
"""In the output: what `--report-to` writes."""
INDIFFERENT: Final = ("json", "output", "steps", "report_to")
"""Options that leave a step as it is."""


@runtime_checkable
class Dropping(Protocol):
    """A model that holds adapters in memory."""

    def drop(self, adapter: str) -> None:
        """Lets go of an adapter that no request will name again."""
        ...


class Reinforcement:
    """A run: team, tasks, learner, and the steps so far."""

    def __init__(self, name: str, options: Namespace, update: Update, report: Report) -> None:
        # Here: they take seconds to import, and refusing a wrong option none.
        from orchestra.learning.rl.learner import Learner  # noqa: PLC0415
        from orchestra.learning.rl.processes import accelerator  # noqa: PLC0415

        self.name, self.options, self.update, self.report = name, options, update, report
        self.output: Path = options.output
        self.benchmark: Benchmark = _options.benchmark(options.benchmark)
        wanted = options.shots + options.steps * options.tasks
        tasks = list(self.benchmark.sample(wanted, split="train", seed=options.seed, level=options.level))
        if len(tasks) < wanted:
            raise BadData(
                f"expected {wanted} training tasks of {self.benchmark.name}, got {len(tasks)}; fix: fewer --steps or "
                "--tasks"
            )
        self.shown, self.tasks = tasks[: options.shots], tasks[options.shots :]
        self.rounds = horizons(options.horizon)
        self.policies = self._cast(0).policies
        unknown = [each for each in options.learn or () if each not in self.policies]
        if unknown:
            raise BadInput(f"expected --learn of {', '.join(self.policies)}, got {unknown[0]!r}")
        if options.main is not None and options.main not in self.policies:
            raise UnknownName("--main", options.main, self.policies)
        self.learning = tuple(options.learn or self.policies)
        self.draws = draws(options.branch, options.usual_branch, self.policies)
        compared(self.draws, self.learning, options, update)
        base = names.folder(options.model, report)
        self.weights = base_digest(base)
        found = bind(options.init) if options.init else {}
        for each in found.values():
            recipe.parents(each, options.model, self.weights)
        self.starts = {policy: found[policy].folder for policy in self.policies if policy in found}
        self.parents = {
            policy: recipe.parents(found.get(policy), options.model, self.weights) for policy in self.learning
        }
        self.accelerator = accelerator(update, options.report_to, self.output / CURVES)
        self.accelerator.init_trackers("steps")
        self.learner = Learner(
            self.accelerator,
            base,
            self.learning,
            update,
            longest=options.max_tokens,
            temperature=options.temperature,
            starts={policy: self.starts[policy] for policy in self.learning if policy in self.starts},
        )
        self.model: Model = names.load_model(options.model)
        _rollouts.check(self.model)
        self.baselines = Baselines()
        self.curve: list[dict[str, Any]] = []

    @property
    def facts(self) -> dict[str, Any]:
        """What two runs must share for one to go on where the other stopped."""
        given = self._given()
        return {
            "recipe": self.name,
            "base": self.weights,
            "parents": {n: list(p) for n, p in self.parents.items()},
            **given,
        }

    def _given(self) -> dict[str, Any]:
        """The options that make a step what it is, as text."""
        return {name: str(value) for name, value in vars(self.options).items() if name not in INDIFFERENT}

    def run(self) -> dict[str, Any]:
        """All steps; what the recipe prints. Raises BadInput where another process of another run has the output."""
        from orchestra.learning.loop import alone  # noqa: PLC0415  (loads torch)

        with alone(self.output / CHECKPOINTS if self.accelerator.is_main_process else None):
            return self._run()

    def _run(self) -> dict[str, Any]:
        self._resume()
        ahead: Future[Any] | None = None
        with ThreadPoolExecutor(1) as beside:
            for step in range(len(self.curve), self.options.steps):
                began = time.monotonic()
                trees = _rollouts.gathered(ahead.result if ahead is not None else partial(self._draw, step))
                drawn = time.monotonic()
                ahead = None
                if self.options.stale and step + 1 < self.options.steps:
                    ahead = beside.submit(self._draw, step + 1)
                batch, figures = self._experience(trees)
                learnt = asdict(self.learner.learn(batch, step))
                done = time.monotonic()
                figures |= learnt
                figures |= {"rollout_s": round(drawn - began, 2), "update_s": round(done - drawn, 2)}
                self._keep({**figures, "baselines": self.baselines.plain()})
                self.report(f"{self.name}: reward {figures['reward']:.3f}", step + 1, self.options.steps)
        for tracker in self.accelerator.trackers:
            tracker.finish()
        if self.options.init and self.accelerator.is_main_process:  # so that one folder binds the team that was trained
            recipe.carry(self.options.init, self.output, self.learning)
        self.accelerator.wait_for_everyone()
        return self.result()

    def result(self) -> dict[str, Any]:
        """Figures of the whole run; `loss_first` and `loss_last` are the policies' losses, as recipes have them."""
        losses = [each["loss"] for each in self.curve]
        rewards = [each["reward"] for each in self.curve]
        return {
            "output": str(self.output),
            "steps": len(self.curve),
            "loss_first": recipe.ends(losses)[0],
            "loss_last": recipe.ends(losses)[1],
            "reward_first": recipe.ends(rewards)[0],
            "reward_last": recipe.ends(rewards)[1],
            "seconds": round(sum(each["rollout_s"] + each["update_s"] for each in self.curve), 1),
            "policies": {policy: {"version": len(self.curve)} for policy in self.learning},
            "curve": [{name: value for name, value in each.items() if name != "baselines"} for each in self.curve],
        }

    def _cast(self, step: int) -> Any:
        """The team of a step, without weights."""
        options = self.options
        manner = Manner(max_tokens=options.max_tokens, system=options.system)
        every = max(1, options.horizon_every)
        turns = self.rounds[min(step // every, len(self.rounds) - 1)]
        return cast(options.team, self.shown, self.tasks, manner, turns)

    def _tasks(self, step: int) -> Sequence[Task]:
        return self.tasks[step * self.options.tasks : (step + 1) * self.options.tasks]

    def _draw(self, step: int) -> list[tuple[int, Trajectory]]:
        """This process's trees of a step, with the weights that it is to be drawn with."""
        version = max(0, step - self.options.stale)
        own = _rollouts.bound(self.policies, self.model, version, self.output, self.starts)
        fixed = _rollouts.bound(self.policies, self.model, 0, self.output, self.starts)
        policies = {name: own[name] if name in self.learning else fixed[name] for name in self.policies}
        return _rollouts.draw(
            self._cast(step).make(policies, self.options.temperature),
            self.benchmark,
            self._tasks(step),
            self.output,
            mode=self.options.mode,
            draws=self.draws,
            seed=self.options.seed,
            step=step,
            progress=None if self.options.stale else partial(self.report, f"step {step + 1}: draw"),
        )

    def _experience(self, trees: Sequence[Trajectory]) -> tuple[Batch, dict[str, Any]]:
        """What a step learns from, and what it earned."""
        options = self.options
        scored = earned(trees, self.benchmark, options.rule)
        local = self._local()
        critic = self.update.critic != "none"
        tables = list(self._credit(local)(scored))
        mass = [masses(tree) for tree in trees]
        if not critic and options.per_agent:
            tables = per_agent(trees, tables)
        if not critic and options.per_call:
            mass = [per_call(tree, each) for tree, each in zip(trees, mass, strict=True)]
        pay = local(scored) if local and critic else []
        paid = [{key: row.value or 0.0 for key, row in table.rows.items()} for table in pay] or None
        batch = batch_of(scored, tables, mass, self.learning, local=paid)
        return batch, _earned(scored, batch)

    def _local(self) -> Credit | None:
        """What decisions are paid besides; nothing to --main, who answers for the whole."""
        if self.options.local == "none":
            return None
        pay, main = rule(self.options.local, TASK, self.benchmark), self.options.main
        return pay if main is None else but(pay, main)

    def _credit(self, local: Credit | None) -> Credit:
        options = self.options
        if self.update.critic != "none":
            return nested_mean()
        return group_relative(
            TASK,
            options.scale,
            by=options.group,
            single=options.single,
            alpha=options.alpha,
            local=local,
            baselines=self.baselines if options.single == "moving" else None,
        )

    def _keep(self, figures: dict[str, Any]) -> None:
        """Ends a step: a checkpoint, then the version that follows from it."""
        self.curve.append(figures)
        numbers = {name: value for name, value in figures.items() if isinstance(value, (int, float))}
        self.accelerator.log(numbers, step=len(self.curve))
        parameters, moments = self.learner.state()
        if self.accelerator.is_main_process:
            from orchestra.learning.checkpoints import Checkpoint, save  # noqa: PLC0415  (loads torch)

            save(self.output / CHECKPOINTS, Checkpoint(parameters, moments, tuple(self.curve)), self.facts)
            self._publish()
        self.accelerator.wait_for_everyone()
        if isinstance(self.model, Dropping):
            for policy in self.learning:
                self.model.drop(str(self.output / f"{policy}@{len(self.curve) - 1 - self.options.stale}"))

    def _publish(self) -> None:
        """Puts the weights after the newest step in force, where they are not yet."""
        step, last = len(self.curve), self.curve[-1]
        standing = recipe.standing(self.output)
        metrics = {name: value for name, value in last.items() if type(value) in (int, float)}
        for policy in self.learning:
            if policy not in standing or standing[policy].version < step:
                publish(
                    self.output,
                    policy,
                    partial(self.learner.policies.save, policy, base_name=self.options.model),
                    base_digest=self.weights,
                    data_digest=digest(canonical(self.facts), str(step)),
                    config={**self._given(), "recipe": self.name, "step": step, **asdict(self.update)},
                    metrics=metrics,
                    parents=tuple(self.parents[policy]),
                )
        lines = (json.dumps({n: v for n, v in each.items() if n != "baselines"}) for each in self.curve)
        write_atomic(self.output / STEPS, "".join(f"{line}\n" for line in lines).encode())

    def _resume(self) -> None:
        """Goes back to the newest whole step. Raises BadInput where the folder holds what another run published."""
        from orchestra.learning.checkpoints import newest  # noqa: PLC0415  (loads torch)

        first = self.accelerator.is_main_process
        found = newest(self.output / CHECKPOINTS, self.facts, _tell if first else lambda line: None)
        if found is None:
            if recipe.standing(self.output):
                raise BadInput(
                    f"expected an empty folder, or a run with these options, got {self.output}; fix: --output"
                )
            return
        self.learner.restore(found.adapter, found.optimiser)
        self.curve = list(found.curve)
        self.baselines = Baselines.read(self.curve[-1]["baselines"])
        if first:
            _tell(f"goes on after step {len(self.curve)}")
            self._publish()
        self.accelerator.wait_for_everyone()


def but(pay: Credit, role: str) -> Credit:
    """The rule, with no value for one role."""

    def credit(batch: Sequence[Scored]) -> Sequence[Table]:
        return [
            table._replace(
                rows={
                    d.key: Annotation(None) if d.role == role else table.rows[d.key] for d in each.trajectory.decisions
                }
            )
            for each, table in zip(batch, pay(batch), strict=True)
        ]

    return credit


def horizons(given: str) -> list[int]:
    """Rounds that the team may take, stage by stage (ScalingInter-RL, arXiv 2509.08755).

    >>> horizons("2,3")
    [2, 3]
    """
    try:
        found = [int(word) for word in given.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < 1:
        raise BadInput(f"expected --horizon of one or several numbers above 0, got {given!r}; fix: 1,2,3")
    return found


def draws(given: str | None, usual: str, policies: Sequence[str]) -> dict[str, int]:
    """Policy -> draws of each of its states, of --branch: one number for all, or one a policy; the `usual` ones where
    none are given, of one policy the first.

    >>> draws("4,2,1", "", ["generator", "verifier", "refiner"]), draws(None, "4,2,2", ["talker"])
    ({'generator': 4, 'verifier': 2, 'refiner': 1}, {'talker': 4})
    """
    try:
        numbers = [int(word) for word in (given or usual).split(",")]
    except ValueError:
        numbers = []
    numbers = numbers[: len(policies)] if given is None else numbers
    numbers = numbers * len(policies) if len(numbers) == 1 else numbers
    if len(numbers) != len(policies) or min(numbers) < 1:
        raise BadInput(
            f"expected --branch of one number, or of {len(policies)} ({', '.join(policies)}), got {given!r}; fix: 4"
        )
    return dict(zip(policies, numbers, strict=True))


def compared(draws: Mapping[str, int], learning: Sequence[str], options: Namespace, update: Update) -> None:
    """Raises BadInput where a policy that is to learn would never have anything to learn from, or wrongly."""
    if options.mode != "full" and len(set(draws.values())) > 1:
        raise BadInput(f"--mode {options.mode} draws alike for all, got --branch {options.branch}; fix: one number")
    if update.order == "sequential" and any(number > 1 for number in list(draws.values())[1:]):
        raise BadInput(
            "--order sequential corrects along single paths, so the first policy alone may have several draws, got "
            f"{','.join(map(str, draws.values()))}; fix: --branch {next(iter(draws.values()))}"
            f"{',1' * (len(draws) - 1)}, or --order joint"
        )
    if update.critic == "none" and options.group == "state" and options.single == "zero" and options.mode == "full":
        alone = [policy for policy in learning if draws[policy] == 1]
        if alone:
            others = [policy for policy in learning if policy not in alone]
            raise BadInput(
                f"{', '.join(alone)} would learn nothing, since a single draw is compared with nobody; fix: --branch "
                f"of 2 or more, --single moving{', or --learn ' + ' '.join(others) if others else ''}"
            )


def _earned(scored: Sequence[Scored], batch: Batch) -> dict[str, Any]:
    """Mean reward of leaves, of each task alike, and how many tasks have something to tell apart."""
    of_tasks = [[r for rewards in each.rewards if (r := rewards[TASK]) is not None] for each in scored]
    told = [each for each in of_tasks if each]
    return {
        "reward": fmean(fmean(each) for each in told) if told else 0.0,
        "mixed": fmean(min(each) < max(each) for each in told) if told else 0.0,
        "left_out": batch.left_out,
    }


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def common(parser: recipe.Parser, branch: str = "4,2,2") -> None:
    """The options of every such recipe but those of the update."""
    add = parser.add_argument
    add("--output", type=Path, required=True, metavar="DIR", help="where versions, journals and checkpoints go")
    add("--model", default="smollm2", help="the base: smollm2, tiny, hf:FOLDER or hf:ORG/NAME@REVISION")
    add("--init", type=Path, metavar="DIR", help="adapters to start from; a policy not in them starts from the base")
    add("--learn", nargs="+", metavar="POLICY", help="these policies alone; the others speak as they started")
    add("--team", choices=("chain", "talk", "solo"), default="chain", help="who learns (default chain)")
    add("--benchmark", default="arith:add2", metavar="NAME", help="of the shelf, NAME:FAMILY, or FILE.py")
    add("--level", type=int, default=1, help="difficulty of sampled tasks, 0 to 4 (default 1)")
    add("--shots", type=int, default=3, help="solved training tasks that prompts show (default 3)")
    add("--system", default="Answer the question.", help="what everyone is told first")
    add("--max-tokens", type=int, default=24, help="of a reply (default 24)")
    add("--temperature", type=float, default=1.0, help="of what is learnt from (default 1)")
    add("--steps", type=int, default=20, help="of the whole run (default 20); more later go on from there")
    add("--tasks", type=int, default=16, help="of a step (default 16)")
    add("--branch", metavar="N|N,N,...", help=f"draws of each state, or of each policy's (default {branch})")
    parser.set_defaults(usual_branch=branch)
    add("--mode", choices=("full", "aligned", "best"), default="full", help="how trees grow (default full)")
    add("--rule", choices=("strict", "flexible"), default="strict", help="what counts as right (default strict)")
    add("--local", choices=("none", VERDICT, OWN), default="none",
        help="what else is paid: a verdict that is right, or everyone's own words that are")  # fmt: skip
    add("--main", metavar="ROLE", help="who is paid for the team's success alone, without --local")
    add("--horizon", default="3", metavar="N|N,N,...", help="rounds of a talking team, stage by stage (default 3)")
    add("--horizon-every", type=int, default=10, metavar="STEPS", help="of a stage (default 10)")
    add("--stale", type=int, choices=(0, 1), default=0, help="1: the next trees are drawn while a step is taken")
    add("--report-to", choices=SETTINGS["report_to"], default="none", help="where each step's figures go too")
    add("--json", action="store_true", help="print one JSON object on stdout; progress goes to stderr")


def update(options: Namespace) -> Update:
    """The options of the update among these."""
    given = {each.name: getattr(options, each.name) for each in fields(Update) if hasattr(options, each.name)}
    return Update(**given)


def updating(parser: recipe.Parser, default: Update) -> None:
    """Options of the update; what they mean stands in `Update`. Those of a critic only where there is one."""
    add = parser.add_argument
    for each in fields(Update):
        if each.name == "critic" or (each.name in CRITICS and default.critic == "none"):
            continue
        usual, name = getattr(default, each.name), f"--{each.name.replace('_', '-')}"
        if each.name in CHOICES:
            add(name, choices=CHOICES[each.name], default=usual, help=f"(default {usual})")
        else:
            add(name, type=type(usual), default=usual, help=f"(default {usual:g})")


def check(options: Namespace) -> None:
    """Raises BadInput for counts below 1, a temperature of 0, or options of the update that cannot be."""
    for name in ("steps", "tasks", "max_tokens", "horizon_every"):
        if getattr(options, name) < 1:
            raise BadInput(f"expected --{name.replace('_', '-')} >= 1, got {getattr(options, name)}")
    if options.temperature <= 0 or options.shots < 0:
        raise BadInput(
            f"expected --temperature > 0 and --shots >= 0, got {options.temperature:g} and {options.shots}; "
            "fix: --temperature 1"
        )
    if len(horizons(options.horizon)) > 1 and options.team != "talk":
        raise BadInput(f"--horizon is of a team that talks, got --team {options.team}; fix: --team talk")
    update(options)


def summary(result: Mapping[str, Any]) -> str:
    """Reward at both ends, and where the weights are."""
    return (
        f"{result['steps']} steps, {result['seconds']:.0f} s: reward {result['reward_first']:.3f} -> "
        f"{result['reward_last']:.3f}\nversions of {', '.join(result['policies'])} in {result['output']}"
    )
