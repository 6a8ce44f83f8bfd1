"""Accuracy against cost as a picture, by the extra `plot`: a dot with its bands a system, a line a series."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from orchestra.errors import BadInput, missing_extra
from orchestra.evaluation.curves import Curve, Point

ENDINGS = (".svg", ".png", ".pdf")


def check_plot(path: Path) -> None:
    """Raises BadInput for a file of another kind, and Unavailable where matplotlib is missing, before any work."""
    if path.suffix not in ENDINGS:
        raise BadInput(f"expected a file ending in {', '.join(ENDINGS)}, got {str(path)!r}; fix: --plot curve.svg")
    try:
        import matplotlib as mpl  # noqa: PLC0415  (an extra, and slow to import)
    except ImportError:
        raise missing_extra("plot", "matplotlib") from None
    mpl.use("agg")  # no screen


def plot(curve: Curve, path: Path, *, cost: str = "tokens a task", title: str = "") -> None:
    """Writes the picture; the ending of the path says in which format. Raises as `check_plot`."""
    check_plot(path)
    from matplotlib import pyplot as plt  # noqa: PLC0415  (after the choice of a canvas without a screen)

    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    series: dict[str, list[Point]] = defaultdict(list)
    for point in curve.points:
        series[point.series].append(point)
    for name, points in series.items():
        if name:
            line = sorted(points, key=lambda point: point.cost.mean)
            at = [point.cost.mean for point in line]
            (drawn,) = axes.plot(at, [100 * point.accuracy.mean for point in line], label=name, linewidth=1.5)
            low, high = ([100 * getattr(p.accuracy, end) for p in line] for end in ("ci_low", "ci_high"))
            axes.fill_between(at, low, high, color=drawn.get_color(), alpha=0.15, linewidth=0)
    for point in series[""]:
        mark = "o" if point.front else "x"
        across, up = _arms(point.cost, 1), _arms(point.accuracy, 100)
        label = point.name + (" (on the front)" if point.front else "")
        axes.errorbar(point.cost.mean, 100 * point.accuracy.mean, up, across, fmt=mark, capsize=3, label=label)
    axes.set(xlabel=cost, ylabel="accuracy, %", title=title)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path)
    plt.close(figure)


def _arms(band: Sequence[float], scale: float) -> list[list[float]]:
    """How far a band reaches below and above its mean, as matplotlib takes it."""
    mean, low, high = band
    return [[max(0.0, scale * (mean - low))], [max(0.0, scale * (high - mean))]]
