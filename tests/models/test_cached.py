"""A cache answers as its model would have, asks it once, and never takes one draw for another."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.contracts import check_model
from orchestra.errors import BadData, CallFailed, Damaged, Unavailable
from orchestra.models import cached as module
from orchestra.models import tiny
from orchestra.models.cached import Cached, Traffic
from orchestra.models.calibration import Calibration
from orchestra.models.cassette import Cassette
from orchestra.models.choose import choose
from orchestra.models.local import LocalModel
from orchestra.models.scripted import Scripted
from orchestra.roles import generator, refiner, verifier
from orchestra.topologies import chain
from orchestra.types import Completion, Request, Usage

ASK = Request((("system", "Be brief."), ("user", "Tell me about the rain.")), seed=5)


class Dice(Scripted):
    """Every ask is a draw of its own, as of a server; remembers what it was asked in `calls`."""

    capabilities = frozenset({"score"})

    def __init__(self, **keywords: Any) -> None:
        self.drawn = 0
        super().__init__(self.draw, **keywords)

    def draw(self, request: Request) -> str:
        self.drawn += 1
        return f"draw {self.drawn}"


def generate(model: Any, *requests: Request) -> list[str]:
    return [made.text for made in asyncio.run(model.generate(requests))]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "answers.sqlite"


@pytest.fixture(scope="module")
def local():
    model = LocalModel(tiny.ensure(), name="tiny")
    yield model
    model.close()


@pytest.mark.parametrize("kind", ["scripted", "tiny"])
@pytest.mark.parametrize("times", [1, 2])
def test_every_promise_of_the_model_is_kept(local: LocalModel, file: Path, kind: str, times: int) -> None:
    model = local if kind == "tiny" else Scripted(lambda r: f"alpha beta gamma {len(r.messages)}")
    for _ in range(times):
        cached = Cached(model, file)
        check_model(cached)
        cached.close()
    assert (cached.name, cached.capabilities, cached.weights()) == (model.name, model.capabilities, model.weights())
    assert (cached.traffic.misses == 0) == (times == 2)


def test_a_run_is_the_same_to_the_bit_and_asks_nothing_the_second_time(local: LocalModel, file: Path) -> None:
    def run(model: Any) -> Any:
        return chain(*(replace(role, max_tokens=24)(model) for role in (generator, verifier, refiner))).run_sync(
            "What is 34 + 57?", seed=7
        )

    free, first, again = run(local), run(Cached(local, file)), run(second := Cached(local, file))
    assert again == first  # usage and seconds of the calls that made it, too
    assert [unmetered(d.completion) for d in first.decisions] == [unmetered(d.completion) for d in free.decisions]
    assert second.traffic == Traffic(hits=3) and second.traffic.rate == 1.0


def unmetered(completion: Completion | None) -> Completion:
    assert completion is not None
    return replace(completion, usage=Usage())


def test_independent_draws_never_collapse_and_equal_ones_are_asked_once(file: Path) -> None:
    model = Cached(Dice(), file)
    assert generate(model, ASK, replace(ASK, seed=6), ASK) == ["draw 1", "draw 2", "draw 1"]
    assert generate(model, replace(ASK, seed=6), replace(ASK, seed=7)) == ["draw 2", "draw 3"]
    assert model.traffic == Traffic(hits=1, joined=1, misses=3)


def test_without_the_seed_they_would_collapse(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A control: the test above can fail."""
    monkeypatch.setattr(module, "_essence", lambda call, request, weights: replace(request, adapter=weights, seed=0))
    assert generate(Cached(Dice(), file), ASK, replace(ASK, seed=6)) == ["draw 1", "draw 1"]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"seed": 9}, False),
        ({"temperature": 0.5}, False),
        ({"max_tokens": 3}, False),
        ({"stop": ("x",)}, False),
        ({"adapter": "a"}, False),
        ({"grammar": '{"regex":"a"}'}, False),
        ({"messages": (("user", "Tell me about the rain."),)}, False),
        ({}, True),
    ],
    ids=str,
)
def test_what_an_answer_depends_on_keeps_it_apart(file: Path, change: dict[str, Any], same: bool) -> None:
    first, other = generate(Cached(Dice(), file), ASK, replace(ASK, **change))
    assert (first == other) == same


