"""A person as an actor: a question through the door, and the reply is what the person says.

Where nobody is there to answer, the run ends with the question on its trajectory; once it is answered in the journal
(`orchestra.engine.answer`), the same run goes on and repeats no call.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestra.engine.context import Context
from orchestra.team import template
from orchestra.team.registry import register
from orchestra.types import Reply, View


@register("person")
@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is asked; the answer is what they say, without outer blanks."""

    name: str
    prompt: str = "{{ prompt }}\n{% for message in inbox %}{{ message.sender }}: {{ message.content }}\n{% endfor %}"
    """Template over the View, as that of a role; becomes the question."""
    options: tuple[str, ...] = ()
    """A closed set of answers; empty: any."""

    def __post_init__(self) -> None:
        template.check(self.prompt, f"person {self.name!r}")

    async def __call__(self, view: View, ctx: Context) -> Reply:
        variables = {name: getattr(view, name, "") for name in template.VARIABLES}
        question = template.render(self.prompt, variables, f"person {self.name!r}").strip()
        said = (await ctx.ask(question, self.options)).strip()
        return Reply(said, answer=said or None, origin="person")
