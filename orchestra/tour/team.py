"""The tour's first half: a team before and after training on its own good decisions, paired on held-out items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestra.evaluation.collect import contrast, credit, yields
from orchestra.evaluation.evaluate import Result, evaluate, samples_for
from orchestra.evaluation.statistics import mcnemar
from orchestra.learning.adapters import bind
from orchestra.models.model import Policy
from orchestra.team import Team
from orchestra.topologies import chain, self_consistency, solo
from orchestra.tour.plan import Tour, wait
from orchestra.tour.prompts import PROMPTS, ROLES, TEAM
from orchestra.types import Task

SYSTEMS = ("team", "single", "self_consistency")
TRAINED_PROMPT = "examples"
"""The prompts that the trained team has; fixed before training."""
WARM = 0.7
"""Temperature of sampling to learn from, and of self-consistency; all else is greedy."""


def build(
    tour: Tour, system: str, prompt: str, *, samples: int = 1, adapters: Mapping[str, Policy] | None = None
) -> Team:
    """One of the three systems, with one of the three prompts."""
    roles, bound = ROLES[prompt], adapters or {}
    if system == "team":
        return chain(*(roles[name](bound.get(name, Policy(name, tour.model))) for name in TEAM))
    if system == "single":
        return solo(roles["generator"](tour.model))
    return self_consistency(replace(roles["generator"], temperature=WARM)(tour.model), n=samples)


def held_out(tour: Tour) -> list[Task]:
    return list(tour.benchmark.sample(tour.sizes.held_out, split="test", seed=tour.seed))


def untrained(tour: Tour) -> dict[str, Any]:
    """Chooses each system's prompt on development items, then measures all three on held-out ones at equal tokens."""
    development = _choose_prompts(tour)
    best = {system: max(PROMPTS, key=lambda p: development[system][p]["flexible"]) for system in SYSTEMS}
    results = {"team": measure(tour, "team", build(tour, "team", best["team"]))}
    results["single"] = measure(tour, "single", build(tour, "single", best["single"]))
    spent = {item.task: item.usage.tokens for item in results["team"].items}
    sample = development["single"][best["self_consistency"]]["tokens"]

    def vote(task: Task) -> Team:
        return build(tour, "self_consistency", best["self_consistency"], samples=samples_for(spent[task.id], sample))

    results["self_consistency"] = measure(tour, "self_consistency", vote, per_task=True)
    return {
        "prompts": best,
        "development": development,
        "systems": {
            name: {**result.summary(), "right": result.right(), "run_dir": str(tour.folder / "held-out" / name)}
            for name, result in results.items()
        },
    }


def collect(tour: Tour) -> dict[str, Any]:
    """The generator sampled on every training item, the others grown where its samples differ; leaves scored."""
    sizes, roles = tour.sizes, {name: replace(role, temperature=WARM) for name, role in ROLES[TRAINED_PROMPT].items()}
    team = chain(*(roles[name](Policy(name, tour.model)) for name in TEAM))
    tasks = tour.benchmark.sample(sizes.training, split="train", seed=tour.seed)
    with tour.run("collected") as folder:
        trees = wait(
            contrast(
                team,
                tasks,
                tour.benchmark,
                folder,
                samples=sizes.samples,
                branch=sizes.branch,
                items=sizes.contrast,
                seed=tour.seed,
                progress=tour.progress("collect"),
            )
        )
        tables = credit(trees, tour.benchmark, folder)
    made = {(tree.task.id, d.key): d for tree in trees for d in tree.decisions}
    return {
        "trajectories": len(trees),
        "decisions": len(made),
        "tokens_out": sum(d.completion.usage.tokens_out for d in made.values() if d.completion),
        "yields": {y.role: {"decisions": y.decisions, "good": y.good} for y in yields(trees, tables)},
    }


def trained(tour: Tour, before: Mapping[str, Any]) -> dict[str, Any]:
    """The trained team on the same held-out items, paired with the best system before training.

    The trained team is counted under the strict rule and the others under the flexible one.
    """
    policies = {
        name: Policy(name, tour.model, str(bound.folder), bound.version)
        for name, bound in bind(tour.folder / "adapters" / "team").items()
    }
    after = measure(tour, "trained", build(tour, "team", TRAINED_PROMPT, adapters=policies))
    systems = before["systems"]
    best = max(SYSTEMS, key=lambda name: systems[name]["flexible"]["mean"])
    paired = mcnemar(after.right("strict"), systems[best]["right"])
    untrained_best = systems[best]["flexible"]["mean"]
    return {
        **after.summary(),
        "run_dir": str(tour.folder / "held-out" / "trained"),
        "best_untrained": best,
        "ratio": round(after.strict.mean / untrained_best, 3) if untrained_best else None,
        "paired": paired._asdict(),
        "on_the_base": sorted(set(TEAM) - set(policies)),
    }


def _choose_prompts(tour: Tour) -> dict[str, dict[str, dict[str, float]]]:
    tasks = tour.benchmark.sample(tour.sizes.development, split="dev", seed=tour.seed)
    found: dict[str, dict[str, dict[str, float]]] = {system: {} for system in SYSTEMS}
    for prompt in PROMPTS:
        for system in SYSTEMS:
            samples = 1
            if system == "self_consistency":
                samples = samples_for(round(found["team"][prompt]["tokens"]), found["single"][prompt]["tokens"])
            team = build(tour, system, prompt, samples=samples)
            name = f"{system}-{prompt}"
            with tour.run(f"development/{name}") as folder:
                result = wait(
                    evaluate(
                        team, tasks, tour.benchmark, folder, name=name, seed=tour.seed,
                        progress=tour.progress(f"development: {system}, {prompt}"),
                    )
                )  # fmt: skip
            found[system][prompt] = {"flexible": result.flexible.mean, "tokens": result.tokens.mean, "samples": samples}
    return found


def measure(tour: Tour, name: str, system: Any, *, per_task: bool = False) -> Result:
    """A system on the held-out items."""
    with tour.run(f"held-out/{name}") as folder:
        return wait(
            evaluate(
                system, held_out(tour), tour.benchmark, folder, name=name, per_task=per_task, seed=tour.seed,
                progress=tour.progress(f"held-out: {name}"),
            )
        )  # fmt: skip
