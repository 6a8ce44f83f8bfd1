"""Collecting: contrast spends where samples differ, credit is saved beside, yields count what is shared once."""

import asyncio

import pytest

from orchestra.engine import Full
from orchestra.errors import BadInput
from orchestra.evals import arith
from orchestra.evaluation.collect import contrast, credit, screened, trees, yields
from orchestra.evaluation.evaluate import evaluate, samples_for, score
from orchestra.models.scripted import Scripted
from orchestra.roles import generator, refiner, verifier
from orchestra.topologies import chain, solo
from orchestra.trajectory.store import open_run

BENCH = arith("add2")
TASKS = BENCH.sample(12, split="train")
GOLD = {task.prompt: task.gold for task in TASKS}


def oracle(share):
    """Right with a probability, by the seed of the call; a verifier that says yes and a refiner that copies."""

    def say(request):
        asked = request.messages[-1][1]
        gold = next(gold for prompt, gold in GOLD.items() if prompt in asked)
        if "Verdict" in asked:
            return asked.split("Proposed: ")[1].split("\n")[0]
        if "Proposed" in asked:
            return "yes"
        return f"Answer: {gold if request.seed % 100 < 100 * share else 0}"

    return Scripted(say)


def team(model):
    return chain(generator(model), verifier(model), refiner(model))


def test_contrast_samples_everywhere_and_grows_where_samples_differ(tmp_path):
    model = oracle(0.5)
    with open_run(tmp_path, create=True) as folder:
        found = asyncio.run(contrast(team(model), TASKS, BENCH, folder, samples=3, branch=2, items=4))
        sampled, grown = found[:12], found[12:]
        assert all(len(tree.decisions) == 3 == len(tree.leaves) for tree in sampled)
        assert len(grown) == 8 and all(len(tree.leaves) == 4 for tree in grown)
        assert len(model.calls) == 12 * 3 + 8 * (2 + 4), "what was sampled is not sampled again"
        rights = [score_of(tree) for tree in grown]
        assert rights == [True, False] * 4
        tables = credit(found, BENCH, folder)
        counted = {y.role: (y.decisions, y.good) for y in yields(found, tables)}
        right = sum(d.completion.text.endswith(GOLD[t.task.prompt]) for t in sampled for d in t.decisions)
        assert counted["generator"] == (36, right)
        assert counted["verifier"] == (16, 8) and counted["refiner"] == (32, 16)
        assert folder.annotations("nested_mean")[found[0].id] == tables[0].rows
        again = asyncio.run(contrast(team(oracle(0.0)), TASKS, BENCH, folder, samples=3, branch=2, items=4))
        assert again == found, "the journal answers"


def score_of(tree):
    return tree.leaves[0].answer == tree.task.gold


def test_trees_are_whole(tmp_path):
    model = oracle(1.0)
    with open_run(tmp_path, create=True) as folder:
        found = asyncio.run(trees(team(model), TASKS[:2], Full(2), folder))
        assert [len(tree.leaves) for tree in found] == [8, 8] and len(list(folder.trajectories())) == 2


def test_the_first_node_must_be_an_agent(tmp_path):
    model = oracle(1.0)
    nested = chain(team(model), refiner(model))
    with open_run(tmp_path, create=True) as folder, pytest.raises(BadInput, match="first node must be an agent"):
        asyncio.run(contrast(nested, TASKS, BENCH, folder, samples=2, branch=2, items=1))


def test_evaluation_counts_the_failed_and_resumes(tmp_path):
    from orchestra.errors import CallFailed

    def picky(request):
        if TASKS[0].prompt in request.messages[-1][1]:
            raise CallFailed("out of memory")
        return oracle(1.0)._script(request)

    model = Scripted(picky)
    with open_run(tmp_path, create=True) as folder:
        result = asyncio.run(evaluate(solo(generator(model)), TASKS, BENCH, folder, name="solo"))
        assert (result.strict.mean, result.summary()["failed"], result.unparseable) == (11 / 12, 1, 1)
        assert result.right() == [False] + [True] * 11
        silent = Scripted([], name="scripted")
        again = asyncio.run(evaluate(solo(generator(silent)), TASKS, BENCH, folder, name="solo"))
        assert again == result and silent.calls == []
        saved = {t.task.id: t for t in folder.trajectories()}
        assert score([saved[task.id] for task in TASKS], BENCH, "solo") == result


def test_samples_for_an_equal_budget():
    assert [samples_for(tokens, 60.0) for tokens in (0, 59, 100, 227)] == [1, 1, 2, 4]


def test_the_first_failure_is_raised_as_itself(tmp_path):
    """A caller tells it in one line; a group of them would be a traceback."""

    def differ(tree):
        raise BadInput("nothing tells them apart")

    with open_run(tmp_path, create=True) as folder:
        going = screened(team(oracle(1.0)), TASKS, Full(1), Full(2), differ, folder)
        with pytest.raises(BadInput, match="nothing tells them apart"):
            asyncio.run(going)
