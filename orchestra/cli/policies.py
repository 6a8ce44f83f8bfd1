"""From names of models and folders of adapters to Policies, with the cache and the cassette that were asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestra.cli.options import TeamOptions
from orchestra.cli.screen import say
from orchestra.errors import BadInput, UnknownName
from orchestra.models import names
from orchestra.models.cached import Cached, Traffic
from orchestra.models.cassette import Cassette
from orchestra.models.model import Model, Policy
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
        check_base(name, bound[name], models[name])
    loaded = _loaded(list(dict.fromkeys(models.values())), options)
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


def traffic(*teams: Team) -> dict[str, Any] | None:
    """JSON of where the answers of these teams' --cache came from; None where there is none."""
    models = {id(model): model for team in teams for agent in team.agents() for model in _layers(agent.policy.model)}
    found = [model.traffic for model in models.values() if isinstance(model, Cached)]
    if not found:
        return None
    total = Traffic(sum(t.hits for t in found), sum(t.joined for t in found), sum(t.misses for t in found))
    return {**asdict(total), "rate": total.rate}


def _layers(model: Model | None) -> Iterator[Model]:
    """A model, and those that it stands around."""
    while model is not None:
        yield model
        model = getattr(model, "inner", None)


def _loaded(wanted: Sequence[str], options: TeamOptions) -> dict[str, Model]:
    """Name -> model, behind the cache if there is one; what is recorded is what the team hears, from whichever."""
    if options.record is not None and len(wanted) > 1:
        raise BadInput(f"--record keeps one model, and this team has {', '.join(wanted)}; fix: one --model, or --cache")
    if options.record is not None and options.record == options.cache:
        raise BadInput(f"--cache and --record name one file, {options.cache}; fix: two files")
    models = {name: names.load_model(name) for name in wanted}
    if options.cache is not None:
        models = {name: Cached(model, options.cache) for name, model in models.items()}
    if options.record is not None:
        models = {name: Cassette(model, options.record, mode="record") for name, model in models.items()}
    return models


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


def check_base(name: str, adapter: Bound, model: str) -> None:
    """Raises BadInput where the adapter of a policy was trained on another base than the model of this name."""
    if names.parse(model).kind == "scripted":  # has no weights to compare
        return
    from orchestra.learning import base_digest  # noqa: PLC0415  (as above)

    if base_digest(names.folder(model)) != adapter.base_digest:
        raise BadInput(f"policy {name!r}: {adapter.folder} was trained on another base than {model!r}; fix: --model")
