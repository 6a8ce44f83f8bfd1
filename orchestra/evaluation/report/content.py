"""All that a report shows, gathered once; the page, the Markdown and the JSON differ in form alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestra.evaluation.benchmark import Benchmark
from orchestra.evaluation.diagnostics.summary import summary
from orchestra.evaluation.finished import Finished
from orchestra.evaluation.report.chart import chart
from orchestra.evaluation.report.drawing import picture
from orchestra.evaluation.report.tables import Table, diagnostics, provenance, results
from orchestra.evaluation.report.transcripts import Transcript, transcripts, troubled

SCHEMA: Final = 1
"""Version of the JSON."""


@dataclass(frozen=True, slots=True)
class Report:
    """One evaluation."""

    title: str
    summary: str
    """The benchmark, how much of it, and what chance gives."""
    said: tuple[str, ...]
    """Who won, in a sentence for each baseline."""
    results: tuple[Table, ...]
    diagnostics: tuple[Table, ...]
    provenance: tuple[Table, ...]
    graph: str | None
    """SVG."""
    chart: str | None
    """SVG."""
    runs: tuple[Transcript, ...]
    figures: Mapping[str, Any]
    """JSON of all of it but the transcripts."""

    @property
    def troubled(self) -> list[Transcript]:
        """Runs that failed, then those without an answer."""
        return troubled(self.runs)


def report(found: Finished, benchmark: Benchmark, said: Sequence[str]) -> Report:
    """Gathers the report of a finished evaluation. Calls no model."""
    runs = [run.trajectory for run in found.ours]
    talk = summary(runs, benchmark)
    shown = tuple(transcripts(found))
    n, samples = found.figures["n"], found.figures.get("samples", 1)
    each = f" {samples} times each" if samples > 1 else ""
    return Report(
        f"{found.team} on {found.figures['benchmark']}",
        f"{n} tasks{each}, chance {100 * benchmark.chance:.1f} %, seed {found.spec.get('seed', 0)}",
        tuple(said),
        tuple(results(found.figures)),
        tuple(diagnostics(talk)),
        tuple(provenance(found.spec, found.log)),
        picture(found.path, found.team, runs),
        chart(found.figures["curve"]["points"]) if "curve" in found.figures else None,
        shown,
        {
            "schema": SCHEMA,
            "figures": dict(found.figures),
            "chance": benchmark.chance,
            "said": list(said),
            "diagnostics": talk,
            "troubled": [
                {"task": run.task, "sample": run.sample, "state": run.state, "error": run.error}
                for run in troubled(shown)
            ],
            "spec": dict(found.spec),
            "log": dict(found.log),
        },
    )
