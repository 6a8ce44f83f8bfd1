"""`orchestra simulate`: a population that lives by a table, compiled from a small model where one is given."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from orchestra.cli import shelf
from orchestra.cli.options import RunOptions, TeamOptions, grouped
from orchestra.cli.output import Json, result
from orchestra.cli.policies import policies
from orchestra.cli.runs import opened, save_result
from orchestra.cli.screen import columns
from orchestra.errors import BadInput, UnknownName
from orchestra.models.model import Policy
from orchestra.models.progress import reporting
from orchestra.roles import citizen

RULES = ("never", "always", "threshold")
MANIFEST = "manifest.json"
"""In a folder of adapters; one policy's own folder has none, and stands beside it."""


@grouped
def simulate(
    world: Annotated[str, typer.Argument(help="A world of the shelf: orchestra ls worlds.")],
    keep: RunOptions,
    agents: Annotated[int, typer.Option(min=3, help="How many live in it.")] = 100_000,
    steps: Annotated[int, typer.Option(min=1, help="Days.")] = 60,
    policy: Annotated[
        str,
        typer.Option(
            metavar="RULE|TABLE|DIR", help=f"{', '.join(RULES)}; a table (.safetensors); a folder of adapters."
        ),
    ] = "never",
    model: Annotated[str, typer.Option(help="The base of the adapters.")] = "smollm2",
    json: Json = False,
) -> None:
    """Simulate very many agents; a model is asked once for each thing that they can see, and never again."""
    from orchestra.cli import tables  # noqa: PLC0415  (numpy, which --help need not load)
    from orchestra.population import simulate as live  # noqa: PLC0415
    from orchestra.worlds.scenario import Scenario  # noqa: PLC0415

    shelf.world(world)
    file = _file(policy)
    if file is None:
        source: tables.Given | tables.Asked = tables.Given(tables.RULES[policy]())
    else:
        source = tables.Asked(_speaker(file, model)) if file.is_dir() else tables.load(file)
    spec = {"world": world, "agents": agents, "steps": steps, "decides": source.identity}
    with opened("simulate", spec, keep) as folder, reporting(None) as report:
        table, calls = source.table(folder)
        days = partial(report, world)
        outcome = live(Scenario(), table, agents=agents, steps=steps, seed=keep.seed, progress=days)
        value = {
            "world": world,
            "agents": agents,
            "steps": steps,
            "policy": policy,
            "agent_steps_per_s": round(outcome.agent_steps_per_s),
            "model_calls": calls,
            "peak_bytes": outcome.peak_bytes,
            "metrics": outcome.metrics(),
            "infectious": outcome.infectious.tolist(),
            "run_dir": str(folder.path),
        }
        save_result(folder.path, value)
    speed = f"{outcome.agent_steps_per_s / 1e6:.1f} M agent-steps/s, {outcome.peak_bytes / agents:.0f} bytes an agent"
    rows = [(name, f"{figure:,.4g}") for name, figure in outcome.metrics().items()]
    text = f"{agents:,} agents, {steps} days, {calls} model calls, {speed}\n{columns(rows)}\nkept in {folder.path}"
    result(value, text, json)


def _file(policy: str) -> Path | None:
    """The table or folder that --policy names; None: a rule."""
    if policy in RULES:
        return None
    path = Path(policy)
    if path.exists():
        return path
    if path.suffix or len(path.parts) > 1:
        raise BadInput(f"expected a table or a folder of adapters, got {policy!r}, which does not exist; fix: the path")
    raise UnknownName("policy", policy, RULES)


def _speaker(folder: Path, model: str) -> Policy:
    """The citizen of a folder of adapters, or of a folder that holds one policy."""
    options = TeamOptions(adapters=folder) if (folder / MANIFEST).exists() else TeamOptions(policy=[str(folder)])
    return policies({citizen.name: model}, options)[citizen.name]


def register(app: typer.Typer) -> None:
    app.command()(simulate)
