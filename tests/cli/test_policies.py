"""A cache and a cassette from the command line: the second run asks no model, and a recorded one needs none."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestra.cli.options import TeamOptions
from orchestra.cli.policies import policies, traffic
from orchestra.models.scripted import Scripted
from orchestra.roles import generator, refiner, verifier
from orchestra.topologies import chain

RUN = ("run", "chain", "What is 34 + 57?", "--json")


def test_what_was_asked_before_comes_from_the_cache(orchestra) -> None:
    first = orchestra(*RUN, "--model", "scripted:s.txt", "--cache", "c.sqlite", "--run-dir", "a").json
    Path("s.txt").write_text("Nobody asks me.\n")
    again = orchestra(*RUN, "--model", "scripted:s.txt", "--cache", "c.sqlite", "--run-dir", "b").json
    assert again["answer"] == first["answer"] == "92"
    other = orchestra(*RUN, "--model", "scripted:s.txt", "--run-dir", "c").json
    assert other["content"] == "Nobody asks me."  # a control: it is the cache that answers


def test_a_recorded_run_is_replayed_without_the_model(orchestra) -> None:
    words = (*RUN, "--model", "scripted:s.txt", "--cache", "c.sqlite", "--record", "talk.jsonl", "--run-dir", "a")
    first = orchestra(*words).json
    Path("s.txt").unlink()
    again = orchestra(*RUN, "--model", "cassette:talk.jsonl", "--run-dir", "b").json
    assert (again["answer"], again["usage"]) == (first["answer"], first["usage"])


def test_an_evaluation_is_the_same_with_a_cache_filled_or_empty(orchestra) -> None:
    words = ("eval", "chain", "arith:add1", "--n", "3", "--model", "scripted:s.txt", "--json")
    plain, empty, filled = (
        orchestra(*words, *more, "--run-dir", folder).json
        for folder, more in (("a", ()), ("b", ("--cache", "c.sqlite")), ("c", ("--cache", "c.sqlite")))
    )
    for value in (plain, empty, filled):
        value.pop("run_dir")
        value.pop("cache", None)
    assert plain["n"] == 3 and empty == filled


def test_the_traffic_of_a_team_is_that_of_its_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.txt").write_text("The answer is 91.\n")
    names = dict.fromkeys(("generator", "verifier", "refiner"), "scripted:s.txt")
    for record in (None, Path("talk.jsonl")):
        made = policies(names, TeamOptions(cache=Path("c.sqlite"), record=record))
        team = chain(*(role(made[role.name]) for role in (generator, verifier, refiner)))
        team.run_sync("What is 34 + 57?", seed=1)
        if record is None:
            assert traffic(team) == {"hits": 0, "joined": 0, "misses": 3, "rate": 0.0}
    assert traffic(team, team) == {"hits": 3, "joined": 0, "misses": 0, "rate": 1.0}
    assert traffic(chain(generator(Scripted([])))) is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--record", "x", "--role", "agents=generator,verifier@tiny"), "--record keeps one model"),
        (("--record", "x", "--cache", "x"), "--cache and --record name one file, x; fix: two files"),
        (("--cache", "s.txt"), "s.txt is no cache of answers; fix: choose another file"),
        (("--cache", "s.txt/below"), "cannot use the cache"),
    ],
)
def test_what_cannot_be_kept_is_told_in_one_line(orchestra, words: tuple[str, ...], message: str) -> None:
    Path("s.txt").write_text("The answer is 91.\n" * 40)
    said = orchestra(*RUN, "--model", "scripted:s.txt", *words)
    assert said.code in (1, 2) and message in said.err and said.out == ""
    assert len(said.err.splitlines()) == 1
