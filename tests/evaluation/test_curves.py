"""Accuracy against cost: front and dominance where they are known, bands that are paired, and a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestra.errors import BadInput
from orchestra.evaluation.curves import Curve, Track, curve
from orchestra.evaluation.plot import plot

N = 200
RNG = np.random.default_rng(0)
BASE = (RNG.random(N) < 0.5).astype(float)


def track(name: str, scores: np.ndarray, cost: float, series: str = "") -> Track:
    spent = cost * (1 + RNG.random(N) / 10)
    return Track(name, {str(i): s for i, s in enumerate(scores)}, {str(i): c for i, c in enumerate(spent)}, series)


def traced(*tracks: Track, families: dict[str, str] | None = None) -> Curve:
    return curve(tracks, families or {}, np.random.default_rng(1), draws=2000)


BETTER = np.maximum(BASE, RNG.random(N) < 0.3)


def test_the_front_and_who_dominates() -> None:
    found = traced(
        track("cheap", BASE, 10), track("good", BETTER, 30), track("dear", BASE, 30), track("bad", BASE * 0, 5)
    )
    points = {point.name: point for point in found.points}
    assert [point.name for point in found.points if point.front] == ["cheap", "good", "bad"]
    assert points["dear"].on_front == 0.0
    assert points["cheap"].on_front == 1.0
    assert found.dominates["cheap"]["dear"] == 1.0
    assert found.dominates["dear"]["cheap"] == found.dominates["good"]["cheap"] == 0.0
    assert points["good"].accuracy.mean == pytest.approx(BETTER.mean())
    assert points["good"].accuracy.ci_low < BETTER.mean() < points["good"].accuracy.ci_high


def test_dominance_is_paired_over_tasks() -> None:
    """A is right wherever B is and on six tasks more: in nearly every draw at least as accurate. Two systems with the
    same rates on unlike tasks, the control, are not that sure."""
    more = BASE.copy()
    more[np.flatnonzero(BASE == 0)[:6]] = 1.0
    shuffled = np.random.default_rng(2).permutation(more)
    paired = traced(track("a", more, 10), track("b", BASE, 20)).dominates["a"]["b"]
    unpaired = traced(track("a", shuffled, 10), track("b", BASE, 20)).dominates["a"]["b"]
    assert paired == 1.0
    assert unpaired < 0.9


def test_bands_are_wider_where_tasks_stand_and_fall_with_their_template() -> None:
    alike = np.repeat(np.arange(20) % 2, 10).astype(float)
    families = {str(i): str(i // 10) for i in range(N)}
    (plain,) = traced(track("a", alike, 10)).points
    (robust,) = traced(track("a", alike, 10), families=families).points
    assert robust.accuracy.ci_high - robust.accuracy.ci_low > 2 * (plain.accuracy.ci_high - plain.accuracy.ci_low)


def test_the_same_draws_say_the_same_and_series_are_in_no_duel() -> None:
    tracks = [track("a", BASE, 10), track("sc x 1", BASE, 5, "sc"), track("sc x 2", BETTER, 10, "sc")]
    assert traced(*tracks) == traced(*tracks)
    assert traced(*tracks).dominates == {"a": {}}


def test_other_tasks_are_refused() -> None:
    with pytest.raises(BadInput, match="the same tasks"):
        traced(Track("a", {"1": 1.0}, {"1": 1.0}), Track("b", {"2": 1.0}, {"2": 1.0}))
    with pytest.raises(BadInput, match="at least one"):
        traced()


def test_the_picture_names_every_system(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra plot is not installed")
    found = traced(track("cheap", BASE, 10), track("sc x 1", BASE, 5, "vote"), track("sc x 2", BETTER, 10, "vote"))
    plot(found, tmp_path / "c.svg", title="a < b")
    text = (tmp_path / "c.svg").read_text()
    assert text.count("<g id=") > 10
    with pytest.raises(BadInput, match="a file ending in"):
        plot(found, tmp_path / "c.gif")
