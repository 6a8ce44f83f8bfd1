"""Whatever the network or the server does: the right answer or a typed error, in time, in at most five attempts."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest

from orchestra.models.remote import RemoteModel, Server
from orchestra.models.remote.failure import Failed
from orchestra.models.remote.retry import ATTEMPTS
from orchestra.types import Completion, Request
from tests.models.remote import proxy
from tests.models.remote.listener import Listener, read_request
from tests.models.remote.proxy import Fault, Proxy
from tests.models.remote.service import Asked, Service, answer, as_events, as_json, expected, response

LIMIT = 5.0
"""Seconds beyond the deadline that a test allows a busy machine."""

NO_CHOICE = as_json({"choices": [], "usage": None})
FOREIGN = "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest\r\ncontent-length: 0\r\n\r\n"

PASSING: dict[str, Fault] = {  # over by the next attempt, or not a fault
    "latency": proxy.latency,
    "reset": proxy.reset,
    "hang up": proxy.hang_up,
    "half-close": proxy.half_close,
    "429": proxy.status("429 Too Many Requests"),
    "429, Retry-After": proxy.status("429 Too Many Requests", "retry-after: 1\r\n"),
    "429, Retry-After garbage": proxy.status("429 Too Many Requests", "retry-after: later\r\n"),
    "408": proxy.status("408 Request Timeout"),
    "409": proxy.status("409 Conflict"),
    "500": proxy.status("500 Internal Server Error"),
    "502 in HTML": proxy.instead(response(b"<h1>Bad gateway</h1>", "text/html", "502 Bad Gateway")),
    "503": proxy.status("503 Service Unavailable"),
    "truncated JSON": proxy.truncated,
    "content-length too long": proxy.length(+40),
    "content-length too short": proxy.length(-40),
    "deep nesting": proxy.instead(response(b'{"choices":' + b"[" * 9999 + b"]" * 9999 + b"}", "application/json")),
    "no completion": proxy.instead(NO_CHOICE),
    "no HTTP": proxy.instead(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
}
LASTING: dict[str, tuple[Fault, str]] = {  # no attempt more: it would be refused again
    "400": (proxy.status("400 Bad Request", said="no such field"), "status 400: 'no such field'"),
    "401": (proxy.status("401 Unauthorized"), "fix: set ORCHESTRA_API_KEY"),
    "403": (proxy.status("403 Forbidden"), "fix: set ORCHESTRA_API_KEY"),
    "404": (proxy.instead(response(b"\n\x1b[31mno page\nmore", "text/plain", "404 Not Found")), "404: '[31mno page'"),
    "422": (proxy.status("422 Unprocessable Entity"), "status 422"),
    "redirect to another host": (proxy.instead(FOREIGN.encode()), "status 302 (not followed"),
    "HTML for JSON": (proxy.instead(response(b"<p>Log in", "text/html")), "got 'text/html' (fix: check the base URL)"),
    "gzip bomb": (proxy.instead(proxy.bomb()), "content-encoding 'gzip'"),
    "endless stream": (proxy.endless("text/event-stream", b'data: {"choices": []}\n\n'), "at most"),
    "endless line": (proxy.endless("text/event-stream", b"x"), "at most"),
    "endless JSON": (proxy.endless("application/json", b"  "), "at most"),
    "wrong schema": (proxy.changed(b'"choices"', b'"answers"'), "choices 'Field required'"),
    "a list for an object": (proxy.instead(as_json([1])), "expected the OpenAI protocol"),
    "negative usage": (proxy.changed(b'"prompt_tokens": ', b'"prompt_tokens": -'), "usage.prompt_tokens"),
    "usage in words": (proxy.changed(b'"completion_tokens": 6', b'"completion_tokens": "6"'), "completion_tokens"),
    "a surplus completion": (proxy.changed(b'"choices": [', b'"choices": [{"index": 1}, '), "got a surplus one"),
    "filtered": (proxy.changed(b'"stop"', b'"content_filter"'), "finish_reason 'content_filter'"),
    "429, Retry-After 10 days": (proxy.status("429 Too Many Requests", "retry-after: 864000\r\n"), "wait 864000 s"),
}
STUCK: dict[str, Fault] = {
    "silence": proxy.silence,
    "slow-loris": proxy.slow_loris,
    "headers that do not end": proxy.dripping(b"HTTP/1.1 200 OK\r\nx: 1\r\n"),
}


def asked(n: int) -> list[Request]:
    return [Request((("user", f"question {i}"),), max_tokens=20, seed=i) for i in range(n)]


def right(made: list[Completion]) -> bool:
    return [m.text for m in made] == [expected(f"question {i}", seed=i) for i in range(len(made))]


class Naps:
    """A sleep that takes no time and remembers; the clock beside it stands still, so only attempts count."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        await asyncio.sleep(0)


