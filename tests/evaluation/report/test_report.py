"""What a report shows of a finished evaluation: its figures, hostile words as words, nothing from afar."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import pytest
from finished_runs import HOSTILE, evaluated

from orchestra.evals.arith import arith
from orchestra.evaluation.finished import Finished, finished
from orchestra.evaluation.report import Report, markdown, page, report
from orchestra.evaluation.report import transcripts as told
from orchestra.evaluation.report.transcripts import LONGEST, SHORTEST, transcripts, visible

VOID: Final = {"meta", "img", "input", "br"}


class Elements(HTMLParser):
    """Every element of a page; `open` is empty at its end if each was closed in its place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if self.open[-1:] == [tag]:
            self.open.pop()
        else:
            self.open.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return finished(evaluated(tmp_path_factory.mktemp("eval") / "run"))


@pytest.fixture(scope="module")
def made(found: Finished) -> Report:
    return report(found, arith(family="add1"), ["solo beats chain"])


def test_the_tables_hold_the_figures_of_the_evaluation(found: Finished, made: Report) -> None:
    tables = {table.title: table for table in made.results}
    systems = {row[0]: row for row in tables["Systems"].rows}
    assert systems.keys() == found.systems.keys()
    for result in found.results():
        mean, low, high = result.flexible
        assert systems[result.system][2] == f"{100 * mean:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
    paired = [row for row in tables["Paired tests"].rows if row[1] == "flexible"]
    assert [row[0] for row in paired] == ["chain - self_consistency", "chain - solo"]
    assert {row[5] for row in paired} == {"0 and 16 of 40"}
    assert all(len(row) == len(table.head) for table in (*made.results, *made.diagnostics) for row in table.rows)


def test_failed_runs_come_first_then_those_without_an_answer(made: Report) -> None:
    states = [run.state for run in made.troubled]
    assert states == ["failed"] * 6 + ["unparseable"] * 12
    assert [run.state for run in made.runs].count("right") == 6
    assert {run.others for run in made.runs if run.task.endswith("/53+9")} == {
        (("self_consistency", "62", "right"), ("solo", "62", "right"))
    }


def test_a_page_is_whole_and_asks_for_nothing(made: Report) -> None:
    elements = Elements(page(made))
    assert elements.open == []
    addresses = [v for _, attrs in elements.found for name, v in attrs.items() if name in ("src", "href", "action")]
    assert all(address and address.startswith(("data:image/svg+xml;base64,", "#run-")) for address in addresses)
    assert sum(tag == "details" and attrs.get("class") == "run" for tag, attrs in elements.found) == 40
    assert not any(name.startswith("on") for _, attrs in elements.found for name in attrs)


def test_hostile_words_are_words(made: Report) -> None:
    text = page(made)
    elements = Elements(text)
    assert [tag for tag, _ in elements.found].count("script") == 1
    assert [tag for tag, _ in elements.found].count("img") == 1  # the graph
    shown = "".join(elements.text)
    assert visible(HOSTILE) in shown and "\\u202e" in shown and "\u202e" not in text
    assert "the model <b>broke</b>" in shown and "{{ hm }}" in shown
    assert "<script" not in markdown(made) and "window.hacked" not in markdown(made)


def test_the_check_for_markup_can_fail() -> None:
    assert [tag for tag, _ in Elements(f"<pre>{HOSTILE}").found if tag in ("script", "img")] == ["script", "img"]


def test_markdown_tables_have_as_many_cells_in_every_row(made: Report) -> None:
    text = markdown(made)
    assert text.startswith("# chain on arith:add1\n")
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1, block
    assert text.count(": unparseable") == 12


def test_the_json_says_it_too(found: Finished, made: Report) -> None:
    assert made.figures["figures"]["flexible"] == found.figures["flexible"]
    assert made.figures["said"] == ["solo beats chain"]
    assert len(made.figures["troubled"]) == 18
    assert made.figures["diagnostics"]["runs"] == 40


def test_long_messages_are_cut_and_say_so(found: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = found.ours
    message = first.trajectory.messages[0]
    long = replace(first.trajectory, messages=(replace(message, content="x" * (LONGEST + 7)),))
    bigger = replace(found, systems={**found.systems, "chain": (first._replace(trajectory=long), *others)})
    assert transcripts(bigger)[0].lines[0].text == f"{'x' * LONGEST} … (7 more characters)"
    monkeypatch.setattr(told, "TOTAL", 0)
    assert transcripts(bigger)[0].lines[0].text.startswith("x" * SHORTEST + " …")


def test_an_evaluation_of_one_system_has_a_report(tmp_path: Path) -> None:
    alone = finished(evaluated(tmp_path / "run", "solo", "arith:add1", "--n", "2"))
    made = report(alone, arith(family="add1"), [])
    assert made.chart is None and [table.title for table in made.results] == ["Systems"]
    assert Elements(page(made)).open == []
