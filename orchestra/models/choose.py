"""A choice among a closed set of answers: `score`, calibrate, then one draw named by the request's seed.

The recorded `scores` are the log-probabilities of the very distribution that was drawn from, so a choice can be
trained on.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Sequence

from orchestra.errors import BadInput, CallFailed
from orchestra.models.calibration import Calibration, calibrated, null_request
from orchestra.models.model import Model, Scores
from orchestra.models.noise import uniform
from orchestra.types import Completion, Request, Usage

Choose = Callable[[Sequence[Request]], Awaitable[Sequence[Completion]]]


def choose(model: Model, calibration: Calibration | None = None) -> Choose:
    """A function over batches of requests with options, as `Context.do` takes it.

    Each completion's text is one of the options; `raw` are the model's sums, `scores` the log-probabilities drawn
    from: calibrated, divided by the request's temperature, normalised (temperature 0: the first of the largest,
    recorded at temperature 1). Usage counts every scored prompt, those of the calibration too, as if the request had
    been alone. Ids are the model's where it can tell (`encode`), else None; there are no log-probabilities by token.

    Raises BadInput for a request without options, CallFailed where the model gives no usable scores.

    >>> import asyncio
    >>> class Coin:
    ...     async def score(self, requests):
    ...         return [Scores((0.0, math.log(3)), (1, 1), Usage(calls=1)) for _ in requests]
    >>> request = Request((("user", "heads or tails?"),), options=("heads", "tails"), temperature=0.0)
    >>> asyncio.run(choose(Coin())([request]))[0].text
    'tails'
    """
    rule = calibration or Calibration()

    async def via(requests: Sequence[Request]) -> Sequence[Completion]:
        plans = [_plan(request, rule) for request in requests]
        unique = list(dict.fromkeys(asked for plan in plans for asked in plan))
        scored = dict(zip(unique, await _scores(model, unique), strict=True))
        return [
            _completion(model, r, plan, [scored[q] for q in plan], rule)
            for r, plan in zip(requests, plans, strict=True)
        ]

    return via


def draw(logprobs: Sequence[float], u: float) -> int:
    """Inverse CDF: the first index whose cumulative probability passes u in [0, 1) of the total; never one of
    probability 0.

    >>> [draw((math.log(0.25), math.log(0.75)), u) for u in (0.0, 0.24, 0.26, 0.99)]
    [0, 0, 1, 1]
    """
    mass = [math.exp(x) for x in logprobs]
    aim, passed = u * math.fsum(mass), 0.0
    for index, part in enumerate(mass):
        passed += part
        if passed > aim:
            return index
    return max(index for index, part in enumerate(mass) if part > 0.0)


def _plan(request: Request, rule: Calibration) -> list[Request]:
    """What to score for one request: itself in each order, then its nulls; seed and sampling left out, so equal ones
    meet."""
    if not request.options:
        raise BadInput(f"expected options to choose from, got none in {request.messages!r:.200}")
    if request.grammar:
        raise BadInput(f"expected options or a grammar, got both for {request.options!r:.200}")
    if len(set(request.options)) < len(request.options):
        raise BadInput(f"expected distinct options, got {request.options!r}")
    if not 0.0 <= request.temperature < math.inf:
        raise BadInput(f"expected a finite temperature >= 0, got {request.temperature!r}")
    orders = list(rule.orders(request)) if rule.orders else [request]
    if not orders or any(sorted(turned.options) != sorted(request.options) for turned in orders):
        raise BadInput(
            f"expected orders of the options {request.options!r}, got {[turned.options for turned in orders]!r}"
        )
    return [_unseeded(asked) for asked in (*orders, *(null_request(request, text) for text in rule.nulls))]


def _unseeded(request: Request) -> Request:
    return Request(request.messages, adapter=request.adapter, options=request.options, prefix=request.prefix)


async def _scores(model: Model, requests: Sequence[Request]) -> Sequence[Scores]:
    scored = await model.score(requests)
    if len(scored) != len(requests):
        raise CallFailed(f"expected {len(requests)} scores, got {len(scored)} from {model.name}")
    for request, row in zip(requests, scored, strict=True):
        usable = [x for x in row.logprobs if not math.isnan(x) and x < math.inf]
        if len(usable) != len(request.options) or max(usable) == -math.inf:
            raise CallFailed(
                f"expected a score for each of {request.options!r}, got {row.logprobs!r} from {model.name}"
            )
    return scored


def _completion(
    model: Model, request: Request, plan: Sequence[Request], scored: Sequence[Scores], rule: Calibration
) -> Completion:
    rows = [_ordered(request.options, asked.options, row.logprobs) for asked, row in zip(plan, scored, strict=True)]
    orders = len(rows) - len(rule.nulls)
    scores = calibrated(rows[:orders], rows[orders:], rule.temperature * (request.temperature or 1.0))
    chosen = draw(scores, uniform(request.seed, 0)) if request.temperature else scores.index(max(scores))
    prompt_ids, output_ids = _ids(model, request, chosen)
    return Completion(
        text=request.options[chosen],
        prompt_ids=prompt_ids,
        output_ids=output_ids,
        logprobs=None,
        mask=None if output_ids is None else (1,) * len(output_ids),
        finish="stop",
        usage=sum((row.usage for row in scored), Usage()),
        scores=scores,
        raw=rows[0],
    )


def _ordered(wanted: Iterable[str], given: Sequence[str], logprobs: Sequence[float]) -> tuple[float, ...]:
    """`logprobs` of the options `given`, in the order `wanted`."""
    by_option = dict(zip(given, logprobs, strict=True))
    return tuple(by_option[option] for option in wanted)


def _ids(model: Model, request: Request, chosen: int) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
    """Ids of prompt and chosen option where the back-end has them; `encode` is an extra of such back-ends, not of
    Model."""
    encode = getattr(model, "encode", None)
    if encode is None:
        return None, None
    prompt, options = encode(request)
    return prompt, options[chosen]
