"""A model folder with an adapter merged into its weights: what transformers, and every engine that reads it, loads.

It is the way to a policy version that is fixed to be merged: `hf:FOLDER` then is a model of its own, whose weights have
a digest of their own, so a journal or a cache never takes one for the base with the adapter beside it. In float32 its
logits are those of base and adapter to about 1e-6; bfloat16 rounds the sum once.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Literal

from safetensors import SafetensorError
from safetensors.torch import save_file

from orchestra.errors import BadInput, Unavailable
from orchestra.models import cache
from orchestra.models.local.lora import base_digest
from orchestra.models.merging import adapter_digest, merged, rounded

Dtype = Literal["float32", "bfloat16"]
FACTS = "merged.json"
SCHEMA = 1
"""Version of merged.json."""

CARD = """\
---
library_name: transformers
tags: [orchestra, merged]
---
# {name}

A language model with the LoRA adapter of one policy merged into its weights, exported by Orchestra. Load it with
`AutoModelForCausalLM.from_pretrained(folder)`, or name it `hf:./FOLDER`. Digests are BLAKE2b, 128 bits.

| | |
|---|---|
{facts}
"""


def write(base: Path, adapter: Path, folder: Path, *, dtype: Dtype = "float32") -> list[Path]:
    """Makes `folder`, whole or not at all, and returns its files: a MANIFEST.json with the SHA-256 of the others,
    merged.json with what it was made of, and a model card.

    Raises BadInput where `folder` exists, Unavailable where the disk refuses, BadData as `merging.merged` does.
    """
    if folder.exists() or folder.is_symlink():
        raise BadInput(f"expected a folder that does not exist yet, got {folder}; fix: another --output")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as work:
            made = Path(work, "folder")
            made.mkdir()
            _fill(made, base, adapter, folder.name, dtype)
            cache.publish(made, folder)
    except (OSError, SafetensorError) as error:  # safetensors' Rust writer reports a full disk as text alone
        raise Unavailable(f"cannot write {folder}: {error}; fix: free space or choose another folder") from error
    return sorted(folder.iterdir())


def _fill(made: Path, base: Path, adapter: Path, name: str, dtype: Dtype) -> None:
    for file in (*base.glob("*.json"), *base.glob("*.jinja")):
        if file.name not in (cache.MANIFEST, FACTS) and not file.name.endswith(".index.json"):
            shutil.copyfile(file, made / file.name)
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    config.pop("torch_dtype", None)  # the older name of the same field
    (made / "config.json").write_text(json.dumps(config | {"dtype": dtype}, indent=1) + "\n", encoding="utf-8")
    save_file(rounded(merged(base, adapter), dtype), made / "model.safetensors", metadata={"format": "pt"})
    facts = {
        "merged": True,
        "base": base_digest(base),
        "adapter": adapter_digest(adapter),
        "dtype": dtype,
        "weights": base_digest(made),
    }
    (made / FACTS).write_text(json.dumps({"schema": SCHEMA, **facts}, indent=1) + "\n", encoding="utf-8")
    lines = "\n".join(f"| {fact} | {value} |" for fact, value in facts.items())
    (made / "README.md").write_text(CARD.format(name=name, facts=lines), encoding="utf-8")
