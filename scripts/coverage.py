"""How often intervals that promise 95 % hold the truth, by simulation: ours, and that of the central limit theorem.

    python scripts/coverage.py [--studies 2000] [--json]

Each study draws the tasks of one evaluation anew. `binary`: n independent tasks, right with probability p. `clustered`:
G templates of m tasks; each template has its own rate, drawn from a beta distribution with mean p and intra-class
correlation rho. The normal interval, and any interval that overlooks the templates, are there to fail.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from orchestra.evaluation.statistics import (
    Interval,
    bootstrap_interval,
    cluster_interval,
    mean_interval,
    normal_quantile,
    wilson,
)

Array = npt.NDArray[np.float64]
Method = Callable[[Array, Sequence[int], np.random.Generator], Interval]


@dataclass(frozen=True, slots=True)
class Row:
    """One design and one interval."""

    design: str
    n: int
    p: float
    method: str
    coverage: float
    """Share of studies whose interval holds p."""
    width: float
    """Mean."""


def normal(values: Array) -> Interval:
    """The interval of the central limit theorem for a share: p -+ 1.96 sqrt(p (1 - p) / n)."""
    p = float(values.mean())
    half = normal_quantile(0.975) * (p * (1 - p) / len(values)) ** 0.5
    return Interval(p, p - half, p + half)


METHODS: Mapping[str, Method] = {
    "normal": lambda x, groups, rng: normal(x),
    "wilson": lambda x, groups, rng: wilson(int(x.sum()), len(x)),
    "t": lambda x, groups, rng: mean_interval(x.tolist()),
    "bootstrap": lambda x, groups, rng: bootstrap_interval(x.tolist(), rng, draws=1000),
    "cluster t": lambda x, groups, rng: cluster_interval(x.tolist(), groups),
    "cluster bootstrap": lambda x, groups, rng: bootstrap_interval(x.tolist(), rng, clusters=groups, draws=1000),
}
SINGLE = ("normal", "wilson", "t", "bootstrap")
BINARY = ((20, 0.05), (50, 0.05), (50, 0.9), (100, 0.05), (100, 0.5), (300, 0.05), (300, 0.5))
CLUSTERED = ((10, 10), (20, 10), (40, 10), (40, 25))
"""(templates, tasks of each)."""


def study(rng: np.random.Generator, p: float, groups: int, size: int, rho: float) -> tuple[Array, list[int]]:
    """The scores of one evaluation, and the template of each task; rho = 0 draws tasks independently."""
    rates = rng.beta(p * (1 / rho - 1), (1 - p) * (1 / rho - 1), groups) if rho else np.full(groups, p)
    scores = rng.random((groups, size)) < rates[:, None]
    return scores.ravel().astype(float), np.repeat(np.arange(groups), size).tolist()


def coverage(
    methods: Sequence[str], p: float, groups: int, size: int, rho: float, studies: int, seed: int = 0
) -> list[Row]:
    """One row a method, over the same studies."""
    rng = np.random.default_rng([seed, groups, size, round(1000 * p), round(1000 * rho)])
    held, width = dict.fromkeys(methods, 0), dict.fromkeys(methods, 0.0)
    for _ in range(studies):
        values, labels = study(rng, p, groups, size, rho)
        for method in methods:
            _, low, high = METHODS[method](values, labels, rng)
            held[method] += low <= p <= high
            width[method] += high - low
    design = f"{groups} templates of {size}, correlation {rho}" if rho else "independent"
    return [Row(design, groups * size, p, m, held[m] / studies, width[m] / studies) for m in methods]


def table(rows: Sequence[Row]) -> str:
    """Markdown."""
    lines = ["| design | n | p | interval | coverage | mean width |", "|---|---|---|---|---|---|"]
    for row in rows:
        figures = f"{100 * row.coverage:.1f} % | {row.width:.3f}"
        lines.append(f"| {row.design} | {row.n} | {row.p} | {row.method} | {figures} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = [row for n, p in BINARY for row in coverage(SINGLE, p, n, 1, 0.0, options.studies)]
    for groups, size in CLUSTERED:
        rows += coverage(tuple(METHODS), 0.3, groups, size, 0.2, options.studies)
    print(json.dumps([asdict(row) for row in rows]) if options.json else table(rows))


if __name__ == "__main__":
    main()
