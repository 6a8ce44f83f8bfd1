"""Role prompts: sandboxed jinja2 over the fields of a View. A prompt can read, and nothing else.

What is no plain reading is refused when a role is made: calls, macros, assignments and products, with which a short
template could run for ever or grow without bound. Loops are counted, since data may be long.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateRuntimeError, meta, nodes, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from orchestra.errors import BadRole, CallFailed, UnknownName

VARIABLES = frozenset({"prompt", "inbox", "memory", "private", "seat", "round", "persona"})
"""What a template may name: the fields of a View, and the agent's persona."""

LONGEST = 200_000
"""Characters of a rendered prompt; more is refused before any tokenizer sees it."""

LOOPED = 100_000
"""Turns that the loops of one prompt may take together."""

SPECIAL = re.compile(
    r"<\|[a-z_0-9]{1,40}\|>|</?s>|\[/?INST\]|<(?:start|end)_of_turn>|<\uff5c[^<>]{1,40}\uff5c>", re.IGNORECASE
)
"""Control tokens of common chat templates: refused in roles and teams, inert in data."""

FILTERS = frozenset((
    "abs", "capitalize", "count", "d", "default", "e", "escape", "first", "float", "int", "items", "join", "last",
    "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "replace", "reverse", "round", "select",
    "selectattr", "sort", "string", "title", "tojson", "trim", "truncate", "unique", "upper",
))  # fmt: skip
"""Filters whose work is bounded by what they are given; `join` and `replace` take constants alone."""

_READS = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem,
    nodes.Slice, nodes.If, nodes.CondExpr, nodes.For, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And,
    nodes.Or, nodes.Not, nodes.Neg, nodes.Add, nodes.Sub, nodes.Concat, nodes.List, nodes.Tuple, nodes.Keyword,
)  # fmt: skip

_environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
_environment.globals.clear()
_environment.filters = {name: function for name, function in _environment.filters.items() if name in FILTERS}


@lru_cache(maxsize=512)  # a team of many agents has the prompt of their role once for each
def check(source: str, where: str) -> None:
    """Raises BadRole, naming the line, for a template that does not parse, names an unknown variable, does more than
    read, or holds a control token."""
    check_plain(source, where)
    try:
        tree = _environment.parse(source)
        for node in _walk(tree):
            _check_reads(node, where)
        _compiled(source)  # not before it is known to read: compiling folds constants, such as 9 ** 9 ** 9
    except (TemplateError, RecursionError) as error:
        raise BadRole(f"{where}, line {getattr(error, 'lineno', 1)}: the template does not parse: {error}") from None
    if unknown := sorted(meta.find_undeclared_variables(tree) - VARIABLES):
        raise BadRole(f"{where}: unknown variable {', '.join(unknown)}; a prompt sees {', '.join(sorted(VARIABLES))}")


@lru_cache(maxsize=512)
def names(source: str, variable: str) -> bool:
    """Whether a checked template reads a variable.

    >>> names("{% if private %}Psst.{% endif %}", "private"), names("private", "private")
    (True, False)
    """
    return variable in meta.find_undeclared_variables(_environment.parse(source))


def check_plain(text: str, where: str) -> None:
    """Raises BadRole naming the line if a text of ours holds a control token."""
    if found := SPECIAL.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise BadRole(
            f"{where}, line {line}: control token {found.group()!r} is not allowed; the chat template adds it"
        )


def render(source: str, variables: dict[str, Any], where: str) -> str:
    """The text of a checked template. BadRole if it reaches for what a prompt may not; CallFailed if what it was given
    makes it longer than LONGEST, since that is the fault of no role."""
    pieces, length = [], 0
    try:
        for piece in _compiled(source).generate({**variables, "_turns": [LOOPED]}):
            length += len(piece)
            if length > LONGEST:
                raise CallFailed(
                    f"{where}: the prompt grew past {LONGEST:,} characters; shorten the template or its inbox"
                )
            pieces.append(piece)
    except (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise BadRole(f"{where}: the template failed: {error}") from None
    return "".join(pieces)


@pass_context
def _counted(context: Context, values: Iterable[Any]) -> list[Any]:
    """What a loop goes over, taken off the turns that are left."""
    turns, items = context["_turns"], list(values)
    turns[0] -= len(items)
    if turns[0] < 0:
        raise TemplateRuntimeError(f"its loops take more than {LOOPED:,} turns")
    return items


_environment.filters["_counted"] = _counted


@lru_cache(maxsize=512)
def _compiled(source: str) -> Template:
    tree = _environment.parse(source)
    for loop in list(tree.find_all(nodes.For)):
        loop.iter = nodes.Filter(loop.iter, "_counted", [], [], None, None, lineno=loop.lineno)
    code = _environment.compile(tree)
    return Template.from_code(_environment, code, _environment.make_globals(None))


def _walk(node: nodes.Node) -> Iterable[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _walk(child)


def _check_reads(node: nodes.Node, where: str) -> None:
    if not isinstance(node, _READS):
        what = type(node).__name__.lower()
        raise BadRole(
            f"{where}, line {node.lineno}: a prompt only reads, but this has a {what}; fix: use names, if, for and the "
            f"filters {', '.join(sorted(FILTERS))}"
        )
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        raise BadRole(f"{where}, line {node.lineno}: {UnknownName('filter', node.name, FILTERS)}")
    if isinstance(node, nodes.Filter) and not all(map(_constant, _arguments(node))):
        raise BadRole(f"{where}, line {node.lineno}: expected constants as arguments of the filter {node.name!r}")


def _arguments(node: nodes.Filter) -> list[nodes.Expr]:
    return [*node.args, *(keyword.value for keyword in node.kwargs)]


def _constant(value: nodes.Expr) -> bool:
    """A number of at most four digits or a text of at most a thousand characters, so that none asks for a gigabyte."""
    return isinstance(value, nodes.Const) and len(str(value.value)) <= (4 if type(value.value) is int else 1000)
