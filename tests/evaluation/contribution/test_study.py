"""A study over the runs of a folder: paid once, intervals over tasks, annotations that credit and rows read."""

import asyncio
from dataclasses import replace

import pytest

from orchestra.engine import MaxRounds
from orchestra.evals import arith
from orchestra.evaluation.contribution import (
    Contribution,
    Replay,
    by_decision,
    guilty,
    leave_one_out,
    longer,
    nothing,
    over_tasks,
    regret,
    replacements,
    replayed,
    scored,
    shapley,
    study,
)
from orchestra.evaluation.contribution.tables import member
from orchestra.evaluation.evaluate import evaluate
from orchestra.evaluation.statistics import mcnemar, mean_interval
from orchestra.models.scripted import Scripted
from orchestra.roles import generator, refiner
from orchestra.topologies import chain, debate
from orchestra.trajectory.store import open_run

BENCH = arith()
WORTH = scored(BENCH)


@pytest.fixture
def evaluated(tmp_path, crowd):
    """Twelve tasks of a debate in which a knows every third, and the others follow whom they hear first."""
    tasks = BENCH.sample(12, split="test")
    golds = {task.prompt: task.gold for task in tasks}

    def say(request):
        name, *lines = request.messages[-1][1].splitlines()
        heard = [line.removeprefix("Another says: ") for line in lines if line.startswith("Another says: ")]
        knows = name == "a" and int(golds[lines[0]]) % 3 == 0
        return golds[lines[0]] if knows else (heard or ["0"])[0]

    model = Scripted(say)
    agents = [replace(agent, policy=replace(agent.policy, model=model)) for agent in crowd({"a": 0, "b": 0, "c": 0})[0]]
    team = replace(debate(agents, rounds=2), stop=MaxRounds(2))
    with open_run(tmp_path / "run", create=True, spec={}) as folder:
        asyncio.run(evaluate(team, tasks, BENCH, folder, name="debate"))
    return team, model, tmp_path / "run"


def measured(team, path, rule=leave_one_out, producer="leave_one_out", **options):
    with open_run(path) as folder:
        runs = list(folder.trajectories())
        return runs, asyncio.run(study(producer, lambda replay: rule(team, replay, WORTH, **options), runs, folder))


def test_paid_once(evaluated):
    """Of the runs nothing, of variants each state once; the same study again, in another process, nothing at all."""
    team, model, path = evaluated
    before = len(model.calls)
    _runs, first = measured(team, path)
    assert first.calls == len(model.calls) - before == 12 * 6
    _, again = measured(team, path)
    assert again.calls == 0 and len(model.calls) == before + 72
    assert again.agents == first.agents
    _, other = measured(team, path, shapley, "shapley")
    assert other.calls == 0  # pairs were paid for by leave-one-out, and nobody hears a lone agent
    assert len(model.calls) == before + 72


def test_means_are_paired_over_tasks(evaluated):
    team, _, path = evaluated
    runs, found = measured(team, path)
    right = [WORTH(run) == 1.0 for run in runs]
    assert 0 < sum(right) < 12
    paired = mcnemar(right, [False] * 12)  # without a nobody is right
    assert found.agents["a"] == (paired.delta, paired.ci_low, paired.ci_high)
    assert found.agents["b"].mean == 0.0 and found.agents["b"].ci_low < 0 < found.agents["b"].ci_high
    shares = [Contribution("run", 1.0, {"a": share}) for share in (0.5, 0.25, 0.0)]
    assert over_tasks(shares)["a"] == mean_interval([0.5, 0.25, 0.0])
    assert over_tasks(found.runs[:1])["a"].ci_low >= -1.0


def test_annotations_are_read_back(evaluated):
    team, _, path = evaluated
    runs, found = measured(team, path)
    with open_run(path) as folder:
        tables = folder.annotations("leave_one_out")
    assert set(tables) == {run.id for run in runs}
    for run, each in zip(runs, found.runs, strict=True):
        rows = tables[run.id]
        assert set(rows) == {made.key for made in run.decisions}
        for made in run.decisions:
            assert rows[made.key].value == WORTH(run)
            assert rows[made.key].advantage == each.agents[made.agent]
    with open_run(path) as folder:  # what was measured is a table beside the runs, no run of the folder
        assert [run.id for run in folder.trajectories()] == [run.id for run in runs]


def test_blame_and_regret_over_a_folder(evaluated):
    """Runs of which nobody knows the answer cannot be mended by one of three that are outvoted at the end."""
    team, _, path = evaluated
    with open_run(path) as folder:
        runs = list(folder.trajectories())
        blames = asyncio.run(replayed(lambda replay: guilty(team, replay, BENCH), runs, folder))
        late = asyncio.run(replayed(lambda replay: longer(team, replay, WORTH), runs, folder))
    assert [blame.failed for blame in blames] == [WORTH(run) == 0.0 for run in runs]
    assert {blame.guilty.sender for blame in blames if blame.failed} == {"a"}  # whom b and c hear first
    assert regret(late).answers.discordant == (0, 0) and sum(each.calls for each in late) == 0


def test_messages_as_annotations(crowd, always, task):
    agents, _ = crowd({"a": always("7"), "b": always("0"), "c": lambda heard: (heard or ["9"])[0]})
    team = chain(*agents)
    run = team.run_sync(task)
    table = by_decision("replacement", run, asyncio.run(replacements(team, Replay(run), WORTH, nothing)))
    assert [(row.value, row.advantage) for row in table.rows.values()] == [(1.0, 1.0), (1.0, 0.0), (1.0, 1.0)]


def test_decisions_of_nested_teams_belong_to_their_node():
    model = Scripted(lambda request: "4")
    group = debate([generator(model, name=n) for n in "ab"], rounds=1)
    run = chain(generator(model, name="first"), group, refiner(model)).run_sync("2 + 2?")
    assert [member(made) for made in run.decisions] == ["first", "debate", "debate", "refiner"]
