"""A remote model keeps the contract of models, says what it knows and no more, and refuses what it cannot do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.contracts import check_model
from orchestra.errors import BadData, BadInput
from orchestra.models.choose import choose
from orchestra.models.model import Model
from orchestra.models.remote import Price, RemoteModel, Server, load
from orchestra.types import Key, Request
from tests.models.remote import proxy
from tests.models.remote.proxy import Proxy
from tests.models.remote.service import Service, as_json, expected

T = TypeVar("T")

HELLO = Request((("user", "hello"),), max_tokens=20, seed=5)
FORMS: list[dict[str, Any]] = [
    {},
    {"stream": True},
    {"api": "completions"},
    {"api": "completions", "stream": True},
    {"api": "completions", "echo": True},
]


def wait(call: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(call)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_contract_of_models_holds(service: Service, form: dict[str, Any]) -> None:
    model: Model = RemoteModel("m", Server(service.base_url), **form)
    check_model(model)


def test_it_claims_what_it_has(service: Service) -> None:
    server = Server(service.base_url)
    assert RemoteModel("m", server).capabilities == frozenset()
    assert RemoteModel("m", server, api="completions", echo=True).capabilities == {"score"}
    [made] = wait(RemoteModel("m", server).generate([HELLO]))
    assert (made.prompt_ids, made.output_ids, made.logprobs, made.mask) == (None, None, None, None)


def test_what_is_sent(service: Service) -> None:
    request = Request(
        (("system", "Be brief."), ("user", "hé?")), max_tokens=9, temperature=0.5, stop=("\n",), seed=1 << 40
    )
    wait(RemoteModel("org/m:4b", Server(service.base_url)).generate([request]))
    [asked] = service.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.body == {
        "model": "org/m:4b",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hé?"}],
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 1.0,
        "seed": 0,
        "stop": ["\n"],
    }
    assert asked.headers["accept-encoding"] == "identity"
    assert "authorization" not in asked.headers


def test_text_completions_continue_the_contents(service: Service) -> None:
    model = RemoteModel("m", Server(service.base_url), api="completions")
    wait(model.generate([replace(HELLO, messages=(("system", "Be brief."), ("user", "2 + 2 =")))]))
    assert service.asked[0].path == "/v1/completions"
    assert service.asked[0].body["prompt"] == "Be brief.\n\n2 + 2 =\n\n"


def test_the_maker_of_the_protocol_has_a_name_of_its_own_for_the_cap() -> None:
    assert RemoteModel("m", Server("https://api.openai.com/v1"))._cap == "max_completion_tokens"
    assert RemoteModel("m", Server("https://api.openai.com/v1"), api="completions")._cap == "max_tokens"


def test_usage_and_cost(service: Service) -> None:
    server = Server(service.base_url)
    [made] = wait(RemoteModel("m", server, price=Price(1.5, 1000.0)).generate([HELLO]))
    assert (made.usage.calls, made.usage.tokens_in, made.usage.tokens_out) == (1, 2, 6)
    assert made.usage.cost == pytest.approx(2 * 1.5e-6 + 6 * 1e-3)
    assert 0 < made.usage.seconds < 60
    unpriced = RemoteModel("m", server)
    assert not unpriced.priced
    assert wait(unpriced.generate([HELLO]))[0].usage.cost == 0.0


def test_usage_that_is_not_told_is_charged_as_the_most_it_can_be(service: Service) -> None:
    with Proxy(service, proxy.changed(b'"usage"', b'"costs"')) as silent:
        model = RemoteModel("m", Server(silent.base_url))
        [made] = wait(model.generate([HELLO]))
    assert made.text == expected("hello", seed=5)
    assert (made.usage.tokens_in, made.usage.tokens_out) == (model.count(HELLO), 20)


@pytest.mark.parametrize("content", ["null", '""'])
def test_a_reply_without_words_is_an_empty_text(service: Service, content: str) -> None:
    body = {"choices": [{"message": {"content": json.loads(content)}, "finish_reason": "length"}]}
    with Proxy(service, proxy.instead(as_json(body))) as empty:
        [made] = wait(RemoteModel("m", Server(empty.base_url)).generate([HELLO]))
    assert (made.text, made.finish) == ("", "length")


def test_a_stop_string_that_the_server_leaves_in_is_cut(service: Service) -> None:
    stop = expected("hello", seed=5)[8:10]
    leaves = as_json({"choices": [{"message": {"content": f"one{stop}two"}, "finish_reason": "stop"}]})
    with Proxy(service, proxy.instead(leaves)) as spoiled:
        [made] = wait(RemoteModel("m", Server(spoiled.base_url)).generate([replace(HELLO, stop=(stop,))]))
    assert made.text == "one"


BAD = {
    "adapter": replace(HELLO, adapter="some/folder"),
    "extends": replace(HELLO, prefix=Key("a", 0)),
    "options": replace(HELLO, options=("yes",)),
    "messages of the roles": replace(HELLO, messages=()),
    "roles system": replace(HELLO, messages=(("tool", "x"),)),
    "max_tokens": replace(HELLO, max_tokens=0),
    "finite temperature": replace(HELLO, temperature=float("nan")),
    "stop strings": replace(HELLO, stop=("",)),
    "lone surrogate": replace(HELLO, messages=(("user", "\ud800"),)),
}


@pytest.mark.parametrize("said", BAD)
def test_a_request_that_cannot_be_meant_is_refused_before_any_call(service: Service, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        wait(RemoteModel("m", Server(service.base_url)).generate([BAD[said]]))
    assert service.asked == []


def test_weights_name_what_is_known(service: Service) -> None:
    server = Server(service.base_url)
    names = {
        RemoteModel("m", server).weights(),
        RemoteModel("n", server).weights(),
        RemoteModel("m", server, api="completions").weights(),
        RemoteModel("m", Server("http://127.0.0.1:1/v1")).weights(),
    }
    assert len(names) == 4
    with pytest.raises(BadInput, match="no adapter"):
        RemoteModel("m", server).weights("folder")


@given(st.lists(st.text(max_size=30), min_size=1, max_size=4), st.text(max_size=30))
def test_count_is_no_less_than_the_bytes(contents: list[str], more: str) -> None:
    request = Request(tuple(("user", content) for content in contents))
    model = RemoteModel("m", SERVER)
    size = sum(len(content.encode("utf-8", "surrogatepass")) for content in contents)
    assert model.count(request) > size
    longer = replace(request, messages=(*request.messages, ("user", more)))
    assert model.count(longer) > model.count(request)
    two = replace(request, options=("a", "b" * 7))
    assert model.count(two) == 2 * model.count(request) + 8


SERVER = Server("http://127.0.0.1:1/v1")


def scorer(url: str) -> RemoteModel:
    return RemoteModel("m", Server(url), api="completions", echo=True)


OPTIONS = Request((("user", "one two\nAnswer:"),), options=("yes", "not at all", "no"))


def test_options_are_scored_as_continuations(service: Service) -> None:
    model = scorer(service.base_url)
    [scores] = wait(model.score([OPTIONS]))
    assert scores.tokens == (1, 3, 1)
    assert scores.logprobs == pytest.approx((-0.3, -0.4 - 0.3 - 0.3, -0.2))
    assert len(service.asked) == 1
    assert service.asked[0].body["max_tokens"] == 0
    [chosen] = wait(choose(model)([replace(OPTIONS, temperature=0.0)]))
    assert chosen.text == "no"


def test_scores_follow_their_index(service: Service) -> None:
    async def turned(whole: bytes, writer: asyncio.StreamWriter) -> None:
        body = json.loads(whole.partition(b"\r\n\r\n")[2])
        writer.write(as_json(body | {"choices": body["choices"][::-1]}))

    with Proxy(service, turned) as spoiled:
        [scores] = wait(scorer(spoiled.base_url).score([OPTIONS]))
    assert scores.logprobs == pytest.approx((-0.3, -1.0, -0.2))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b'"index": 1', b'"index": 2', "expected 3 scored prompts"),
        (b'"index": 2', b'"index": 3', "expected 3 scored prompts"),
        (b'"logprobs"', b'"logits"', "logprobs 'Field required'"),
        (b'"text_offset": [0, ', b'"text_offset": [', "expected 4 log|expected 3 log"),
        (b"-0.4", b"0.4", "less than or equal to 0"),
        (b"-0.4", b"null", "scored tokens that begin with option 'not at all'"),
    ],
)
def test_scores_that_cannot_be_right_are_refused(service: Service, old: bytes, new: bytes, said: str) -> None:
    with Proxy(service, proxy.changed(old, new)) as spoiled, pytest.raises(Exception, match=said) as failed:
        wait(scorer(spoiled.base_url).score([OPTIONS]))
    assert type(failed.value).__name__ == "Failed"


def test_an_option_that_shares_a_token_with_the_prompt_is_refused(service: Service) -> None:
    with pytest.raises(Exception, match="do not begin with a space"):
        wait(scorer(service.base_url).score([replace(OPTIONS, options=(" yes", " no"))]))


def test_scoring_is_refused_where_it_cannot_be_had(service: Service) -> None:
    with pytest.raises(BadInput, match="api='completions', echo=True"):
        wait(RemoteModel("m", Server(service.base_url)).score([OPTIONS]))
    with pytest.raises(BadInput, match="expected api='completions'"):
        RemoteModel("m", Server(service.base_url), echo=True)
    with pytest.raises(BadInput, match="options with text"):
        wait(scorer(service.base_url).score([replace(OPTIONS, options=("a", ""))]))


def test_a_name_is_loaded_with_its_price_and_a_shared_server(service: Service, tmp_path: Any) -> None:
    table = tmp_path / "prices.yaml"
    table.write_text("m: {input: 1, output: 2}\n")
    environment = {"ORCHESTRA_PRICES": str(table)}
    priced, other = (load(name, service.base_url, environment) for name in ("m", "n"))
    assert (priced.priced, other.priced) == (True, False)
    assert priced.server is other.server
    assert priced.name == f"openai:m@{service.base_url}"
    keyed = load("m", service.base_url, {"ORCHESTRA_API_KEY": "k"})
    assert keyed.server is not priced.server
    with pytest.raises(BadData, match="absent"):
        load("m", service.base_url, {"ORCHESTRA_PRICES": str(tmp_path / "absent")})


def test_one_model_serves_one_loop_after_another(service: Service) -> None:
    model = RemoteModel("m", Server(service.base_url))
    assert [wait(model.generate([HELLO]))[0].text for _ in range(3)] == [expected("hello", seed=5)] * 3
