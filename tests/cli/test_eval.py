"""Evaluations with known answers, baselines at equal cost, and the paired comparison of two of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestra.cli.baselines import affordable
from orchestra.cli.verdict import told
from orchestra.evaluation.evaluate import Item, Result
from orchestra.models import scripted
from orchestra.models.scripted import Scripted
from orchestra.trajectory.store import open_run
from orchestra.types import Request, Usage

EVAL = ("--model", "scripted:s.txt", "--n", "20", "--json")


@pytest.fixture
def sums(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--model scripted:...` adds right where it is asked first, and is wrong where it sees a proposal."""

    def say(request: Request) -> str:
        text = request.messages[-1][1]
        if "Proposed" in text:
            return "Yes, it may well be that the answer is 0"
        left, right = text.removeprefix("What is ").removesuffix("?").split(" + ")
        return f"#### {int(left) + int(right)}"

    def load(path: Path) -> Scripted:
        return Scripted(say, name=f"scripted:{path}")

    monkeypatch.setattr(scripted, "load", load)


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


def test_samples_are_bought_with_the_prompt_and_the_mean_reply() -> None:
    def result(*usages: tuple[int, int]) -> Result:
        items = [Item(str(i), "", 0, 0, True, None, "", Usage(1, *usage)) for i, usage in enumerate(usages)]
        return Result("s", "b", tuple(items))

    ours = result((100, 20), (50, 10), (1, 0))
    one = result((10, 2), (20, 6), (10, 10))  # the mean reply has 6 tokens
    assert affordable(ours, one) == [round(120 / 16), round(60 / 26), 1]


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


@pytest.mark.usefixtures("sums")
def test_two_evaluations_are_compared_on_the_tasks_they_share(orchestra) -> None:
    a = orchestra("eval", "solo", "arith:add2", *EVAL).json["run_dir"]
    b = orchestra("eval", "chain", "arith:add2", "--model", "scripted:s.txt", "--n", "8", "--json").json["run_dir"]
    said = orchestra("compare", a, b, "--json")
    value = said.json
    assert {"delta", "ci_low", "ci_high", "p", "discordant", "mde", "n"} <= value.keys()
    assert (value["n"], value["delta"], value["discordant"], value["p"]) == (8, 1.0, [8, 0], 2 * 0.5**8)
    assert (value["a"], value["b"]) == ("solo", "chain")
    assert "12 tasks are in one of the two alone" in said.err
    assert orchestra("compare", b, a, "--json").json["delta"] == -1.0
    assert orchestra("compare", a, a, "--json").json["p"] == 1.0

    other = orchestra("eval", "solo", "arith:add1", "--model", "scripted:s.txt", "--n", "8", "--json").json["run_dir"]
    code, out, err = orchestra("compare", a, other)
    assert (code, out) == (2, "") and "no task in common" in err


def test_what_is_no_finished_evaluation_cannot_be_compared(orchestra) -> None:
    assert orchestra("run", "solo", "q", "--model", "scripted:s.txt", "--run-dir", "r").code == 0
    code, _, err = orchestra("compare", "r", "r")
    assert code == 2 and "is of the command 'run'" in err


def test_altered_results_are_noticed(orchestra) -> None:
    folder = Path(orchestra("eval", "solo", "arith", *EVAL).json["run_dir"])
    record = json.loads((folder / "result.json").read_text())
    record["body"]["team"]["items"][0]["flexible"] += 1.0
    (folder / "result.json").write_text(json.dumps(record))
    code, _, err = orchestra("compare", str(folder), str(folder))
    assert code == 1 and "checksum" in err


def test_a_draw_is_told_as_one() -> None:
    interval = {"mean": 0.5, "ci_low": 0.25, "ci_high": 0.75}
    row = {"strict": interval, "flexible": interval, "unparseable": 0, "failed": 0, "tokens_per_task": 3.0, "n": 2}
    row |= {"usage": {"calls": 2}, "system": "b", "winner": None}
    row["paired"] = {"flexible": {"mde": 0.3, "delta": 0.0, "ci_low": -0.2, "ci_high": 0.2, "p": 1.0}}
    text = told({**row, "system": "a", "benchmark": "x", "chance": 0.5, "baselines": {"b": row}, "run_dir": "r"})
    assert "a and b: no difference shown (one of 30.0 points would be): +0.0 points (-20.0 to +20.0)" in text
