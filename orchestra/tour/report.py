"""What the tour found: one table, as text, Markdown and JSON, and three plots."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from orchestra.atomic import write_atomic
from orchestra.errors import missing_extra
from orchestra.tour.prompts import TEAM

NAMES = {
    "team": "team, untrained",
    "single": "single agent",
    "self_consistency": "self-consistency",
    "trained": "team, trained",
}


POPULATIONS: Final = ("base", "trained", "expert")


def write(folder: Path, result: Mapping[str, Any]) -> str:
    """Saves tour.json, tour.md and the plots; returns the Markdown."""
    text = markdown(result)
    write_atomic(folder / "tour.json", json.dumps(result, indent=1, allow_nan=False).encode())
    write_atomic(folder / "tour.md", text.encode())
    plot(folder, result)
    return text


def markdown(result: Mapping[str, Any]) -> str:
    """The tour's one table, in four parts."""
    after, prompts = result["after"], {"trained": "examples", **result["prompts"]}
    lines = ["| system | prompt | strict | flexible | unparseable | tokens a task |", "|---|---|---|---|---|---|"]
    lines += [_row(row, prompts[row["system"]]) for row in _systems(result)]
    lines += [
        "",
        _verdict(after),
        "",
        "| role | decisions with a value | good |",
        "|---|---|---|",
        *(f"| {role} | {y['decisions']} | {y['good']} |" for role, y in _in_order(result["yields"], TEAM)),
        "",
        "| citizen | agrees: decisions | keys trained | keys unseen | attack rate | isolating | agent-steps/s |",
        "|---|---|---|---|---|---|---|",
        *(_population(name, row) for name, row in _in_order(result["population"], POPULATIONS)),
        "",
        "| stage | seconds |",
        "|---|---|",
        *(f"| {stage['name']} | {stage['seconds']:.1f} |" for stage in result["stages"]),
        f"| all | {sum(stage['seconds'] for stage in result['stages']):.1f} |",
    ]
    return "\n".join(lines) + "\n"


def _row(row: Mapping[str, Any], prompt: str) -> str:
    cells = [NAMES[row["system"]], prompt, _interval(row["strict"]), _interval(row["flexible"])]
    cells += [f"{row['unparseable']} of {row['n']}", f"{row['tokens_per_task']:.0f}"]
    return f"| {' | '.join(cells)} |"


def _systems(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [result["before"], *result["before"]["baselines"].values(), result["after"]]


def _verdict(after: Mapping[str, Any]) -> str:
    paired = after["paired"]
    low, high = 100 * paired["ci_low"], 100 * paired["ci_high"]
    return (
        f"Trained, strict, against {NAMES[after['best_untrained']]}, flexible: {100 * paired['delta']:+.1f} points "
        f"({low:+.1f} to {high:+.1f}), x{after['ratio']}, McNemar p = {paired['p']:.2g}, {paired['n']} items."
    )


def plot(folder: Path, result: Mapping[str, Any]) -> list[Path]:
    """accuracy.png, losses.png and epidemic.png; needs the extra `plot`."""
    try:
        import matplotlib as mpl  # noqa: PLC0415  (an extra, and slow to import)
    except ImportError:
        raise missing_extra("plot", "matplotlib") from None
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415  (after the choice of a canvas without a screen)

    files = []
    for name, draw in (("accuracy", _accuracy), ("losses", _losses), ("epidemic", _curves)):
        figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
        draw(axes, result)
        axes.spines[["top", "right"]].set_visible(False)
        files.append(folder / f"{name}.png")
        figure.savefig(files[-1], dpi=140)
        plt.close(figure)
    return files


def _accuracy(axes: Any, result: Mapping[str, Any]) -> None:
    """Squares are strict, circles flexible."""
    for number, row in enumerate(_systems(result)):
        for rule, marker in (("strict", "s"), ("flexible", "o")):
            mean, low, high = (row[rule][k] for k in ("mean", "ci_low", "ci_high"))
            reach = [[max(0.0, mean - low)], [max(0.0, high - mean)]]
            label = f"{NAMES[row['system']]}, {rule}"
            axes.errorbar(
                row["tokens_per_task"], mean, yerr=reach, fmt=marker, color=f"C{number}", capsize=3, label=label
            )
    axes.set(xlabel="tokens a task", ylabel="accuracy on held-out items", ylim=(0, 1))
    axes.legend(frameon=False, fontsize="small")


def _losses(axes: Any, result: Mapping[str, Any]) -> None:
    for name, policy in result["losses"].items():
        axes.plot(range(1, len(policy) + 1), policy, label=name)
    axes.set(xlabel="optimiser step", ylabel="loss", yscale="log")
    axes.legend(frameon=False)


def _curves(axes: Any, result: Mapping[str, Any]) -> None:
    for name, row in _in_order(result["population"], POPULATIONS):
        axes.plot([100 * count / row["agents"] for count in row["infectious"]], label=name)
    axes.set(xlabel="day", ylabel="infectious, % of all agents")
    axes.legend(frameon=False)


def _in_order(rows: Mapping[str, Any], names: Sequence[str]) -> list[tuple[str, Any]]:
    return [(name, rows[name]) for name in names if name in rows]


def _population(name: str, row: Mapping[str, Any]) -> str:
    shares = [
        row[k]
        for k in ("agreement_decisions", "agreement_keys", "agreement_unseen_keys", "attack_rate", "isolating_share")
    ]
    cells = ["-" if share is None else f"{100 * share:.1f} %" for share in shares]
    return f"| {name} | {' | '.join(cells)} | {row['agent_steps_per_s'] / 1e6:.0f} M |"


def _interval(found: Mapping[str, float]) -> str:
    return f"{100 * found['mean']:.1f} % ({100 * found['ci_low']:.1f} to {100 * found['ci_high']:.1f})"
