"""Model folders made by others: they may hold data alone. Weights are safetensors, and no code of theirs ever runs."""

from __future__ import annotations

import json
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    RepositoryNotFoundError,
    RevisionNotFoundError,
    RevisionResolutionError,
    XetDownloadError,
)

from orchestra.errors import BadData, BadInput, Unavailable

DATA = ("*.safetensors", "*.json", "*.jinja")


def snapshot(repo: str, revision: str) -> Path:
    """The folder of a Hub model at a revision, from Hugging Face's own cache or fetched into it; checked.

    Raises BadInput for what the Hub does not have, Unavailable where it cannot be reached, BadData as `checked` does.
    """
    try:
        folder = snapshot_download(repo, revision=revision, allow_patterns=list(DATA), ignore_patterns=["*/*"])
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise BadInput(
            f"the Hub shows no model {repo!r} at revision {revision!r}; fix: check both, or log in"
        ) from error
    except (OSError, RevisionResolutionError, XetDownloadError) as error:
        raise Unavailable(
            f"the Hub model {repo}@{revision} is not in the cache and could not be fetched ({type(error).__name__}); "
            "fix: connect to the network, or give a folder as hf:./FOLDER"
        ) from error
    return checked(Path(folder))


def checked(folder: Path) -> Path:
    """`folder`, if it can be loaded without running code of its author's; else BadData with the reason."""
    if not folder.is_dir():
        raise BadData(
            f"expected a model folder, got {str(folder)!r}, which is none; fix: hf:./FOLDER or hf:ORG/NAME@REVISION"
        )
    for name in ("config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            raise BadData(f"expected a model folder with {name}, got none in {folder}; fix: save_pretrained writes it")
    for file in (folder / "config.json", folder / "tokenizer_config.json"):
        if file.exists() and "auto_map" in _object(file):
            raise BadData(f"{file} asks for code of its author's (auto_map), which is never run; fix: another model")
    if not any(folder.glob("*.safetensors")):
        raise BadData(f"expected weights as *.safetensors in {folder}, got none; fix: save_pretrained writes them")
    return folder


def _object(file: Path) -> dict[str, object]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadData(f"expected JSON, got {error!r} at {file}") from error
    if not isinstance(value, dict):
        raise BadData(f"expected a JSON object, got {type(value).__name__} at {file}")
    return value
