"""Draws the shelf of topologies: `docs/topologies.md`, a table and a picture of each with its usual roles.

    python -m scripts.gallery [--check]

What it says stands in the files of `topologies/`: the first line of the docstring, the slots and their roles, the
options and their defaults, and the graph. With `--check` nothing is written, and it fails if the page is out of date.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import sys
from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from types import ModuleType

import orchestra.topologies
from orchestra.cli.casting import slots_of
from orchestra.contracts.topology import assembled
from orchestra.models.scripted import Scripted

PAGE = Path(__file__).resolve().parents[1] / "docs" / "topologies.md"
HEAD = """\
# Topologies

Every team of the shelf, as `orchestra draw NAME` shows it with its usual roles. Solid edges are of the same round,
dotted ones go to the next. Written by `python -m scripts.gallery`; do not edit by hand.
"""


def page() -> str:
    """The whole page."""
    names = sorted(orchestra.topologies.__all__)
    table = ["| topology | what it is | slots and roles | options |", "|---|---|---|---|", *map(_row, names)]
    return "\n".join([HEAD, *table, "", *map(_section, names)])


def _row(name: str) -> str:
    module = _module(name)
    signature = inspect.signature(getattr(module, name), eval_str=True)
    slots = [slot.name for slot in slots_of(signature)]
    roles = "; ".join(f"{slot}: {_counted(module.ROLES.get(slot, ('none',)))}" for slot in slots)
    cells = [f"[{name}](#{name})", _summary(module), roles, ", ".join(_options(module, name, slots)) or "-"]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _section(name: str) -> str:
    team = assembled(getattr(_module(name), name), Scripted([]))
    said = inspect.getdoc(_module(name)) or ""
    return f"## {name}\n\n{said}\n\n```mermaid\n{team.to_mermaid()}\n```\n"


def _module(name: str) -> ModuleType:
    return import_module(f"orchestra.topologies.{name}")


def _summary(module: ModuleType) -> str:
    """The first paragraph of its docstring, on one line."""
    return " ".join((inspect.getdoc(module) or "").partition("\n\n")[0].split()).rstrip(".")


def _options(module: ModuleType, name: str, slots: Collection[str]) -> list[str]:
    """Keyword-only parameters that are no slots, with their defaults as they are written in the file."""
    tree = ast.parse(inspect.getsource(module))
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    given = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return [f"`{p.arg} = {ast.unparse(default)}`" for p, default in given if default and p.arg not in slots]


def _counted(roles: tuple[str, ...]) -> str:
    times = {role: roles.count(role) for role in dict.fromkeys(roles)}
    return ", ".join(role if number == 1 else f"{number} x {role}" for role, number in times.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is out of date")
    made = page()
    if parser.parse_args().check:
        return int(PAGE.read_text(encoding="utf-8") != made)
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
