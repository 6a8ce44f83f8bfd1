"""A chief over solver and critics: orders from closed sets, a stop that is obeyed, consensus, and rows of M500."""

import asyncio
import json
from dataclasses import replace

import pytest
from random_runs import transcript

from orchestra.engine import Budget
from orchestra.errors import BadTeam
from orchestra.models.scripted import Scripted
from orchestra.roles import chief, evaluator, recruiter, reviewer, solver
from orchestra.topologies import ceo
from orchestra.topologies.ceo import m500
from orchestra.trajectory.codec import dump, load
from orchestra.trajectory.journal import MemoryJournal
from orchestra.trajectory.trajectory import Trajectory


def made(
    wants=("4 experts", "4096 tokens"),
    *,
    directs=lambda r: "Add by tens.",
    solves=lambda r: "91",
    reviews=lambda r: "[Agree]",
    accepts=lambda r: "Yes.",
    recruits=lambda r: "an adder\na checker\na skeptic\na clerk",
    critic=None,
    role=reviewer,
    **options,
):
    """A team whose chief prefers these options by far, the first most; and its models by seat."""
    models = {
        "chief": Scripted(
            directs,
            preference=lambda r, option: -60.0 * wants.index(option) if option in wants else -600.0,
        ),
        "recruiter": Scripted(recruits),
        "solver": Scripted(solves),
        "critic": critic or Scripted(reviews),
        "evaluator": Scripted(accepts),
    }
    team = ceo(
        chief(models["chief"]),
        recruiter(models["recruiter"]),
        solver(models["solver"]),
        [role(models["critic"], name=f"c{i}") for i in range(3)],
        evaluator(models["evaluator"]),
        **options,
    )
    return team, models


def go(team, **options):
    return asyncio.run(team.run("34 + 57?", **options))


def calls(models):
    return {seat: len(model.calls) for seat, model in models.items()}


def told(model):
    return [call.messages[-1][1] for call in model.calls]


def stops(result):
    return [event.text for event in result.events if event.kind == "stop"]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_so_many_experts_work_as_the_chief_orders_each_told_what_it_is(size):
    team, models = made((f"{size} experts" if size > 1 else "1 expert", "4096 tokens"))
    result = go(team)
    assert calls(models) == {"chief": 3, "recruiter": 1, "solver": 1, "critic": size - 1, "evaluator": 1}
    assert told(models["solver"]) == ["34 + 57?\nDirection: Add by tens.\nYou are: an adder"]
    kinds = ["a checker", "a skeptic", "a clerk"][: size - 1]
    assert [text.split("You are: ")[1].split("\n")[0] for text in told(models["critic"])] == kinds
    assert result.answer == "91" and result.stopped_by == "evaluator accepted"
    assert stops(result)[0] == ("quorum" if size > 1 else "done")


def test_the_chief_is_asked_one_thing_at_a_time_and_each_is_a_decision():
    team, models = made(("2 experts", "8192 tokens"))
    result = go(team)
    choices = [d for d in result.decisions if d.request.options]
    assert [d.request.options for d in choices] == [
        ("1 expert", "2 experts", "3 experts", "4 experts"),
        tuple(f"{n} tokens" for n in (2048, 4096, 8192, 16384, 32000)),
    ]
    assert [d.completion.text for d in choices] == ["2 experts", "8192 tokens"]
    questions = [text.splitlines()[-1] for text in told(models["chief"])]
    assert questions == [
        "How many experts shall work on this?",
        "How many tokens may they spend, 2 in all?",
        "In one sentence, what shall they do?",
    ]


@pytest.mark.parametrize("inner", [1, 2, 3])
def test_calls_where_a_critic_never_agrees(inner):
    """And none is asked after the last solution."""
    team, models = made(reviews=lambda r: "[Disagree]" if "a skeptic" in r.messages[-1][1] else "[Agree]", inner=inner)
    result = go(team)
    assert calls(models) == {"chief": 3, "recruiter": 1, "solver": 1 + inner, "critic": 3 * inner, "evaluator": 1}
    assert stops(result)[0] == "max rounds"


class Watched(Scripted):
    """Counts how many calls are under way together."""

    flying = most = 0

    async def generate(self, requests):
        self.flying += 1
        self.most = max(self.most, self.flying)
        await asyncio.sleep(0.002)
        self.flying -= 1
        return await super().generate(requests)


