"""Training data for others: a folder in the Hub's layout, Parquet and a dataset card, that TRL and `datasets` load.

    DIR/README.md                               card: counts, licence, digests of where it comes from
    DIR/data/train-00000-of-00001.parquet       one row or pair a line

Ids are exact and stand beside their text, which is there for people and for tools that encode it again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa  # type: ignore[import-untyped]
from pyarrow import parquet
from transformers import AutoTokenizer

from orchestra.atomic import write_atomic
from orchestra.digest import canonical, digest
from orchestra.errors import BadInput
from orchestra.learning.adapters import base_digest
from orchestra.learning.pairs import Pair
from orchestra.learning.row import Row

FILE: Final = "data/train-00000-of-00001.parquet"
LICENCES: Final = {"smollm2": "apache-2.0", "tiny": "apache-2.0"}
"""Of our own names for models; that of a folder is what its model card says."""
CARD: Final = """\
---
license: {license}
task_categories: [text-generation]
tags: [orchestra, multi-agent{tags}]
configs:
- config_name: default
  data_files:
  - split: train
    path: data/*.parquet
---
# {title}

{what}

Made with Orchestra from recorded runs of a team of language-model agents. The replies are the words of the model named
below, whose licence this folder carries; the prompts hold the tasks, which have a licence of their own. Nothing was
removed from either: read before you share.

| | |
|---|---|
{facts}
"""


def rows(folder: Path, found: Sequence[Row], base: Path, model: str) -> list[Path]:
    """Rows of supervised training: input_ids and labels as TRL's SFTTrainer takes them. Returns the files.

    Raises BadInput where `folder` has something in it.
    """
    tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
    lines = [
        {
            "input_ids": row.input_ids, "labels": row.labels, "weight": row.weight,
            "text": _text(tokenizer, row.input_ids), "role": row.role, "policy": row.policy, "task": row.task,
            "run": row.run, "state": row.key.state, "draw": row.key.draw, "source": row.source,
        }
        for row in found
    ]  # fmt: skip
    labelled = sum(label >= 0 for row in found for label in row.labels)
    facts = {"rows": len(found), "tokens": sum(len(row.input_ids) for row in found), "tokens with a label": labelled}
    return _written(folder, "Rows of supervised training", "Decisions worth imitating.", "", lines, facts, base, model)


def pairs(folder: Path, found: Sequence[Pair], base: Path, model: str) -> list[Path]:
    """Preference pairs: prompt, chosen and rejected as TRL's DPOTrainer takes them. Returns the files.

    Raises BadInput where `folder` has something in it.
    """
    tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
    lines = [
        {
            "prompt": _text(tokenizer, pair.prompt_ids), "chosen": _text(tokenizer, pair.chosen_ids),
            "rejected": _text(tokenizer, pair.rejected_ids), "prompt_ids": pair.prompt_ids,
            "chosen_ids": pair.chosen_ids, "rejected_ids": pair.rejected_ids, "chosen_mask": pair.chosen_mask,
            "rejected_mask": pair.rejected_mask, "chosen_value": pair.chosen_value,
            "rejected_value": pair.rejected_value, "role": pair.role, "policy": pair.policy, "task": pair.task,
            "run": pair.run, "state": pair.chosen.state, "chosen_draw": pair.chosen.draw,
            "rejected_draw": pair.rejected.draw, "source": pair.source,
        }
        for pair in found
    ]  # fmt: skip
    facts = {"pairs": len(found), "mean gap of values": sum(pair.gap for pair in found) / max(len(found), 1)}
    what = "Two replies to one prompt, of which the chosen one came to more."
    return _written(folder, "Preference pairs", what, ", dpo", lines, facts, base, model)


def _written(
    folder: Path, title: str, what: str, tags: str, lines: Sequence[Mapping[str, Any]],
    counts: Mapping[str, float], base: Path, model: str,
) -> list[Path]:  # fmt: skip
    if folder.exists() and any(folder.iterdir()):
        raise BadInput(f"expected an empty folder or none, got {folder}; fix: another --export-rows")
    data, card = folder / FILE, folder / "README.md"
    data.parent.mkdir(parents=True, exist_ok=True)
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.Table.from_pylist(list(map(dict, lines))), sink)
    write_atomic(data, sink.getvalue().to_pybytes())
    policies = Counter(line["policy"] for line in lines)
    facts: dict[str, object] = {
        **counts,
        **{f"of policy {name}": number for name, number in sorted(policies.items())},
        "tasks": len({line["task"] for line in lines}),
        "runs": len({line["run"] for line in lines}),
        "re-encoded": sum(line["source"] != "sampled" for line in lines),
        "model": model,
        "base digest": base_digest(base),
        "data digest": digest(*(canonical(dict(line)) for line in lines)),
    }
    table = "\n".join(
        f"| {name} | {f'{value:.6g}' if isinstance(value, float) else value} |" for name, value in facts.items()
    )
    text = CARD.format(license=_licence(base, model), tags=tags, title=title, what=what, facts=table)
    write_atomic(card, text.encode())
    return [card, data]


def _text(tokenizer: Any, ids: Sequence[int]) -> str:
    text: str = tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return text


def _licence(base: Path, model: str) -> str:
    """As the Hub writes it; "unknown" where nobody says."""
    if model in LICENCES:
        return LICENCES[model]
    card = base / "README.md"
    said = re.search(r"^license:\s*(\S+)", card.read_text(encoding="utf-8"), re.MULTILINE) if card.exists() else None
    return said[1] if said else "unknown"
