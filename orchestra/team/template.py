"""Role prompts: sandboxed jinja2 over the fields of a View. A prompt can read, and nothing else."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from orchestra.errors import BadRole

VARIABLES = frozenset({"prompt", "inbox", "memory", "private", "seat", "round", "persona"})
"""What a template may name: the fields of a View, and the agent's persona."""

LONGEST = 200_000
"""Characters of a rendered prompt; more is refused before any tokenizer sees it."""

SPECIAL = re.compile(
    r"<\|[a-z_0-9]{1,40}\|>|</?s>|\[/?INST\]|<(?:start|end)_of_turn>|<\uff5c[^<>]{1,40}\uff5c>",
    re.IGNORECASE,
)
"""Control tokens of common chat templates: refused in roles and teams, inert in data."""

_environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def check(source: str, where: str) -> None:
    """Raises BadRole naming the line if a template does not parse, or uses an unknown variable or a control token."""
    check_plain(source, where)
    try:
        tree = _environment.parse(source)
    except TemplateError as error:
        raise BadRole(f"{where}, line {getattr(error, 'lineno', 1)}: the template does not parse: {error}") from None
    if unknown := sorted(meta.find_undeclared_variables(tree) - VARIABLES):
        raise BadRole(f"{where}: unknown variable {', '.join(unknown)}; a prompt sees {', '.join(sorted(VARIABLES))}")


def check_plain(text: str, where: str) -> None:
    """Raises BadRole naming the line if a text of ours holds a control token."""
    if found := SPECIAL.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise BadRole(
            f"{where}, line {line}: control token {found.group()!r} is not allowed; the chat template adds it"
        )


def render(source: str, variables: dict[str, Any], where: str) -> str:
    """The text of a checked template; BadRole if it reaches for what a prompt may not, or grows past LONGEST."""
    pieces, length = [], 0
    try:
        for piece in _compiled(source).generate(variables):
            length += len(piece)
            if length > LONGEST:
                raise BadRole(
                    f"{where}: the prompt grew past {LONGEST:,} characters; shorten the template or its inbox"
                )
            pieces.append(piece)
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, OverflowError) as error:
        raise BadRole(f"{where}: the template failed: {error}") from None
    return "".join(pieces)


@lru_cache(maxsize=512)
def _compiled(source: str) -> Template:
    return _environment.from_string(source)
