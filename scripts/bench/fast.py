"""How far the fast back-end's words are from the default's, and how right both are; how fast is in `models.py`.

Parity is told on prompts of `arith`: equal prompt ids; how often the likeliest first token is the same; and, for each
reply of the default back-end, the difference of the two log-probabilities of all of it, a token. Accuracy is greedy,
flexible, on held-out items, paired: not worse where the interval of fast - default lies above -MARGIN. A task of it:

    Task(id="arith/add2/test/40+96", prompt="What is 40 + 96?", gold="136", kind="number", family="add2", split="test")

    python scripts/bench/fast.py [--model smollm2] [--items 400] [--prompts 100] [--threads 2] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from orchestra.evals import arith
from orchestra.evaluation.statistics import mcnemar
from orchestra.models import names
from orchestra.models.fast import FastModel
from orchestra.models.local import LocalModel
from orchestra.models.model import Model
from orchestra.types import Completion, Request

MARGIN = 0.03
"""Of accuracy: more than this is worse."""
SOLVED = (
    ("user", "What is 21 + 16?"),
    ("assistant", "21 + 16 = 37"),
    ("user", "What is 58 + 14?"),
    ("assistant", "58 + 14 = 72"),
)
"""Two solved turns, with which the base model is right half of the time: room to be worse in."""
REPLY = 16
"""Tokens of a reply to an item, at most."""

Models = dict[str, Model]


def parity(models: Models, prompts: int) -> dict[str, float]:
    """How far the fast back-end's log-probabilities are from the default's, over replies of the default's."""
    asked = [replace(request, messages=request.messages[-1:], max_tokens=24) for request in questions(prompts, 1)]
    made = {name: greedy(model, asked) for name, model in models.items()}
    pairs = list(zip(made["default"], made["fast"], strict=True))
    replies = [replace(request, options=(one.text,)) for request, (one, _) in zip(asked, pairs, strict=True)]
    default, fast = (asyncio.run(models[name].score(replies)) for name in ("default", "fast"))
    apart = [(b.logprobs[0] - a.logprobs[0]) / a.tokens[0] for a, b in zip(default, fast, strict=True)]
    first = [abs(b.logprobs[0] - a.logprobs[0]) for a, b in pairs if a.logprobs and b.logprobs and top(a) == top(b)]
    return {
        "prompts": prompts,
        "equal_prompt_ids": sum(a.prompt_ids == b.prompt_ids for a, b in pairs) / prompts,
        "equal_first_token": sum(top(a) == top(b) for a, b in pairs) / prompts,
        "equal_replies": sum(a.output_ids == b.output_ids for a, b in pairs) / prompts,
        "first_token_logprob_mean": statistics.fmean(first),
        "first_token_logprob_max": max(first),
        "reply_logprob_a_token_mean": statistics.fmean(map(abs, apart)),
        "reply_logprob_a_token_max": max(map(abs, apart)),
        "reply_logprob_a_token_bias": statistics.fmean(apart),
    }


def accuracy(models: Models, items: int) -> dict[str, Any]:
    """Both accuracies on the same items, and the paired interval of their difference."""
    benchmark = arith(family="add2")
    tasks = benchmark.sample(items, split="test", seed=1)
    right = {
        name: [
            bool(benchmark.score(task, made.text).flexible)
            for task, made in zip(tasks, greedy(model, questions(items, 1)), strict=True)
        ]
        for name, model in models.items()
    }
    paired = mcnemar(right["fast"], right["default"])
    shares = {name: sum(of) / items for name, of in right.items()}
    return {
        "items": items,
        **shares,
        "delta": paired.delta,
        "interval": [paired.ci_low, paired.ci_high],
        "not_worse": paired.ci_low > -MARGIN,
    }


def questions(n: int, seed: int) -> list[Request]:
    tasks = arith(family="add2").sample(n, split="test", seed=seed)
    return [Request((*SOLVED, ("user", task.prompt)), max_tokens=REPLY, temperature=0.0) for task in tasks]


def greedy(model: Model, asked: Sequence[Request]) -> list[Completion]:
    return list(asyncio.run(model.generate(asked)))


def top(made: Completion) -> int:
    return (made.output_ids or (-1,))[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--items", type=int, default=400)
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    folder = names.folder(options.model)
    default = LocalModel(folder, name=options.model, threads=options.threads)
    fast = FastModel(folder, name=f"fast:{options.model}", threads=options.threads)
    models: Models = {"default": default, "fast": fast}
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "parity": lambda: parity(models, options.prompts),
        "accuracy": lambda: accuracy(models, options.items),
    }
    found = {}
    for title, part in parts.items():
        found[title] = part()
        if not options.json:
            print(f"{title}:", *(f"  {name}: {value}" for name, value in found[title].items()), sep="\n", flush=True)
    if options.json:
        print(json.dumps(found))
    default.close()
    fast.close()


if __name__ == "__main__":
    main()
