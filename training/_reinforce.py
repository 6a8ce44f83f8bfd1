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
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from orchestra.atomic import write_atomic
from orchestra.credit import Baselines
from orchestra.digest import canonical, digest
from orchestra.errors import BadData, BadInput, UnknownName
from orchestra.evaluation.benchmark import Benchmark
from orchestra.learning import recipe
from orchestra.learning.adapters import base_digest, bind
from orchestra.learning.publishing import publish
from orchestra.learning.rl.settings import Update
from orchestra.models import names
from orchestra.models.model import Model
from orchestra.models.progress import Report
from orchestra.training import _options, _rollouts
from orchestra.training._pay import Pay
from orchestra.training._reinforce_options import compared, draws, horizons
from orchestra.training._team import Manner, cast
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Task

CHECKPOINTS: Final = ".checkpoints"
STEPS: Final = "steps.jsonl"
"""In the output: figures of each step, a JSON object a line."""
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
        self.pay = Pay(self.benchmark, self.learning, options, update)
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
                batch, figures = self.pay(trees)
                learnt = asdict(self.learner.learn(batch, step))
                done = time.monotonic()
                figures |= learnt
                figures |= {"rollout_s": round(drawn - began, 2), "update_s": round(done - drawn, 2)}
                self._keep({**figures, "baselines": self.pay.baselines.plain()})
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
            screen=self.options.screen,
            differ=self.pay.differs,
            progress=None if self.options.stale else partial(self.report, f"step {step + 1}: draw"),
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
        self.pay.baselines = Baselines.read(self.curve[-1]["baselines"])
        if first:
            _tell(f"goes on after step {len(self.curve)}")
            self._publish()
        self.accelerator.wait_for_everyone()


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def summary(result: Mapping[str, Any]) -> str:
    """Reward at both ends, and where the weights are."""
    return (
        f"{result['steps']} steps, {result['seconds']:.0f} s: reward {result['reward_first']:.3f} -> "
        f"{result['reward_last']:.3f}\nversions of {', '.join(result['policies'])} in {result['output']}"
    )
