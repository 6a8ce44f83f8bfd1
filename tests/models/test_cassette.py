"""A cassette says what the model said, or says loudly what it lacks."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.contracts import check_model
from orchestra.errors import BadData, BadInput, CallFailed, Damaged, Drift, Unavailable
from orchestra.models import tiny
from orchestra.models.calibration import Calibration
from orchestra.models.cassette import Cassette
from orchestra.models.choose import choose
from orchestra.models.local import LocalModel
from orchestra.models.model import Scores
from orchestra.models.names import load_model
from orchestra.models.nearest import difference, nearest
from orchestra.models.scripted import Scripted
from orchestra.models.tape import SCHEMA, Label, Row, Tape, read
from orchestra.roles import generator, refiner, verifier
from orchestra.topologies import chain
from orchestra.types import Completion, Key, Request, Usage

ASK = Request((("system", "Be brief."), ("user", "Tell me about the rain in the north of the old town.")), seed=5)


class Dice(Scripted):
    """Not exact: every ask is a draw of its own."""

    capabilities = frozenset({"ids"})


def generate(model, *requests: Request) -> list[Completion]:
    return list(asyncio.run(model.generate(requests)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "talks" / "talk.jsonl"


@pytest.fixture(scope="module")
def local():
    model = LocalModel(tiny.ensure(), name="tiny")
    yield model
    model.close()


@pytest.mark.parametrize("kind", ["scripted", "tiny"])
def test_record_and_replay_keep_every_promise_of_the_model(local, file: Path, kind: str) -> None:
    model = local if kind == "tiny" else Scripted(lambda r: f"alpha beta gamma {len(r.messages)}")
    recorder = Cassette(model, file, mode="record")
    check_model(recorder)
    replay = Cassette(None, file)
    check_model(replay)
    assert (replay.name, replay.capabilities, replay.weights()) == (model.name, model.capabilities, model.weights())


def test_a_whole_run_is_replayed_without_its_weights(local, file: Path) -> None:
    def run(model, task="What is 34 + 57?"):
        team = chain(*(replace(role, max_tokens=24)(model) for role in (generator, verifier, refiner)))
        return team.run_sync(task, seed=7)

    free = run(local)
    recorded = run(Cassette(local, file, mode="record"))
    replayed = run(Cassette(None, file))
    assert said(replayed) == said(recorded) == said(free)
    with pytest.raises(Drift, match=r"messages\[\d\]: asked '.*34 \+ 58"):
        run(Cassette(None, file), "What is 34 + 58?")


def said(result) -> tuple:
    return (
        [(leaf.answer, leaf.stopped_by, leaf.taken) for leaf in result.leaves],
        [(message.id, message.content) for message in result.messages],
        [replace(decision.completion, usage=Usage()) for decision in result.decisions],
    )


def test_choices_have_their_ids_scores_and_counts(local, file: Path) -> None:
    asked = [replace(ASK, options=("rain", "no rain at all"), seed=seed) for seed in (1, 2)]
    rule = Calibration(nulls=("N/A",))

    def chosen(model) -> list[Completion]:
        return list(asyncio.run(choose(model, rule)(asked)))

    recorder = Cassette(local, file, mode="record")
    recorded = chosen(recorder)
    replay = Cassette(None, file)
    assert chosen(replay) == recorded
    assert [c.output_ids for c in recorded] == [c.output_ids for c in chosen(local)]
    assert hasattr(Cassette(Scripted([]), file.with_name("other"), mode="record"), "encode") is False
    with pytest.raises(Drift, match=r"differs in options: asked \(\), recorded"):
        replay.count(ASK)
    assert recorder.count(ASK) == local.count(ASK) == replay_of(file).count(ASK)


def replay_of(file: Path) -> Cassette:
    return Cassette(None, file)


def test_a_cassette_is_a_name_of_a_model(file: Path) -> None:
    recorded(file)
    assert generate(load_model(f"cassette:{file}"), ASK)[0].text == "one"


def test_a_generated_request_can_be_counted_though_nobody_did(file: Path) -> None:
    model = Scripted(["a"])
    generate(Cassette(model, file, mode="record"), ASK)
    assert replay_of(file).count(ASK) == model.count(ASK)


def test_independent_draws_stay_apart_and_do_not_come_again(file: Path) -> None:
    drawn = Cassette(Dice(["one", "two", "three"]), file, mode="record")
    assert [c.text for c in generate(drawn, ASK, ASK) + generate(drawn, ASK)] == ["one", "two", "three"]
    replay = replay_of(file)
    assert [c.text for c in generate(replay, ASK) + generate(replay, ASK, ASK)] == ["one", "two", "three"]
    with pytest.raises(Drift, match=r"holds 3 answers to generate .*old town.*asked 4 times"):
        generate(replay, ASK)


def test_an_exact_model_has_one_answer(file: Path) -> None:
    generate(Cassette(Scripted(["one"]), file, mode="record"), ASK)
    replay = replay_of(file)
    assert [c.text for c in generate(replay, ASK, ASK) + generate(replay, ASK)] == ["one"] * 3


def test_a_failed_call_is_replayed_as_one(file: Path) -> None:
    class Flaky(Dice):
        async def generate(self, requests):
            if not self.batches:
                self.batches.append(0)
                raise CallFailed("the server hung up")
            return await super().generate(requests)

    recorder = Cassette(Flaky(["one", "two"]), file, mode="record")
    for made in (lambda: recorder, lambda: replay_of(file)):
        model = made()
        with pytest.raises(CallFailed, match="the server hung up"):
            generate(model, ASK, replace(ASK, seed=6))
        assert [c.text for c in generate(model, ASK, replace(ASK, seed=6))] == ["one", "two"]


def test_too_few_outcomes_are_not_recorded(file: Path) -> None:
    class Short(Dice):
        async def generate(self, requests):
            return (await super().generate(requests))[1:]

    with pytest.raises(CallFailed, match="expected 2 outcomes, got 1"):
        generate(Cassette(Short(["one", "two"]), file, mode="record"), ASK, ASK)
    assert all(row.call != "generate" for row in read(file)[1])


LONG = "word " * 40
MISSES = {
    "seed: asked 9, recorded 5": replace(ASK, seed=9),
    "temperature: asked 0.5, recorded 1.0": replace(ASK, temperature=0.5),
    r"stop: asked \('x',\), recorded \(\)": replace(ASK, stop=("x",)),
    "messages.1.: asked 'in the north of the new town.', recorded '[a-z ]*old town.', from character 43": replace(
        ASK, messages=(ASK.messages[0], ("user", "Tell me about the rain in the north of the new town."))
    ),
    r"messages.1.: asked \('assistant', 'T.*recorded \('user', 'T": replace(
        ASK, messages=(ASK.messages[0], ("assistant", ASK.messages[1][1]))
    ),
    "messages.2.: asked .'user', 'More.'., recorded None": replace(ASK, messages=(*ASK.messages, ("user", "More."))),
}


@pytest.mark.parametrize("told", MISSES)
def test_a_miss_names_the_request_and_the_first_difference(file: Path, told: str) -> None:
    far = Request((("user", LONG),), max_tokens=9, seed=1)
    generate(Cassette(Scripted(["a", "b"]), file, mode="record"), far, ASK)
    with pytest.raises(Drift, match=f"talk.jsonl holds no answer to generate .*; the nearest one differs in {told}"):
        generate(replay_of(file), MISSES[told])


def test_an_unknown_adapter_is_a_miss(file: Path) -> None:
    generate(Cassette(Scripted(["a"]), file, mode="record"), replace(ASK, adapter="adapters/a"))
    with pytest.raises(Drift, match=r"weights of adapter 'adapters/b'; .*asked 'adapters/b', recorded 'adapters/a'"):
        generate(replay_of(file), replace(ASK, adapter="adapters/b"))


def test_weights_that_change_are_refused(file: Path) -> None:
    model = Scripted(["a", "b"])
    recorder = Cassette(model, file, mode="record")
    generate(recorder, ASK)
    model.weights = lambda adapter="": "others"
    with pytest.raises(Drift, match="they are others now"):
        generate(recorder, ASK)


def test_recording_goes_on_behind_what_is_there(file: Path) -> None:
    first = Cassette(Scripted(["one"]), file, mode="record")
    generate(first, ASK)
    with pytest.raises(Unavailable, match="is being recorded by somebody else"):
        Cassette(Scripted([]), file, mode="record")
    first.close()
    with file.open("ab") as end:
        end.write(b'{"check": "half a li')
    second = Cassette(Scripted(["two"]), file, mode="record")
    generate(second, replace(ASK, seed=6))
    assert [c.text for c in generate(replay_of(file), ASK, replace(ASK, seed=6))] == ["one", "two"]
    second.close()
    with pytest.raises(BadData, match=r"expected a cassette of .*'loaded'.*got .*'scripted'"):
        Cassette(Scripted([], name="loaded"), file, mode="record")
    Cassette(Scripted([]), file, mode="record").close()  # the refused one holds no lock


def test_cassettes_wrap_cassettes(file: Path) -> None:
    copy = file.with_name("copy.jsonl")
    generate(Cassette(Scripted(["one"]), file, mode="record"), ASK)
    generate(Cassette(replay_of(file), copy, mode="record"), ASK)
    assert copy.read_bytes() == file.read_bytes()


def test_modes_are_told_apart(file: Path) -> None:
    with pytest.raises(BadInput, match="expected a model to record"):
        Cassette(None, file, mode="record")
    with pytest.raises(BadInput, match="'play'"):
        Cassette(None, file, mode="play")
    with pytest.raises(BadData, match=r"expected a cassette, got No such file or directory at .*talk.jsonl"):
        Cassette(None, file)


def recorded(file: Path) -> bytes:
    model = Cassette(Scripted(["one", "two"]), file, mode="record")
    generate(model, ASK)
    generate(model, replace(ASK, seed=6))
    model.close()
    return file.read_bytes()


def test_a_cassette_cut_anywhere_holds_a_whole_beginning(file: Path) -> None:
    whole = recorded(file)
    rows = read(file)[1]
    kept = set()
    for length in range(whole.index(b"\n") + 1, len(whole) + 1):
        file.write_bytes(whole[:length])
        found = read(file)[1]
        assert found == rows[: len(found)]
        kept.add(len(found))
    assert kept == set(range(len(rows) + 1))
    file.write_bytes(whole[:20])
    with pytest.raises(BadData, match="without a whole line"):
        read(file)


def test_an_altered_line_is_named(file: Path) -> None:
    lines = recorded(file).split(b"\n")
    for number, line in enumerate(lines[:-1], 1):
        for at in range(0, len(line), 7):
            altered = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
            file.write_bytes(b"\n".join([*lines[: number - 1], altered, *lines[number:]]))
            with pytest.raises((Damaged, BadData), match=rf"talk.jsonl(:{number})? "):
                read(file)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"score": 1}, "Unexpected keyword argument"),
        ({"completion": {}}, "required"),
        ({"completion": None}, "no outcome"),
        ({"call": "guess"}, "Input should be"),
    ],
)
def test_a_line_of_another_shape_is_refused(file: Path, changes: dict, message: str) -> None:
    from orchestra.digest import canonical, digest

    lines = recorded(file).decode().splitlines()
    at = next(i for i, line in enumerate(lines) if '"call":"generate"' in line)
    body = {name: value for name, value in (json.loads(lines[at])["row"] | changes).items() if value is not None}
    lines[at] = canonical({"check": digest(canonical(body)), "row": body})
    file.write_text("\n".join(lines) + "\n")
    with pytest.raises(Damaged, match=rf":{at + 1} .*{message}"):
        read(file)


@pytest.mark.parametrize("bad", [{"logprobs": (float("-inf"),)}, {"text": "\ud800"}])
def test_what_json_does_not_hold_is_refused_and_leaves_no_line(file: Path, bad: dict) -> None:
    tape = Tape(file, Label(SCHEMA, "m", (), encodes=False))
    fine = Completion("a", (1,), (2,), (-0.5,), (1,), "stop", Usage(1))
    with pytest.raises(BadData, match="expected finite numbers and Unicode text"):
        tape.append([Row("generate", ASK, completion=fine), Row("generate", ASK, completion=replace(fine, **bad))])
    assert read(file)[1] == []


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
requests = st.builds(
    Request,
    st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), texts), max_size=3).map(tuple),
    adapter=texts,
    options=st.lists(texts, max_size=2).map(tuple),
    prefix=st.none() | st.builds(Key, texts, st.integers(0, 9)),
    max_tokens=st.integers(1, 10**6),
    temperature=st.floats(0, 100),
    stop=st.lists(texts, max_size=2).map(tuple),
    seed=st.integers(0, 2**63 - 1),
    grammar=texts,
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(requests, st.floats(-1e9, 0.0), texts), max_size=4))
def test_what_was_written_is_read(tmp_path_factory, made: list) -> None:
    file = tmp_path_factory.mktemp("tape") / "a.jsonl"
    rows: list[Row] = []
    for request, logprob, text in made:
        reply = Completion(text, (1, 2), (3,), (logprob,), (1,), "length", Usage(1, 2, 1, 0.25, logprob * -1))
        rows.append(Row("generate", request, completion=reply))
        rows.append(Row("score", request, scores=Scores((logprob,), (4,), Usage(1))))
        rows.append(Row("encode", request, ids=((1, 2), ((3,), ()))))
        rows.append(Row("count", request, tokens=len(text)))
        rows.append(Row("generate", request, failure=text or "failed"))
    label = Label(SCHEMA, "m", ("ids", "score"), encodes=True)
    tape = Tape(file, label)
    tape.append(rows)
    tape.close()
    assert read(file) == (label, rows)


def test_the_nearest_is_the_one_whose_words_agree_most() -> None:
    known = [Request((("user", text),)) for text in ("Why?", "What is 34 + 57?", "What is 1 + 1?")]
    for turned in (known, known[::-1]):
        assert nearest(Request((("user", "What is 34 + 58?"),)), turned) == known[1]
    assert nearest(ASK, []) is None


@given(requests, requests)
def test_two_requests_differ_somewhere_or_are_one(one: Request, other: Request) -> None:
    if one == other:
        with pytest.raises(StopIteration):
            difference(one, other)
    else:
        assert "asked" in difference(one, other)


def test_fields_at_their_default_are_not_written(file: Path) -> None:
    """So that lines from before a field came stay valid, and find the requests of today."""
    asked = [json.loads(line)["row"]["asked"] for line in recorded(file).decode().splitlines()[1:]]
    assert {name for row in asked for name in row} == {"messages", "adapter", "seed"}
