"""From names of models and folders of adapters to Policies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from orchestra.cli.options import TeamOptions
from orchestra.cli.screen import say
from orchestra.errors import BadInput, UnknownName
from orchestra.models import names
from orchestra.models.model import Policy
from orchestra.team import Team

if TYPE_CHECKING:
    from orchestra.learning import Bound


def policies(models: Mapping[str, str], options: TeamOptions) -> dict[str, Policy]:
    """Policy name -> Policy, for these names and base models; each model is loaded once.

    A policy whose name is in no adapter folder speaks with the base and is told of on stderr. Raises BadInput where no
    name at all is there, or an adapter was trained on another base.
    """
    bound = _bound(options)
    if bound and not bound.keys() & models.keys():
        raise BadInput(f"no policy of the team ({', '.join(models)}) is among the adapters given: {', '.join(bound)}")
    for name in models if bound else ():
        if name not in bound:
            say(f"policy {name!r}: the base model, since no adapter has that name")
    for name in bound.keys() & models.keys():
        _check_base(name, bound[name], models[name])
    loaded = {name: names.load_model(name) for name in dict.fromkeys(models.values())}
    made = {}
    for name, base in models.items():
        model, adapter = loaded[base], bound.get(name)
        if adapter is not None and "adapters" not in model.capabilities:
            raise BadInput(f"policy {name!r}: model {base!r} takes no adapters; fix: another --model")
        made[name] = Policy(name, model, str(adapter.folder), adapter.version) if adapter else Policy(name, model)
    return made


def weights(*teams: Team) -> dict[str, str]:
    """Policy name -> digest of the weights that it speaks with, of every agent in these teams."""
    policies = [agent.policy for team in teams for agent in team.agents()]
    return {policy.name: policy.model.weights(policy.adapter) for policy in policies}


def _bound(options: TeamOptions) -> dict[str, Bound]:
    """What --adapters and --policy bind, by policy name; the latter go before."""
    if options.adapters is None and not options.policy:
        return {}
    from orchestra.learning import bind  # noqa: PLC0415  (needs the extra `local`, as every model with adapters does)

    found = dict(bind(options.adapters)) if options.adapters else {}
    for text in options.policy:
        folder, name = Path(text).parent, Path(text).name
        known = bind(folder)
        if name not in known:
            raise UnknownName(f"policy in {folder}", name, known)
        found[name] = known[name]
    return found


def _check_base(name: str, adapter: Bound, model: str) -> None:
    if names.parse(model).kind == "scripted":  # has no weights to compare
        return
    from orchestra.learning import base_digest  # noqa: PLC0415  (as above)

    if base_digest(names.folder(model)) != adapter.base_digest:
        raise BadInput(f"policy {name!r}: {adapter.folder} was trained on another base than {model!r}; fix: --model")
