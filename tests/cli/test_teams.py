"""Slots, roles, options and settings, seen in the drawing and in what the model is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestra.cli.options import TeamOptions
from orchestra.cli.teams import plan
from orchestra.errors import BadInput
from orchestra.models.scripted import Scripted
from orchestra.roles import generator
from orchestra.team.saving.changes import write
from orchestra.topologies import chain

MINE = """
from __future__ import annotations
from collections.abc import Sequence
from orchestra.models.scripted import Scripted
from orchestra.team import Agent, Role, Team, number
from orchestra.topologies import chain

ROLES = {"workers": ("generator",) * 2, "judge": ("refiner",)}
shouter = Role("shouter", "{{ prompt }}!", answer=number)
calls = []

def mine(workers: Sequence[Agent], *, judge: Agent | None = None, share: float = 0.5, loud: bool = False) -> Team:
    calls.append((share, loud))
    return chain(*workers, *([judge] if judge else []))

def optional(workers: Sequence[Agent], *, critic: Agent | None = None) -> Team:
    return chain(*workers, *([critic] if critic else []))

ready = chain(shouter(Scripted(["1"])))
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(MINE)
    return "mine.py"


def names(team: str, **options: object) -> list[str]:
    return [agent.name for agent in plan(team, TeamOptions(**options)).sketch().agents()]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("team", "options", "expected"),
    [
        ("solo", {}, ["generator"]),
        ("chain", {}, ["generator", "verifier", "refiner"]),
        ("debate", {}, ["debater-1", "debater-2", "debater-3", "debater-4"]),
        ("debate", {"agents": 2}, ["debater-1", "debater-2"]),
        ("debate", {"role": ["agents=generator"], "agents": 3}, ["generator-1", "generator-2", "generator-3"]),
        ("debate", {"role": ["agents=debater,generator,debater"]}, ["debater-1", "generator", "debater-2"]),
        ("debate", {"role": ["agents=debater,debater"]}, ["debater-1", "debater-2"]),
        ("chain", {"role": ["agents=generator"], "agents": 1}, ["generator"]),
        ("chain", {"role": ["agents=generator"]}, ["generator-1", "generator-2", "generator-3"]),
        ("solo", {"role": ["agent=debater"]}, ["debater"]),
    ],
)
def test_slots_are_filled_and_names_differ(team: str, options: dict[str, object], expected: list[str]) -> None:
    assert names(team, **options) == expected


def test_a_topology_of_a_file_has_its_own_roles_and_typed_options(mine: str) -> None:
    assert names(mine) == ["generator-1", "generator-2", "refiner"]
    assert names(mine, agents=1, role=["judge=mine.py:shouter"]) == ["generator", "shouter"]
    import sys

    made = plan(mine, TeamOptions(option=["share=0.25", "loud=yes"]))
    module = next(m for name, m in sys.modules.items() if name.startswith("orchestra_file_") and hasattr(m, "calls"))
    made.sketch()
    assert module.calls[-1] == (0.25, True)


def test_a_slot_that_can_do_without_stays_empty(mine: str) -> None:
    assert names("mine.py:optional", agents=1) == ["generator"]
    assert names("mine.py:optional", agents=1, role=["critic=verifier"]) == ["generator", "verifier"]


def test_a_finished_team_of_a_file_takes_no_options(mine: str) -> None:
    assert names("mine.py:ready") == ["shouter"]
    with pytest.raises(BadInput, match=r"--agents, --temperature cannot change"):
        plan("mine.py:ready", TeamOptions(agents=2, temperature=0.0))


def test_settings_are_of_all_roles_and_reach_the_model(mine: str) -> None:
    options = TeamOptions(max_tokens=7, temperature=0.0, stop=["\\n", "END"])
    for agent in plan("chain", options).sketch().agents():
        assert (agent.role.max_tokens, agent.role.temperature, agent.role.stop) == (7, 0.0, ("\n", "END"))
    untouched = plan("chain", TeamOptions()).sketch().agents()[0].role
    assert untouched == generator


def test_a_role_on_another_model_is_another_policy() -> None:
    made = plan("debate", TeamOptions(role=["agents=debater,debater@tiny,generator@tiny"], model="scripted:s"))
    assert made.models == {"debater": "scripted:s", "debater:tiny": "tiny", "generator:tiny": "tiny"}


def test_a_saved_team_is_the_same_team(tmp_path: Path) -> None:
    team = chain(generator(Scripted(["1"]), name="a"), generator(Scripted(["1"]), name="b"))
    (tmp_path / "team.json").write_text(json.dumps(team.save()))
    made = plan(str(tmp_path / "team.json"), TeamOptions(model="tiny"))
    assert made.models == {"generator": "tiny"}
    assert made.sketch().digest == team.digest


