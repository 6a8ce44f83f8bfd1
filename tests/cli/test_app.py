"""The frame of the command line: exit codes, one line of error, one JSON object."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from orchestra.cli import app as program
from orchestra.errors import BadTeam, BudgetSpent

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def boom(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], int]:
    """Runs a command that raises this, and returns the exit code."""

    def run(error: BaseException) -> int:
        def command() -> None:
            raise error

        def register(app: typer.Typer) -> None:
            app.command("boom")(command)

        monkeypatch.setattr(program, "COMMANDS", ("boom",))
        monkeypatch.setattr(program, "import_module", lambda name: SimpleNamespace(register=register))
        return program.main(["boom"])

    return run


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (BadTeam("node 'a' hears nobody"), 2, "error: node 'a' hears nobody\n"),
        (BudgetSpent("11 calls\nof 11"), 1, "error: 11 calls of 11\n"),
        (typer.BadParameter("too small"), 2, "error: Invalid value: too small (see `orchestra boom --help`)\n"),
        (KeyboardInterrupt(), 130, ""),
        (typer.Exit(7), 7, ""),
    ],
)
def test_failures_become_exit_codes(
    error: BaseException,
    code: int,
    line: str,
    boom: Callable[[BaseException], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert boom(error) == code
    assert capsys.readouterr() == ("", line)


def test_a_defect_of_ours_keeps_its_traceback(boom: Callable[[BaseException], int]) -> None:
    with pytest.raises(ZeroDivisionError):
        boom(ZeroDivisionError())


@pytest.mark.parametrize(
    ("words", "hint"),
    [(["dctor"], "Did you mean 'doctor'"), (["version", "--jsno"], "--json"), (["version", "extra"], "extra")],
)
def test_bad_usage_is_one_line_with_a_hint(words: list[str], hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert hint in err


def test_no_words_print_the_help_with_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main([]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in program.COMMANDS)


def leaves(command: Any) -> Iterator[Any]:
    """The commands of a program that have none of their own below them."""
    below = getattr(command, "commands", {})
    return chain.from_iterable(map(leaves, below.values())) if below else iter([command])


@pytest.mark.parametrize("name", program.COMMANDS)
def test_every_command_takes_json(name: str) -> None:
    commands = list(leaves(typer.main.get_command(program.build([name]))))
    assert commands
    assert [c.name for c in commands if not any("--json" in parameter.opts for parameter in c.params)] == []


def test_version_prints_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out).keys() == {"name", "version"}


def test_a_command_loads_only_its_own_module() -> None:
    code = "import sys; from orchestra.cli.app import main; main(['version']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    modules = done.stdout.split()
    assert "orchestra.cli.version" in modules
    assert "orchestra.cli.doctor" not in modules
    assert "torch" not in modules


def test_the_module_is_the_program() -> None:
    done = subprocess.run([sys.executable, "-m", "orchestra.cli", "nonsense"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
