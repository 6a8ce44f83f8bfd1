"""The program `orchestra`: one module a command, one place where failures become exit codes.

A command module beside this one bears the command's name and has `register(app)`. Only the one that was asked for is
imported, so start-up costs what that command needs and `orchestra doctor` still answers where the others cannot import.

Exit codes: 0 done, 1 a run failed, 2 bad input, 130 interrupted. A failure is one line on stderr and nothing on stdout;
only a defect of ours shows a traceback. What was interrupted says with which words it goes on.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module

import typer

from orchestra.errors import OrchestraError

COMMANDS = (
    "doctor", "tour", "ls", "draw", "save", "diff", "run", "history", "eval", "compare", "diagnose", "report",
    "audit", "collect", "train", "export", "simulate", "models", "version",
)  # fmt: skip
"""In the order of `orchestra --help`."""

INTERRUPTED = 130
"""128 + SIGINT, as shells count it."""


def about() -> None:
    """Teams of language-model agents: define, run, measure, train, and let them power populations."""


def build(names: Iterable[str]) -> typer.Typer:
    """The program with these of COMMANDS."""
    app = typer.Typer(name="orchestra", add_completion=False, pretty_exceptions_enable=False)
    app.callback()(about)  # a Typer with one command and no callback would drop the command's name
    for name in names:
        import_module(f"orchestra.cli.{name}").register(app)
    return app


def main(args: Sequence[str] | None = None) -> int:
    """Runs one command line (default: `sys.argv`) and returns its exit code; never raises what a person caused.

    >>> main(["no-such-command"])
    2
    """
    words = list(sys.argv[1:] if args is None else args) or ["--help"]
    known = words[0] in COMMANDS
    try:
        code = build(words[:1] if known else COMMANDS)(words, prog_name="orchestra", standalone_mode=False)
    except OrchestraError as error:
        return failed(str(error), error.exit_code)
    except typer.TyperException as error:
        command = f"orchestra {words[0]}" if known else "orchestra"
        return failed(f"{error.format_message()} (see `{command} --help`)", error.exit_code)
    except (KeyboardInterrupt, typer.Abort) as stop:
        return interrupted(words, str(stop))
    return code if isinstance(code, int) else 0  # an int is the code of a `typer.Exit`; commands return None


def interrupted(words: Sequence[str], folder: str) -> int:
    """How to go on, if there is a run folder to go on from; returns the code."""
    if folder:
        again = shlex.join(["orchestra", *words, *(() if "--resume" in words else ("--resume",))])
        typer.echo(f"stopped; what was done is in {folder}; go on with: {again}", err=True)
    return INTERRUPTED


def failed(message: str, code: int) -> int:
    """One line on stderr, whatever the message holds; returns the code."""
    typer.echo(f"error: {' '.join(message.splitlines())}", err=True)
    return code
