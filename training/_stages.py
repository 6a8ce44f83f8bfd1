"""What loops over talking teams have in common: how the team is made, and what it is measured on."""

from __future__ import annotations

from argparse import Namespace

from orchestra.evaluation.result import Result
from orchestra.team import Team
from orchestra.training._loop import Loop, Tasks
from orchestra.training._team import Manner, cast


class Stages:
    """The stages of a loop, of one set of tasks."""

    def __init__(self, loop: Loop, options: Namespace, tasks: Tasks) -> None:
        self.loop, self.options, self.tasks = loop, options, tasks
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
