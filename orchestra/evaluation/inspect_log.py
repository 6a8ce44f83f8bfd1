"""A finished evaluation as logs of Inspect, one file a system, which `inspect view` opens.

A sample is a task and an epoch one of its runs. Every decision is a model event within a span of the agent that made
it, so that the viewer's transcript shows who spoke when; usage is told by model and by role. Scores are `strict` and
`flexible`; what has no gold has no score.

Invariant: all of it is read from the folder, so equal folders give equal logs. Their times are made of two: when the
evaluation was finished, and the seconds that calls took.

Format: EvalLog version 2, as inspect_ai 0.3.285 reads it; none of its code is used here.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

from orchestra.atomic import make_folder, replacing
from orchestra.digest import canonical, digest
from orchestra.errors import BadInput
from orchestra.evaluation.finished import FILE, Finished, Scored, finished
from orchestra.evaluation.result import Result, Rule
from orchestra.trajectory.trajectory import Decision
from orchestra.types import Completion, Request, Usage

VERSION: Final = 2
"""Of Inspect's format."""
RULES: Final[tuple[Rule, ...]] = ("strict", "flexible")
STOPPED: Final = {"stop": "stop", "length": "max_tokens", "cancelled": "unknown"}
"""Our finish reasons in Inspect's words."""


class Source(NamedTuple):
    """What every part of a log is told."""

    at: datetime
    """When the evaluation was finished."""
    models: Mapping[str, str]
    """Policy label -> name of its model."""

    def model(self, policy: str) -> str:
        return self.models.get(policy, policy)


def write(run: Path, folder: Path) -> list[Path]:
    """Writes TIME_BENCHMARK-SYSTEM_ID.json for every system of a finished evaluation, ours first; returns their paths.
    Raises BadInput where there is no such evaluation, or where a file is there already."""
    found = finished(run)
    at = datetime.fromtimestamp((run / FILE).stat().st_mtime, UTC).replace(microsecond=0)
    source = Source(at, {label: told["model"] for label, told in found.log.get("models", {}).items()})
    files = [folder / _filename(found, system, source) for system in found.systems]
    if there := [str(file) for file in files if file.exists()]:
        raise BadInput(f"expected files that do not exist yet, got {', '.join(there)}; fix: another --output")
    make_folder(folder)
    for file, result in zip(files, found.results(), strict=True):
        text = json.dumps(log(found, result, source), ensure_ascii=False, allow_nan=False)
        with replacing(file) as part:
            part.write_text(text, encoding="utf-8")
    return files


def _filename(found: Finished, system: str, source: Source) -> str:
    """As Inspect names its logs; its viewer lists no JSON file of another name."""
    at, task = source.at.isoformat()[:19], f"{found.figures['benchmark']}-{system}"
    parts = (re.sub("[^A-Za-z0-9.-]+", "-", part).strip("-") for part in (at, task, _id(found, system)))
    return f"{'_'.join(parts)}.json"


def _id(found: Finished, system: str) -> str:
    return digest(canonical(found.spec), system)[:22]


def log(found: Finished, result: Result, source: Source) -> dict[str, Any]:
    """The log of one system as JSON data."""
    runs = found.systems[result.system]
    samples = [_sample(run, source) for run in runs]
    return {
        "version": VERSION,
        "status": "success",
        "eval": _spec(found, result, source),
        "plan": {"name": "plan", "steps": [{"solver": result.system, "params": {}}]},
        "results": _results(result),
        "stats": {
            "started_at": source.at.isoformat(),
            "completed_at": source.at.isoformat(),
            **{name: _total(sample[name] for sample in samples) for name in ("model_usage", "role_usage")},
        },
        "samples": samples,
        **({"reductions": _reductions(result)} if _epochs(result) > 1 else {}),
    }


def _spec(found: Finished, result: Result, source: Source) -> dict[str, Any]:
    made = [decision for run in found.systems[result.system] for decision in run.trajectory.decisions]
    models = sorted({source.model(decision.policy) for decision in made})
    return {
        "eval_id": _id(found, result.system),
        "run_id": digest(canonical(found.spec))[:22],
        "created": source.at.isoformat(),
        "task": result.benchmark,
        "task_id": _id(found, result.system),
        "task_display_name": f"{result.benchmark}: {result.system}",
        "task_args": {"system": result.system},  # what tells logs of one task apart in the viewer's list
        "solver": result.system,
        "dataset": {"name": result.benchmark, "samples": len(result.samples), "sample_ids": list(result.samples)},
        "model": ", ".join(models) or "none",
        "model_roles": {d.role: {"model": source.model(d.policy)} for d in made if d.role},
        "config": {"epochs": _epochs(result), "epochs_reducer": ["mean"]},
        "packages": dict(found.log.get("versions", {})),
        "scorers": [{"name": rule} for rule in RULES],
        "metadata": {
            "spec": dict(found.spec),
            "models": dict(found.log.get("models", {})),
            "teams": sorted({run.trajectory.team for run in found.systems[result.system]}),
            "weights": sorted({decision.weights for decision in made}),
        },
    }


def _results(result: Result) -> dict[str, Any]:
    runs, scored = len(result.items), len(result.scores())
    common = {"scored_samples": scored, "unscored_samples": len(result.samples) - scored}
    if _epochs(result) > 1:
        common["reducer"] = "mean"  # type: ignore[assignment]
    return {
        "total_samples": runs,
        "completed_samples": runs - sum(item.error is not None for item in result.items),
        "scores": [{"name": rule, "scorer": rule, **common, "metrics": _metrics(result, rule)} for rule in RULES],
        "metadata": {"unparseable": result.unparseable, "tokens_per_task": result.tokens.mean},
    }


