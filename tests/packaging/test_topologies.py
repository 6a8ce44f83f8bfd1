"""The table of topologies: what its rows say, and that a team which misses its closed form is shown to."""

import json
import subprocess
import sys
from pathlib import Path

from orchestra.cli.options import RunOptions, TeamOptions
from scripts import topologies
from tests.closed_forms import rows

ROOT = Path(__file__).resolve().parents[2]


def test_a_row_beside_its_closed_form():
    words = [sys.executable, "-m", "scripts.topologies", "--tasks", "50", "--only", "ensemble", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    [row] = json.loads(done.stdout)["rows"]
    assert row["met"] and row["topology"] == "ensemble" and {"accuracy", "tokens"} <= set(row["missed"])
    assert row["got"]["calls"] == {"value": 3.0, "stderr": 0.0} == row["expected"]["calls"]
    assert row["expected"]["accuracy"]["value"] == 0.7
    assert topologies.closed_form_table([row]).splitlines()[1].split()[:1] == ["ensemble"]


def test_control_a_team_that_misses_it_is_shown():
    row = next(row for row in rows() if row.topology == "ensemble")
    wrong = topologies.beside_closed_form(row._replace(team=row.control, control=row.team), 50)
    assert not wrong["met"] and wrong["missed"] == []
    assert " NO" in topologies.closed_form_table([wrong])


def test_topologies_on_a_model(tmp_path):
    script = tmp_path / "script.txt"
    script.write_text("The answer is 91.\n")
    options = TeamOptions(model=f"scripted:{script}", max_tokens=4)
    keep = RunOptions(run_dir=tmp_path / "run")
    names = ["solo", "ensemble"]
    found = list(topologies.on_model(names, options, 2, keep))
    assert [row["calls"] for row in found] == [1.0, 3.0] and all(sum(row["stopped_by"].values()) == 2 for row in found)
    assert list(topologies.on_model(names, options, 2, keep)) == found
    assert [line.split()[0] for line in topologies.model_table(found).splitlines()] == ["topology", *names]
