"""The OpenAI protocol as data: what is asked, and what an answer must look like; unknown fields are let be.

Both forms of it, chat and text completions, come whole (one document) or as a stream (many), and are read into one
`Reply`. An answer that is no JSON was damaged on its way and is asked for again; JSON of another form is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from orchestra.models.remote.failure import Failed, first_line
from orchestra.types import Finish, Request

T = TypeVar("T")

Api = Literal["chat", "completions"]
PATHS: dict[Api, str] = {"chat": "chat/completions", "completions": "completions"}

Count = Annotated[int, Field(ge=0, strict=True)]


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the server says that it read and wrote."""

    prompt_tokens: Count
    completion_tokens: Count = 0


@dataclass(frozen=True, slots=True)
class Said:
    """A message, or a piece of one."""

    content: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One completion, or a piece of one; which field holds the words depends on the form."""

    index: Count = 0
    message: Said | None = None
    delta: Said | None = None
    text: str | None = None
    finish_reason: str | None = None

    @property
    def words(self) -> str:
        said = self.message or self.delta
        return (said.content if said is not None else self.text) or ""


@dataclass(frozen=True, slots=True)
class Document:
    """One JSON document of an answer."""

    choices: tuple[Choice, ...]
    usage: Tokens | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole completion."""

    text: str
    finish: Finish
    usage: Tokens | None
    """None: the server does not say."""

    @property
    def tokens(self) -> float:
        return self.usage.prompt_tokens + self.usage.completion_tokens if self.usage is not None else float("inf")


_DOCUMENT = TypeAdapter(Document)
_FINISHES: dict[str, Finish] = {"stop": "stop", "length": "length"}


def asked(model: str, request: Request, api: Api, *, stream: bool, cap: str) -> dict[str, Any]:
    """The body that asks for one completion; `cap` is what the server calls the most tokens of a reply."""
    body: dict[str, Any] = {
        "model": model,
        cap: request.max_tokens,
        "temperature": request.temperature,
        "top_p": 1.0,  # else some servers take what the model's author recommends, and cut the distribution
        "seed": request.seed & 0x7FFF_FFFF,  # what every server's integer holds
    }
    if api == "chat":
        body["messages"] = [{"role": role, "content": content} for role, content in request.messages]
    else:
        body["prompt"] = prompt(request)
    if request.stop:
        body["stop"] = list(request.stop)
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body


def prompt(request: Request) -> str:
    """What a base model continues: the contents of the messages, a blank line after each; there a token ends."""
    return "".join(f"{content}\n\n" for _, content in request.messages)


def reply(documents: Sequence[bytes]) -> Reply:
    """The one completion that an answer's documents hold."""
    read = [document(part, _DOCUMENT) for part in documents]
    choices = [choice for part in read for choice in part.choices]
    if any(choice.index for choice in choices) or any(len(part.choices) > 1 for part in read):
        raise Failed("expected one completion, got a surplus one", "refused")
    finish = next((choice.finish_reason for choice in reversed(choices) if choice.finish_reason), None)
    if finish is None:
        raise Failed("expected a finished completion, got one that breaks off", "down")
    if finish not in _FINISHES:
        raise Failed(f"expected a completion that ends by stop or length, got finish_reason {finish!r}", "refused")
    usage = next((part.usage for part in reversed(read) if part.usage is not None), None)
    return Reply("".join(choice.words for choice in choices), _FINISHES[finish], usage)


def document(part: bytes, form: TypeAdapter[T]) -> T:
    """One document of a form. Raises Failed: to be asked for again where it is no JSON, else refused."""
    try:
        return form.validate_json(part)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] == "json_invalid":
            raise Failed(f"expected JSON, got {len(part)} bytes that are none: {first['msg']}", "down") from None
        place = ".".join(map(str, first["loc"])) or "the top"
        raise Failed(
            f"expected the OpenAI protocol, got at {place} {first['msg']!r}: {first_line(part)}", "refused"
        ) from None
