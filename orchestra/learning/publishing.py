"""Publishing an adapter: filled under a private name, synced, renamed, and put in force by the manifest's rename.

A SIGKILL anywhere leaves the older or the newer state. The link to the version that stands follows at once, and with
the next publication where a kill came between; that one also sweeps what the killed one left. The version before
stays, for readers that bound it.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock

from orchestra.atomic import fsync, write_atomic
from orchestra.errors import BadInput
from orchestra.learning.adapters import MANIFEST, SCHEMA, Entry, Manifest, Scalar, Stamp, read_manifest
from orchestra.models.cache import file_sha256

CARD = """\
---
library_name: {library}
tags: [{tags}]
---
# {policy}, version {version}

{what} of one policy of a team of language-model agents, trained with Orchestra on the team's trajectories.
{load} It was fitted to the prompts of its role and has not been evaluated outside of them.

| | |
|---|---|
{facts}
"""
ADAPTER = {
    "library": "peft",
    "tags": "lora, orchestra",
    "what": "A LoRA adapter",
    "load": "Load it with `peft.PeftModel.from_pretrained(base, folder)`, or bind the folder above with `--adapters`.",
}
WHOLE = {
    "library": "transformers",
    "tags": "orchestra",
    "what": "All weights",
    "load": "Load them with `AutoModelForCausalLM.from_pretrained(folder)`, or name them by `--model hf:./FOLDER`.",
}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def publish(
    output: Path,
    policy: str,
    fill: Callable[[Path], object],
    *,
    base_digest: str,
    data_digest: str,
    config: Mapping[str, Scalar],
    metrics: Mapping[str, int | float],
    parents: tuple[str, ...] = (),
) -> Entry:
    """Make what `fill` writes into an empty folder, and a model card, the next version of `policy`; durable on return.

    Publishers of one `output` take turns. Raises BadInput where the name or the place cannot be used, BadData where
    what is already there is not whole.
    """
    if not _NAME.fullmatch(policy):
        raise BadInput(
            f"expected a policy name of letters, digits, '.', '_' and '-', got {policy!r}; fix: rename the agent"
        )
    _usable(output, policy)
    with FileLock(output / ".lock"):
        manifest = read_manifest(output) if (output / MANIFEST).exists() else Manifest(SCHEMA, {})
        version = manifest.policies[policy].version + 1 if policy in manifest.policies else 1
        _sweep(output, policy, version)
        name = f"{policy}@{version}"
        scratch = output / f".{name}.tmp"
        scratch.mkdir()
        fill(scratch)
        facts = {"base": base_digest, "data": data_digest, **config, **metrics, "parents": ", ".join(parents) or "none"}
        (scratch / "README.md").write_text(card(policy, version, facts), encoding="utf-8")
        files = {file.name: Stamp(file_sha256(file), file.stat().st_size) for file in sorted(scratch.iterdir())}
        for file in scratch.iterdir():
            fsync(file)
        fsync(scratch)
        scratch.rename(output / name)
        fsync(output)
        entry = Entry(name, version, base_digest, data_digest, dict(config), dict(metrics), list(parents), files)
        changed = Manifest(SCHEMA, {**manifest.policies, policy: entry})
        write_atomic(output / MANIFEST, json.dumps(asdict(changed), indent=1, sort_keys=True).encode() + b"\n")
        _link(output / policy, name)
    return entry


def card(policy: str, version: int, facts: Mapping[str, Scalar]) -> str:
    """A model card in the Hub's form: what was trained from what, with which settings, and what came of it."""
    lines = [
        f"| {name.replace('_', ' ')} | {f'{value:.6g}' if isinstance(value, float) else value} |"
        for name, value in facts.items()
    ]
    words = WHOLE if facts.get("weights") == "full" else ADAPTER
    return CARD.format(policy=policy, version=version, facts="\n".join(lines), **words)


def _usable(output: Path, policy: str) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"expected a folder to write, got {error.strerror!r} at {output}; fix: another --output"
        ) from error
    link = output / policy
    if link.exists() and not link.is_symlink():
        raise BadInput(f"expected no other file of the policy's name, got {link}; fix: move it away")


def _sweep(output: Path, policy: str, version: int) -> None:
    """Remove what a killed publisher of this version left, and versions older than the one before it."""
    shutil.rmtree(output / f".{policy}@{version}.tmp", ignore_errors=True)
    for part in output.glob(f".{MANIFEST}.*.part"):
        part.unlink()
    for path in output.glob(f"{policy}@*"):
        number = path.name.removeprefix(f"{policy}@")
        if number.isdecimal() and int(number) != version - 1:
            shutil.rmtree(path)


def _link(link: Path, target: str) -> None:
    scratch = link.with_name(f".{link.name}.link")
    scratch.unlink(missing_ok=True)
    scratch.symlink_to(target, target_is_directory=True)
    scratch.replace(link)
