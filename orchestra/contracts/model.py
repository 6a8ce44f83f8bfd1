"""What every model promises, as one test that any author can run on theirs: `check_model(my_model)`."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, get_args

from orchestra.models.model import Model
from orchestra.types import Completion, Finish, Request

CAPABILITIES: Final = frozenset({"ids", "logprobs", "score", "grammar", "adapters", "exact"})
ROWS: Final = 8
LONG: Final = 16
"""Tokens asked for."""


def asked(row: int, *, seed: int | None = None, temperature: float = 1.0) -> Request:
    """One of several requests of different lengths, chat turns and caps."""
    words = " ".join(f"word{i}" for i in range(1 + 7 * (row % 4)))
    turns = [("user", f"Task {row}: {words}?")]
    if row % 2:
        turns = [("system", "Be brief."), ("user", "Hello."), ("assistant", "Hello!"), *turns]
    return Request(
        tuple(turns), max_tokens=LONG - row % 3, temperature=temperature, seed=1000 + row if seed is None else seed
    )


def check_model(model: Model, *, adapter: str = "") -> None:
    """Raises AssertionError with the first promise that `model` breaks; `adapter` is one that it can load.

    Promised are: known capabilities; one completion a request, in order, none for none; `count` is no less than the
    prompt was; ids, log-probabilities and mask of one length; stop strings cut the text; equal greedy requests give
    equal replies; `weights()` stays, and an adapter changes it. A model that gives log-probabilities samples, so seeds
    matter. A model that claims `exact` answers alike alone, among three and among eight, and after other work. A model
    that claims `score` gives a log-probability and a token count for each option, in order; one that does not, raises.
    A model that claims `grammar` replies as the grammar says, and marks the reply as truncated.
    """
    asyncio.run(_check(model, adapter))


async def _check(model: Model, adapter: str) -> None:
    claims = model.capabilities
    assert claims <= CAPABILITIES, f"{model.name}: unknown capabilities {sorted(claims - CAPABILITIES)}"
    assert list(await model.generate([])) == [], f"{model.name}: no requests must give no completions"
    batch = [asked(row) for row in range(ROWS)]
    done = await model.generate(batch)
    assert len(done) == ROWS, f"{model.name}: asked for {ROWS} completions, got {len(done)}"
    for request, completion in zip(batch, done, strict=True):
        _check_completion(model, request, completion)
    await _check_order(model)
    await _check_greedy(model)
    await _check_stop(model)
    await _check_weights(model, adapter)
    if "logprobs" in claims:
        await _check_seeds(model)
    if "exact" in claims:
        await _check_exact(model, batch, done)
    await _check_score(model)
    if "grammar" in claims:
        await _check_grammar(model)


def _check_completion(model: Model, request: Request, made: Completion) -> None:
    name, claims = model.name, model.capabilities
    assert made.finish in get_args(Finish), f"{name}: finish {made.finish!r} is none of {get_args(Finish)}"
    assert made.usage.calls == 1, f"{name}: a completion is one call, got {made.usage}"
    counted = model.count(request)
    assert counted >= made.usage.tokens_in, f"{name}: count() says {counted} for {made.usage.tokens_in} prompt tokens"
    for claim, fields in (("ids", (made.prompt_ids, made.output_ids, made.mask)), ("logprobs", (made.logprobs,))):
        assert claim not in claims or None not in fields, f"{name}: it claims {claim} and gave none"
    if made.prompt_ids is not None:
        assert counted >= len(made.prompt_ids), f"{name}: count() says {counted} for {len(made.prompt_ids)} prompt ids"
    if made.output_ids is not None:
        _check_output(name, request, made, len(made.output_ids))


def _check_output(name: str, request: Request, made: Completion, n: int) -> None:
    assert n == made.usage.tokens_out, f"{name}: {n} output ids, but usage says {made.usage.tokens_out}"
    assert n <= request.max_tokens, f"{name}: {n} output ids, asked for at most {request.max_tokens}"
    mask = made.mask or ()
    assert len(mask) == n, f"{name}: the mask must have an entry for each of {n} output ids, got {len(mask)}"
    assert set(mask) <= {0, 1}, f"{name}: the mask must be 0 or 1, got {mask!r}"
    if made.logprobs is not None:
        assert len(made.logprobs) == n, (
            f"{name}: a log-probability for each of {n} output ids, got {len(made.logprobs)}"
        )
        assert all(math.isfinite(p) and p <= 0.0 for p in made.logprobs), f"{name}: log-probabilities {made.logprobs!r}"


async def _check_order(model: Model) -> None:
    """Greedy replies must follow their requests when these are turned round."""
    batch = [asked(row, temperature=0.0) for row in range(ROWS)]
    there, back = await model.generate(batch), await model.generate(batch[::-1])
    assert [c.usage.tokens_in for c in there] == [c.usage.tokens_in for c in back][::-1], (
        f"{model.name}: completions are not in the order of their requests"
    )


async def _check_greedy(model: Model) -> None:
    for seed in (1, 2):
        batch = [asked(row, seed=seed, temperature=0.0) for row in range(3)]
        first, again = await model.generate(batch), await model.generate(batch)
        assert _words(first) == _words(again), f"{model.name}: equal greedy requests gave different replies"


async def _check_stop(model: Model) -> None:
    for row in range(ROWS):
        request = asked(row, temperature=0.0)
        whole = (await model.generate([request]))[0].text
        if len(whole) < 3:
            continue
        stop = whole[len(whole) // 2 : len(whole) // 2 + 2]
        cut = (await model.generate([replace(request, stop=(stop,))]))[0].text
        assert stop not in cut, f"{model.name}: the reply {cut!r} holds its stop string {stop!r}"
        if "exact" in model.capabilities:
            expected = whole[: whole.index(stop)]
            assert cut == expected, f"{model.name}: stopped at {stop!r}, expected {expected!r}, got {cut!r}"


async def _check_weights(model: Model, adapter: str) -> None:
    first = model.weights()
    assert first, f"{model.name}: weights() must be a digest, got {first!r}"
    assert model.weights() == first, f"{model.name}: weights() changed between two calls"
    if "adapters" in model.capabilities and adapter:
        assert model.weights(adapter) != first, f"{model.name}: weights() is the same with and without an adapter"
        mixed = [replace(asked(row), adapter=adapter if row % 2 else "") for row in range(4)]
        made = await model.generate(mixed)
        assert len(made) == len(mixed), f"{model.name}: asked for {len(mixed)} completions, got {len(made)}"
        assert model.weights() == first, f"{model.name}: loading an adapter changed the digest of the base"


async def _check_seeds(model: Model) -> None:
    """Among eight seeds at least two replies; one seed, one reply, where the model is exact."""
    said = _words(await model.generate([asked(1, seed=seed) for seed in range(ROWS)]))
    assert len(set(said)) > 1, (
        f"{model.name}: {ROWS} seeds gave one reply, {said[0]!r}; the seed must reach the sampler"
    )


async def _check_exact(model: Model, batch: Sequence[Request], done: Sequence[Completion]) -> None:
    expected = [_made(completion) for completion in done]
    alone = [_made((await model.generate([request]))[0]) for request in batch]
    three = [_made(c) for c in await model.generate(batch[2:5])]
    together = await asyncio.gather(*(model.generate([request]) for request in reversed(batch)))
    for name, got, wanted in (
        ("alone", alone, expected),
        ("among three", three, expected[2:5]),
        ("in calls side by side", [_made(made) for (made,) in together][::-1], expected),
    ):
        for row, (one, other) in enumerate(zip(got, wanted, strict=True)):
            assert one == other, f"{model.name}: it claims exact, and row {row} asked {name} differs from among eight"


async def _check_score(model: Model) -> None:
    batch = [replace(asked(0), options=("red", "dark blue", "green")), replace(asked(1), options=("yes", "no"))]
    if "score" not in model.capabilities:
        try:
            await model.score(batch)
        except Exception:  # noqa: BLE001  (any refusal will do)
            return
        raise AssertionError(f"{model.name}: it does not claim score, so score() must raise")
    scored = await model.score(batch)
    assert len(scored) == len(batch), f"{model.name}: asked for {len(batch)} scores, got {len(scored)}"
    for request, scores in zip(batch, scored, strict=True):
        for what, values in (("log-probabilities", scores.logprobs), ("token counts", scores.tokens)):
            assert len(values) == len(request.options), (
                f"{model.name}: {len(request.options)} options, got {len(values)} {what}"
            )
        assert all(math.isfinite(p) and p <= 0.0 for p in scores.logprobs), f"{model.name}: scores {scores.logprobs!r}"
        assert min(scores.tokens) >= 1, f"{model.name}: an option has at least one token, got {scores.tokens!r}"
        assert model.count(request) >= scores.usage.tokens_in, f"{model.name}: count() is less than a scored prompt"
    turned = (await model.score([replace(batch[0], options=batch[0].options[::-1])]))[0]
    if "exact" in model.capabilities:
        assert turned.logprobs == scored[0].logprobs[::-1], (
            f"{model.name}: scores do not follow the order of the options"
        )


async def _check_grammar(model: Model) -> None:
    batch = [replace(asked(row), grammar='{"enum":["red","dark blue"]}', max_tokens=64) for row in range(3)]
    for made in await model.generate(batch):
        assert made.text in ("red", "dark blue"), f"{model.name}: it claims grammar, and an enum gave {made.text!r}"
        assert made.truncated, f"{model.name}: a reply held to a grammar must say that it is truncated"


def _words(made: Sequence[Completion]) -> list[str]:
    return [completion.text for completion in made]


def _made(made: Completion) -> tuple[object, ...]:
    return made.text, made.prompt_ids, made.output_ids, made.logprobs, made.finish
