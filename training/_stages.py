"""What loops over talking teams have in common: how the team is made, and what it is measured on."""

from __future__ import annotations

from argparse import Namespace

from orchestra.errors import BadInput
from orchestra.evaluation.result import Result
from orchestra.learning import bind
from orchestra.team import Team
from orchestra.training._loop import Loop, Tasks
from orchestra.training._team import POLICIES, Manner, cast


class Stages:
    """The stages of a loop, of one set of tasks."""

    def __init__(self, loop: Loop, options: Namespace, tasks: Tasks) -> None:
        self.loop, self.options, self.tasks = loop, options, tasks
        self.start = start(options)
        asked = [*tasks.training, *tasks.dev, *tasks.test]
        manner = Manner(max_tokens=options.max_tokens, system=options.system)
        self.cast = cast(options.team, tasks.shown, asked, manner, options.turns)

    def team(self, adapters: str = "", *, warm: bool = False) -> Team:
        temperature = self.options.temperature if warm else 0.0
        return self.cast.make(self.loop.policies(self.cast.policies, adapters), temperature)

    def measured(self, name: str, adapters: str = "") -> Result:
        return self.loop.measured(name, lambda: self.team(adapters), self.tasks.test)

    def on_dev(self, name: str, adapters: str = "") -> Result:
        return self.loop.measured(f"{name}, development", lambda: self.team(adapters), self.tasks.dev)


def start(options: Namespace) -> str:
    """The folder of the adapters to begin with, where the loop has --init and it is given; else "", the base.

    Raises BadInput where they are of another team, and as `bind` does.
    """
    init = getattr(options, "init", None)
    if init is None:
        return ""
    policies, known = POLICIES[options.team], bind(init)
    if not known.keys() & set(policies):
        raise BadInput(
            f"expected adapters of {' or '.join(policies)} for --team {options.team}, got those of {', '.join(known)} "
            f"in {init}; fix: --init"
        )
    return str(init.resolve())