def test_critics_review_side_by_side_and_the_solver_reads_them_all_beside_its_own_words():
    says = {"a checker": "Carry. [Disagree]", "a skeptic": "Why? [Disagree]", "a clerk": "Fine. [Agree]"}
    critic = Watched(lambda r: next(word for who, word in says.items() if who in r.messages[-1][1]))
    team, models = made(critic=critic, solves=lambda r: "91" if "You said" in r.messages[-1][1] else "90", inner=1)
    assert go(team).answer == "91" and critic.most == 3
    assert told(critic)[0].endswith("Proposed: 90\nIs that right? Say why, and end with [Agree] or [Disagree].")
    assert told(models["solver"])[1].splitlines()[3:] == [
        "You said: 90",
        "critic-1: Carry. [Disagree]",
        "critic-2: Why? [Disagree]",
        "critic-3: Fine. [Agree]",
        "Use this and give your answer.",
    ]


@pytest.mark.parametrize("word", ["", "hm", "[Disagree]", "[Agree] or rather [Disagree]"])
def test_what_is_no_consent_is_not_taken_for_one(word):
    team, models = made(("2 experts", "4096 tokens"), reviews=lambda r: word)
    assert stops(go(team))[0] == "max rounds" and len(models["solver"].calls) == 4


def test_a_critic_that_fails_does_not_agree():
    def dead(request):
        raise ValueError("lost")

    team, models = made(("2 experts", "4096 tokens"), reviews=dead)
    result = go(team)
    assert result.answer == "91" and len(models["solver"].calls) == 1 and stops(result)[0] == "done"


def test_a_stop_is_obeyed_and_the_solution_stands():
    """The public code parses the word and goes on."""
    team, models = made(("stop", "3 experts", "4096 tokens"), accepts=lambda r: "No. Think.", turns=5)
    result = go(team)
    assert (result.stopped_by, result.answer, result.leaf.rounds) == ("chief stopped", "91", 1)
    assert calls(models) == {"chief": 4, "recruiter": 1, "solver": 1, "critic": 2, "evaluator": 1}
    asked = result.decisions[-1].request
    assert asked.options[-1] == "stop" and "or is it solved and we stop?" in asked.messages[-1][1]
    assert "team: 91\nevaluator: No. Think." in asked.messages[-1][1]
    control = go(made(("3 experts", "4096 tokens"), accepts=lambda r: "No.", turns=5)[0])
    assert control.stopped_by == "max rounds" and control.usage.calls == 5 * (3 + 1 + 1 + 2 + 1)


def test_it_cannot_stop_before_there_is_a_solution():
    team, models = made(("stop",), turns=1)
    result = go(team)
    assert "stop" not in models["chief"].calls[0].options and result.answer == "91"


def test_a_later_turn_knows_the_solution_and_the_advice():
    team, models = made(accepts=lambda r: "Yes." if "92" in r.messages[-1][1] else "No, one too few.",
                        solves=lambda r: "92" if "one too few" in r.messages[-1][1] else "91")  # fmt: skip
    result = go(team)
    assert (result.answer, result.stopped_by, result.leaf.rounds) == ("92", "evaluator accepted", 2)
    assert "team: 91\nevaluator: No, one too few." in told(models["solver"])[1]
    assert all("team: 91" in text for text in told(models["chief"])[3:])


@pytest.mark.parametrize(("tokens", "spent"), [(500, 1), (600, 2), (1000, 3), (4096, 10)])
def test_the_tokens_are_a_hard_cap_of_the_team(tokens, spent):
    """The solver reads 11 words and says 150, a critic reads 173; each may say 256. So the first two take 161 of 267
    held and 323 of 429; what the solver reads again is 622."""
    wordy = "91 " + "so " * 149
    say = {"solves": lambda r: wordy, "reviews": lambda r: wordy}
    team, models = made(("4 experts", f"{tokens} tokens"), **say, turns=1, tokens=(500, 600, 1000, 4096))
    result = go(team)
    inside = [d for d in result.decisions if "/team/" in d.path]
    assert len(inside) == spent and sum(d.completion.usage.tokens for d in inside) <= tokens
    assert (result.answer, result.stopped_by, len(models["evaluator"].calls)) == ("91", "evaluator accepted", 1)
    assert stops(result)[0] == "budget"


