"""Trees of rows: worked by hand, by a slow twin, and against the rows read one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import AutoModelForCausalLM

from orchestra.learning import batching, losses
from orchestra.learning.packing import Pack, Weighed, costs, labelled, packs, read
from orchestra.learning.row import IGNORED
from orchestra.learning.scorer import Scorer
from orchestra.learning.settings import Settings
from tests.learning.trees import row, siblings, weighed_rows

pytestmark = pytest.mark.usefixtures("one_thread")


def told(rows: Sequence[Weighed]) -> Counter[tuple[tuple[int, ...], int]]:
    """(what precedes it, target) -> weight, straight from the rows."""
    found: Counter[tuple[tuple[int, ...], int]] = Counter()
    for one, weight in rows:
        for at, label in enumerate(one.labels):
            if label != IGNORED and at:
                found[one.input_ids[:at], label] += weight  # type: ignore[assignment]
    return found


def read_back(pack: Pack) -> Counter[tuple[tuple[int, ...], int]]:
    """The same from a pack, through what each scored token attends to."""
    found: Counter[tuple[tuple[int, ...], int]] = Counter()
    for at, target, weight in zip(pack.at.tolist(), pack.targets.tolist(), pack.weights.tolist(), strict=True):
        seen = pack.mask[0, 0, at].nonzero().flatten()
        order = pack.positions[0, seen].argsort()
        assert pack.positions[0, seen][order].tolist() == list(range(len(seen)))  # one token at each depth
        found[tuple(pack.ids[0, seen][order].tolist()), target] += weight
    return found


def test_a_tree_by_hand() -> None:
    (pack,) = packs([Weighed(row((5, 6), (7, 8)), 1.0), Weighed(row((5, 6), (9,)), 0.5)], budget=10)
    assert pack.ids.tolist() == [[5, 6, 7]]
    assert pack.positions.tolist() == [[0, 1, 2]]
    assert sorted(zip(pack.at.tolist(), pack.targets.tolist(), pack.weights.tolist(), strict=True)) == [
        (1, 7, 1.0), (1, 9, 0.5), (2, 8, 1.0),
    ]  # fmt: skip


def test_branches_do_not_see_each_other() -> None:
    (pack,) = packs([Weighed(row((5, 6), (7, 8, 2)), 1.0), Weighed(row((5, 6), (9, 2)), 1.0)], budget=10)
    assert pack.ids.tolist() == [[5, 6, 7, 8, 9]]
    assert pack.positions.tolist() == [[0, 1, 2, 3, 2]]
    assert pack.mask[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 0, 0, 1],
    ]


@given(weighed_rows(), st.integers(1, 30))
def test_packs_say_what_the_rows_say(rows: list[Weighed], budget: int) -> None:
    """Every label with its context, once for each row; budgets kept; each token read once; the order is no matter."""
    made = packs(rows, budget)
    assert sum((read_back(pack) for pack in made), Counter()) == +told(rows)
    beginnings = set[tuple[int, ...]]()
    for pack in made:
        assert pack.ids.shape[1] <= max(budget, *(len(read(one)) for one, _ in rows))
        paths = [tuple(pack.ids[0, seen].tolist()) for seen in pack.mask[0, 0]]  # an ancestor stands before
        assert len(set(paths)) == len(paths)
        slow = [[one[: len(other)] == other for other in paths] for one in paths]
        assert pack.mask[0, 0].tolist() == slow
        beginnings |= set(paths)
    assert beginnings == {read(one)[:at] for one, _ in rows for at in range(1, len(read(one)) + 1)}
    again = packs(rows[::-1], budget)
    assert [pack.ids.tolist() for pack in again] == [pack.ids.tolist() for pack in made]


@given(weighed_rows(), st.integers(1, 4))
def test_processes_share_a_step(rows: list[Weighed], processes: int) -> None:
    """Every row at one process, every process with about its part of the tokens."""
    given = [one for one, _ in rows]
    shares = [batching.share(given, rank, processes) for rank in range(processes)]
    assert sorted(place for part in shares for place in part) == list(range(len(rows)))
    total = sum(costs(sorted(given, key=read)))
    longest = max(len(read(one)) for one in given)
    for part in shares:
        own = costs([given[place] for place in part])
        assert sum(own) <= total / processes + 2 * longest


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=12), st.integers(1, 5), st.integers(1, 3))
def test_each_epoch_reads_each_row_once(runs: list[str], batch: int, epochs: int) -> None:
    rows = [row((5, 6), (7,), run=run, name=str(index)) for index, run in enumerate(runs)]
    planned = batching.steps(rows, Settings(batch=batch, epochs=epochs))
    size = -(-len(rows) // batch)
    assert len(planned) == epochs * size
    for epoch in range(epochs):
        part = [index for step in planned[epoch * size : (epoch + 1) * size] for index in step]
        assert sorted(part) == list(range(len(rows)))
        groups = [run for run, _ in groupby(runs[index] for index in part)]
        assert len(groups) == len(set(groups))  # siblings follow each other
    assert all(0 < len(step) <= batch for step in planned)


@pytest.fixture(scope="module")
def model(tiny: Path) -> torch.nn.Module:
    loaded: torch.nn.Module = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    return loaded


def flat(model: torch.nn.Module, rows: Sequence[Weighed]) -> Tensor:
    """The loss of rows read one by one through the model's own logits."""
    total = sum(labelled(one) for one, _ in rows)
    terms = []
    for one, weight in rows:
        table = model(torch.tensor([one.input_ids])).logits[0].log_softmax(-1)
        terms += [-weight * table[at - 1, label] for at, label in enumerate(one.labels) if label != IGNORED and at]
    return torch.stack(terms).sum() / total


