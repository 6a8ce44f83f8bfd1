"""What an evaluation was made with: versions of what computed it, and digests of every model that spoke.

Invariant: nothing here is guessed. What a model does not tell, such as the tokenizer of one behind a server, is None.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from orchestra.digest import digest, file_digest
from orchestra.errors import BadInput
from orchestra.evaluation.equal_budget.flops import parameters
from orchestra.models.model import Model, Policy
from orchestra.team import Team

PACKAGES: Final = ("orchestra-teams", "numpy", "safetensors", "torch", "transformers", "peft", "openvino")
"""Those whose version can change a result."""


def versions() -> dict[str, str]:
    """Python, the system, and each of PACKAGES that is installed."""
    found = {"python": platform.python_version(), "system": platform.platform()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def speakers(teams: Iterable[Team]) -> dict[str, dict[str, Any]]:
    """Policy, as name@version -> what spoke for it: model, digests, adapter and size."""
    policies = {agent.policy.label: agent.policy for team in teams for agent in team.agents()}
    return {label: _speaker(policy) for label, policy in sorted(policies.items())}


def _speaker(policy: Policy) -> dict[str, Any]:
    folder = getattr(policy.model, "folder", None)
    return {
        "model": policy.model.name,
        "weights": policy.model.weights(policy.adapter),
        "adapter": policy.adapter or None,
        "tokenizer": _of_file(folder, "tokenizer.json"),
        "template": _template(folder),
        "parameters": _parameters(policy.model),
        "repeatable": "exact" if "exact" in policy.model.capabilities else "approximate",
    }


def _parameters(model: Model) -> int | None:
    try:
        return parameters(model)
    except BadInput:  # it does not tell
        return None


def _of_file(folder: Path | None, name: str) -> str | None:
    return file_digest(folder / name) if folder is not None and (folder / name).exists() else None


def _template(folder: Path | None) -> str | None:
    """Of chat_template.jinja, or of the template within tokenizer_config.json."""
    if folder is None or (found := _of_file(folder, "chat_template.jinja")) is not None:
        return None if folder is None else found
    config = folder / "tokenizer_config.json"
    told = json.loads(config.read_text(encoding="utf-8")).get("chat_template") if config.exists() else None
    return digest(told) if isinstance(told, str) else None
