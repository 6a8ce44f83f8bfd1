"""What a reply must match, as data: the three forms of `Request.grammar`, and whether a text keeps to one.

Read without torch and without a model, so that whoever gets a text from elsewhere can hold it to its grammar, too.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from orchestra.errors import BadInput, missing_extra

if TYPE_CHECKING:
    from llguidance import LLMatcher


_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?')
"""Of a JSON text; the last may lack its end."""
_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4})+|\\.|\x7f")


class Grammar(NamedTuple):
    """One grammar; of an enum the rule is the list of its texts."""

    kind: Literal["json_schema", "regex", "enum"]
    rule: Any


def read(text: str) -> Grammar:
    """The grammar of a Request. Raises BadInput for a text that is none.

    >>> read('{"enum": ["yes", "no"]}')
    Grammar(kind='enum', rule=['yes', 'no'])
    """
    try:
        [(kind, rule)] = json.loads(text).items()
    except (ValueError, AttributeError, RecursionError):  # no JSON, no object, not of one key
        kind, rule = "", None
    match kind, rule:
        case "json_schema", dict():
            return Grammar("json_schema", rule)
        case "regex", str():
            return Grammar("regex", rule)
        case "enum", [_, *_] if all(isinstance(each, str) for each in rule):
            return Grammar("enum", rule)
    raise BadInput(
        f'expected a grammar {{"json_schema": {{...}}}}, {{"regex": "..."}} or {{"enum": ["...", ...]}} as JSON text, '
        f"got {text!r:.200}"
    )


def follows(grammar: str, text: str, *, whole: bool = True) -> bool:
    """Whether a text matches, or, unless it must be `whole`, may be the beginning of one that does. White space around
    and between the tokens of a JSON text is free, and so are the escapes of its strings; its properties stand in the
    order of the schema.

    Raises BadInput for a grammar that cannot be followed, Unavailable where llguidance is not installed.

    >>> follows('{"regex": "[0-9]{2}"}', "42"), follows('{"regex": "[0-9]{2}"}', "4"), follows('{"enum": ["a"]}', "b")
    (True, False, False)
    """
    matcher = _compiled(grammar).deep_copy()
    if read(grammar).kind == "json_schema":
        text = _STRING.sub(lambda string: _ESCAPES.sub(_spelt, string[0]), text.strip())
    data = list(text.encode("utf-8", "surrogatepass"))
    return matcher.try_consume_tokens(data) == len(data) and (matcher.is_accepting() or not whole)


def _spelt(escapes: re.Match[str]) -> str:
    """Escapes as llguidance spells the same characters: itself, unless JSON demands an escape."""
    try:
        characters = json.loads(f'"{escapes[0]}"')
    except ValueError:
        return escapes[0]
    return json.dumps(characters, ensure_ascii=False)[1:-1].replace("\x7f", "\\u007f")


@lru_cache(256)
def _compiled(grammar: str) -> LLMatcher:
    try:
        from llguidance import LLMatcher, LLTokenizer  # noqa: PLC0415  (only replies with a grammar need it)
    except ImportError as error:
        raise missing_extra("local", "llguidance") from error
    kind, rule = read(grammar)
    if kind == "json_schema":
        source = LLMatcher.grammar_from_json_schema(rule)
    else:
        source = LLMatcher.grammar_from_regex(rule if kind == "regex" else "|".join(map(re.escape, rule)))
    matcher = LLMatcher(LLTokenizer("byte"), source, log_level=0)
    if matcher.is_error():
        reason = " ".join(matcher.get_error().split())
        raise BadInput(f"expected a grammar that can be followed, got {grammar!r:.200}: {reason:.300}")
    return matcher
