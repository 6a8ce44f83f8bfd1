"""A team as a file: what is saved runs, and is the team that was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from orchestra.cli import shelf
from orchestra.cli.options import TeamOptions
from orchestra.cli.teams import plan
from orchestra.team.saving.files import read


@pytest.mark.parametrize("name", [item.name for item in shelf.items("topology")])
@pytest.mark.parametrize("ending", ["json", "yaml"])
def test_every_topology_of_the_shelf_is_saved_and_runs_from_its_file(name: str, ending: str, orchestra) -> None:
    Path("s.txt").write_text("Yes. The answer is 91.\n" * 40)
    file = f"team.{ending}"
    said = orchestra("save", name, "--output", file, "--json").json
    assert said["file"] == file and said["digest"] == plan(name, TeamOptions()).sketch().digest
    assert plan(file, TeamOptions()).sketch().digest == said["digest"]
    runs = [
        orchestra("run", team, "What is 34 + 57?", "--model", "scripted:s.txt", "--json").json for team in (name, file)
    ]
    assert runs[0]["answer"] == "91" and runs[0] == runs[1]  # the same team and task is the same run


def test_options_are_in_the_file(orchestra) -> None:
    words = ("debate", "-o", "rounds=3", "--agents", "2", "--temperature", "0", "--role", "agents=generator")
    assert orchestra("save", *words, "--output", "d.yaml").code == 0
    saved = yaml.safe_load(Path("d.yaml").read_text())
    assert list(saved) == ["schema", "team"] and saved["team"]["stop"]["second"] == {"$": "maxrounds", "limit": 3}
    assert [agent.role.temperature for agent in plan("d.yaml", TeamOptions()).sketch().agents()] == [0, 0]
    orchestra("save", *words, "--output", "e.yaml")
    assert Path("d.yaml").read_bytes() == Path("e.yaml").read_bytes()


def test_it_says_where_it_wrote_and_of_models_that_a_team_does_not_keep(orchestra) -> None:
    code, out, err = orchestra("save", "solo", "--role", "agent=generator@tiny", "--output", "s.json")
    assert code == 0 and out.startswith("s.json: team solo, digest ")
    assert (
        err
        == "policy 'generator:tiny' is kept by name and not with its model 'tiny'; when it runs, --model is of all\n"
    )
    assert read(Path("s.json"))["team"]["nodes"][0]["actor"]["policy"] == {"policy": "generator:tiny"}


NAMELESS = """
from orchestra.engine import START, Edge, Node
from orchestra.models.scripted import Scripted
from orchestra.roles import generator
from orchestra.team import Team

team = Team("t", [Node("n", generator(Scripted([])), when=lambda inbox: True)], [Edge(START, "n")])
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("save chain", "--output"),
        ("save chain --output c.toml", "expected .json, .yaml or .yml"),
        ("save chian --output c.yaml", "did you mean 'chain'"),
        ("save mine.py:team --output c.yaml", "nodes.n.when: <lambda> has no registered name, so it cannot be saved"),
    ],
)
def test_what_cannot_be_saved_is_told_and_leaves_no_file(words: str, said: str, orchestra) -> None:
    Path("mine.py").write_text(NAMELESS)
    code, out, err = orchestra(*words.split())
    assert (code, out) == (2, "") and said in err and err.count("\n") == 1
    assert not [path for path in Path.cwd().iterdir() if path.name.startswith("c.")]


def test_a_folder_that_is_not_there_is_told(orchestra) -> None:
    code, out, err = orchestra("save", "chain", "--output", "absent/c.yaml")
    assert (code, out) == (1, "") and "cannot write absent/c.yaml" in err
