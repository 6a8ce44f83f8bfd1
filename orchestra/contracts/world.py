"""What any World must keep, as a check that its author can run: `check_world(lambda: MyWorld())`.

Raises AssertionError with one line that names the promise that was broken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from orchestra.worlds.world import Step, World

GIBBERISH = "\x00 ~~ qwxz ~~ \x00"


def check_world(make: Callable[[], World], *, seeds: Sequence[int] = (0, 1), steps: int = 1000) -> None:
    """Plays random legal episodes of fresh worlds and checks every promise of the protocol on the way.

    That equal seeds and actions give equal episodes; that a clone is independent; that each legal action is read back
    from its own text and gibberish is counted; that a step answers exactly the seats that were live, with finite
    rewards; that those ended or cut leave, and nobody else; that the episode is over within `steps`.
    """
    for seed in seeds:
        first = _episode(make(), seed, steps)
        _must(first == _episode(make(), seed, steps), f"seed {seed}: equal actions in a second world went otherwise")
        world = make()
        _episode(world, seed + 1, steps)
        _must(first == _episode(world, seed, steps), f"seed {seed}: an earlier episode shows after reset")
        _check_clone(make(), seed)
    _must(_seen(make(), None) == _seen(make(), 0), "reset(None) must be reset(0)")


def _episode(world: World, seed: int, steps: int) -> list[Any]:
    """A random episode, everything that it showed."""
    observations, infos = world.reset(seed)
    _must(len(world.agents) > 0, "reset leaves no live seat")
    _must(len(set(world.agents)) == len(world.agents), f"seats must differ, got {world.agents!r}")
    _must(list(observations) == world.agents == list(infos), "reset must give an observation and infos for every seat")
    chance, shown = Random(seed), list[Any]([observations])
    for _ in range(steps):
        if not world.agents:
            _must(not world.turn(), "a finished episode leaves seats in turn")
            return shown
        shown.append({seat: world.text(seat) for seat in world.agents})
        actions = _actions(world, chance)
        before = list(world.agents)
        step = world.step(actions)
        _check_step(world, before, step)
        shown.append((actions, step))
    raise AssertionError(f"the episode of seed {seed} is not over after {steps} steps")


def _actions(world: World, chance: Random) -> dict[str, Any]:
    turn = list(world.turn())
    _must(set(turn) <= set(world.agents), f"seats in turn must be live, got {turn!r} of {world.agents!r}")
    actions = {}
    for seat in world.agents:
        legal = list(world.legal(seat))
        _must(bool(legal) == (seat in turn), f"{seat}: a seat has legal actions iff it is in turn, got {legal!r}")
        _must(world.text(seat).strip() != "", f"{seat}: nothing to read")
        if seat in turn:
            said = chance.choice(legal)
            unread = world.unparsed
            actions[seat] = world.parse(seat, said)
            _must(world.unparsed == unread, f"{seat}: the legal action {said!r} is not read from its own text")
            world.parse(seat, GIBBERISH)
            _must(world.unparsed == unread + 1, f"{seat}: gibberish is not counted in `unparsed`")
    return actions


def _check_step(world: World, before: list[str], step: Step) -> None:
    for name, part in step._asdict().items():
        _must(set(part) == set(before), f"step: {name} must have exactly the seats live before it, got {part!r}")
    for seat, reward in step.rewards.items():
        _must(type(reward) is float and math.isfinite(reward), f"{seat}: rewards are finite floats, got {reward!r}")
    stay = [seat for seat in before if not (step.ended[seat] or step.cut[seat])]
    _must(world.agents == stay, f"after a step exactly those not ended or cut are live, got {world.agents!r}")


def _check_clone(world: World, seed: int) -> None:
    world.reset(seed)
    chance = Random(seed)
    for _ in range(3):
        if world.agents:
            world.step(_actions(world, chance))
    copy, untouched = world.clone(), world.clone()
    start = _shown(world)
    _must(_shown(copy) == start, "a clone shows something else than its original")
    if not world.agents:
        return
    actions = _actions(world, chance)
    copy_step = copy.step(actions)
    _must(_shown(world) == start, "a step of the clone shows in the original")
    _must(world.step(actions) == copy_step and _shown(world) == _shown(copy), "a clone goes on otherwise")
    _must(_shown(untouched) == start, "a step of the original shows in the clone")


def _shown(world: World) -> dict[str, str]:
    return {seat: world.text(seat) for seat in world.agents}


def _seen(world: World, seed: int | None) -> Any:
    return world.reset(seed), _shown(world)


def _must(held: bool, promise: str) -> None:
    if not held:
        raise AssertionError(promise)
