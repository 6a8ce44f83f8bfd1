"""Lines of Python per folder, as a Markdown table for LOG.md: `python scripts/lines.py [--json]`.

Each file is counted once: the shelves at the top level, not again where `orchestra/` links to them.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
TOP = ("orchestra", "roles", "topologies", "training", "evals", "scripts", "tests")
SPLIT = ("orchestra", "tests")
"""Shown one level deeper."""


class Size(NamedTuple):
    """Of one folder."""

    folder: str
    files: int
    lines: int
    longest: int
    """Lines of its longest file."""


def sources(root: Path) -> Iterator[Path]:
    """Every Python file of the project, once."""
    for top in TOP:
        files = (root / top).rglob("*.py")
        yield from (file for file in sorted(files) if not any(above.is_symlink() for above in file.parents))


def folder(path: Path) -> str:
    """The row that a file (relative to the root) is counted in.

    >>> folder(Path("orchestra/team/role.py")), folder(Path("roles/debater.py")), folder(Path("orchestra/types.py"))
    ('orchestra/team', 'roles', 'orchestra')
    """
    return "/".join(path.parts[: 2 if path.parts[0] in SPLIT and len(path.parts) > 2 else 1])


def sizes(root: Path) -> list[Size]:
    """One row a folder, in the order of TOP."""
    files: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    longest: Counter[str] = Counter()
    for path in sources(root):
        row, length = folder(path.relative_to(root)), len(path.read_text(encoding="utf-8").splitlines())
        files[row] += 1
        lines[row] += length
        longest[row] = max(longest[row], length)
    return [Size(row, files[row], lines[row], longest[row]) for row in files]


def table(rows: list[Size]) -> str:
    """Markdown, with a last row for all."""
    total = Size(
        "all", sum(r.files for r in rows), sum(r.lines for r in rows), max((r.longest for r in rows), default=0)
    )
    body = [f"| {r.folder} | {r.files} | {r.lines:,} | {r.longest} |" for r in [*rows, total]]
    return "\n".join(["| folder | files | lines | longest file |", "|---|---:|---:|---:|", *body])


def main() -> None:
    parser = argparse.ArgumentParser(description="Lines of Python per folder.")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    rows = sizes(ROOT)
    print(json.dumps({"folders": [row._asdict() for row in rows]}) if parser.parse_args().json else table(rows))


if __name__ == "__main__":
    main()
