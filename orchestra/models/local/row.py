"""A reply in the making: one request, and all that it has sampled so far."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field

from orchestra.models.local.grammar import Guide
from orchestra.models.local.prefill import Prompt
from orchestra.models.local.render import Renderer
from orchestra.models.noise import uniform
from orchestra.types import Completion, Finish, Request, Usage


@dataclass(slots=True, eq=False)
class Row:
    """Owned by the worker thread once submitted; the future is all that its caller holds."""

    request: Request
    prompt: Prompt
    guide: Guide | None = None
    """Of a request with a grammar."""
    future: Future[Completion] = field(default_factory=Future)
    output: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)
    seconds: float = 0.0
    """Its share of the forward passes that it took part in."""

    @property
    def slot(self) -> int:
        """Where the next forward writes: its newest token is the input, and goes behind prompt and earlier output."""
        return len(self.prompt.ids) + len(self.output) - 1

    @property
    def longest(self) -> int:
        """Slots that it may come to need."""
        return len(self.prompt.ids) + self.request.max_tokens

    def draw(self) -> float:
        """The number that picks its next token: of its seed and its position in the reply."""
        return uniform(self.request.seed, len(self.output))

    def accept(
        self, token: int, logprob: float, mask: int, renderer: Renderer, ends: tuple[int, ...]
    ) -> Completion | None:
        """Takes a sampled token; the completion, once it is complete.

        The text ends before the first stop string; the ids go up to and with the token that completed it. Where its
        grammar lets nothing follow, the reply ends by itself. Raises CallFailed as `Guide.accept` does.
        """
        self.output.append(token)
        self.logprobs.append(logprob)
        self.mask.append(mask)
        if self.guide is not None:
            self.guide.accept(token)
        if token in ends:
            return self._complete(renderer.text(self.output), "stop")
        if self.request.stop:
            text = renderer.text(self.output)
            found = [at for at in map(text.find, self.request.stop) if at >= 0]
            if found:
                return self._complete(text[: min(found)], "stop")
        if self.guide is not None and self.guide.complete:
            return self._complete(renderer.text(self.output), "stop")
        if len(self.output) == self.request.max_tokens:
            return self._complete(renderer.text(self.output), "length")
        return None

    def _complete(self, text: str, finish: Finish) -> Completion:
        return Completion(
            text=text,
            prompt_ids=self.prompt.ids,
            output_ids=tuple(self.output),
            logprobs=tuple(self.logprobs),
            mask=tuple(self.mask),
            finish=finish,
            usage=Usage(1, len(self.prompt.ids), len(self.output), 0.0, self.seconds),
            truncated=self.guide is not None,
        )
