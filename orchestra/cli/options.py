"""Options that several commands share: one dataclass a concern, each option and its default written once.

A command takes such a dataclass as a parameter and is wrapped in `grouped`; on the command line its fields are options.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from inspect import Parameter
from math import inf
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from orchestra.engine.budget import Budget

Team = Annotated[
    str,
    typer.Argument(
        help="A topology of the shelf (orchestra ls topologies), FILE.py[:NAME], which is executed, or a saved "
        "team (.json, .yaml)."
    ),
]
Benchmark = Annotated[
    str, typer.Argument(help="A benchmark of the shelf, NAME:FAMILY for one family of it, or FILE.py[:NAME].")
]
Imports = Annotated[
    list[Path],
    typer.Option(
        "--import", metavar="FILE.py", help="A file to execute first; functions that it registers may be named."
    ),
]


@dataclass(frozen=True, slots=True)
class TeamOptions:
    """Who plays in a team, and with what weights."""

    model: Annotated[
        str,
        typer.Option(help="smollm2, tiny, scripted:FILE, hf:./FOLDER, hf:ORG/NAME@REVISION or openai:MODEL@BASE_URL."),
    ] = "smollm2"
    option: Annotated[
        list[str], typer.Option("--option", "-o", metavar="NAME=VALUE", help="An option of the topology: -o rounds=2.")
    ] = field(default_factory=list)
    agents: Annotated[int | None, typer.Option(min=1, help="How many agents a slot for many has.")] = None
    role: Annotated[
        list[str],
        typer.Option(
            metavar="SLOT=ROLE[@MODEL],...",
            help="Fills a slot of the topology; ROLE is of the shelf or FILE.py[:NAME], which is executed.",
        ),
    ] = field(default_factory=list)
    adapters: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Trained adapters, bound to policies by name.")
    ] = None
    policy: Annotated[
        list[str], typer.Option(metavar="DIR/NAME", help="One trained policy; goes before --adapters.")
    ] = field(default_factory=list)
    cache: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keeps what models answer in this file, and asks for nothing twice."),
    ] = None
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Records the model as a cassette, to be replayed by --model cassette:FILE."),
    ] = None
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Longest reply of every role.")] = None
    temperature: Annotated[float | None, typer.Option(min=0.0, help="Of every role; 0 is greedy.")] = None
    stop: Annotated[
        list[str], typer.Option(metavar="TEXT", help=r"Every role's reply ends before this text; \n is a newline.")
    ] = field(default_factory=list)
    patch: Annotated[
        list[Path], typer.Option(metavar="FILE", help="Changes to the team, as `orchestra diff --output` writes them.")
    ] = field(default_factory=list)
    imports: Imports = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Where a run is kept and how it is repeated."""

    seed: Annotated[int, typer.Option(min=0, help="Of samples and of every draw.")] = 0
    run_dir: Annotated[
        Path | None,
        typer.Option("--run-dir", "--out", metavar="DIR", help="Where to keep it; default runs/COMMAND-DIGEST."),
    ] = None
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an earlier run and refuse to begin a new one.")
    ] = False


@dataclass(frozen=True, slots=True)
class PaceOptions:
    """How much runs at the same time; it changes no result."""

    concurrency: Annotated[int, typer.Option(min=1, help="Tasks in flight.")] = 64


@dataclass(frozen=True, slots=True)
class BudgetOptions:
    """Hard caps of each task."""

    budget_calls: Annotated[int | None, typer.Option(min=1, help="Most model calls of a task.")] = None
    budget_tokens: Annotated[int | None, typer.Option(min=1, help="Most tokens of a task, in and out.")] = None
    budget_seconds: Annotated[float | None, typer.Option(help="Most model time of a task.")] = None

    def budget(self) -> Budget | None:
        """None: no cap. Raises BadInput for a cap that is not above 0.

        >>> BudgetOptions(budget_calls=3).budget().calls, BudgetOptions().budget()
        (3, None)
        """
        caps = {f.name.removeprefix("budget_"): getattr(self, f.name) for f in fields(self)}
        given = {name: cap for name, cap in caps.items() if cap is not None}
        return Budget(**{name: given.get(name, inf) for name in caps}) if given else None


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command as Typer reads it: a parameter that is a dataclass of options stands as that class's fields.

    >>> def go(text: str, pace: PaceOptions) -> None: print(text, pace)
    >>> list(inspect.signature(grouped(go)).parameters)
    ['text', 'concurrency']
    """
    parameters = inspect.signature(command, eval_str=True).parameters
    groups: dict[str, Any] = {
        name: given.annotation for name, given in parameters.items() if is_dataclass(given.annotation)
    }

    def call(**values: Any) -> None:
        built = {name: group(**{f.name: values.pop(f.name) for f in fields(group)}) for name, group in groups.items()}
        command(**values, **built)

    call.__name__, call.__doc__, call.__module__ = command.__name__, command.__doc__, command.__module__
    call.__annotations__ = {}
    flat = [single for given in parameters.values() for single in _spread(given)]
    call.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    return call


def _spread(given: Parameter) -> Iterator[Parameter]:
    group = given.annotation
    if not is_dataclass(group):
        yield given.replace(kind=Parameter.KEYWORD_ONLY)
        return
    hints = get_type_hints(group, include_extras=True)
    for f in fields(group):
        default = f.default if f.default_factory is MISSING else f.default_factory()
        yield Parameter(f.name, Parameter.KEYWORD_ONLY, default=default, annotation=hints[f.name])
