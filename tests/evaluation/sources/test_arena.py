"""Games of TextArena: repeatable beside each other, and no garbage taken for a move."""

from __future__ import annotations

import random
import re
import sys

import pytest

from orchestra.errors import BadInput, Unavailable, UnknownName
from orchestra.evaluation.sources.arena import GAMES, Game, both_seats, play


def test_without_the_library_its_pip_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "textarena", None)
    with pytest.raises(Unavailable, match=re.escape("pip install 'orchestra-teams[evals]'")):
        Game("Nim-v0", seed=0)
    with pytest.raises(UnknownName, match="did you mean 'Nim-v0'"):
        Game("Nim", seed=0)


# ── with the library


@pytest.fixture(autouse=True)
def _library(request: pytest.FixtureRequest) -> None:
    if "without" not in request.node.name:
        pytest.importorskip("textarena", reason="the extra `evals` is not installed")


def largest(shown: str) -> str:
    """Takes all of the fullest pile."""
    piles = dict(re.findall(r"pile (\d): (\d+)", shown))
    pile = max(piles, key=lambda name: int(piles[name]))
    return f"[{pile} {piles[pile]}]"


def perfect(shown: str) -> str:
    """Leaves piles whose binary sum is zero, if that can be done."""
    piles = {int(pile): int(n) for pile, n in re.findall(r"pile (\d): (\d+)", shown)}
    total = 0
    for n in piles.values():
        total ^= n
    return next((f"[{pile} {n - (n ^ total)}]" for pile, n in piles.items() if n ^ total < n), largest(shown))


def cards(game: Game, moves: int = 6) -> list[str]:
    """What the players of a game of poker see while they check."""
    return [step(game) for _ in range(moves)]


def step(game: Game) -> str:
    _, shown = game.observe()
    game.move("[check]")
    return shown


def test_games_at_once_are_what_each_is_alone() -> None:
    alone = [cards(Game("KuhnPoker-v0-short", seed=seed)) for seed in (1, 2)]
    assert alone[0] != alone[1]
    games = [Game("KuhnPoker-v0-short", seed=seed) for seed in (1, 2)]
    together = [[step(game) for game in games] for _ in range(6)]
    assert [list(shown) for shown in zip(*together, strict=True)] == alone


def test_the_library_alone_mixes_their_cards() -> None:
    """The test above can fail: without the guard the second game reseeds and draws for the first."""
    import textarena

    def shown(env) -> str:
        text = env.get_observation()[1]
        env.step("[check]")
        return text

    def made(seed: int):
        env = textarena.make("KuhnPoker-v0-short")
        env.reset(num_players=2, seed=seed)
        return env

    kept = random.getstate()
    alone = []
    for seed in (1, 2):
        env = made(seed)
        alone.append([shown(env) for _ in range(6)])
    games = [made(1), made(2)]
    together = [[shown(env) for env in games] for _ in range(6)]
    random.setstate(kept)
    assert [list(seen) for seen in zip(*together, strict=True)] != alone


def test_nobody_elses_draws_are_touched() -> None:
    random.seed(7)
    expected = random.random()
    random.seed(7)
    game = Game("KuhnPoker-v0-short", seed=1)
    cards(game)
    assert random.random() == expected


def test_nim_is_won_by_who_plays_it_right_and_moves_first() -> None:
    first, second = both_seats("Nim-v0", perfect, largest, seed=3)
    assert first.rewards == (1, -1)
    assert first.invalid is None
    assert second.rewards[1] == 1  # `largest` spoils the first move
    assert play("Nim-v0", (perfect, perfect), seed=3).rewards == (1, -1)


@pytest.mark.parametrize("game", GAMES)
def test_garbage_loses_as_an_invalid_move_and_is_no_cooperation(game: str) -> None:
    outcome = play(game, (lambda _: "I would rather not.", lambda _: "I would rather not."), seed=1)
    assert outcome.invalid is not None
    assert outcome.rewards[outcome.invalid] == -1


def test_a_dilemma_has_two_moves() -> None:
    traitor = play("IteratedPrisonersDilemma-v0", (lambda _: "[Cooperate]", lambda _: "ok: [defect]"), seed=1)
    assert (traitor.rewards, traitor.invalid) == ((-1, 1), None)
    peace = play("IteratedPrisonersDilemma-v0", (lambda _: "[Cooperate]", lambda _: "[cooperate]!"), seed=1)
    assert (peace.rewards, peace.invalid) == ((0, 0), None)
    both = play("IteratedPrisonersDilemma-v0", (lambda _: "[Cooperate] or [Defect]", lambda _: "[Defect]"), seed=1)
    assert both.invalid == 0


def test_a_game_on_its_way_has_no_outcome() -> None:
    with pytest.raises(BadInput, match="fix: play it to its end"):
        Game("Nim-v0", seed=0).outcome()
    with pytest.raises(BadInput, match="end within 1 moves"):
        play("Nim-v0", (perfect, perfect), seed=0, most=1)
