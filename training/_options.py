"""The options that every loop has, and what their words mean."""

from __future__ import annotations

import runpy
import shlex
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Final, get_args

from orchestra import evals
from orchestra.errors import BadInput, UnknownName
from orchestra.evaluation.benchmark import Benchmark
from orchestra.learning.recipe import Parser
from orchestra.training._launch import Launch

RECIPES: Final = ("sft", "dpo", "grpo", "ppo")
"""Whose options a loop takes in one string."""


def common(
    parser: Parser,
    out: str,
    usual: str = "arith:add2",
    *,
    shots: int = 3,
    longest: int = 24,
    items: int = 240,
    warmth: float = 0.7,
) -> None:
    """The options that every loop has."""
    add = parser.add_argument
    add("--out", type=Path, default=Path(out), metavar="DIR", help=f"where everything goes (default {out})")
    add("--model", default="smollm2", help="the base: smollm2, tiny, hf:FOLDER or hf:ORG/NAME@REVISION")
    add("--benchmark", default=usual, metavar="NAME", help="of the shelf, NAME:FAMILY, or FILE.py")
    add("--level", type=int, default=1, help="difficulty of sampled tasks, 0 to 4 (default 1)")
    add("--n", type=int, default=120, help="held-out tasks (default 120)")
    add("--dev", type=int, default=60, help="development tasks, for the gate (default 60)")
    add("--items", type=int, default=items, help=f"training tasks of a round (default {items})")
    add("--shots", type=int, default=shots, help=f"solved training tasks that prompts show (default {shots})")
    add("--system", default="Answer the question.", help="what everyone is told first")
    add("--temperature", type=float, default=warmth, help=f"of samples to learn from and of votes (default {warmth:g})")
    add("--max-tokens", type=int, default=longest, help=f"of a reply (default {longest})")
    add("--seed", type=int, default=0, help="of tasks, draws and training (default 0)")
    add("--launch", choices=get_args(Launch), default="accelerate", help="how recipes are started")
    add("--processes", type=int, default=1, metavar="N", help="processes of a training (default 1)")
    add("--json", action="store_true", help="print one JSON object on stdout; progress goes to stderr")


def check(options: Namespace, *more: str) -> None:
    """Raises BadInput for counts below 1, or too few development tasks to compare on."""
    for name in ("n", "items", "max_tokens", "processes", *more):
        if getattr(options, name) < 1:
            raise BadInput(f"expected --{name.replace('_', '-')} >= 1, got {getattr(options, name)}")
    if options.dev < 2 or options.shots < 0:
        raise BadInput(f"expected --dev >= 2 and --shots >= 0, got {options.dev} and {options.shots}")


def benchmark(name: str) -> Benchmark:
    """A benchmark of the shelf, NAME or NAME:FAMILY, or FILE.py with one called as the file is.

    >>> benchmark("arith:add2").name
    'arith:add2'
    """
    if name.endswith(".py"):
        if not Path(name).is_file():
            raise BadInput(f"expected a Python file, got {name!r}; fix: --benchmark")
        found = runpy.run_path(name).get(Path(name).stem)
        if found is None:
            raise BadInput(f"{name} has nothing called {Path(name).stem!r}; fix: name the benchmark as its file")
        return found() if isinstance(found, type) else found  # type: ignore[no-any-return]
    known, _, family = name.partition(":")
    if known not in evals.__all__:
        raise UnknownName("benchmark", known, evals.__all__)
    factory = getattr(evals, known)
    return factory(family) if family else factory()  # type: ignore[no-any-return]


def words(given: str) -> list[str]:
    """Options of a recipe as a person writes them in one string."""
    try:
        return shlex.split(given)
    except ValueError as error:
        raise BadInput(f"expected options as a shell reads them, got {given!r} ({error}); fix: quotes") from error


def last(given: Sequence[str], name: str) -> str | None:
    """What the last `name` among words is followed by; None where it is not there.

    >>> last(["--epochs", "3", "--epochs", "1"], "--epochs"), last([], "--epochs")
    ('1', None)
    """
    places = [at for at, word in enumerate(given[:-1]) if word == name]
    return given[places[-1] + 1] if places else None