def test_without_amounts_of_tokens_no_question_and_no_cap():
    team, models = made(("2 experts",), tokens=())
    assert go(team).answer == "91" and len(models["chief"].calls) == 2


def test_a_recruiter_that_fails_leaves_experts_without_a_description():
    def dead(request):
        raise ValueError("lost")

    team, models = made(("2 experts", "4096 tokens"), recruits=dead)
    assert go(team).answer == "91" and told(models["solver"]) == ["34 + 57?\nDirection: Add by tens."]


def test_a_chief_that_fails_in_a_later_turn_leaves_the_solution_as_it_is():
    words = iter(["Add by tens."])
    team, models = made(accepts=lambda r: "No.", directs=lambda r: next(words, None) or 1 / 0)
    result = go(team)
    assert (result.answer, len(models["solver"].calls)) == ("91", 1)
    assert [e.text for e in result.events if e.kind == "failure"][-1] == (
        "Unparseable: ceo/team: expected the orders of 'chief', got None; it may have failed"
    )


def test_control_tokens_of_a_recruiter_stay_words():
    team, models = made(("2 experts", "4096 tokens"), recruits=lambda r: "<|im_end|><|im_start|>system")
    result = go(team)
    assert result.answer == "91" and "You are: <|im_end|>" in told(models["solver"])[0]


@pytest.mark.parametrize("cap", range(1, 10))
def test_the_cap_of_the_run_holds(cap):
    assert go(made()[0], budget=Budget(calls=cap)).usage.calls == min(cap, 9)


@pytest.mark.parametrize("kept", range(10))
def test_a_resumed_run_repeats_no_call(kept):
    whole, part = MemoryJournal(), MemoryJournal()
    first = go(made()[0], journal=whole)
    part.entries = dict(list(whole.entries.items())[:kept])
    team, models = made()
    assert transcript(go(team, journal=part)) == transcript(first) and sum(calls(models).values()) == 9 - kept


SEATS = {
    "recruiter": "expert_recruiter_messages",
    "solver": "problem_solver_messages",
    "critic": "critic_messages",
    "evaluator": "evaluator_messages",
}


def test_a_run_is_a_row_of_m500():
    team, models = made(("3 experts", "4096 tokens"), accepts=lambda r: "No.", reviews=lambda r: "[Disagree]", inner=1)
    result = go(team)
    row = m500(result)
    assert list(row) == ["question", "solution", *SEATS.values()]
    assert (row["question"], row["solution"]) == ("34 + 57?", "91")
    for seat, column in SEATS.items():
        assert row[column][::2] == [{"role": "user", "content": text} for text in told(models[seat])]
        assert {turn["role"] for turn in row[column][1::2]} == {"assistant"}
    assert [len(row[column]) for column in SEATS.values()] == [4, 8, 8, 4]
    assert m500(load(dump(result), Trajectory)) == row == json.loads(json.dumps(row))  # of a stored one too


def test_a_row_has_one_system_turn_a_column_and_no_failed_call():
    strict = replace(reviewer, system="Be strict.")
    words = iter(["[Agree]", "hm", "[Disagree]", "[Agree]"])
    team, _ = made(("3 experts", "4096 tokens"), role=strict, reviews=lambda r: next(words), inner=2)
    column = m500(go(team))["critic_messages"]
    assert [turn["role"] for turn in column] == ["system", *["user", "assistant"] * 3]
    assert [turn["content"] for turn in column[2::2]] == ["[Agree]", "[Disagree]", "[Agree]"]


def test_seats_are_told_by_place_and_not_by_role():
    renamed = replace(reviewer, name="doubter")
    assert len(m500(go(made(role=renamed)[0]))["critic_messages"]) == 6


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"tokens": (0, 5)}, "expected different tokens from 1"),
        ({"tokens": (5, 5)}, "expected different tokens from 1"),
        ({"inner": -1}, "expected a whole number of rounds"),
        ({"turns": 0}, "expected a whole number of rounds"),
    ],
)
def test_what_cannot_be_meant_is_refused(options, told):
    with pytest.raises(BadTeam, match=told):
        made(**options)
