"""Promotion: a candidate's adapters take the place of those that stand, each as the next version of its policy.

The version before stays on disk and is named in the manifest, with the figures that decided. Promoting what stands
already changes nothing, so a promotion that was cut off is finished by the same call.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from orchestra.learning.adapters import MANIFEST, Entry, read_manifest
from orchestra.learning.publishing import publish

CARD = "README.md"
REPLACES = "replaces"
"""In the configuration of a promoted version: NAME@VERSION of the one before it; "the base" where there was none."""


def promote(candidate: Path, standing: Path, figures: Mapping[str, int | float]) -> dict[str, Entry]:
    """Publishes every policy of the adapter folder `candidate` in `standing`; the entries that stand then.

    `figures` join the metrics of each as gate_NAME. Raises BadData where either folder is not whole.
    """
    before = read_manifest(standing).policies if (standing / MANIFEST).exists() else {}
    new = read_manifest(candidate).policies
    for policy, entry in new.items():
        if policy in before and _weights(before[policy]) == _weights(entry):
            continue
        source = candidate / entry.folder

        def fill(folder: Path, source: Path = source) -> None:
            shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(CARD))

        publish(
            standing,
            policy,
            fill,
            base_digest=entry.base_digest,
            data_digest=entry.data_digest,
            config={**entry.config, REPLACES: before[policy].folder if policy in before else "the base"},
            metrics={**entry.metrics, **{f"gate_{name}": value for name, value in figures.items()}},
            parents=tuple(entry.parents),
        )
    return read_manifest(standing).policies


def _weights(entry: Entry) -> dict[str, str]:
    """What the adapter is, whatever its card says."""
    return {name: stamp.sha256 for name, stamp in entry.files.items() if name != CARD}
