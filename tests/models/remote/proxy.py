"""A proxy that spoils what a real server answers: each fault of the network or of the server is one small function.

A fault gets the whole HTTP response and writes to the caller what it likes.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
from collections.abc import Awaitable, Callable
from threading import Event

from tests.models.remote.listener import Listener, read_request
from tests.models.remote.service import Service, as_json, response

Fault = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Proxy(Listener):
    """Passes requests on to `service`; the first `times` answers are spoiled by `fault`."""

    def __init__(self, service: Service, fault: Fault, times: int = 1 << 30) -> None:
        super().__init__(self._pass_on)
        self._service, self._fault, self._times = service, fault, times
        self.broken: list[Exception] = []
        """Faults that did not do what they are meant to."""
        self.met = Event()
        """A caller has come to the first fault."""

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        assert not self.broken, self.broken

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        spoiled = self.made <= self._times
        path, headers, body = await read_request(reader)
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        theirs, ours = await asyncio.open_connection("127.0.0.1", self._service.port)
        try:
            ours.write(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
            answer = await theirs.read()
        finally:
            ours.close()
            await ours.wait_closed()
        if not spoiled:
            writer.write(answer)
            await writer.drain()
            return
        self.met.set()
        spoil = asyncio.ensure_future(self._spoil(answer, writer))
        gone = asyncio.ensure_future(reader.read())  # a connection is open for as long as the caller keeps it
        try:
            await asyncio.wait({spoil, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            spoil.cancel()
            gone.cancel()
            ends = await asyncio.gather(spoil, gone, return_exceptions=True)
        self.broken += [end for end in ends if isinstance(end, Exception) and not isinstance(end, OSError)]

    async def _spoil(self, answer: bytes, writer: asyncio.StreamWriter) -> None:
        await self._fault(answer, writer)
        await writer.drain()


def instead(raw: bytes) -> Fault:
    """Another response altogether."""

    async def fault(answer: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    return fault


def status(line: str, headers: str = "", said: str = "not now") -> Fault:
    return instead(as_json({"error": {"message": said}}, line, headers))


def changed(old: bytes, new: bytes) -> Fault:
    """The same response with a piece of its body replaced, its length put right; the piece must be there."""

    async def fault(answer: bytes, writer: asyncio.StreamWriter) -> None:
        body = answer.partition(b"\r\n\r\n")[2]
        assert old in body
        writer.write(response(body.replace(old, new), "application/json"))

    return fault


async def latency(answer: bytes, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.05)
    writer.write(answer)


async def silence(answer: bytes, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def reset(answer: bytes, writer: asyncio.StreamWriter) -> None:
    """Half of the answer, then RST in place of FIN."""
    writer.write(answer[: len(answer) // 2])
    await writer.drain()
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def hang_up(answer: bytes, writer: asyncio.StreamWriter) -> None:
    """The end of the connection in place of an answer."""


async def half_close(answer: bytes, writer: asyncio.StreamWriter) -> None:
    """Half of the answer, an end, and a connection that stays."""
    writer.write(answer[: -len(answer) // 4])
    writer.write_eof()
    await asyncio.sleep(60)


async def slow_loris(answer: bytes, writer: asyncio.StreamWriter) -> None:
    for byte in answer:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.05)


async def truncated(answer: bytes, writer: asyncio.StreamWriter) -> None:
    """A body cut in the middle, with the length of what is left: JSON or events that break off."""
    head, _, body = answer.partition(b"\r\n\r\n")
    kind = "text/event-stream" if b"event-stream" in head else "application/json"
    writer.write(response(body[: len(body) // 2], kind))


def length(by: int) -> Fault:
    """A content-length that is wrong."""

    async def fault(answer: bytes, writer: asyncio.StreamWriter) -> None:
        head, _, body = answer.partition(b"\r\n\r\n")
        writer.write(head.replace(str(len(body)).encode(), str(len(body) + by).encode()) + b"\r\n\r\n" + body)

    return fault


def endless(kind: str, part: bytes, head: bytes = b"") -> Fault:
    """A body, or headers, without an end."""

    async def fault(answer: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(head or f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n\r\n".encode())
        while True:
            writer.write(part * 1000)
            await writer.drain()

    return fault


def dripping(begun: bytes) -> Fault:
    """A response that goes on, a byte now and then, and comes to nothing."""

    async def fault(answer: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        while True:
            await asyncio.sleep(0.05)
            writer.write(b"x")
            await writer.drain()

    return fault


def bomb() -> bytes:
    """50 MB of spaces, gzipped to 50 kB."""
    packed = gzip.compress(b" " * 50_000_000, compresslevel=1)
    return response(packed, "application/json", headers="content-encoding: gzip\r\n")


async def twice(answer: bytes, writer: asyncio.StreamWriter) -> None:
    """A second answer behind the first, which no request belongs to."""
    stale = response(answer.partition(b"\r\n\r\n")[2].replace(b"w", b"W"), "application/json")
    writer.write(answer + stale)
