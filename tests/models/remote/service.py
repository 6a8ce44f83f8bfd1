"""A small model behind the OpenAI protocol: chat and text completions, whole or as events, and echoed prompts; replies
held to a grammar in every dialect.

Its words depend on the prompt, and above temperature 0 on the seed, so an answer tells which request it belongs to.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestra.digest import digest
from tests.models.remote.listener import Listener, read_request


@dataclass(frozen=True)
class Asked:
    """A request as it came over the line."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


class Service(Listener):
    """Serves, and keeps what it was asked in `asked`."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(self._serve, context)
        self.asked: list[Asked] = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path, headers, body = await read_request(reader)
        asked = Asked(path, headers, json.loads(body))
        self.asked.append(asked)
        writer.write(answer(asked))
        await writer.drain()


def words(prompt: str, seed: int, temperature: float, most: int) -> list[str]:
    """Up to six words; no two prompts have the same."""
    name = digest(prompt, str(seed if temperature else 0))
    return [f"w{name[i : i + 4]}" for i in range(0, 24, 4)][:most]


def expected(prompt: str, seed: int = 0, temperature: float = 1.0, most: int = 256) -> str:
    """What a chat of one user's message is answered with."""
    return " ".join(words(f"user: {prompt}", seed & 0x7FFFFFFF, temperature, most))


def answer(asked: Asked) -> bytes:
    """The whole HTTP response to a request."""
    body = asked.body
    if body.get("echo"):
        return as_json({"choices": [echo(i, text) for i, text in enumerate(body["prompt"])], "usage": usage(9, 0)})
    chat = asked.path.endswith("/chat/completions")
    prompt = body["prompt"] if not chat else "\n".join(f"{m['role']}: {m['content']}" for m in body["messages"])
    said = words(prompt, body["seed"], body["temperature"], body["max_tokens"])
    text = held(body) or " ".join(said)
    text = text[: min((text.find(stop) for stop in body.get("stop", ()) if stop in text), default=len(text))]
    finish = "length" if len(said) == body["max_tokens"] else "stop"
    counts = usage(len(prompt.split()), len(said))
    if body.get("stream"):
        pieces = [{"choices": [{"index": 0, "delta": {"content": c}, "finish_reason": None}]} for c in text]
        last = {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
        return as_events([*pieces, last, {"choices": [], "usage": counts}])
    choice = {"index": 0, "finish_reason": finish, "logprobs": None}
    choice |= {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
    return as_json({"id": "1", "object": "x", "choices": [choice], "usage": counts})


def held(body: Mapping[str, Any]) -> str:
    """A reply as the body's grammar has it, "" where there is none; of a regex that its own text matches, that text."""
    asked = body.get("structured_outputs", {}) | {
        name.removeprefix("guided_"): rule for name, rule in body.items() if name.startswith("guided_")
    }
    if "response_format" in body:
        asked = {"json": body["response_format"]["json_schema"]["schema"]}
    seed = body["seed"] if body["temperature"] else 0
    if "choice" in asked:
        return asked["choice"][seed % len(asked["choice"])]
    return asked.get("regex", "") or (json.dumps(instance(asked["json"], seed), indent=1) if "json" in asked else "")


def instance(schema: Mapping[str, Any], seed: int) -> Any:
    """A value of a schema of objects, enums, integers and strings."""
    if "enum" in schema:
        return schema["enum"][seed % len(schema["enum"])]
    if schema["type"] == "object":
        return {name: instance(inner, seed) for name, inner in schema["properties"].items()}
    return seed % 10 if schema["type"] == "integer" else schema.get("pattern", "^(?:w\u00e9)$")[4:-2]


def echo(index: int, text: str) -> Mapping[str, Any]:
    """One token for each word, the blanks after it included; its log-probability is minus its length over ten."""
    tokens = [(found.start(), found[0]) for found in re.finditer(r"\S+\s*", text)]
    logprobs = [None, *(-len(token) / 10 for _, token in tokens[1:])]
    return {
        "index": index,
        "text": text,
        "finish_reason": "length",
        "logprobs": {"text_offset": [at for at, _ in tokens], "token_logprobs": logprobs},
    }


def usage(tokens_in: int, tokens_out: int) -> dict[str, int]:
    return {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}


def as_json(value: Any, status: str = "200 OK", headers: str = "") -> bytes:
    return response(json.dumps(value).encode(), "application/json", status, headers)


def as_events(values: list[Any]) -> bytes:
    events = "".join(f"data: {json.dumps(value)}\n\n" for value in values) + "data: [DONE]\n\n"
    return response(events.encode(), "text/event-stream; charset=utf-8")


def response(body: bytes, kind: str, status: str = "200 OK", headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body