def test_a_greedy_reply_does_not_depend_on_the_draw(file: Path) -> None:
    greedy = replace(ASK, temperature=0.0)
    assert generate(Cached(Dice(), file), greedy, replace(greedy, seed=6)) == ["draw 1", "draw 1"]


def test_scores_depend_on_messages_and_options_alone(file: Path) -> None:
    inner = Dice(preference=lambda request, option: -float(len(option)))
    model, asked = Cached(inner, file), replace(ASK, options=("red", "blue"))
    turned = replace(asked, options=("blue", "red"))
    rows = asyncio.run(model.score([asked, replace(asked, seed=8, temperature=0.3), turned]))
    assert [row.logprobs for row in rows] == [(-3.0, -4.0), (-3.0, -4.0), (-4.0, -3.0)]
    assert len(inner.calls) == 2


def test_only_what_is_missing_reaches_the_model_in_its_order(file: Path) -> None:
    inner = Dice()
    model = Cached(inner, file)
    rows = [replace(ASK, seed=seed) for seed in range(6)]
    generate(model, rows[1], rows[4])
    assert generate(model, *rows) == ["draw 3", "draw 1", "draw 4", "draw 5", "draw 2", "draw 6"]
    assert inner.batches == [2, 4]
    assert [request.seed for request in inner.calls] == [1, 4, 0, 2, 3, 5]


def test_what_is_under_way_is_asked_once(file: Path) -> None:
    inner = Dice(delay=lambda request: 0.05)
    model = Cached(inner, file)

    async def crowd() -> list[Any]:
        return await asyncio.gather(*(model.generate([ASK, replace(ASK, seed=6)]) for _ in range(20)))

    assert {tuple(made.text for made in answers) for answers in asyncio.run(crowd())} == {("draw 1", "draw 2")}
    assert inner.batches == [2] and model.traffic == Traffic(joined=38, misses=2)


def test_also_from_many_threads_with_loops_of_their_own(file: Path) -> None:
    inner = Dice(delay=lambda request: 0.05)
    model = Cached(inner, file)
    with ThreadPoolExecutor(8) as threads:
        said = list(threads.map(lambda _: generate(model, ASK), range(8)))
    assert {text for (text,) in said} == {"draw 1"} and model.traffic.misses == 1


def test_callers_that_wait_for_one_another_do_not_wait_for_ever(file: Path) -> None:
    """Each of the two leads one request and waits for the other's."""
    model = Cached(Dice(delay=lambda request: 0.02), file)
    one, two = ASK, replace(ASK, seed=6)

    async def both() -> Sequence[Any]:
        return await asyncio.wait_for(asyncio.gather(model.generate([one, two]), model.generate([two, one])), 10)

    first, second = asyncio.run(both())
    assert list(first) == list(second)[::-1]


class Brittle(Dice):
    """Fails as often as it is told to."""

    def __init__(self, failures: int, **keywords: Any) -> None:
        self.left = failures
        super().__init__(**keywords)

    async def generate(self, requests: Sequence[Request]) -> Sequence[Completion]:
        made = await super().generate(requests)
        self.left -= 1
        if self.left >= 0:
            raise CallFailed("not now")
        return made


def test_a_failure_is_not_kept(file: Path) -> None:
    model = Cached(Brittle(1), file)
    with pytest.raises(CallFailed, match="not now"):
        generate(model, ASK)
    assert generate(model, ASK) == ["draw 2"] and model.traffic == Traffic(misses=1)


def test_who_waited_for_a_call_that_failed_asks_for_itself(file: Path) -> None:
    model = Cached(Brittle(1, delay=lambda request: 0.02), file)

    async def two() -> list[Any]:
        return await asyncio.gather(model.generate([ASK]), model.generate([ASK]), return_exceptions=True)

    failed, (made,) = asyncio.run(two())
    assert isinstance(failed, CallFailed) and made.text == "draw 2"