def treed(model: torch.nn.Module, rows: Sequence[Weighed], budget: int) -> Tensor:
    total = sum(labelled(one) for one, _ in rows)
    scorer = Scorer(model)  # type: ignore[arg-type]
    return torch.stack([losses.sft(scorer(pack), pack.weights, total) for pack in packs(rows, budget)]).sum()


def gradients(model: torch.nn.Module, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, [each for each in model.parameters() if each.requires_grad]))


@pytest.mark.parametrize("budget", [1, 40, 1000])
def test_trees_and_rows_give_one_loss_and_gradient(model: torch.nn.Module, budget: int) -> None:
    rows = [Weighed(one, weight) for one, weight in zip(siblings(0), [1.0, 0.5, 2.0] * 4, strict=True)]
    assert sum(pack.ids.shape[1] for pack in packs(rows, 1000)) < 0.6 * sum(len(read(one)) for one, _ in rows)
    one, other = flat(model, rows), treed(model, rows, budget)
    assert other.item() == pytest.approx(one.item(), abs=1e-5)
    for a, b in zip(gradients(model, one), gradients(model, other), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)


def test_a_mask_that_lets_siblings_see_each_other_is_found_out(model: torch.nn.Module) -> None:
    """Control of the test above."""
    rows = [Weighed(one, 1.0) for one in siblings(0)]
    (pack,) = packs(rows, 1000)
    causal = torch.ones_like(pack.mask).tril()
    total = sum(labelled(one) for one, _ in rows)
    scorer = Scorer(model)  # type: ignore[arg-type]
    wrong = losses.sft(scorer(pack._replace(mask=causal)), pack.weights, total)
    assert wrong.item() != pytest.approx(flat(model, rows).item(), abs=1e-3)


def test_masked_labels_and_context(model: torch.nn.Module) -> None:
    """A prompt's tokens are read and not learnt; a masked turn stays as context."""
    said = row((60, 61, 62), (63, 2))
    turn = row((60, 61, 62, 63, 2, 70), (71, 2))  # its first turn is not labelled
    base = treed(model, [Weighed(turn, 1.0)], 100).item()
    other = replace(turn, input_ids=(60, 61, 62, 64, 2, 70, 71, 2))
    assert treed(model, [Weighed(other, 1.0)], 100).item() != pytest.approx(base, abs=1e-5)
    alone = treed(model, [Weighed(said, 0.0), Weighed(turn, 1.0)], 100).item()
    assert alone * 4 == pytest.approx(base * 2, abs=1e-5)  # weight 0: in the count, not in the sum
