"""Rows as a dataset that others load: exact ids, their words, and a card that counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from datasets import load_dataset

from orchestra.errors import BadInput
from orchestra.learning import export, sft_rows
from orchestra.trajectory.trajectory import Decision, Trajectory
from tests.learning.preferences import pairs_of


def test_rows_come_back_as_they_were(
    tiny: Path, tmp_path: Path, decide: Callable[..., Decision], run_of: Callable[..., Trajectory]
) -> None:
    runs = [
        run_of(decide("a", (60, 61), (70, 71, 2), mask=(1, 0, 1)), run="t0"),
        run_of(decide("b", (62,), (72, 2), role="judge"), run="t1", prompt="2 + 2?"),
    ]
    rows = sft_rows(runs, None)
    files = export.rows(tmp_path / "rows", rows, tiny, "tiny")
    assert [file.relative_to(tmp_path / "rows").as_posix() for file in files] == ["README.md", export.FILE]
    found = load_dataset(str(tmp_path / "rows"), split="train", cache_dir=str(tmp_path / "cache"))
    assert [tuple(each) for each in found["input_ids"]] == [row.input_ids for row in rows]
    assert [tuple(each) for each in found["labels"]] == [row.labels for row in rows]
    assert found["role"] == ["solver", "judge"] and all(found["text"])
    card = files[0].read_text()
    for line in ("rows | 2", "tokens | 8", "tokens with a label | 4", "of policy judge | 1", "tasks | 2", "runs | 2"):
        assert f"| {line} |" in card


@pytest.mark.parametrize(("model", "card", "licence"), [
    ("smollm2", None, "apache-2.0"), ("hf:x", "---\nlicense: mit\n---\n", "mit"), ("hf:x", "# none", "unknown"),
    ("hf:x", None, "unknown"),
])  # fmt: skip
def test_the_licence_is_that_of_the_base(
    tmp_path: Path, tiny: Path, model: str, card: str | None, licence: str
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    for file in tiny.iterdir():
        (base / file.name).symlink_to(file)
    if card is not None:
        (base / "README.md").write_text(card)
    readme, _ = export.pairs(tmp_path / "pairs", pairs_of(0, 2), base, model)
    assert f"\nlicense: {licence}\n" in readme.read_text()


def test_equal_data_has_an_equal_digest_and_a_folder_is_not_written_twice(tmp_path: Path, tiny: Path) -> None:
    def line(folder: Path) -> str:
        return next(each for each in (folder / "README.md").read_text().splitlines() if "data digest" in each)

    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        export.pairs(tmp_path / name, pairs_of(seed), tiny, "tiny")
    assert line(tmp_path / "one") == line(tmp_path / "same") != line(tmp_path / "other")
    with pytest.raises(BadInput, match="expected an empty folder or none"):
        export.pairs(tmp_path / "one", pairs_of(0), tiny, "tiny")
