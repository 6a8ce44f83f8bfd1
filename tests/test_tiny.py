"""The first second of every test run: the package imports, is light, and has its shelves."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHELVES = ("roles", "topologies", "training", "evals")
HEAVY = {"torch", "transformers", "trl", "peft", "accelerate", "datasets", "ray", "networkx", "numpy"}


def loaded_by(statement: str) -> set[str]:
    """Top-level names that a fresh interpreter has loaded after this statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_is_light() -> None:
    assert not loaded_by("import orchestra") & HEAVY


def test_the_probe_sees_what_is_heavy() -> None:
    assert loaded_by("import numpy") & HEAVY == {"numpy"}


@pytest.mark.parametrize("shelf", SHELVES)
def test_a_shelf_is_reached_through_its_symlink(shelf: str) -> None:
    link = ROOT / "orchestra" / shelf
    assert link.is_symlink()
    assert link.readlink() == Path("..", shelf)  # relative, so that a clone elsewhere has it too

    spec = find_spec(f"orchestra.{shelf}")
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin) == link / "__init__.py"
