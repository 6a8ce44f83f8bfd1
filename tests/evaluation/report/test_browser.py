"""The page in headless Chromium: nothing asked for, hostile words inert, searchable, no wider than a screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from finished_runs import HOSTILE, evaluated
from headless import CHROMIUM, Page, browser

from orchestra.evals.arith import arith
from orchestra.evaluation.finished import finished
from orchestra.evaluation.report import page, report

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)"),
]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = finished(evaluated(tmp_path_factory.mktemp("eval") / "run"))
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(page(report(found, arith(family="add1"), ["solo beats chain"])), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_a_page_that_asks_for_nothing_and_complains_of_nothing(shown: Page, file: Path, script: bool) -> None:
    shown.open(file, script=script)
    assert shown.requests == [file.resolve().as_uri()]
    assert shown.complaints == []
    shown.call("Emulation.setScriptExecutionDisabled", value=False)
    assert shown.value("document.querySelectorAll('table').length") >= 10
    assert shown.value("document.querySelector('img').naturalWidth") > 100
    assert shown.value("document.querySelector('#search').hidden") is not script


def test_hostile_words_are_shown_and_do_nothing(shown: Page, file: Path) -> None:
    shown.open(file)
    assert shown.value("window.hacked") is None
    assert "window.hacked = true" in shown.value("document.body.textContent")


def test_the_browser_would_see_what_is_not_inert(shown: Page, tmp_path: Path) -> None:
    bare = tmp_path / "bare.html"
    bare.write_text(f"<!doctype html><pre>{HOSTILE}</pre><script src='https://example.org/x.js'></script>", "utf-8")
    shown.open(bare)
    assert shown.value("window.hacked") is True
    assert "https://example.org/x.js" in shown.requests
    assert shown.complaints


def test_a_policy_stops_what_would_escape_the_escaping(shown: Page, file: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    broken.write_text(file.read_text(encoding="utf-8").replace("<header>", f"<header>{HOSTILE}", 1), encoding="utf-8")
    shown.open(broken)
    assert shown.value("window.hacked") is None
    assert any("Content Security Policy" in complaint for complaint in shown.complaints)


def test_transcripts_open_and_are_searched(shown: Page, file: Path) -> None:
    shown.open(file)
    assert shown.value("document.querySelector('#search output').value") == "40 of 40 runs"
    shown.value("document.querySelector('#search input').value = 'BROKE'; show()")
    assert shown.value("document.querySelector('#search output').value") == "6 of 40 runs"
    assert shown.value("[...document.querySelectorAll('details.run')].filter(run => run.checkVisibility()).length") == 6
    shown.value("document.querySelector('#search select').value = 'right'; show()")
    assert shown.value("document.querySelector('#search output').value") == "0 of 40 runs"
    shown.value("document.querySelector('a[href^=\"#run-\"]').click()")
    shown.call("Runtime.evaluate", expression="new Promise(done => setTimeout(done, 50))", awaitPromise=True)
    assert shown.value("document.getElementById(location.hash.slice(1)).open") is True


@pytest.mark.parametrize("width", [1280, 480])
def test_no_wider_than_the_screen(shown: Page, file: Path, width: int) -> None:
    shown.open(file, width=width)
    shown.value("document.querySelectorAll('details').forEach(run => { run.open = true })")
    assert shown.value("document.documentElement.scrollWidth") <= width