def ask(url: str, n: int = 1, *, deadline: float = 30.0, naps: Naps | None = None, **form: bool) -> list[Completion]:
    """Asks n questions at once; no task may be left then, and the time must have been kept."""

    async def run() -> list[Completion]:
        server = Server(url, deadline=deadline, clock=lambda: 0.0, sleep=naps or Naps())
        try:
            return list(await RemoteModel("m", server, **form).generate(asked(n)))
        finally:
            assert asyncio.all_tasks() == {asyncio.current_task()}

    began = time.monotonic()
    try:
        return asyncio.run(run())
    finally:
        assert time.monotonic() - began < deadline + LIMIT


def closed(listener: Listener) -> bool:
    """Whether every connection ends; the other side may learn of it a little later."""
    for _ in range(200):
        if listener.open == 0:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_tried_again(service: Service, fault: str) -> None:
    with Proxy(service, PASSING[fault], times=4) as spoiled:
        assert right(ask(spoiled.base_url))
        assert spoiled.made == (1 if fault == "latency" else 5)
        assert closed(spoiled)


@pytest.mark.parametrize("fault", [fault for fault in PASSING if fault != "latency"])
def test_what_does_not_pass_is_given_up_after_five_attempts(service: Service, fault: str) -> None:
    with Proxy(service, PASSING[fault]) as spoiled:
        with pytest.raises(Failed, match=r"^http://127.0.0.1:\d+/v1: attempt 5 of 5") as failed:
            ask(spoiled.base_url)
        assert spoiled.made == ATTEMPTS
        assert "\n" not in str(failed.value)
        assert str(failed.value.status or "") == (fault[:3] if fault[:3].isdigit() else "")
        assert closed(spoiled)


@pytest.mark.parametrize("fault", LASTING)
def test_what_would_be_refused_again_is_asked_once(service: Service, fault: str) -> None:
    spoil, said = LASTING[fault]
    with Proxy(service, spoil) as spoiled:
        with pytest.raises(Failed) as failed:
            ask(spoiled.base_url)
        assert said in str(failed.value)
        assert "\n" not in str(failed.value)
        assert spoiled.made == 1
        assert closed(spoiled)


@pytest.mark.parametrize("fault", STUCK)
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_stuck_ends_with_the_deadline(service: Service, fault: str, stream: bool) -> None:
    with Proxy(service, STUCK[fault]) as spoiled:
        with pytest.raises(Failed, match=r"attempt 1 of 5: no answer within 0\.3 s"):
            ask(spoiled.base_url, deadline=0.3, stream=stream)
        assert closed(spoiled)


def test_one_deadline_covers_all_attempts(service: Service) -> None:
    async def gone_then_silent(whole: bytes, writer: asyncio.StreamWriter) -> None:
        await (proxy.hang_up if spoiled.made == 1 else proxy.silence)(whole, writer)

    with Proxy(service, gone_then_silent) as spoiled:
        with pytest.raises(Failed, match=r"attempt 2 of 5: no answer within 0\.6 s"):
            ask(spoiled.base_url, deadline=0.6)  # the first pause is at most half a second
        assert closed(spoiled)


def test_events_that_break_off_are_asked_for_again(service: Service) -> None:
    with Proxy(service, proxy.truncated, times=2) as spoiled:
        assert right(ask(spoiled.base_url, stream=True))
        assert spoiled.made == 3


def test_events_may_end_without_a_last_word_and_in_any_pieces(service: Service) -> None:
    async def drip(whole: bytes, writer: asyncio.StreamWriter) -> None:
        body = whole.partition(b"\r\n\r\n")[2]
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        for i in range(0, len(cut := body.replace(b"data: [DONE]\n\n", b": bye\n\n").replace(b"\n", b"\r\n")), 50):
            writer.write(cut[i : i + 50])
            await writer.drain()
            await asyncio.sleep(0)

    with Proxy(service, drip) as spoiled:
        assert right(ask(spoiled.base_url, stream=True))


