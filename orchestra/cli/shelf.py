"""Everything that has a name: teams, roles, benchmarks, worlds, models and recipes, on our shelves or in a user's file.

A shelf file holds one thing, of the file's own name. A listing parses files and imports none, so it works where an
extra is missing; a FILE.py is executed, since naming it is asking for that.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

from orchestra.digest import digest, file_digest
from orchestra.errors import BadInput, UnknownName
from orchestra.evaluation.benchmark import Benchmark
from orchestra.models import names
from orchestra.team import Role, Team

PACKAGE: Final = Path(__file__).resolve().parents[1]
FOLDERS: Final = {"role": "roles", "topology": "topologies", "benchmark": "evals", "recipe": "training"}
WORLDS: Final = ("epidemic",)
"""Those that `orchestra simulate` runs, each a file of `orchestra/worlds`."""
KINDS: Final = ("role", "topology", "benchmark", "world", "model", "recipe")

_FILE = re.compile(r"(?P<file>.+\.py)(?::(?P<name>\w+))?")


class Item(NamedTuple):
    """One thing with a name."""

    kind: str
    name: str
    summary: str


def items(kind: str) -> Iterator[Item]:
    """All things of one of KINDS, in the order of their names."""
    if kind == "model":
        yield from (Item(kind, name, summary) for name, summary in names.known())
        return
    files = [PACKAGE / "worlds" / f"{name}.py" for name in WORLDS] if kind == "world" else _files(kind)
    yield from (Item(kind, file.stem, _summary(file)) for file in files)


def topology(name: str) -> Callable[..., Team] | Team:
    """A function from agents to a Team; of a file also a Team that is already made."""
    if Path(name).suffix and not _FILE.fullmatch(name):
        raise BadInput(
            f"unknown topology {name!r}; expected a name of the shelf, FILE.py[:NAME], which is executed, or a saved "
            "team; fix: save it as .json or .yaml"
        )
    found: Any = _found("topology", name)
    if isinstance(found, Team) or callable(found):
        return found  # type: ignore[no-any-return]
    raise BadInput(f"{name!r} is {_a(found)}; expected a topology (a function from agents to a Team) or a Team")


def role(name: str) -> Role[Any]:
    """A role of the shelf or of a file."""
    found = _found("role", name)
    if not isinstance(found, Role):
        raise BadInput(f"{name!r} is {_a(found)}; expected a Role")
    return found


def benchmark(name: str, seats: Sequence[str] = ()) -> Benchmark:
    """A benchmark of the shelf, one family of it (NAME:FAMILY), or one of a file, made or to be made without arguments;
    told to these `seats`, if any are given.

    >>> benchmark("arith:add2").name
    'arith:add2'
    """
    if _FILE.fullmatch(name):
        if seats:
            raise BadInput(f"--seats is of benchmarks of the shelf, and {name!r} is a file; fix: name seats there")
        found = _found("benchmark", name)
        made = found() if callable(found) and not hasattr(found, "score") else found
        if not all(hasattr(made, part) for part in ("sample", "load", "score", "chance")):
            raise BadInput(f"{name!r} is {_a(made)}; expected a benchmark with name, chance, sample, load and score")
        return made  # type: ignore[no-any-return]
    known, colon, family = name.partition(":")
    factory = _found("benchmark", known)
    takes = signature(factory).parameters
    if colon and "family" not in takes:
        raise BadInput(f"benchmark {known!r} has no families; fix: {known} alone")
    if seats and "seats" not in takes:
        raise BadInput(f"benchmark {known!r} is not split between seats; fix: leave --seats out")
    given: dict[str, Any] = {"family": family} if colon else {}
    return factory(**given, **({"seats": tuple(seats)} if seats else {}))  # type: ignore[no-any-return]


def world(name: str) -> str:
    """The name itself, if there is such a world."""
    if name not in WORLDS:
        raise UnknownName("world", name, WORLDS)
    return name


def recipe(name: str) -> Path:
    """The file of a recipe, which is found and not imported."""
    if name.endswith(".py"):
        return _existing(Path(name))
    known = {file.stem: file for file in _files("recipe")}
    if name not in known:
        raise UnknownName("recipe", name, known)
    return known[name]


def execute(file: Path) -> ModuleType:
    """The module that a Python file makes, which is executed once, as long as it stays the same."""
    _existing(file)
    name = f"orchestra_file_{digest(str(file.resolve()), file_digest(file))[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and annotations look their module up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        said = f"{type(error).__name__}: {error}"
        raise BadInput(f"{place(file, error)} cannot be executed: {said}; fix: that line") from error
    return module


def place(file: Path, error: BaseException) -> str:
    """A file, with the line of it that an error came from, where there is one."""
    calls = traceback.extract_tb(error.__traceback__)
    lines = [call.lineno for call in calls if Path(call.filename) == file.absolute()]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    return f"{file}, line {line}," if line else str(file)


def _found(kind: str, name: str) -> Any:
    if given := _FILE.fullmatch(name):
        return _in_file(Path(given["file"]), given["name"])
    known = [file.stem for file in _files(kind)]
    if name not in known:
        raise UnknownName(kind, name, known)
    return getattr(import_module(f"orchestra.{FOLDERS[kind]}.{name}"), name)


def _files(kind: str) -> list[Path]:
    """Of a shelf; a recipe is a file with a `main`, since it may have helpers beside it."""
    files = sorted(file for file in (PACKAGE / FOLDERS[kind]).glob("*.py") if not file.name.startswith("_"))
    return [file for file in files if kind != "recipe" or _has_main(_tree(file))]


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def _has_main(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body)


def _summary(file: Path) -> str:
    """The first line of the module's docstring."""
    return (ast.get_docstring(_tree(file)) or "").partition("\n")[0].strip()


def _in_file(file: Path, name: str | None) -> Any:
    """NAME of a Python file, which is executed once; by default what bears the name of the file."""
    module = execute(file)
    wanted = name or file.stem
    if wanted.startswith("_") or not hasattr(module, wanted):
        own = [key for key, value in vars(module).items() if not key.startswith("_") and not _imported(value, module)]
        if name is None:
            raise BadInput(f"{file} has nothing called {wanted!r}; fix: {file}:NAME, one of {', '.join(own) or 'none'}")
        raise UnknownName(f"name in {file}", wanted, own)
    return getattr(module, wanted)


def _existing(file: Path) -> Path:
    if file.suffix != ".py" or not file.is_file():
        raise BadInput(
            f"expected a Python file (.py), got {str(file)!r}, which is none; fix: the path, or a name of the shelf"
        )
    return file


def _imported(value: Any, module: ModuleType) -> bool:
    return isinstance(value, ModuleType) or getattr(value, "__module__", module.__name__) != module.__name__


def _a(value: Any) -> str:
    return f"a {type(value).__name__}"
