"""Trained adapters on disk: one PEFT folder a policy and version, and one manifest that says which of them stand.

    OUT/manifest.json       what stands: version, digests, figures, and the SHA-256 of every file
    OUT/NAME@VERSION/       PEFT layout and a model card; never changed once published
    OUT/NAME                a link to the version that stands, for people and for tools that take a plain PEFT folder

Whoever reads through the manifest finds the older or the newer state, whole: a publication takes effect in one rename.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

from pydantic import ConfigDict, TypeAdapter, ValidationError

from orchestra.digest import digest, file_digest
from orchestra.errors import BadData
from orchestra.models.cache import file_sha256

MANIFEST = "manifest.json"
SCHEMA = 1
"""Version of the manifest; tests keep a golden file of each."""

Scalar = str | int | float | bool | None

_CLOSED = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a file must be."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    sha256: str
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The version of one policy that stands."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    folder: str
    """Name of a folder beside the manifest."""
    version: int
    """From 1; version 0 of a policy is the base model alone."""
    base_digest: str
    """`base_digest` of the model that the adapter sits on."""
    data_digest: str
    """Of the training rows."""
    config: dict[str, Scalar]
    """Settings of the training."""
    metrics: dict[str, int | float]
    parents: list[str]
    """NAME@VERSION:SHA-256 of the adapters that training started from; empty: the base model."""
    files: dict[str, Stamp]


@dataclass(frozen=True, slots=True)
class Manifest:
    """All policies of an adapter folder, by name."""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED
    schema: int
    policies: dict[str, Entry]


class Bound(NamedTuple):
    """Where the weights of a policy are."""

    folder: Path
    version: int
    base_digest: str


def read_manifest(path: Path) -> Manifest:
    """The manifest of an adapter folder, every file of it verified. Raises BadData, naming file and fix."""
    file = path / MANIFEST
    try:
        manifest = TypeAdapter(Manifest).validate_json(file.read_bytes())
    except OSError as error:
        raise BadData(
            f"expected an adapter folder, got {error.strerror!r} at {file}; fix: pass a folder that training wrote"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "its text"
        raise BadData(f"{file}: {place}: {first['msg']}; fix: publish the adapters again") from error
    if manifest.schema != SCHEMA:
        raise BadData(f"{file}: expected schema {SCHEMA}, got {manifest.schema}; fix: use the orchestra that wrote it")
    for policy, entry in manifest.policies.items():
        if Path(entry.folder).name != entry.folder or entry.folder in ("", ".", ".."):
            raise BadData(f"{file}: policies.{policy}: expected the name of a folder beside it, got {entry.folder!r}")
        for name, stamp in entry.files.items():
            if Path(name).name != name or name in ("", ".", ".."):
                raise BadData(f"{file}: policies.{policy}: expected the name of a file in its folder, got {name!r}")
            _verify(path / entry.folder / name, stamp)
    return manifest


def bind(path: Path) -> dict[str, Bound]:
    """Policy name -> its weights, verified. Raises as `read_manifest` does."""
    policies = read_manifest(path).policies
    return {name: Bound(path / entry.folder, entry.version, entry.base_digest) for name, entry in policies.items()}


def base_digest(folder: Path) -> str:
    """What names the base weights of a model folder: of model.safetensors, or of all parts together.

    Raises BadData where there are no safetensors.
    """
    parts = sorted(folder.glob("model*.safetensors"))
    if not parts:
        raise BadData(f"expected model.safetensors, got none in {folder}; fix: save the model with safetensors")
    digests = [file_digest(part) for part in parts]
    return digests[0] if len(digests) == 1 else digest(*digests)


def _verify(file: Path, stamp: Stamp) -> None:
    found = f"{file.stat().st_size} bytes" if file.is_file() else "no file"
    if found != f"{stamp.size} bytes":
        raise BadData(f"expected {stamp.size} bytes, got {found} at {file}; fix: train or copy it again")
    if file_sha256(file) != stamp.sha256:
        raise BadData(f"expected SHA-256 {stamp.sha256[:16]}..., got another at {file}; fix: train or copy it again")
