"""The baselines without a conversation: an ensemble, a long answer, and the majority of several passes of a team."""

import pytest

from orchestra.errors import BadInput
from orchestra.models.scripted import Scripted
from orchestra.roles import generator, refiner, verifier
from orchestra.topologies import chain, ensemble, long, self_consistency, solo


def agents(*said):
    return [generator(Scripted(list(lines)), name=f"n{i}") for i, lines in enumerate(said)]


@pytest.mark.parametrize(
    ("said", "answer"), [(("1", "2", "2"), "2"), (("1", "2", "3"), "1"), (("?", "2", "3"), "2"), (("?", "?"), None)]
)
def test_an_ensemble_votes(said, answer):
    result = ensemble(agents(*said)).run_sync("q")
    assert (result.answer, result.usage.calls) == (answer, len(said))


@pytest.mark.parametrize("repeat", [1, 2, 5])
def test_an_ensemble_takes_agents_times_repeat_calls_and_hears_nobody(repeat):
    team = agents("1" * 5, "2" * 5, "3" * 5)
    result = ensemble(team, repeat=repeat).run_sync("q")
    assert result.usage.calls == 3 * repeat and {decision.saw for decision in result.decisions} == {()}
    assert [len(agent.policy.model.calls) for agent in team] == [repeat] * 3
    assert len({request.seed for agent in team for request in agent.policy.model.calls}) == 3 * repeat


def test_an_ensemble_of_one_agent_is_self_consistency():
    one = ensemble(agents("12233"), repeat=5).run_sync("q")
    other = self_consistency(agents("12233")[0], n=5).run_sync("q")
    assert (one.answer, one.usage, one.stopped_by) == (other.answer, other.usage, other.stopped_by)


@pytest.mark.parametrize("repeat", [0, 1001])
def test_an_ensemble_of_none_is_refused(repeat):
    with pytest.raises(BadInput, match="expected at least one, 1 to 1000 times"):
        ensemble(agents("1"), repeat=repeat)
    with pytest.raises(BadInput, match="of 0 agents"):
        ensemble([])


def test_a_long_answer_is_one_call_with_all_the_tokens():
    model = Scripted(["4"])
    result = long(generator(model), max_tokens=777).run_sync("q")
    assert (result.answer, result.usage.calls, model.calls[0].max_tokens) == ("4", 1, 777)
    short = Scripted(["4"])
    solo(generator(short)).run_sync("q")
    assert short.calls[0].max_tokens == generator.max_tokens != 777
    assert short.calls[0].messages == model.calls[0].messages


def test_the_majority_of_k_passes_of_a_chain():
    proposals, verdicts, finals = Scripted(list("12345")), Scripted(["Yes."] * 5), Scripted(list("78878"))
    team = chain(generator(proposals), verifier(verdicts), refiner(finals))
    result = self_consistency(team, n=5).run_sync("q")
    assert (result.answer, result.usage.calls) == ("8", 15)
