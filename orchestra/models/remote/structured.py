"""How a server is asked to hold a reply to a grammar, and whether it did.

Servers differ here, and some ignore what they do not know, so the dialect is declared and never guessed, and every
reply is compared with its grammar on this side.

    openai               response_format with a strict JSON schema (OpenAI, and servers that follow it). It knows
                         objects alone, so the text of a regex or an enum travels as the one property of an object.
    structured_outputs   the field of that name, with json, regex or choice (vLLM since 0.11)
    guided               guided_json, guided_regex, guided_choice (vLLM before 0.12)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, get_args

from orchestra.errors import UnknownName
from orchestra.models.grammar import Grammar, follows, read
from orchestra.models.remote import wire
from orchestra.models.remote.failure import Failed
from orchestra.types import Request

Dialect = Literal["openai", "structured_outputs", "guided"]
VARIABLE = "ORCHESTRA_GRAMMAR"
PROPERTY: Final = "reply"

_VLLM: Final = {"json_schema": "json", "regex": "regex", "enum": "choice"}


def declared(environment: Mapping[str, str]) -> Dialect | None:
    """The dialect that $ORCHESTRA_GRAMMAR names; None where it is not set. Raises UnknownName."""
    name = environment.get(VARIABLE, "")
    found: Dialect | None = next((dialect for dialect in get_args(Dialect) if dialect == name), None)
    if name and found is None:
        raise UnknownName(f"dialect in {VARIABLE}", name, get_args(Dialect))
    return found


def fields(grammar: str, dialect: Dialect) -> dict[str, Any]:
    """What a body says of a grammar. Raises BadInput for a text that is no grammar."""
    found = read(grammar)
    if dialect == "structured_outputs":
        return {dialect: {_VLLM[found.kind]: found.rule}}
    if dialect == "guided":
        return {f"guided_{_VLLM[found.kind]}": found.rule}
    schema = {"name": PROPERTY, "strict": True, "schema": _schema(found)}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def reply(request: Request, dialect: Dialect, documents: Sequence[bytes]) -> wire.Reply:
    """The reply in an answer's documents, as the grammar has it. One that was cut, by its length or by a stop string,
    must begin as the grammar says. Raises Failed, as `wire.reply` does, too.
    """
    given = wire.reply(documents)
    cut = given.finish == "length" or bool(request.stop)
    text = given.text if dialect != "openai" else _taken(request.grammar, given.text, cut=cut)
    if text is None or not follows(request.grammar, text, whole=not cut):
        raise Failed(
            f"expected a reply that follows {request.grammar!r:.120}, got {given.text!r:.120}; "
            f"fix: {VARIABLE} as the server has it ({', '.join(get_args(Dialect))})",
            "refused",
        )
    return replace(given, text=text)


def _schema(grammar: Grammar) -> Any:
    if grammar.kind == "json_schema":
        return grammar.rule
    text: dict[str, Any] = {"type": "string"}
    text |= {"enum": grammar.rule} if grammar.kind == "enum" else {"pattern": f"^(?:{grammar.rule})$"}
    return {"type": "object", "properties": {PROPERTY: text}, "required": [PROPERTY], "additionalProperties": False}


def _taken(grammar: str, text: str, *, cut: bool) -> str | None:
    """The text that travelled in an object; nothing of one that was cut, None where there is none."""
    if read(grammar).kind == "json_schema":
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return "" if cut else None
    said = value.get(PROPERTY) if isinstance(value, dict) and len(value) == 1 else None
    return said if isinstance(said, str) else None