def test_an_error_within_events_is_told(service: Service) -> None:
    told = proxy.instead(as_events([{"error": {"message": "out of memory"}}]))
    with Proxy(service, told) as spoiled, pytest.raises(Failed, match="'out of memory'"):
        ask(spoiled.base_url, stream=True)


def test_a_server_that_is_not_there() -> None:
    with Service() as service:
        pass
    with pytest.raises(Failed, match="attempt 5 of 5: ConnectError"):
        ask(service.base_url)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_waited_for(service: Service, form: str) -> None:
    then = datetime.now(UTC) + timedelta(seconds=20)
    asks = {"seconds": "20", "date": format_datetime(then, usegmt=True)}[form]
    naps = Naps()
    with Proxy(service, proxy.status("429 Too Many Requests", f"retry-after: {asks}\r\n"), times=1) as spoiled:
        assert right(ask(spoiled.base_url, naps=naps))
    assert len(naps.taken) == 1
    assert 10 < naps.taken[0] <= 20.5  # a date loses what passed since; jitter of half a second is added


def test_pauses_grow_and_jitter(service: Service) -> None:
    naps = Naps()
    with Proxy(service, proxy.reset, times=40) as spoiled, pytest.raises(Failed):
        ask(spoiled.base_url, naps=naps)
    assert len(naps.taken) == 4
    assert all(0 <= nap <= 0.5 * 2**n for n, nap in enumerate(naps.taken))
    assert len(set(naps.taken)) == 4


def test_answers_belong_to_their_requests_in_a_storm(service: Service) -> None:
    async def uneven(whole: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(hash(whole) % 7 / 100)
        writer.write(whole)

    with Proxy(service, uneven) as spoiled:
        assert right(ask(spoiled.base_url, 40))
        assert len({a.body["messages"][0]["content"] for a in service.asked}) == 40


def test_one_failure_ends_the_batch(service: Service) -> None:
    async def one_bad(whole: bytes, writer: asyncio.StreamWriter) -> None:
        bad = b'"' + expected("question 3", seed=3).encode() in whole
        await (proxy.status("400 Bad Request") if bad else proxy.silence)(whole, writer)

    with Proxy(service, one_bad) as spoiled:
        with pytest.raises(Failed, match="status 400"):
            ask(spoiled.base_url, 8)
        assert closed(spoiled)


@pytest.mark.parametrize("stream", [False, True])
def test_cancelling_closes_the_connection(service: Service, stream: bool) -> None:
    async def run(url: str) -> None:
        call = asyncio.create_task(RemoteModel("m", Server(url), stream=stream).generate(asked(1)))
        await asyncio.to_thread(spoiled.met.wait)
        await asyncio.sleep(0.1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with Proxy(service, proxy.slow_loris) as spoiled:
        asyncio.run(run(spoiled.base_url))
        assert closed(spoiled)


def test_a_second_answer_shifts_nothing() -> None:
    """A connection that is kept would hand the surplus answer to the next request, as the control shows."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for n in range(9):
            path, headers, body = await read_request(reader)
            whole = answer(Asked(path, headers, httpx2.Response(200, content=body).json()))
            await (proxy.twice if n == 0 else passed_on)(whole, writer)
            await writer.drain()
            if headers.get("connection") == "close":
                return

    async def passed_on(whole: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(whole)

    async def ours(url: str) -> list[str]:
        model = RemoteModel("m", Server(url))
        return [(await model.generate([request]))[0].text for request in asked(3)]

    async def kept(url: str) -> list[str]:
        bodies = [
            {
                "messages": [{"role": "user", "content": f"question {i}"}],
                "seed": i,
                "temperature": 1.0,
                "max_tokens": 20,
            }
            for i in range(3)
        ]
        async with httpx2.AsyncClient() as client:
            answers = [await client.post(f"{url}/chat/completions", json=body) for body in bodies]
        return [a.json()["choices"][0]["message"]["content"] for a in answers]

    wanted = [expected(f"question {i}", seed=i) for i in range(3)]
    with Listener(serve) as listener:
        assert asyncio.run(ours(listener.base_url)) == wanted
        assert asyncio.run(kept(listener.base_url)) != wanted


def test_the_right_answer_check_can_fail(service: Service) -> None:
    with Proxy(service, proxy.changed(b" w", b" W")) as spoiled:
        assert not right(ask(spoiled.base_url))
