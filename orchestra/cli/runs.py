"""Run folders of commands: found again by what is asked, so that a command that is repeated goes on where it was."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import typer

from orchestra.atomic import read_record, write_record
from orchestra.cli.options import RunOptions
from orchestra.digest import canonical, digest
from orchestra.errors import BadInput, RunFailed
from orchestra.trajectory.store import Run, open_run
from orchestra.types import Usage

T = TypeVar("T")

RESULT: Final = 1
"""Version of result.json."""


@contextmanager
def opened(command: str, spec: Mapping[str, Any], options: RunOptions) -> Iterator[Run]:
    """The run folder of a command: --run-dir, or one named by the digest of `spec`; closed whatever happens.

    `spec` is plain JSON and holds everything that the outcome depends on. A KeyboardInterrupt becomes an Abort that
    names the folder, so that the program can tell how to go on.
    """
    spec = {"command": command, "seed": options.seed, **spec}
    path = options.run_dir or Path("runs") / f"{command}-{digest(canonical(spec))[:8]}"
    with open_run(path, create=not options.resume, spec=spec) as run:
        try:
            yield run
        except KeyboardInterrupt as stop:
            raise typer.Abort(str(path)) from stop


def wait(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end. What failed inside task groups is raised as itself, not as a group."""
    try:
        return asyncio.run(work)
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from group


def failed(why: str, folder: Run) -> RunFailed:
    """The error of a run that failed; failures are recorded as outcomes, so a repeat would be told the same."""
    return RunFailed(f"{why}; recorded in {folder.path}; fix: what failed, then another --run-dir or --seed")


def spent(usage: Usage) -> dict[str, float]:
    """JSON of a usage.

    >>> spent(Usage(calls=1, tokens_in=5))
    {'calls': 1, 'tokens_in': 5, 'tokens_out': 0, 'cost': 0.0}
    """
    return {name: getattr(usage, name) for name in ("calls", "tokens_in", "tokens_out", "cost")}


def save_result(path: Path, result: Mapping[str, Any]) -> None:
    """Writes result.json into a run folder, whole or not at all."""
    write_record(path / "result.json", result, version=RESULT)


def read_result(path: Path, command: str) -> Any:
    """What `save_result` wrote there; BadInput if `command` did not finish in that folder."""
    with open_run(path) as run:
        begun = run.spec.get("command")
    if begun != command or not (path / "result.json").exists():
        state = "is not finished" if begun == command else f"is of the command {begun!r}"
        raise BadInput(f"{path} {state}; fix: give the --run-dir of an `orchestra {command}` that was finished")
    return read_record(path / "result.json", version=RESULT)
