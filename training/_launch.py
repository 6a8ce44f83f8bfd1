"""Starting a recipe by its command line: in a process of its own, as a person would, or here.

A process of its own gives its memory back to the team that speaks next, and may be several; `here` saves the ten
seconds of imports and suits small models. A recipe that was stopped or failed stops the caller in the same way.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal

from orchestra.errors import RunFailed

LAUNCH: Final = """
import subprocess, sys
from accelerate.commands.launch import main
try:
    main()
except subprocess.CalledProcessError as error:
    sys.exit(error.returncode)
except KeyboardInterrupt:
    sys.exit(130)
"""
"""`accelerate launch` with the exit code of what it launched, and no traceback where a person stopped it."""

Launch = Literal["accelerate", "here"]


def accelerated(recipe: str, words: Sequence[str], processes: int) -> dict[str, Any]:
    """Started by `accelerate launch`; the figures that the recipe prints."""
    launch = [sys.executable, "-c", LAUNCH, "--num_processes", str(processes)]
    launch += ["--multi_gpu"] if processes > 1 else []  # where there is no GPU too: else accelerate 1.15 starts one
    launch += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    launch += ["--num_cpu_threads_per_process", str(threads(processes))]
    file = str(Path(__file__).with_name(f"{recipe}.py"))
    with subprocess.Popen([*launch, file, *words], stdout=subprocess.PIPE, text=True) as child:  # noqa: S603
        try:
            said = child.communicate()[0]
        except KeyboardInterrupt:  # the recipe heard it too, and holds the pipe's other end until it has ended
            assert child.stdout is not None
            child.stdout.read()
            raise
    return told(recipe, child.returncode, said)


def threads(processes: int) -> int:
    """Of each process: OMP_NUM_THREADS where a person has set it, else the cores in equal parts. Left to itself
    accelerate gives each a single one, and told a number it forgets what was set."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) else max(1, (os.cpu_count() or 1) // processes)


def here(recipe: str, words: Sequence[str]) -> dict[str, Any]:
    """Called in this process; the figures that the recipe prints."""
    main = import_module(f"orchestra.training.{recipe}").main
    with redirect_stdout(io.StringIO()) as said:
        code = main(list(words))
    return told(recipe, code, said.getvalue())


def told(recipe: str, code: int, said: str) -> dict[str, Any]:
    """The JSON object on the last line of a recipe's stdout."""
    if code == 130:
        raise KeyboardInterrupt
    if code:
        raise RunFailed(f"training/{recipe}.py ended with exit code {code}; its own error stands above")
    figures: dict[str, Any] = json.loads(said.strip().rpartition("\n")[2])
    return figures
