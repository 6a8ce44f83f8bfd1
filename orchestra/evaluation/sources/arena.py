"""Two-player games of TextArena (MIT; extra `evals`), made repeatable and honest; players are functions for now.

The library draws from Python's global generator and seeds it at every reset, so two games at once would deal each
other's cards: here each game has a generator of its own, which is the global one only while the game moves. In the
prisoner's dilemma it takes whatever is not "[Defect]" for cooperation: here that is an invalid move, as it is in the
other games. The second invalid move in a row loses, and such a loss is told apart from one by play. Seats are not
alike: `both_seats` plays a seed twice.

Language agents take their seats once games are worlds.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from threading import Lock
from typing import Any, Final

from orchestra.errors import BadInput, UnknownName, missing_extra

GAMES: Final = (
    "IteratedPrisonersDilemma-v0",
    "IteratedRockPaperScissors-v0",
    "KuhnPoker-v0-short",
    "Nim-v0",
    "TicTacToe-v0",
)
"""Those with the shortest moves."""
DILEMMA: Final = re.compile(r"\[(cooperate|defect)\]", re.IGNORECASE)
_GLOBAL: Final = Lock()

Player = Callable[[str], str]
"""What it is shown -> its move, such as "[0 3]"."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a game of two ended."""

    rewards: tuple[float, float]
    """1 for a win, -1 for a loss, 0 for a draw."""
    invalid: int | None
    """The player who lost by invalid moves."""
    reason: str
    moves: tuple[tuple[int, str], ...]
    """(player, what they said), in order."""


class Game:
    """One game, on its way."""

    def __init__(self, name: str, seed: int) -> None:
        if name not in GAMES:
            raise UnknownName("game", name, GAMES)
        try:
            library = import_module("textarena")  # here: of the extra `evals`, and it takes a second
        except ImportError as error:
            raise missing_extra("evals", "textarena") from error
        self._own: Any = random.Random(seed).getstate()
        self._moves: list[tuple[int, str]] = []
        self.done = False
        with self._drawing():
            self._env = library.make(name)
            self._env.reset(num_players=2, seed=seed)

    def observe(self) -> tuple[int, str]:
        """Whose turn it is, and what that player is shown."""
        with self._drawing():
            player, shown = self._env.get_observation()
        return int(player), str(shown)

    def move(self, said: str) -> None:
        """The move of the player whose turn it is."""
        state = self._env.state
        self._moves.append((int(state.current_player_id), said))
        with self._drawing():
            if state.game_state.get("phase") == "decision" and len(set(map(str.lower, DILEMMA.findall(said)))) != 1:
                state.set_invalid_move(reason="Reply with '[Cooperate]' or '[Defect]'.")
                self.done, _ = state.step()
            else:
                self.done, _ = self._env.step(said)

    def outcome(self) -> Outcome:
        """How it ended; BadInput while it has not."""
        if not self.done:
            raise BadInput("expected a game that is over, got one on its way; fix: play it to its end")
        rewards, facts = self._env.close()
        lost = [player for player in (0, 1) if facts[player]["invalid_move"]]
        reason = str(facts[0].get("reason", ""))
        return Outcome((rewards[0], rewards[1]), lost[0] if lost else None, reason, tuple(self._moves))

    @contextmanager
    def _drawing(self) -> Iterator[None]:
        """The global generator is this game's, and then again what it was."""
        with _GLOBAL:
            others = random.getstate()
            random.setstate(self._own)
            try:
                yield
            finally:
                self._own = random.getstate()
                random.setstate(others)


def play(name: str, players: Sequence[Player], *, seed: int, most: int = 200) -> Outcome:
    """A game of two from its beginning to its end; BadInput where it takes more moves than `most`."""
    first, second = players
    game = Game(name, seed)
    for _ in range(most):
        player, shown = game.observe()
        game.move((first, second)[player](shown))
        if game.done:
            return game.outcome()
    raise BadInput(f"expected {name} to end within {most} moves; fix: a larger `most`")


def both_seats(name: str, ours: Player, theirs: Player, *, seed: int) -> tuple[Outcome, Outcome]:
    """The same deal with us first and with us second."""
    return play(name, (ours, theirs), seed=seed), play(name, (theirs, ours), seed=seed)
