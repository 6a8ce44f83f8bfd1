"""Data files: every format gives the same rows, what cannot be read is named, and names of splits are respected."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from orchestra.errors import BadData, BadInput
from orchestra.evaluation.sources.files import cells, check_split, rows

ROWS = [{"question": "Which, and\nwhy?", "answer": "A"}, {"question": "\u00e9?", "answer": "B"}]


def write(folder: Path, name: str) -> Path:
    path = folder / name
    lines = "\n".join(map(json.dumps, ROWS)) + "\n\n"
    table = 'question,answer\n"Which, and\nwhy?",A\n\u00e9?,B\n'
    texts = {"jsonl": lines, "json": json.dumps(ROWS), "csv": table}
    data = texts[name.removesuffix(".gz").rpartition(".")[2]].encode("utf-8-sig")
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.jsonl.gz", "a.json.gz", "a.csv.gz"])
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    assert [row for _, row in rows(write(tmp_path, name))] == ROWS


def test_parquet_gives_the_same_rows(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    assert [row for _, row in rows(tmp_path / "a.parquet")] == ROWS
    (tmp_path / "b.parquet").write_bytes(b"no parquet")
    with pytest.raises(BadData, match=r"expected a Parquet file, got .*b\.parquet"):
        list(rows(tmp_path / "b.parquet"))


def test_places_are_lines_of_lines_and_numbers_of_records(tmp_path: Path) -> None:
    assert [where.rpartition(":")[2] for where, _ in rows(write(tmp_path, "a.jsonl"))] == ["1", "2"]
    (tmp_path / "b.json").write_text('{"Data": [{"a": 1}, {"a": 2}]}', "utf-8")
    assert list(rows(tmp_path / "b.json")) == [(f"{tmp_path}/b.json:1", {"a": 1}), (f"{tmp_path}/b.json:2", {"a": 2})]
    (tmp_path / "c.json").write_text('{"a": 1}', "utf-8")
    assert [row for _, row in rows(tmp_path / "c.json")] == [{"a": 1}]
    assert [row for _, row in cells(write(tmp_path, "a.csv"))][:1] == [["question", "answer"]]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.txt", b"", "expected a file of .jsonl, .json, .csv, .parquet"),
        ("a.jsonl", b'{"a": 1}\n[1]\n', "a.jsonl:2: expected an object"),
        ("a.jsonl", b'{"a": 1}\n{\n', "a.jsonl:2: expected JSON"),
        ("a.jsonl", b"\xff\xfe", "expected a readable UTF-8 file"),
        ("a.jsonl.gz", b"no gzip", "expected a readable UTF-8 file"),
        ("a.jsonl.gz", gzip.compress(b"{}" * 99)[:-9], "expected a readable UTF-8 file"),
        ("a.jsonl", b"[" * 100_000, "a.jsonl:1: expected JSON"),
        ("a.json", b"7", "a.json:1: expected an object"),
        ("a.csv", b"a,b\n1\n", "a.csv:2: expected 2 cells"),
        ("a.csv", b'a,b\n1,"2\n', "expected CSV"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(BadData) as refused:
        list(rows(tmp_path / name))
    assert said in str(refused.value)
    assert "fix: " in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"absent\.jsonl"):
        list(rows(tmp_path / "absent.jsonl"))


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("train.jsonl", {"train", "dev", "test"}),
        ("latest.jsonl", {"train", "dev", "test"}),
        ("contest/rows.jsonl", {"train", "dev", "test"}),
        ("dev_rand_split.jsonl", {"dev", "test"}),
        ("algebra_val.csv", {"dev", "test"}),
        ("validation-00000-of-00001.parquet", {"dev", "test"}),
        ("mmlu/dev", {"dev", "test"}),
        ("test.jsonl", {"test"}),
        ("test500.jsonl", {"test"}),
        ("ARC-Challenge-Test.jsonl", {"test"}),
        ("test_rand_split_no_answers.jsonl", {"test"}),
        ("algebra_test.csv", {"test"}),
        ("MATH/test/1.json", {"test"}),
    ],
)
def test_a_file_goes_under_no_looser_name_than_its_own(path: str, allowed: set[str]) -> None:
    for split in ("train", "dev", "test"):
        if split in allowed:
            check_split(Path(path), split)
        else:
            with pytest.raises(BadInput, match=f"got '{split}'; fix: --split"):
                check_split(Path(path), split)
