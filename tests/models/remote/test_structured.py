"""Replies of a server held to a grammar: asked in its own dialect, compared on this side, refused where they differ."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any, get_args

import pytest

from orchestra.contracts import check_model
from orchestra.errors import BadInput, CallFailed, Unavailable, UnknownName
from orchestra.models.choose import choose
from orchestra.models.remote import RemoteModel, Server, load
from orchestra.models.remote import model as module
from orchestra.models.remote.structured import Dialect, fields
from orchestra.types import Completion, Request
from tests.models.remote import proxy
from tests.models.remote.proxy import Proxy
from tests.models.remote.service import Service, as_json

DIALECTS = get_args(Dialect)
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "sights": {"type": "integer"}},
    "required": ["city", "sights"],
    "additionalProperties": False,
}
JSON = json.dumps({"json_schema": SCHEMA})
ENUM = '{"enum":["red","dark blue"]}'
REGEX = '{"regex":"north"}'
ASK = Request((("user", "hello"),), max_tokens=64, seed=7)


def generate(model: RemoteModel, *requests: Request) -> list[Completion]:
    return list(asyncio.run(model.generate(requests)))


def said(text: str, finish: str = "stop") -> proxy.Fault:
    return proxy.instead(as_json({"choices": [{"message": {"content": text}, "finish_reason": finish}]}))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_contract_of_models_holds(service: Service, dialect: Dialect, stream: bool) -> None:
    model = RemoteModel("m", Server(service.base_url), grammar=dialect, stream=stream)
    assert model.capabilities == {"grammar"}
    check_model(model)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_form_of_grammar_comes_back_as_it_says(service: Service, dialect: Dialect) -> None:
    model = RemoteModel("m", Server(service.base_url), grammar=dialect)
    made = generate(model, *(replace(ASK, grammar=grammar) for grammar in (ENUM, REGEX, JSON)))
    assert [made[0].text, made[1].text] == ["dark blue", "north"]
    assert json.loads(made[2].text) == {"city": "wé", "sights": 7}
    assert all(each.truncated for each in made)
    assert not generate(model, ASK)[0].truncated


def wrapped(**text: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"reply": {"type": "string", **text}}, "required": ["reply"]}
    return shaped({**schema, "additionalProperties": False})


def shaped(schema: Any) -> dict[str, Any]:
    described = {"name": "reply", "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": described}}


@pytest.mark.parametrize(
    ("dialect", "grammar", "expected"),
    [
        ("openai", JSON, shaped(SCHEMA)),
        ("openai", ENUM, wrapped(enum=["red", "dark blue"])),
        ("openai", REGEX, wrapped(pattern="^(?:north)$")),
        ("structured_outputs", JSON, {"structured_outputs": {"json": SCHEMA}}),
        ("structured_outputs", ENUM, {"structured_outputs": {"choice": ["red", "dark blue"]}}),
        ("structured_outputs", REGEX, {"structured_outputs": {"regex": "north"}}),
        ("guided", JSON, {"guided_json": SCHEMA}),
        ("guided", ENUM, {"guided_choice": ["red", "dark blue"]}),
        ("guided", REGEX, {"guided_regex": "north"}),
    ],
)
def test_what_is_sent(service: Service, dialect: Dialect, grammar: str, expected: dict[str, Any]) -> None:
    assert fields(grammar, dialect) == expected
    model = RemoteModel("m", Server(service.base_url), grammar=dialect)
    generate(model, replace(ASK, grammar=grammar), ASK)
    plain = next(asked.body for asked in service.asked if not expected.keys() & asked.body.keys())
    held = next(asked.body for asked in service.asked if expected.keys() & asked.body.keys())
    assert dict(held) == {**plain, **expected}


MISSES: dict[str, tuple[str, str]] = {  # grammar, reply
    "another word": (ENUM, "green"),
    "a word more": (ENUM, "red and blue"),
    "half a word": (ENUM, "dark"),
    "prose": (JSON, 'Sure! {"city": "Rome", "sights": 3}'),
    "a fence": (JSON, '```json\n{"city": "Rome", "sights": 3}\n```'),
    "a property less": (JSON, '{"city": "Rome"}'),
    "a property more": (JSON, '{"city": "Rome", "sights": 3, "age": 1}'),
    "another type": (JSON, '{"city": "Rome", "sights": "3"}'),
    "another order": (JSON, '{"sights": 3, "city": "Rome"}'),
    "broken JSON": (JSON, '{"city": "Rome", "sights": 3'),
    "nothing": (JSON, ""),
    "no match": (REGEX, "south"),
    "more than a match": (REGEX, "northern"),
}


@pytest.mark.parametrize("dialect", ["structured_outputs", "guided"])
@pytest.mark.parametrize("miss", MISSES)
def test_a_reply_that_does_not_match_is_a_failed_call(service: Service, dialect: Dialect, miss: str) -> None:
    """Some servers ignore fields that they do not know."""
    grammar, text = MISSES[miss]
    with Proxy(service, said(text)) as spoiled:
        model = RemoteModel("m", Server(spoiled.base_url), grammar=dialect)
        with pytest.raises(CallFailed, match=r"expected a reply that follows .*, got .*; fix: ORCHESTRA_GRAMMAR"):
            generate(model, replace(ASK, grammar=grammar))
        assert spoiled.made == 1  # it would be as wrong again


@pytest.mark.parametrize(
    "text",
    ["red", '"red"', '["red"]', '{"answer": "red"}', '{"reply": 1}', '{"reply": "red"', '{"reply": "red", "why": 1}'],
)
def test_a_text_that_travels_in_an_object_must_be_its_one_property(service: Service, text: str) -> None:
    with Proxy(service, said(text)) as spoiled:
        model = RemoteModel("m", Server(spoiled.base_url), grammar="openai")
        with pytest.raises(CallFailed, match="expected a reply that follows"):
            generate(model, replace(ASK, grammar=ENUM))


@pytest.mark.parametrize("text", ['{"city":"Rome","sights":3}', '\n{ "city": "Rome",\n  "sights": 3 }\n'])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_white_space_is_free(service: Service, dialect: Dialect, text: str) -> None:
    """A control, too: not every reply is refused."""
    with Proxy(service, said(text)) as own:
        [made] = generate(RemoteModel("m", Server(own.base_url), grammar=dialect), replace(ASK, grammar=JSON))
    assert made.text == text


def test_what_was_cut_must_have_begun_as_the_grammar_says(service: Service) -> None:
    cut = replace(ASK, grammar=JSON)
    for dialect in DIALECTS:
        with Proxy(service, said('{"city": "Ro', "length")) as short:
            [made] = generate(RemoteModel("m", Server(short.base_url), grammar=dialect), cut)
        assert (made.text, made.finish) == ('{"city": "Ro', "length")
        with Proxy(service, said('{"town": "Ro', "length")) as wrong, pytest.raises(CallFailed, match="follows"):
            generate(RemoteModel("m", Server(wrong.base_url), grammar=dialect), cut)
    with Proxy(service, said('{"reply": "dar', "length")) as short:  # no end of it is known
        [made] = generate(RemoteModel("m", Server(short.base_url), grammar="openai"), replace(ASK, grammar=ENUM))
    assert (made.text, made.finish) == ("", "length")


def test_a_stop_string_may_end_it_early(service: Service) -> None:
    with Proxy(service, said("dark")) as short:
        model = RemoteModel("m", Server(short.base_url), grammar="guided")
        [made] = generate(model, replace(ASK, grammar=ENUM, stop=(" ",)))
        assert made.text == "dark"


@pytest.mark.parametrize(
    ("grammar", "message"),
    [
        ("red|blue", "expected a grammar"),
        ('{"enum": []}', "expected a grammar"),
        ('{"regex": "("}', "that can be followed"),
        ('{"json_schema": {"type": "thing"}}', "that can be followed"),
    ],
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_no_grammar_is_refused_before_it_is_sent(
    service: Service, dialect: Dialect, grammar: str, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        generate(RemoteModel("m", Server(service.base_url), grammar=dialect), replace(ASK, grammar=grammar))
    assert not service.asked


def test_nothing_is_claimed_or_sent_where_no_dialect_is_declared(service: Service) -> None:
    model = RemoteModel("m", Server(service.base_url))
    assert model.capabilities == frozenset()
    with pytest.raises(BadInput, match=r"as far as is declared; fix: ORCHESTRA_GRAMMAR=openai\|structured_outputs"):
        generate(model, replace(ASK, grammar=ENUM))
    assert not service.asked


def test_a_dialect_is_declared_by_a_variable(service: Service) -> None:
    plain, held = (load("m", service.base_url, env) for env in ({}, {"ORCHESTRA_GRAMMAR": "guided"}))
    assert (plain.capabilities, held.capabilities) == (frozenset(), {"grammar"})
    assert plain.weights() == RemoteModel("m", Server(service.base_url)).weights() != held.weights()
    with pytest.raises(UnknownName, match="'guide'; did you mean 'guided'"):
        load("m", service.base_url, {"ORCHESTRA_GRAMMAR": "guide"})


def test_what_cannot_go_together_is_refused(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(service.base_url)
    with pytest.raises(BadInput, match="response_format is of chats"):
        RemoteModel("m", server, api="completions", grammar="openai")
    model = RemoteModel("m", server, api="completions", echo=True, grammar="guided")
    with pytest.raises(BadInput, match="no grammar to score"):
        asyncio.run(model.score([replace(ASK, options=("a", "b"), grammar=ENUM)]))
    with pytest.raises(BadInput, match="options or a grammar"):
        asyncio.run(choose(model)([replace(ASK, options=("a", "b"), grammar=ENUM)]))
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match=r"llguidance is not installed; fix: pip install"):
        RemoteModel("m", server, grammar="guided")
