"""The whole failure vocabulary.

    OrchestraError
    ├── BadInput            what a person gave us; exit 2
    │   ├── BadTeam         a graph that cannot run
    │   ├── BadRole         a role or its prompt
    │   ├── BadData         a data file, record or adapter folder
    │   └── UnknownName     a name on no shelf
    └── RunFailed           what happened while running; exit 1
        ├── CallFailed      an effect did not give an outcome (model, tool, world)
        ├── Unparseable     a reply without the form its role promised
        ├── BudgetSpent     a hard cap would be passed
        ├── Interrupted     a question waits for its answer; the run goes on once there is one
        ├── Drift           a journal holds another effect under this key
        ├── Damaged         a stored file is torn or altered
        └── Unavailable     a resource could not be had (download, disk, extra not installed)

Each type names the boundary that was crossed. A message is one line: what was expected, what was got, where, the fix.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class OrchestraError(Exception):
    """Root of all failures of ours; `exit_code` is what the command line returns."""

    exit_code = 1


class BadInput(OrchestraError):
    """Something that a person wrote cannot be used."""

    exit_code = 2


class BadTeam(BadInput):
    """A team graph that cannot run; every offending node is named."""


class BadRole(BadInput):
    """A role, its prompt or its parser cannot be used."""


class BadData(BadInput):
    """A data file, record or adapter folder cannot be used."""


class UnknownName(BadInput):
    """A name that is on no shelf; carries a suggestion."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names) or 'none'}"
        super().__init__(f"unknown {kind} {name!r}; {hint}")


class RunFailed(OrchestraError):
    """A run could not go on."""


class CallFailed(RunFailed):
    """An effect gave no outcome. Recorded on the trajectory as data."""


class Unparseable(RunFailed):
    """A reply lacks the form that its role promised. Counted as wrong, never a crash."""


class BudgetSpent(RunFailed):
    """A call was refused because its worst case would pass a hard cap."""


class Interrupted(RunFailed):
    """A question to a person has no answer yet; nothing that was done is lost."""


class Drift(RunFailed):
    """The journal holds a different effect under the same key; names node and field."""


class Damaged(RunFailed):
    """A stored file is torn or was altered; names file and place."""


class Unavailable(RunFailed):
    """A resource could not be had; says what to do."""


def missing_extra(extra: str, package: str) -> Unavailable:
    """The error for an optional dependency that is not installed, with its pip line."""
    return Unavailable(f"{package} is not installed; fix: pip install 'orchestra-teams[{extra}]'")
