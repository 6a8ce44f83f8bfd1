"""Partners known by how they answer, and what must not move an agent model or be moved by it."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from orchestra.errors import BadData, BadInput
from orchestra.learning.rl.clam import AgentModel, info_nce, pieces

TYPES, NOISE, LONGEST = 3, 4, 24
FEATURES = 2 * TYPES + NOISE
Labels = NDArray[np.int64]


pytestmark = pytest.mark.usefixtures("one_thread")


def play(partner: int, generator: np.random.Generator) -> Tensor:
    """What an agent sees: its own action, the partner's, noise. Each alone is uniform whatever the partner's type.

    The partner's action is, nine times in ten, the agent's last one plus the type.
    """
    length = int(generator.integers(LONGEST // 2, LONGEST + 1))
    own, reply = generator.integers(TYPES, size=(2, length))
    answers = generator.random(length - 1) < 0.9
    reply[1:] = np.where(answers, (own[:-1] + partner) % TYPES, reply[1:])
    seen = np.eye(TYPES)[own], np.eye(TYPES)[reply], generator.normal(size=(length, NOISE))
    return torch.tensor(np.concatenate(seen, axis=1), dtype=torch.float32)


def played(count: int, seed: int) -> tuple[list[Tensor], Labels]:
    generator = np.random.default_rng(seed)
    types = np.arange(count) % TYPES
    return [play(int(each), generator) for each in types], types


def probed(known: np.ndarray, labels: Labels, held_out: np.ndarray, truth: Labels) -> float:
    """Accuracy of a ridge regression on one-hot types."""
    mean, spread = known.mean(0), known.std(0) + 1e-6
    x, new = ((np.c_[(each - mean) / spread, np.ones(len(each))]) for each in (known, held_out))
    weights = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ np.eye(TYPES)[labels])
    return float(((new @ weights).argmax(1) == truth).mean())


def flat(histories: list[Tensor]) -> np.ndarray:
    return np.stack([np.pad(each.numpy(), ((0, LONGEST - len(each)), (0, 0))).ravel() for each in histories])


def pooled(histories: list[Tensor]) -> np.ndarray:
    return np.stack([each.numpy().mean(0) for each in histories])


def histories(count: int, seed: int = 0, features: int = 4) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(1 + 3 * index % 8, features, generator=generator) for index in range(count)]


def same(a: AgentModel, b: AgentModel) -> bool:
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_partners_of_hidden_types_are_told_apart(seed: int) -> None:
    """By what was learnt, not by the features, an untrained encoder, wrong labels, or observations out of order."""
    (known, labels), (held_out, truth) = played(384, 10 * seed), played(300, 10 * seed + 1)
    model = AgentModel(FEATURES, size=8, seed=seed)

    def told(labels: Labels, held_out: list[Tensor]) -> float:
        return probed(model.embed(known).numpy(), labels, model.embed(held_out).numpy(), truth)

    untrained = told(labels, held_out)
    generator = np.random.default_rng(seed)
    curve = [model.update([known[i] for i in generator.choice(len(known), 64, replace=False)]) for _ in range(160)]

    accuracy = told(labels, held_out)
    raw = max(probed(of(known), labels, of(held_out), truth) for of in (flat, pooled))
    mixed = [each[torch.from_numpy(generator.permutation(len(each)))] for each in held_out]
    wrong = np.mean([told(generator.permutation(labels), held_out) for _ in range(20)])
    assert accuracy > 0.9
    assert accuracy > raw + 0.4 and raw < 0.5
    assert accuracy > untrained + 0.3
    assert told(labels, mixed) < 0.5
    assert wrong < 0.5  # one wrong labelling may hit by luck, since types lie in clusters; many do not
    assert np.mean(curve[:10]) > log(64) - 0.1 and np.mean(curve[-10:]) < log(64) - 0.4


def test_loss_by_hand() -> None:
    """Unit vectors at 60 degrees: cosines 1 and 1/2 at temperature 1/2."""
    anchors = torch.tensor([[1.0, 0.0], [0.5, 3**0.5 / 2]])
    assert float(info_nce(anchors, anchors, 0.5)) == pytest.approx(log(1 + exp(-1)), abs=1e-6)
    assert float(info_nce(anchors, anchors.flip(0), 0.5)) == pytest.approx(log(1 + exp(1)), abs=1e-6)
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # rows of cosines: 1, 0 and 1/2, sqrt(3)/2
    mean = (log(1 + exp(-2)) + log(1 + exp(1 - 3**0.5))) / 2
    assert float(info_nce(anchors, targets, 0.5)) == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_loss_of_equal_embeddings(count: int) -> None:
    equal = torch.full((count, 4), 0.5)
    assert float(info_nce(equal, equal, 0.1)) == pytest.approx(log(count), abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(1, 5), st.floats(0.1, 2), st.integers(0, 99))
def test_loss_term_by_term(count: int, size: int, temperature: float, seed: int) -> None:
    a, b = torch.randn(2, count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    terms = []
    for i in range(count):
        likenesses = [exp(float(a[i] @ b[j]) / temperature) for j in range(count)]
        terms.append(-log(likenesses[i] / sum(likenesses)))
    assert float(info_nce(a, b, temperature)) == pytest.approx(sum(terms) / count, rel=1e-9, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**48 - 1))
def test_pieces_share_nothing(length: int, key: int) -> None:
    """All observations once, the masked ones as zeros; at least a quarter each, and never all masked."""
    history = torch.arange(1.0, length + 1)[:, None].repeat(1, 2)
    first, second = pieces(history, f"{key:012x}")
    assert bool(first.any())
    if length == 1:
        assert first.tolist() == second.tolist() == history.tolist()
        return
    assert len(first) + len(second) == length and min(len(first), len(second)) >= max(1, length // 4)
    seen = [row for row in [*first.tolist(), *second.tolist()] if any(row)]
    assert sorted(seen) == [row for row in history.tolist() if row in seen] and len(seen) > length // 4
    again = pieces(history, f"{key:012x}")
    assert first.equal(again[0]) and second.equal(again[1])


def test_pieces_differ_with_the_key() -> None:
    history = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    assert len({pieces(history, f"{key:012x}")[0].sum().item() for key in range(8)}) == 8


def test_gradient_reaches_neither_target_nor_features() -> None:
    """The target moves by its average alone."""
    model, seen = AgentModel(4, size=3, momentum=0.75), [each.requires_grad_() for each in histories(5)]
    before = model.state_dict()
    assert model.update(seen) > 0
    after = model.state_dict()
    assert all(each.grad is None for each in seen)
    assert not model.embed(seen).requires_grad
    names = [name.removeprefix("target/") for name in before if name.startswith("target/")]
    assert names
    for name in names:
        assert not after[f"encoder/{name}"].equal(before[f"encoder/{name}"])
        averaged = 0.75 * before[f"target/{name}"] + 0.25 * after[f"encoder/{name}"]
        torch.testing.assert_close(after[f"target/{name}"], averaged)


def test_embeddings_are_the_targets() -> None:
    still, moving, seen = AgentModel(4, momentum=1.0), AgentModel(4, momentum=0.0), histories(5)
    before = still.embed(seen)
    assert still.update(seen) == moving.update(seen)
    assert still.embed(seen).equal(before) and not moving.embed(seen).equal(before)


def test_pieces_are_other_ones_each_step() -> None:
    model = AgentModel(4, lr=0.0)
    assert len({model.update(histories(5)) for _ in range(4)}) == 4


def test_order_and_repetition_of_a_batch_change_nothing() -> None:
    model, mixed, fewer = (AgentModel(4) for _ in range(3))
    seen = histories(6)
    for _ in range(3):
        assert model.update(seen) == mixed.update([*seen[::-1], seen[2].clone()])
        fewer.update(seen[:5])
    assert same(model, mixed) and not same(model, fewer)
    torch.testing.assert_close(model.embed(seen[::-1]), model.embed(seen).flip(0))


def test_company_of_other_lengths_changes_no_embedding() -> None:
    model, seen = AgentModel(4), histories(8)
    alone = torch.cat([model.embed([each]) for each in seen])
    torch.testing.assert_close(model.embed(seen), alone)
    torch.testing.assert_close(alone.norm(dim=1), torch.ones(8))
    assert model.embed([]).shape == (0, 32)


def test_nothing_to_tell_apart_is_no_step() -> None:
    model, fresh = AgentModel(4), AgentModel(4)
    (one,) = histories(1)
    assert [model.update([]), model.update([one]), model.update([one, one.clone()])] == [0.0, 0.0, 0.0]
    assert same(model, fresh)
    assert model.update(histories(2)) > 0 and not same(model, fresh)


@pytest.mark.parametrize("done", [0, 3])
def test_goes_on_as_if_never_stopped(done: int) -> None:
    """Into a model that has learnt otherwise, and not touched by what the first does next."""
    whole, later = AgentModel(4), AgentModel(4)
    later.update(histories(5, 99))
    for step in range(done):
        whole.update(histories(5, step))
    state = whole.state_dict()
    curve = [whole.update(histories(5, step)) for step in range(done, 6)]
    later.load_state_dict(state)
    assert [later.update(histories(5, step)) for step in range(done, 6)] == curve
    assert same(whole, later)


def test_seeds_decide_and_the_global_generator_stays() -> None:
    torch.manual_seed(1)
    one = AgentModel(4, seed=5)
    before = torch.random.get_rng_state()
    torch.manual_seed(2)
    two, other = AgentModel(4, seed=5), AgentModel(4, seed=6)
    torch.manual_seed(1)
    assert torch.random.get_rng_state().equal(before)
    assert same(one, two) and not same(one, other)
    assert one.update(histories(5)) == two.update(histories(5))


@pytest.mark.parametrize(
    "bad", [torch.zeros(0, 4), torch.zeros(3, 5), torch.zeros(4), torch.full((2, 4), float("nan"))], ids=str
)
def test_what_is_no_history_is_refused(bad: Tensor) -> None:
    model = AgentModel(4)
    for act in (model.update, model.embed):
        with pytest.raises(BadInput, match=r"expected finite features of shape \(1 or more, 4\), got .* at history 1"):
            act([torch.zeros(2, 4), bad])
    assert same(model, AgentModel(4))


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(BadInput, match="expected 2 features or more"):
        AgentModel(1)
    with pytest.raises(BadData, match="expected the state of an agent model of 4 features and size 32"):
        AgentModel(4).load_state_dict(AgentModel(4, size=8).state_dict())
