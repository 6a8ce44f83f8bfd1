from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from orchestra.errors import BadData
from orchestra.population.table import DecisionTable, rule

GOLDEN = Path(__file__).parent / "golden" / "decision_table_v1.safetensors"
THREE = ("a", "b", "c")


def table(probs: object, rows: object = (3, 8), choices: tuple[str, ...] = THREE) -> DecisionTable:
    return DecisionTable("by hand", np.array(rows, np.int64), np.array(probs, np.float32), choices)


HAND = table([[0.2, 0.3, 0.5], [0.0, 1.0, 0.0]])


def test_draws_follow_the_probabilities() -> None:
    keys = np.full(200_000, 3)
    drawn = HAND.draw(keys, np.arange(200_000), step=4, seed=1)
    assert drawn.dtype == np.uint8
    shares = np.bincount(drawn, minlength=3) / 200_000
    assert np.abs(shares - [0.2, 0.3, 0.5]).max() < 0.005  # 4.5 standard deviations
    assert (HAND.draw(np.full(1000, 8), np.arange(1000), 0, 0) == 1).all()


@given(st.permutations(range(12)), st.integers(0, 99), st.integers(0, 2**40))
def test_a_draw_is_the_agents_own(order: list[int], step: int, seed: int) -> None:
    agents, keys = np.arange(12), np.array([3, 8] * 6)
    together = HAND.draw(keys, agents, step, seed)
    assert (HAND.draw(keys[order], agents[order], step, seed) == together[order]).all()
    assert [int(HAND.draw(keys[[i]], agents[[i]], step, seed)[0]) for i in range(12)] == together.tolist()


def test_other_steps_and_seeds_draw_otherwise() -> None:
    keys, agents = np.full(1000, 3), np.arange(1000)
    base = HAND.draw(keys, agents, 0, 0)
    assert 0.5 < (base != HAND.draw(keys, agents, 1, 0)).mean() < 0.75  # 1 - (.04 + .09 + .25) = .62
    assert 0.5 < (base != HAND.draw(keys, agents, 0, 1)).mean() < 0.75


def test_a_key_without_a_row_is_an_error_that_names_it_unless_there_is_a_default() -> None:
    keys, agents = np.array([3, 5, 9, 9]), np.arange(4)
    with pytest.raises(BadData, match=r"no row for 2 of the keys asked, such as \[5, 9\]"):
        HAND.draw(keys, agents, 0, 0)
    assert HAND.draw(keys, agents, 0, 0, default=(0, 0, 1))[1:].tolist() == [2, 2, 2]
    assert HAND.probabilities(keys, default=(0, 0, 1))[0].tolist() == HAND.probs[0].tolist()


@pytest.mark.parametrize(
    ("probs", "rows", "choices"),
    [
        ([[0.5, 0.5]], (1,), THREE),
        ([[0.5, 0.4, 0.0]], (1,), THREE),
        ([[1.5, -0.5, 0.0]], (1,), THREE),
        ([[1.0, 0.0, float("nan")]], (1,), THREE),
        ([[1, 0, 0], [1, 0, 0]], (8, 3), THREE),
        ([[1, 0, 0], [1, 0, 0]], (3, 3), THREE),
        ([[1.0]], (1,), ("a",)),
    ],
)
def test_tables_that_make_no_sense_are_refused(probs: object, rows: object, choices: tuple[str, ...]) -> None:
    with pytest.raises(BadData, match="by hand"):
        table(probs, rows, choices)


def test_save_and_load_give_the_same_table(tmp_path: Path) -> None:
    HAND.save(tmp_path / "t.safetensors")
    loaded = DecisionTable.load(tmp_path / "t.safetensors")
    assert (loaded.source, loaded.choices) == (HAND.source, HAND.choices)
    assert loaded.rows.tolist() == [3, 8] and loaded.probs.tolist() == HAND.probs.tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["t.safetensors"]


def test_the_golden_file_of_version_1_still_loads() -> None:
    golden = DecisionTable.load(GOLDEN)
    assert (golden.source, golden.choices) == ("golden", ("isolate", "continue"))
    assert golden.rows.tolist() == [0, 7, 143]
    assert golden.probs.tolist() == [[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]]


def test_files_that_are_no_table_are_refused(tmp_path: Path) -> None:
    torn, other, strange = tmp_path / "torn", tmp_path / "other", tmp_path / "strange"
    torn.write_bytes(GOLDEN.read_bytes()[:40])
    save_file({"rows": np.zeros(1)}, other, metadata={"version": "99"})
    save_file({"rows": np.zeros(1, np.int64)}, strange, metadata={"version": "1", "source": "x", "choices": "[]"})
    for path, said in (
        (torn, "cannot be read"),
        (other, "got '99'"),
        (strange, "cannot be read"),
        (tmp_path, "cannot"),
    ):
        with pytest.raises(BadData, match=said):
            DecisionTable.load(path)


def test_a_rule_has_a_row_for_every_key() -> None:
    made = rule("parity", 6, ("even", "odd"), lambda key: (1 - key % 2, key % 2))
    assert made.draw(np.arange(6), np.arange(6), 0, 0).tolist() == [0, 1] * 3