def _metrics(result: Result, rule: Rule) -> dict[str, Any]:
    if not result.scores(rule):
        return {}
    found = result.accuracy(rule)
    values = {"accuracy": found.mean, "ci_low": found.ci_low, "ci_high": found.ci_high}
    return {name: {"name": name, "value": value} for name, value in values.items()}


def _reductions(result: Result) -> list[dict[str, Any]]:
    """The mean over the runs of each task."""
    return [
        {
            "scorer": rule,
            "reducer": "mean",
            "samples": [{"sample_id": task, "value": score} for task, score in result.scores(rule).items()],
        }
        for rule in RULES
    ]


def _sample(run: Scored, source: Source) -> dict[str, Any]:
    item, trajectory = run
    task, leaf = trajectory.task, trajectory.leaf
    made = trajectory.decisions  # those that failed are on no leaf
    models, roles = (_by(made, name, source) for name in ("model", "role"))
    said = [_assistant(m.content, agent=m.sender, round=m.round, id=m.id) for m in trajectory.messages if m.content]
    return {
        "id": item.task,
        "epoch": item.sample + 1,
        "input": task.prompt,
        "choices": list(task.choices) or None,
        "target": "" if task.gold is None else str(task.gold),
        "messages": [{"role": "user", "content": task.prompt}, *said],
        "output": {
            "model": ", ".join(models),
            "choices": [{"message": _assistant(leaf.content), "stop_reason": "stop"}],
            "completion": leaf.content,
            "usage": _usage(leaf.usage),
        },
        "scores": {rule: _score(run, rule) for rule in RULES if getattr(item, rule) is not None},
        "metadata": {
            "trajectory": trajectory.id,
            "team": trajectory.team,
            "seed": trajectory.seed,
            "family": task.family,
            "private": dict(task.private),
            "stopped_by": leaf.stopped_by,
            "rounds": leaf.rounds,
            "calls": leaf.usage.calls,
        },
        "events": list(_events(made, source)),
        "model_usage": {name: _usage(used) for name, used in models.items()},
        "role_usage": {name: _usage(used) for name, used in roles.items()},
        "working_time": leaf.usage.seconds,
        "uuid": trajectory.id,
        "error": None if item.error is None else {"message": item.error, "traceback": "", "traceback_ansi": ""},
    }


def _score(run: Scored, rule: Rule) -> dict[str, Any]:
    score = {"value": getattr(run.item, rule), "answer": run.item.answer}
    return score if run.item.parsed else {**score, "reason": "invalid_response_format"}


def _events(made: Sequence[Decision], source: Source) -> Iterator[dict[str, Any]]:
    """Model events in canonical order, in a span for each activation; its calls follow each other."""
    spent = 0.0
    for number, (place, calls) in enumerate(groupby(made, key=lambda decision: (decision.path, decision.round))):
        path, round = place
        span = f"{number}:{path}@{round}"
        name = f"{path.rpartition('/')[2]} (round {round + 1})"
        yield {**_at(source, spent), "event": "span_begin", "id": span, "type": "agent", "name": name}
        for decision in calls:
            yield {**_call(decision, source), **_at(source, spent), "span_id": span}
            spent += decision.completion.usage.seconds if decision.completion else 0.0
        yield {**_at(source, spent), "event": "span_end", "id": span}


def _at(source: Source, spent: float) -> dict[str, Any]:
    """Times of an event: every run begins at that of the evaluation, and model time alone goes on."""
    return {"timestamp": (source.at + timedelta(seconds=spent)).isoformat(), "working_start": spent}


def _call(decision: Decision, source: Source) -> dict[str, Any]:
    request, model = decision.request, source.model(decision.policy)
    return {
        "event": "model",
        "uuid": f"{decision.key.state}-{decision.key.draw}",
        "model": model,
        "role": decision.role or None,
        "input": [{"role": role, "content": content} for role, content in request.messages],
        "tools": [],
        "tool_choice": "none",
        "config": _config(request),
        "output": _output(model, decision.completion),
        "error": decision.error,
        "metadata": {"policy": decision.policy, "weights": decision.weights, "agent": decision.agent},
    }


def _config(request: Request) -> dict[str, Any]:
    config: dict[str, Any] = {"max_tokens": request.max_tokens, "temperature": request.temperature}
    return {**config, "stop_seqs": list(request.stop)} if request.stop else config


def _output(model: str, completion: Completion | None) -> dict[str, Any]:
    if completion is None:
        return {"model": model, "choices": []}
    reason = STOPPED[completion.finish]
    return {
        "model": model,
        "choices": [{"message": _assistant(completion.text), "stop_reason": reason}],
        "completion": completion.text,
        "usage": _usage(completion.usage),
        "time": completion.usage.seconds,
    }


def _assistant(content: str, **metadata: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"role": "assistant", "content": content}
    return {**said, "metadata": metadata} if metadata else said


def _by(made: Sequence[Decision], part: str, source: Source) -> dict[str, Usage]:
    """Usage by model, or by role."""
    found: dict[str, Usage] = defaultdict(Usage)
    for decision in made:
        name = source.model(decision.policy) if part == "model" else decision.role
        if decision.completion is not None and name:
            found[name] = found[name] + decision.completion.usage
    return dict(found)


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.tokens_in,
        "output_tokens": usage.tokens_out,
        "total_tokens": usage.tokens,
        **({"total_cost": usage.cost} if usage.cost else {}),
    }


def _total(parts: Iterator[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """The usage of all samples, by name."""
    found: dict[str, dict[str, float]] = {}
    for part in parts:
        for name, usage in part.items():
            total = found.setdefault(name, {})
            for field, value in usage.items():
                total[field] = total.get(field, 0) + value
    return found


def _epochs(result: Result) -> int:
    return max(map(len, result.samples.values()))
