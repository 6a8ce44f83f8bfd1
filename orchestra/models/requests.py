"""What a request must be before a model of this machine computes anything for it."""

from __future__ import annotations

from orchestra.errors import BadInput, CallFailed
from orchestra.types import Request


def check_generate(request: Request) -> None:
    """Raises BadInput unless a reply to `request` can be meant."""
    if request.options:
        raise BadInput(f"expected a request without options, got {request.options!r:.200}; fix: score it, or choose")
    if request.max_tokens < 1:
        raise BadInput(f"expected max_tokens >= 1, got {request.max_tokens!r}")
    if not 0.0 <= request.temperature < float("inf"):
        raise BadInput(f"expected a finite temperature >= 0, got {request.temperature!r}")
    if "" in request.stop:
        raise BadInput(f"expected stop strings with text, got {request.stop!r}")
    _check_whole(request)


def check_score(request: Request) -> None:
    """Raises BadInput unless `request` has options to score."""
    if not request.options:
        raise BadInput("expected options to score, got none; fix: set Request.options, or generate")
    if request.grammar:
        raise BadInput(f"expected options or a grammar, got both: {request.options!r:.100}, {request.grammar!r:.100}")
    _check_whole(request)


def check_fits(name: str, context: int, prompt: int, needed: int, what: str) -> None:
    """Raises CallFailed where a prompt and what follows it, `needed` tokens together, pass the model's context."""
    if needed > context:
        raise CallFailed(
            f"expected prompt and {what} within the context of {context} tokens of {name}, "
            f"got {prompt} + {needed - prompt}"
        )


def _check_whole(request: Request) -> None:
    if request.prefix is not None:
        raise BadInput(f"expected whole messages, got a request that extends {request.prefix!r}, unknown here")