REGISTERS = """
from orchestra.team import register

@register("cli_teams.two")
def two(inbox):
    return len(inbox) >= 2
"""


def test_a_file_that_registers_a_function_is_executed_before_the_team_is_loaded(orchestra) -> None:
    Path("mine.py").write_text(REGISTERS)
    assert orchestra("save", "chain", "--output", "chain.yaml").code == 0
    text = Path("chain.yaml").read_text()
    Path("chain.yaml").write_text(
        text.replace("name: refiner\n    actor", "name: refiner\n    when: {'@': cli_teams.two}\n    actor")
    )
    code, out, err = orchestra("draw", "chain.yaml")
    assert (code, out) == (2, "") and "nodes.refiner.when: unknown registered function or class 'cli_teams.two'" in err
    assert "--import FILE.py helps if a file of yours registers it" in err
    for _ in range(2):  # again is as good as once
        assert '["refiner"]' in orchestra("draw", "chain.yaml", "--import", "mine.py", "--json").json["text"]


def test_what_is_imported_may_also_be_the_team(mine: str) -> None:
    Path(mine).write_text(MINE + REGISTERS.replace("cli_teams.two", "cli_teams.too"))
    assert names(mine, imports=[Path(mine)]) == ["generator-1", "generator-2", "refiner"]


def test_a_patch_changes_any_team_and_brings_in_policies(mine: str) -> None:
    write(Path("p.yaml"), [{"do": "set", "at": "nodes.verifier.actor.role.max_tokens", "to": 5}])
    write(Path("q.json"), [{"do": "set", "at": "nodes.verifier.actor.policy", "to": {"policy": "judge"}}])
    made = plan("chain", TeamOptions(patch=[Path("p.yaml"), Path("q.json")], model="tiny"))
    assert made.models == dict.fromkeys(("generator", "verifier", "refiner", "judge"), "tiny")
    verifier = made.sketch().agents()[1]
    assert (verifier.role.max_tokens, verifier.policy.name) == (5, "judge")
    write(Path("r.yaml"), [{"do": "set", "at": "name", "to": "patched"}])
    assert plan("mine.py:ready", TeamOptions(patch=[Path("r.yaml")])).sketch().name == "patched"
    with pytest.raises(BadInput, match="unknown name in nodes 'verifier'"):
        plan("solo", TeamOptions(patch=[Path("p.yaml")]))


def test_drawings_show_names_and_kinds_of_edges(orchestra) -> None:
    drawn = orchestra("draw", "debate", "--agents", "2", "--json").json
    assert drawn["format"] == "mermaid"
    assert '["debater-1"]' in drawn["text"] and "n0 -.-> n1" in drawn["text"]
    dot = orchestra("draw", "debate", "--agents", "2", "--format", "dot").out
    assert dot.splitlines() == [
        "digraph {",
        "  rankdir=LR",
        "  n [shape=point]",
        '  n_0 [label="debater-1", shape=box]',
        '  n_1 [label="debater-2", shape=box]',
        "  n -> n_0",
        "  n -> n_1",
        "  n_0 -> n_1 [style=dotted]",
        "  n_1 -> n_0 [style=dotted]",
        "}",
    ]


def test_a_nested_team_is_a_cluster() -> None:
    from orchestra.team.draw import dot

    inner = chain(generator(Scripted(["1"]), name='a "quoted"'.replace('"', "")))
    text = dot(chain(inner, generator(Scripted(["1"]), name="b")))
    assert "subgraph cluster_n_0 {" in text and "n_0 [shape=point]" in text and "n_0 -> n_0_0" in text


@pytest.mark.parametrize("kind", ["role", "roles", "topologies", "benchmark", "world", "models", "recipe", ""])
def test_every_kind_is_listed_with_summaries(kind: str, orchestra) -> None:
    words = ["ls", kind, "--json"] if kind else ["ls", "--json"]
    items = orchestra(*words).json["items"]
    assert items
    assert all(item.keys() == {"kind", "name", "summary"} and item["summary"] for item in items)
    assert kind == "" or {item["kind"] for item in items} == {kind.removesuffix("s").replace("topologie", "topology")}
    found = {(item["kind"], item["name"]) for item in items}
    if not kind:
        assert {("topology", "debate"), ("role", "citizen"), ("benchmark", "arith"), ("recipe", "sft")} <= found
        assert {("world", "epidemic"), ("model", "smollm2")} <= found
