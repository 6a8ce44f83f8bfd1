"""`orchestra report` and `orchestra audit` on an evaluation that is finished, and on what is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from finished_runs import evaluated

from orchestra.cli.app import build
from orchestra.errors import BadInput, UnknownName


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return evaluated(tmp_path_factory.mktemp("eval") / "run")


def asked(*words: str) -> None:
    build(words[:1])(list(words), prog_name="orchestra", standalone_mode=False)


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    asked(*words, "--json")
    return json.loads(capsys.readouterr().out)


def test_a_report_is_three_files_and_says_who_won(run: Path, tmp_path: Path, capsys) -> None:
    value = told(capsys, "report", str(run), "--output", str(tmp_path / "new" / "page.html"))
    assert [Path(file).name for file in value["files"]] == ["page.html", "page.md", "page.json"]
    assert (value["runs"], value["troubled"]) == (40, 18)
    for sentence in value["said"]:
        assert "beats chain: -40.0 points" in sentence  # ours or not
        assert sentence in (tmp_path / "new" / "page.html").read_text().replace("&#39;", "'")
    assert json.loads((tmp_path / "new" / "page.json").read_text())["said"] == value["said"]


def test_a_report_stands_in_the_run_folder_and_is_the_same_again(run: Path, capsys) -> None:
    texts = []
    for _ in range(2):
        (file, *_) = told(capsys, "report", str(run))["files"]
        texts.append(Path(file).read_text())
    assert Path(file) == run / "report.html"
    assert texts[0] == texts[1]


def test_an_audit_of_a_run_and_of_its_baseline(run: Path, capsys) -> None:
    ours = {rule["rule"]: rule for rule in told(capsys, "audit", str(run))["rules"]}
    assert ours["flexible"]["credit"]["mean"] == 6 / 40
    assert ours["mad_gsm"]["credit"]["mean"] == 24 / 40  # to say nothing is right there
    theirs = {rule["rule"]: rule for rule in told(capsys, "audit", str(run), "--system", "solo")["rules"]}
    assert theirs["flexible"]["credit"]["mean"] == 22 / 40
    with pytest.raises(UnknownName, match="did you mean 'solo'"):
        asked("audit", str(run), "--system", "sol")


def test_an_audit_of_a_file_for_people(tmp_path: Path, capsys) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text(json.dumps({"gold": "18", "text": "\x1b[mI cannot.", "finish": "length"}))
    asked("audit", str(file))
    said = capsys.readouterr().out
    assert said.startswith(
        "1 replies (0 of failed runs, 0 without a gold, 1 of runs with a cut reply); the rules differ"
    )
    assert "'I cannot.'" in said and "\x1b" not in said


@pytest.mark.parametrize("command", ["report", "audit"])
def test_what_is_no_finished_evaluation_is_refused(command: str, run: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is no run folder"):
        asked(command, str(tmp_path))
    for part in run.iterdir():
        if part.suffix in (".sqlite", ".json") and part.name != "result.json":
            (tmp_path / part.name).write_bytes(part.read_bytes())
    with pytest.raises(BadInput, match="is not finished; fix: the --run-dir of an `orchestra eval`"):
        asked(command, str(tmp_path))


def test_a_page_is_an_html_file(run: Path) -> None:
    with pytest.raises(BadInput, match=r"expected a file ending in \.html"):
        asked("report", str(run), "--output", "report.pdf")


def test_logs_of_inspect_are_an_export(orchestra, run: Path) -> None:
    files = orchestra("export", str(run), "--format", "inspect", "--output", "logs", "--json").json["files"]
    solvers = [json.loads(Path(each["file"]).read_text())["eval"]["solver"] for each in files]
    assert solvers == ["chain", "self_consistency", "solo"]