def test_who_waited_for_a_call_that_was_cancelled_asks_for_itself(file: Path) -> None:
    model = Cached(Dice(delay=lambda request: 0.05), file)

    async def two() -> list[Any]:
        first, second = (asyncio.ensure_future(model.generate([ASK])) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()
        return await asyncio.gather(first, second, return_exceptions=True)

    stopped, (made,) = asyncio.run(two())
    assert isinstance(stopped, asyncio.CancelledError) and made.text == "draw 1"


def test_who_stops_waiting_stops_nobody_else(file: Path) -> None:
    model = Cached(Dice(delay=lambda request: 0.05), file)

    async def three() -> list[Any]:
        first, second, third = (asyncio.ensure_future(model.generate([ASK])) for _ in range(3))
        await asyncio.sleep(0.01)
        second.cancel()
        return await asyncio.gather(first, second, third, return_exceptions=True)

    (made,), stopped, (same,) = asyncio.run(three())
    assert made == same and isinstance(stopped, asyncio.CancelledError)


@pytest.mark.parametrize("number", [0, 2])
def test_another_number_of_answers_is_a_failure(file: Path, number: int) -> None:
    class Miscounts(Dice):
        async def generate(self, requests: Sequence[Request]) -> Sequence[Completion]:
            return [*await super().generate(requests)] * number

    with pytest.raises(CallFailed, match=f"expected 1 outcomes, got {number}"):
        generate(Cached(Miscounts(), file), ASK)


def test_what_was_cut_short_is_not_kept(file: Path) -> None:
    class Cut(Dice):
        async def generate(self, requests: Sequence[Request]) -> Sequence[Completion]:
            return [replace(made, finish="cancelled") for made in await super().generate(requests)]

    model = Cached(Cut(), file)
    assert generate(model, ASK) + generate(model, ASK) == ["draw 1", "draw 2"]


def test_an_adapter_that_changes_under_way_leaves_no_answer(file: Path) -> None:
    class Retrained(Dice):
        def weights(self, adapter: str = "") -> str:
            return f"{adapter} after {self.drawn} draws"

    inner = Retrained()
    model = Cached(inner, file)
    assert generate(model, ASK) + generate(model, ASK) == ["draw 1", "draw 2"]
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("SELECT count(*) FROM answers").fetchone() == (0,)


def test_a_choice_has_its_ids_and_is_scored_once(local: LocalModel, file: Path) -> None:
    asked = [replace(ASK, options=("rain", "no rain at all"), seed=seed) for seed in (1, 2)]
    rule = Calibration(nulls=("N/A",))
    model = Cached(local, file)
    chosen = [asyncio.run(choose(each, rule)(asked)) for each in (local, model, model)]
    assert chosen[1] == chosen[2]
    assert [c.output_ids for c in chosen[0]] == [c.output_ids for c in chosen[1]]
    assert model.traffic == Traffic(hits=2, misses=2)  # question and null, once
    assert not hasattr(Cached(Dice(), file), "encode")


def test_a_cassette_around_a_cache_replays_it(file: Path) -> None:
    tape = file.with_name("talk.jsonl")
    generate(Cached(Scripted(["one", "two"]), file), ASK)
    recorder = Cassette(Cached(Scripted([]), file), tape, mode="record")
    assert generate(recorder, ASK) == ["one"]  # from the cache: the script has no word
    assert generate(Cassette(None, tape), ASK) == ["one"]
    assert generate(Cached(Cassette(None, tape), file.with_name("other")), ASK, ASK) == ["one", "one"]


ASKED = st.lists(
    st.lists(
        st.builds(
            Request,
            st.sampled_from(["a", "b", "é\n"]).map(lambda text: (("user", text),)),
            seed=st.integers(0, 2),
            temperature=st.sampled_from([0.0, 1.0]),
        ),
        max_size=5,
    ),
    max_size=5,
)


@settings(max_examples=40, deadline=None)
@given(ASKED)
def test_each_question_is_asked_once_whatever_the_batches(batches: list[list[Request]]) -> None:
    """Beside a dictionary that does the same without a file."""
    import tempfile

    inner, known, texts = Dice(), dict[Any, str](), list[str]()
    with tempfile.TemporaryDirectory() as folder:
        cached = Cached(inner, Path(folder, "answers"))
        for batch in batches:
            for request in batch:
                essence = (request.messages, request.temperature, request.seed if request.temperature else 0)
                texts.append(known.setdefault(essence, f"draw {len(known) + 1}"))
        assert [text for batch in batches for text in generate(cached, *batch)] == texts
        assert inner.drawn == len(known) == cached.traffic.misses
        assert cached.traffic.hits + cached.traffic.joined == len(texts) - len(known)
        cached.close()


def altered(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        assert database.execute(statement).rowcount


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE answers SET line = replace(line, 'draw 1', 'draw 9')", "does not match its checksum"),
        ("UPDATE answers SET line = substr(line, 1, 40)", "is no row of ours"),
        ("UPDATE answers SET line = x'FF00'", "is no row of ours"),
        ("UPDATE answers SET line = (SELECT max(line) FROM answers)", "answer to something else"),
    ],
)
def test_an_altered_answer_is_named_with_its_file_and_the_fix(file: Path, statement: str, message: str) -> None:
    other = replace(ASK, seed=6)
    generate(Cached(Dice(), file), ASK, other)
    altered(file, statement)
    with pytest.raises(Damaged, match=rf"answers\.sqlite, answer [0-9a-f]{{32}},.*{message}.*; fix: delete the file"):
        generate(Cached(Dice(), file), ASK, other)


