"""The count of lines: each file once, symlinked shelves at their own place only."""

from __future__ import annotations

import doctest
from pathlib import Path

from scripts import lines


def test_each_file_is_counted_once_where_it_is_kept(tmp_path: Path) -> None:
    for name, length in {"orchestra/types.py": 3, "orchestra/team/role.py": 2, "orchestra/team/team.py": 5}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\n" * length)
    (tmp_path / "roles").mkdir()
    (tmp_path / "roles" / "debater.py").write_text("\n" * 4)
    (tmp_path / "orchestra" / "roles").symlink_to("../roles")

    rows = lines.sizes(tmp_path)

    assert sorted(rows) == [("orchestra", 1, 3, 3), ("orchestra/team", 2, 7, 5), ("roles", 1, 4, 4)]
    assert lines.table(rows).splitlines()[-1] == "| all | 4 | 14 | 5 |"


def test_its_examples_hold() -> None:
    assert doctest.testmod(lines) == (0, 1)
