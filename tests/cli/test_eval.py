"""Evaluations with known answers, baselines at equal cost, and the paired comparison of two of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestra.cli.verdict import told
from orchestra.errors import BadInput
from orchestra.evals import arith
from orchestra.models import scripted
from orchestra.models.scripted import Scripted
from orchestra.trajectory.store import open_run
from orchestra.types import Request

EVAL = ("--model", "scripted:s.txt", "--n", "20", "--json")


@pytest.mark.usefixtures("sums")
def test_a_right_team_beside_a_wrong_one(orchestra) -> None:
    value = orchestra("eval", "solo", "arith:add2", "--baseline", "chain", *EVAL).json
    assert value["benchmark"] == "arith:add2"
    assert (value["n"], value["strict"]["mean"], value["flexible"]["mean"], value["unparseable"]) == (20, 1.0, 1.0, 0)
    assert value["flexible"].keys() == {"mean", "ci_low", "ci_high"}
    chain = value["baselines"]["chain"]
    assert chain["flexible"]["mean"] == 0.0
    assert chain["winner"] == "team"
    assert (chain["paired"]["flexible"]["delta"], chain["paired"]["flexible"]["discordant"]) == (1.0, [20, 0])
    other = orchestra("eval", "chain", "arith:add2", "--baseline", "solo", *EVAL).json
    assert other["baselines"]["solo"]["winner"] == "baseline"  # ours or not


@pytest.mark.usefixtures("sums")
def test_people_are_told_who_won(orchestra) -> None:
    said = orchestra("eval", "chain", "arith:add2", "--baseline", "solo,debate", *EVAL[:-1]).out
    lines = said.splitlines()
    assert lines[0] == "arith:add2, 20 tasks, chance 1.1 %"
    assert [line.split()[0] for line in lines[1:5]] == ["system", "chain", "solo", "debate"]
    assert lines[5].startswith("solo beats chain: -100.0 points (")
    assert "no difference shown" not in said


@pytest.mark.usefixtures("sums")
@pytest.mark.parametrize(("match", "samples"), [("calls", 3), ("tokens", None)])
def test_self_consistency_has_what_the_team_spent(match: str, samples: int | None, orchestra) -> None:
    words = ("eval", "chain", "arith:add2", "--baseline", "self_consistency", "--match", match, *EVAL)
    value = orchestra(*words).json
    ours, voted = value["usage"], value["baselines"]["self_consistency"]["usage"]
    if samples:
        assert voted["calls"] == ours["calls"] == samples * 20
        return
    spent, bought = ours["tokens_in"] + ours["tokens_out"], voted["tokens_in"] + voted["tokens_out"]
    one = bought / voted["calls"]
    assert abs(spent - bought) / 20 <= one / 2  # a task's tokens are matched to half a sample
    assert voted["calls"] > 60


def test_greedy_self_consistency_is_sampled_all_the_same(orchestra) -> None:
    said = orchestra("eval", "chain", "arith", "--baseline", "self_consistency", "--temperature", "0", *EVAL)
    (folder,) = Path("runs").iterdir()
    with open_run(folder) as run:
        heats = {(d.path.split("/")[0], d.request.temperature) for t in run.trajectories() for d in t.decisions}
    assert heats == {("chain", 0.0), ("self_consistency", 0.7)}
    assert "greedy" in said.err


def test_the_same_roles_and_weights_speak_in_a_baseline(orchestra, adapters: Path) -> None:
    Path("own.py").write_text(
        "from orchestra.team import Role, number\ngenerator = Role('generator', 'Add: {{ prompt }}', answer=number)\n"
    )
    role = "agents=own.py:generator,verifier,refiner"
    words = ("--role", role, "--adapters", str(adapters), "--baseline", "solo", *EVAL)
    said = orchestra("eval", "chain", "arith", *words)
    with open_run(Path(said.json["run_dir"])) as run:
        spoken = {
            (d.role, d.request.messages[-1][1][:4] == "Add:", Path(d.request.adapter).name, d.policy)
            for t in run.trajectories()
            for d in t.decisions
        }
    assert {(role, policy) for role, _, _, policy in spoken} == {
        ("generator", "generator@1"),
        ("verifier", "verifier@0"),
        ("refiner", "refiner@0"),
    }
    assert {(own, adapter) for role, own, adapter, _ in spoken if role == "generator"} == {(True, "generator@1")}
    assert "policy 'verifier': the base model" in said.err and "policy 'refiner': the base model" in said.err


def test_adapters_of_nobody_in_the_team_or_of_another_base_are_refused(orchestra, adapters: Path) -> None:
    words = ("run", "debate", "q", "--adapters", str(adapters))
    code, out, err = orchestra(*words, "--model", "scripted:s.txt")
    assert (code, out) == (2, "") and "no policy of the team (debater)" in err
    code, out, err = orchestra("run", "solo", "q", "--adapters", str(adapters), "--model", "tiny")
    assert (code, out) == (2, "") and "another base than 'tiny'" in err
    code, out, err = orchestra("run", "solo", "q", "--policy", str(adapters / "genrator"), "--model", "scripted:s.txt")
    assert (code, out) == (2, "") and "did you mean 'generator'" in err
    assert orchestra("run", "solo", "q", "--policy", str(adapters / "generator"), "--model", "scripted:s.txt").code == 0


def test_a_file_in_the_official_format(orchestra) -> None:
    Path("d.jsonl").write_text(
        '{"prompt": "What is 34 + 57?", "gold": "91"}\n{"question": "1 + 1?", "answer": "It is.\\n#### 2"}\n'
    )
    Path("right.txt").write_text("It is 91.\n")
    value = orchestra("eval", "solo", "arith", "--data", "d.jsonl", "--model", "scripted:right.txt", "--json").json
    assert (value["n"], value["flexible"]["mean"], value["strict"]["mean"]) == (2, 0.5, 0.0)


ALL = "self_consistency,best_of_n,self_refine,ensemble,long"


@pytest.mark.usefixtures("sums")
@pytest.mark.parametrize("per", ["question", "average"])
def test_every_baseline_of_the_shelf_is_brought_to_the_teams_tokens(per: str, orchestra) -> None:
    words = ("eval", "chain", "arith:add2", "--baseline", ALL, "--match", "tokens", "--per", per, *EVAL)
    said = orchestra(*words)
    beside = said.json["baselines"]
    assert list(beside) == ALL.split(",")
    for name, row in beside.items():
        matched = row["matched"]
        assert (matched["match"], matched["per"]) == ("tokens", per)
        assert matched["target"] == said.json["tokens_per_task"]
        assert matched["spent"] == row["tokens_per_task"]
        assert name == "long" or 0.7 < matched["ratio"] < 1.4, (name, matched)
        assert per == "question" or matched["sizes"]["least"] == matched["sizes"]["most"]
    assert {point["name"] for point in said.json["curve"]["points"]} == {"chain", *beside}
    text = orchestra(*words[:-1]).out
    assert "  self_consistency with n = " in text and "where chain spent" in text


@pytest.mark.usefixtures("sums")
def test_calls_of_a_baseline_that_makes_one_cannot_be_matched(orchestra) -> None:
    code, _, err = orchestra("eval", "chain", "arith:add2", "--baseline", "long", "--match", "calls", *EVAL)
    assert code == 2 and "does not grow with max_tokens" in err
    code, _, err = orchestra("eval", "chain", "arith:add2", "--baseline", "long", "--match", "flops", *EVAL)
    assert code == 2 and "number of parameters" in err


@pytest.mark.usefixtures("sums")
def test_several_baselines_are_corrected_for_being_several(orchestra) -> None:
    value = orchestra("eval", "solo", "arith:add2", "--baseline", "chain,debate", *EVAL).json
    ps = {name: (row["paired"]["flexible"]["p"], row["p_holm"]) for name, row in value["baselines"].items()}
    assert ps["chain"][0] < 1e-4
    assert ps["chain"][1] == 2 * ps["chain"][0]


@pytest.mark.usefixtures("sums")
def test_samples_of_every_task(orchestra) -> None:
    value = orchestra("eval", "solo", "arith:add2", "--samples", "3", "--baseline", "chain", *EVAL).json
    assert (value["n"], value["samples"], value["usage"]["calls"]) == (20, 3, 60)
    assert value["at_k"][2] == {"k": 3, "pass": 1.0, "all": 1.0, "majority": 1.0}
    assert value["baselines"]["chain"]["usage"]["calls"] == 180
    assert value["baselines"]["chain"]["winner"] == "team"


@pytest.mark.usefixtures("sums")
def test_a_pool_gives_the_whole_curve(orchestra) -> None:
    said = orchestra("eval", "chain", "arith:add2", "--pool", "5", "--plot", "c.svg", *EVAL)
    value = said.json
    vote = [point for point in value["curve"]["points"] if point["series"]]
    assert [point["name"] for point in vote] == [f"generator x {k}" for k in range(1, 6)]
    assert [point["accuracy"]["mean"] for point in vote] == [1.0] * 5
    assert [point["front"] for point in vote] == [True] + [False] * 4
    assert (value["pool"]["size"], value["pool"]["usage"]["calls"]) == (5, 100)
    assert sum(row["tasks"] for row in value["strata"]) == 20
    assert Path("c.svg").read_text().startswith("<?xml")
    text = orchestra("eval", "chain", "arith:add2", "--pool", "5", *EVAL[:-1]).out
    assert "generator x 5" in text and "by difficulty" in text


@pytest.mark.usefixtures("sums")
def test_a_cap_over_all_tasks(orchestra) -> None:
    words = ("eval", "chain", "arith:add2", "--baseline", "solo", "--total-calls", "15", *EVAL)
    value = orchestra(*words).json
    assert value["usage"]["calls"] == 15
    assert value["baselines"]["solo"]["usage"]["calls"] == 15
    with open_run(Path(value["run_dir"])) as run:
        reasons = sorted(t.stopped_by for t in run.trajectories())
    assert reasons.count("budget") == 15 + 5


@pytest.mark.usefixtures("sums")
def test_the_log_says_what_it_was_made_with(orchestra) -> None:
    folder = Path(orchestra("eval", "solo", "arith:add2", *EVAL).json["run_dir"])
    log = json.loads((folder / "result.json").read_text())["body"]["log"]
    assert {"python", "orchestra-teams", "numpy"} <= log["versions"].keys()
    assert log["models"]["generator@0"]["model"] == "scripted:s.txt"
    assert {"team", "tasks", "weights", "seed", "benchmark", "split"} <= log["spec"].keys()


def test_what_fails_leaves_what_it_has_and_says_what_is_missing(orchestra, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = arith("add2").sample(20, split="test")

    def refuse(request: Request) -> str:
        if tasks[12].prompt in request.messages[-1][1]:
            raise BadInput("no such adapter")
        return "#### 1"

    def load(script):
        return lambda path: Scripted(script, name=f"scripted:{path}")

    monkeypatch.setattr(scripted, "load", load(refuse))
    words = ("eval", "solo", "arith:add2", "--concurrency", "1", "--run-dir", "r", *EVAL)
    code, out, err = orchestra(*words)
    assert (code, out) == (2, "") and "8 of solo" in err and "no such adapter" in err
    partial = json.loads(Path("r/partial.json").read_text())["body"]["solo"]
    assert (partial["done"], partial["missing"]) == (12, {task.id: 1 for task in tasks[12:]})
    assert not Path("r/result.json").exists()
    assert "is not finished" in orchestra("compare", "r", "r").err

    monkeypatch.setattr(scripted, "load", load(lambda request: "#### 1"))
    assert orchestra(*words).json["n"] == 20
    assert not Path("r/partial.json").exists()


def test_a_draw_is_told_as_one() -> None:
    interval = {"mean": 0.5, "ci_low": 0.25, "ci_high": 0.75}
    row = {"strict": interval, "flexible": interval, "unparseable": 0, "failed": 0, "tokens_per_task": 3.0, "n": 2}
    row |= {"usage": {"calls": 2}, "system": "b", "winner": None}
    row["paired"] = {"flexible": {"mde": 0.3, "delta": 0.0, "ci_low": -0.2, "ci_high": 0.2, "clusters": None}}
    row["p_holm"] = 1.0
    text = told({**row, "system": "a", "benchmark": "x", "chance": 0.5, "baselines": {"b": row}, "run_dir": "r"})
    assert "a and b: no difference shown (one of 30.0 points would be): +0.0 points (-20.0 to +20.0)" in text


def test_a_benchmark_of_options_is_voted_on_by_letters(orchestra) -> None:
    Path("b.txt").write_text("Answer: B\n")
    value = orchestra("eval", "debate", "commonsenseqa", "--model", "scripted:b.txt", "--n", "6", "--json").json
    assert value["unparseable"] == 0 and value["usage"]["calls"] == 6 * 3, "three of four agree in the first round"


def test_evidence_goes_to_the_seats_and_a_reader_without_one_is_told_all(orchestra) -> None:
    Path("s.txt").write_text("Answer: 9\n")
    words = ("eval", "chain", "schedule", "--model", "scripted:s.txt", "--n", "2", "--seats", "generator,verifier")
    said = orchestra(*words, "--baseline", "solo,self_consistency", "--json")
    assert said.err.count("told everything") == 2 and said.json["baselines"].keys() == {"solo", "self_consistency"}
    said = orchestra("eval", "debate", "schedule", "--model", "scripted:s.txt", "--n", "2", "--baseline", "solo")
    assert "solo lacks a seat" in said.err and "debate lacks" not in said.err
    refused = orchestra("eval", "chain", "arith", "--model", "scripted:s.txt", "--seats", "a,b")
    assert refused.code == 2 and "not split between seats" in refused.err