def test_a_torn_file_is_named_with_the_fix(file: Path) -> None:
    model = Cached(Dice(), file)
    generate(model, *(replace(ASK, seed=seed) for seed in range(50)))
    model.close()
    pages = bytearray(file.read_bytes())
    pages[8192:] = b"\0" * (len(pages) - 8192)  # behind the header and the table's root
    file.write_bytes(pages)
    torn = Cached(Dice(), file)
    with pytest.raises(Damaged, match=r"answers\.sqlite.*malformed; fix: delete the file"):
        generate(torn, *(replace(ASK, seed=seed) for seed in range(50)))


def test_files_that_are_no_cache_are_refused(file: Path, tmp_path: Path) -> None:
    Cached(Dice(), file).close()
    altered_version = sqlite3.connect(file)
    altered_version.execute("PRAGMA user_version = 2")
    altered_version.close()
    with pytest.raises(BadData, match="has format 2"):
        Cached(Dice(), file)
    foreign = tmp_path / "foreign"
    with closing(sqlite3.connect(foreign)) as database, database:
        database.execute("CREATE TABLE mine (x)")
    with pytest.raises(BadData, match="no cache of answers"):
        Cached(Dice(), foreign)
    with closing(sqlite3.connect(foreign)) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)]  # as it was
    text = tmp_path / "notes.txt"
    text.write_text("Dear diary, " * 100)
    with pytest.raises(BadData, match=r"notes\.txt is no cache of answers; fix: choose another file"):
        Cached(Dice(), text)
    assert text.read_text().startswith("Dear diary")
    with pytest.raises(Unavailable, match="cannot use the cache"):
        Cached(Dice(), text / "below")


SHARER = """
import asyncio, sys
from pathlib import Path
from orchestra.models.cached import Cached
from orchestra.models.scripted import Scripted
from orchestra.types import Request

model = Cached(Scripted(lambda request: f"{sys.argv[2]} said {request.seed}"), Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.read(1)
for seed in range(200):
    (made,) = asyncio.run(model.generate([Request((("user", "Speak."),), seed=seed)]))
    print(made.text, flush=True)
"""


def test_processes_share_a_file_and_one_that_is_killed_harms_nothing(file: Path) -> None:
    """Three ask the same 200 questions side by side, one of them is killed midway; the others agree on every answer
    that is in the file, which holds each once."""
    command = [sys.executable, "-c", SHARER, str(file)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    people = [subprocess.Popen([*command, name], **pipes) for name in ("ann", "bob", "eve")]
    for process in people:
        assert process.stdout.readline() == "ready\n"  # type: ignore[union-attr]
    for process in people:
        process.stdin.write("g")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
    for _ in range(20):
        people[2].stdout.readline()  # type: ignore[union-attr]
    people[2].kill()
    said = [process.communicate()[0].splitlines() for process in people]
    assert [process.returncode for process in people[:2]] == [0, 0]
    assert len(said[0]) == len(said[1]) == 200

    silent = Cached(Scripted([]), file)
    kept = generate(silent, *(Request((("user", "Speak."),), seed=seed) for seed in range(200)))
    assert silent.traffic == Traffic(hits=200)
    assert [text.partition(" said ")[2] for text in kept] == [str(seed) for seed in range(200)]
    for ours, one, two in zip(kept, said[0], said[1], strict=True):
        assert ours in (one, two) or ours.startswith("eve")
