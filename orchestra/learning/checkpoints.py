"""Where a fit stands, on disk: whole or not there. After a SIGKILL anywhere the newest complete one is found.

    FOLDER/step-00000200/adapter.safetensors      what is trained, by name
    FOLDER/step-00000200/optimiser.safetensors    its moments
    FOLDER/step-00000200/manifest.json            step, figures, facts and the SHA-256 of both; itself checksummed

Each file is written beside its name, synced and renamed, the manifest last: a folder without one is none. No learning
rate and no generator state is kept, since both are functions of the step (`fitting`). Two are kept, so that a
damaged one leaves another; nothing of an older one is deleted before the newer stands.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from orchestra.atomic import fsync, make_folder, read_record, replacing, write_record
from orchestra.errors import BadData, OrchestraError, Unavailable
from orchestra.models.cache import file_sha256

KEPT = 2
SCHEMA = 2
MANIFEST = "manifest.json"
PARTS = ("adapter", "optimiser")

Facts = Mapping[str, Any]
"""What two fits must share for one to go on where the other stopped: plain JSON."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """A fit after `len(curve)` optimiser steps."""

    adapter: dict[str, Tensor]
    optimiser: dict[str, Tensor]
    curve: tuple[dict[str, float], ...]
    """Figures of each step so far, by name."""


def save(folder: Path, checkpoint: Checkpoint, facts: Facts) -> None:
    """Durable on return; then all but the newest `KEPT` are gone. Raises Unavailable where the disk refuses."""
    place = folder / f"step-{len(checkpoint.curve):08d}"
    make_folder(place)
    fsync(folder)
    for name in PARTS:
        with replacing(_part(place, name)) as part:
            _write(getattr(checkpoint, name), part)
    body = {
        "facts": dict(facts),
        "curve": list(checkpoint.curve),
        "files": {name: file_sha256(_part(place, name)) for name in PARTS},
    }
    write_record(place / MANIFEST, body, version=SCHEMA)
    _prune(folder, place)


def newest(folder: Path, facts: Facts, tell: Callable[[str], None]) -> Checkpoint | None:
    """The newest one that is whole and of these facts; or None. `tell` gets a line on each that is passed over."""
    for place in sorted(folder.glob("step-*"), reverse=True):
        if not (place / MANIFEST).exists():
            continue  # a save that was cut short
        try:
            return _read(place, facts)
        except OrchestraError as error:
            tell(f"{place.name} is left out: {error}")
    return None


def _read(place: Path, facts: Facts) -> Checkpoint:
    """Raises Damaged or BadData if a file is not what was saved, BadData if the fit was another."""
    body = read_record(place / MANIFEST, version=SCHEMA)
    found, wanted = body["facts"], dict(facts)
    others = [
        f"{name} was {found.get(name)!r}, now {wanted.get(name)!r}"
        for name in sorted(found.keys() | wanted.keys())
        if found.get(name) != wanted.get(name)
    ]
    if others:
        raise BadData(f"expected the same training, got another: {'; '.join(others)}; fix: the first run's options")
    parts: dict[str, dict[str, Tensor]] = {}
    for name in PARTS:
        file = _part(place, name)
        if not file.exists() or file_sha256(file) != body["files"][name]:
            raise BadData(f"expected SHA-256 {body['files'][name][:16]}..., got another at {file}; fix: none needed")
        parts[name] = load_file(file)
    return Checkpoint(**parts, curve=tuple(body["curve"]))


def _write(tensors: Mapping[str, Tensor], file: Path) -> None:
    try:
        save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, file)
    except SafetensorError as error:
        raise Unavailable(f"cannot write {file}: {error}; fix: free space or choose another folder") from error


def _prune(folder: Path, newest: Path) -> None:
    """Of what else is there, keeps the newest complete ones, and none that a killed save left.

    A manifest goes before the files that it vouches for: half a deletion is no damage.
    """
    others = sorted((place for place in folder.glob("step-*") if place != newest), reverse=True)
    complete = [place for place in others if place.name < newest.name and (place / MANIFEST).exists()]
    for place in others:
        if place not in complete[: KEPT - 1]:
            (place / MANIFEST).unlink(missing_ok=True)
            shutil.rmtree(place)
    for part in newest.glob(".*.part"):
        part.unlink()  # of a save of this step that was killed


def _part(place: Path, name: str) -> Path:
    return place / f"{name}.safetensors"
