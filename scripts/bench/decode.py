"""Decoding with the default back-end beside transformers' `generate`, in one run on one machine.

Every system answers the same sampled requests; rates are generated tokens over the whole time, prompts included.
Replies of `generate` never end early, so that a static batch does not wait for its longest row; ours may. Prompts are
new in each turn and share their role's text. Ratios count, not rates: both move with the machine's other load, so the
systems take turns and medians are shown.

    python scripts/bench/decode.py [--model FOLDER] [--rows 1 8 64 128] [--tokens 32] [--turns 3] [--threads 2] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, LogitsProcessor, LogitsProcessorList

from orchestra.models import smollm2
from orchestra.models.local import LocalModel
from orchestra.types import Request

ADAPTERS = 3
System = Callable[[Sequence[Request]], int]
"""Answers the requests and returns how many tokens it generated."""


class NoEnd(LogitsProcessor):
    """Replies of full length, so that a static batch is at its best: no row waits for the longest."""

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        scores[:, 2] = float("-inf")
        return scores


def requests(rows: int, tokens: int, adapters: Sequence[str], turn: int) -> list[Request]:
    """Short questions of an arithmetic role, all different."""
    role = "You are a careful calculator. Answer with one short sentence."
    return [
        Request(
            (("system", role), ("user", f"What is {100 * turn + i} + {23 + 7 * i % 61}?" + " Explain it." * (i % 4))),
            adapter=adapters[i % len(adapters)],
            max_tokens=tokens,
            seed=i,
        )
        for i in range(rows)
    ]


def transformers_batch(folder: Path, size: int) -> System:
    """`generate` in bf16, left-padded batches of `size` requests; 1 is one call a decision."""
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    model.eval()  # type: ignore[no-untyped-call]

    def run(asked: Sequence[Request]) -> int:
        made = 0
        for first in range(0, len(asked), size):
            part = asked[first : first + size]
            chats = [[{"role": role, "content": content} for role, content in r.messages] for r in part]
            texts = [tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) for chat in chats]
            batch = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
            with torch.inference_mode():
                out = model.generate(  # type: ignore[misc]  # its stub names `self` twice
                    **batch,
                    do_sample=True,
                    top_k=0,
                    max_new_tokens=part[0].max_tokens,
                    pad_token_id=tokenizer.pad_token_id,
                    logits_processor=LogitsProcessorList([NoEnd()]),
                )
            made += out[:, batch.input_ids.shape[1] :].numel()
        return made

    return run


def local(model: LocalModel) -> System:
    """One task a request, as agents ask."""

    async def crowd(asked: Sequence[Request]) -> int:
        replies = await asyncio.gather(*(model.generate([request]) for request in asked))
        return sum(len(completion.output_ids or ()) for (completion,) in replies)

    return lambda asked: asyncio.run(crowd(asked))


def random_adapters(folder: Path, target: Path) -> list[str]:
    """Rank-16 adapters of all projections, small enough to leave the language alone."""
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    model = get_peft_model(base, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear"))
    for seed in range(ADAPTERS):
        torch.manual_seed(seed)
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(parameter, std=0.005)
        model.save_pretrained(str(target / str(seed)))
    return [str(target / str(seed)) for seed in range(ADAPTERS)]


def measure(systems: dict[str, System], asked: Callable[[str, int], list[Request]], turns: int) -> dict[str, float]:
    """Median tokens/s of each system over `turns` rounds in which they take turns; a first round warms up."""
    rates: dict[str, list[float]] = {name: [] for name in systems}
    for turn in range(turns + 1):
        for name, system in systems.items():
            given = asked(name, turn)
            began = time.perf_counter()
            rates[name].append(system(given) / (time.perf_counter() - began))
    return {name: statistics.median(of[1:]) for name, of in rates.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 8, 64, 128])
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    folder = smollm2.ensure() if options.model == "smollm2" else Path(options.model)
    model = LocalModel(folder, name=options.model, threads=options.threads)
    ours, one = local(model), transformers_batch(folder, 1)
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        adapters = random_adapters(folder, Path(scratch))
        for rows in options.rows:
            systems = {"single": one, "static": transformers_batch(folder, rows), "local": ours, "adapters": ours}

            def asked(name: str, turn: int, rows: int = rows) -> list[Request]:
                count = min(rows, 4) if name == "single" else rows
                return requests(count, options.tokens, adapters if name == "adapters" else [""], turn)

            results.append({"rows": rows, **measure(systems, asked, options.turns)})
    model.close()
    if options.json:
        print(json.dumps({"tokens": options.tokens, "threads": options.threads, "results": results}))
        return
    print(
        f"{options.model}, {options.tokens} new tokens a reply, {options.threads} threads; tokens/s, prompts included"
    )
    print("rows   generate: one each   static batch   orchestra   with 3 adapters   orchestra / static")
    for row in results:
        ratio = row["local"] / row["static"]
        print(
            f"{row['rows']:4.0f} {row['single']:20.1f} {row['static']:14.1f} {row['local']:11.1f} "
            f"{row['adapters']:17.1f} {ratio:20.2f}"
        )


if __name__ == "__main__":
    main()
