"""All figures of an eval from its folder, as a person asks for them; none of them calls a model."""

import json
from dataclasses import replace

import pytest

from orchestra.cli.app import main
from orchestra.errors import BadInput
from orchestra.evals import arith
from orchestra.evaluation.diagnostics.summary import summary
from orchestra.models import scripted
from orchestra.models.scripted import Scripted


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    """Runs a command line in an empty folder with a script of wrong and right answers; exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.txt").write_text("The answer is 91.\nThe answer is 92.\nIt is 93.\n")

    def run(*words):
        code = main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return run


EVAL = ("eval", "debate", "arith:add2", "--model", "scripted:s.txt", "--n", "6", "--run-dir", "e")


def test_of_an_eval_with_a_baseline(said, monkeypatch):
    assert said(*EVAL, "--baseline", "solo")[0] == 0
    monkeypatch.setattr(scripted, "load", lambda path: pytest.fail("a model was asked for"))
    code, out, err = said("diagnose", "e", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert found["runs"] == found["scored"] == 6  # the baseline's runs are not the team's
    agents = found["communication"]["agents"]
    assert len(agents) == 4 and sum(agent["reread"] for agent in agents) == found["communication"]["reread"] > 0
    assert len(found["communication"]["edges"]) == 12
    assert [row["round"] for row in found["dynamics"]["rounds"]] == [0, 1]
    assert found["aggregation"]["n"] == 6
    assert 0 <= found["novelty"] <= 1 and 0 <= found["information_diversity"] <= 1


def test_for_people(said):
    assert said(*EVAL)[0] == 0
    code, out, _ = said("diagnose", "e", "--rule", "strict")
    assert code == 0
    assert out.startswith("arith:add2, 6 runs, strict")
    assert "right to wrong" in out and "efficiency" in out and "tokens read again" in out


@pytest.mark.parametrize("team", ["solo", "chain", "self_consistency"])
def test_teams_that_do_not_debate(said, team):
    assert said("eval", team, *EVAL[2:])[0] == 0
    assert said("diagnose", "e")[0] == 0
    assert json.loads(said("diagnose", "e", "--json")[1])["runs"] == 6


def test_other_folders_are_refused(said):
    assert said("run", "solo", "What is 1 + 1?", "--model", "scripted:s.txt", "--run-dir", "r")[0] == 0
    code, out, err = said("diagnose", "r")
    assert (code, out) == (2, "") and "is of the command 'run'; expected one of `eval`" in err
    assert said("diagnose", "nowhere")[0] == 2


def test_one_run_has_no_bounds_and_none_is_an_error(written, swayed):
    found = summary([swayed], arith())
    assert found["aggregation"]["mean_member"] == {"mean": pytest.approx(1 / 3), "ci_low": None, "ci_high": None}
    json.dumps(found, allow_nan=False)
    with pytest.raises(BadInput, match="expected runs to diagnose, got none"):
        summary([], arith())


def test_unscored_runs_still_cost(written, swayed):
    found = summary([replace(swayed, task=replace(swayed.task, gold=None))], arith())
    assert found["scored"] == 0 and found["aggregation"] is None and found["dynamics"]["rounds"] == []
    assert found["communication"]["reread"] == 6


def test_scripts_are_what_the_test_says():
    """The control: the figures come from the folder, so another script gives others."""
    from orchestra.roles import debater
    from orchestra.topologies import debate

    right = debate([debater(Scripted(lambda request: "91"), name=n) for n in "ab"], rounds=2)
    task = arith().sample(1, split="test")[0]
    runs = [right.run_sync(replace(task, gold=gold)) for gold in ("91", "92")]
    assert [summary([run], arith())["aggregation"]["team"]["mean"] for run in runs] == [1.0, 0.0]
