"""A table of prices is read strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestra.errors import BadData
from orchestra.models.remote import prices
from orchestra.models.remote.prices import Price


@pytest.mark.parametrize("text", ["a/b: {input: 0.15, output: 0.6}", '{"a/b": {"input": 0.15, "output": 0.6}}'])
def test_a_table_in_yaml_or_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "prices").write_text(text)
    table = prices.read(tmp_path / "prices")
    assert table == {"a/b": Price(0.15, 0.6)}
    assert table["a/b"].cost(2000, 1000) == pytest.approx(0.0009)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a",
        "a: 3",
        "a: {input: 1}",
        "a: {input: -1, output: 1}",
        "a: {input: .nan, output: 1}",
        "a: {input: .inf, output: 1}",
        "a: {input: cheap, output: 1}",
        "a: {input: 1, output: 1, cached: 1}",
        "a: !!python/object/apply:os.system [ls]",
        "a: {",
        "\x00",
    ],
)
def test_anything_else_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "prices").write_text(text)
    with pytest.raises(BadData) as refused:
        prices.read(tmp_path / "prices")
    assert "\n" not in str(refused.value)
    assert "prices" in str(refused.value)
