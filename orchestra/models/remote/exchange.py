"""One request to a server and its answer, on a connection of its own.

A connection that is used again can hold bytes left over from the call before, and every later answer then belongs to
the wrong request; one a call cannot. Nothing is decompressed, redirects are not followed, and what is read is bounded.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final

import httpx2

from orchestra.errors import BadInput
from orchestra.models import address
from orchestra.models.remote.failure import Failed, Kind, first_line
from orchestra.models.remote.key import Key
from orchestra.models.remote.retry import retry_after

LARGEST: Final = 4 << 20
"""Bytes of an answer."""
CONNECT: Final = 10.0
"""Seconds to connect; the deadline of the whole call bounds the rest."""
JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"


async def exchange(url: str, body: bytes, *, key: Key, context: ssl.SSLContext) -> list[bytes]:
    """POSTs JSON; the JSON documents that come back: one, or as many as an event stream holds.

    Raises Failed for everything else. Cancelling it closes the connection, by which a server learns to stop.
    """
    headers = {
        "content-type": JSON,
        "accept": f"{JSON}, {EVENTS}",
        "accept-encoding": "identity",
        "connection": "close",
        **key.headers(),
    }
    try:
        async with (
            httpx2.AsyncClient(
                verify=context, trust_env=False, timeout=httpx2.Timeout(None, connect=CONNECT)
            ) as client,
            client.stream("POST", url, content=body, headers=headers, extensions={"trace": _guard}) as response,
            aclosing(response.aiter_raw()) as parts,
        ):
            if response.status_code != 200:
                raise _refusal(response, await _beginning(parts))
            media = _media(response)
            if media == JSON:
                return [b"".join([part async for part in _bounded(parts)])]
            if media == EVENTS:
                return await _events(_bounded(parts))
            said = first_line(await _beginning(parts))
            raise Failed(f"expected {JSON}, got {media!r} (fix: check the base URL): {said}", "refused")
    except httpx2.HTTPError as error:
        kind: Kind = "refused" if _distrusted(error) else "down"
        raise Failed(f"{type(error).__name__}: {error}".rstrip(": "), kind) from error


def _distrusted(error: BaseException | None) -> bool:
    """Whether a server's certificate is the reason: another attempt would find the same one."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None


async def _guard(event: str, info: Mapping[str, Any]) -> None:
    """Looks at the address that a connection was really made to, before anything is sent: a name may mean any."""
    if event == "connection.connect_tcp.complete":
        stream = info["return_value"]
        host = str(stream.get_extra_info("server_addr")[0]).partition("%")[0]
        try:
            address.checked(f"http://[{host}]" if ":" in host else f"http://{host}")
        except BadInput as error:
            await stream.aclose()
            raise Failed(f"its name leads to {error}", "refused") from error


def _media(response: httpx2.Response) -> str:
    """The media type of an answer that is not compressed."""
    coding = response.headers.get("content-encoding", "identity")
    if coding != "identity":
        raise Failed(f"expected an answer that is not compressed, got content-encoding {coding!r}", "refused")
    return response.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _bounded(parts: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    size = 0
    async for part in parts:
        size += len(part)
        if size > LARGEST:
            raise Failed(f"expected an answer of at most {LARGEST} bytes, got more", "refused")
        yield part


async def _events(parts: AsyncGenerator[bytes]) -> list[bytes]:
    """The data of server-sent events, up to `[DONE]` or the end; a line is complete once its newline is there."""
    found: list[bytes] = []
    rest = bytearray()
    async with aclosing(parts):
        async for part in parts:
            rest += part
            if b"\n" not in part:
                continue
            *lines, rest = rest.split(b"\n")
            for data in (bytes(line[5:]).strip() for line in lines if line.startswith(b"data:")):
                if data == b"[DONE]":
                    return found
                found.append(data)
    return found


async def _beginning(parts: AsyncGenerator[bytes]) -> bytes:
    """Enough of a body to say what it is about."""
    begun = b""
    async for part in parts:
        begun += part
        if len(begun) >= 1 << 16:
            break
    return begun


def _refusal(response: httpx2.Response, body: bytes) -> Failed:
    """The failure that a status other than 200 stands for."""
    status = response.status_code
    kind: Kind = "busy" if status in (408, 409, 429) else "down" if status >= 500 else "refused"
    fix = ""
    if 300 <= status < 400:
        fix = " (not followed; fix: give the address that it leads to)"
    elif status in (401, 403):
        fix = " (fix: set ORCHESTRA_API_KEY; OPENAI_API_KEY is sent over https and to this machine only)"
    text = f"status {status}{fix}: {first_line(body)}"
    return Failed(text, kind, status=status, after=retry_after(response.headers.get("retry-after")))
