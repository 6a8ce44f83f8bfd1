"""A report as Markdown: sentences, tables, and the runs that failed or gave no answer. Transcripts are on the page."""

from __future__ import annotations

import re
from collections.abc import Iterator

from orchestra.evaluation.report.content import Report
from orchestra.evaluation.report.tables import Table

LISTED = 50
"""Runs that failed or gave no answer."""


def markdown(report: Report) -> str:
    """The text."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield from (f"# {inert(report.title)}", "", inert(report.summary), "")
    yield from (f"- {inert(sentence)}" for sentence in report.said)
    for name, tables in (
        ("Results", report.results),
        ("How the team talked", report.diagnostics),
        ("Made with", report.provenance),
    ):
        yield from ("", f"## {name}")
        for table in tables:
            yield from ("", *_table(table))
    if report.troubled:
        yield from ("", "## Failed and unparseable runs", "")
        yield from (f"- {inert(run.task)}: {run.state} {inert(run.error)}".rstrip() for run in report.troubled[:LISTED])


def _table(table: Table) -> Iterator[str]:
    yield f"### {inert(table.title)}"
    yield ""
    yield f"| {' | '.join(map(inert, table.head))} |"
    yield f"|{'---|' * len(table.head)}"
    yield from (f"| {' | '.join(map(inert, row))} |" for row in table.rows)
    if table.note:
        yield from ("", inert(table.note))


def inert(text: str) -> str:
    r"""The text on one line, in which nothing is markup.

    >>> inert("a|b\n<script> [x](y) 2*3")
    'a\\|b &lt;script&gt; \\[x\\](y) 2\\*3'
    """
    line = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_|\[\]#!])", r"\\\1", line)
