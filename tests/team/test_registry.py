"""Names of functions and classes: one thing a name, resolved without imports."""

import importlib.util
import subprocess
import sys

import pytest

from orchestra.errors import BadTeam, UnknownName
from orchestra.team.registry import name_of, register, resolve


def one():
    """Registered below."""


def two():
    """Wants the same name."""


def test_a_name_resolves_to_its_thing_and_back():
    assert register("registry_test.one")(one) is one
    assert resolve("registry_test.one") is one and name_of(one) == "registry_test.one" and name_of(two) is None


def test_registering_again_is_allowed_and_another_thing_is_refused():
    register("registry_test.one")(one)
    register("registry_test.one")(one)
    with pytest.raises(BadTeam, match=r"'registry_test.one' is registered already, by .*\.one; choose another name"):
        register("registry_test.one")(two)
    assert resolve("registry_test.one") is one


MINE = """
from dataclasses import dataclass
from orchestra.team import register

@register("registry_test.again")
def again(inbox): return len(inbox) > 1

@register("registry_test.kind")
@dataclass(frozen=True)
class Kind:
    level: int = 1

register("registry_test.short")(lambda inbox: True)
"""


def executed(file):
    """A module of its own for each execution, as for a file that is both imported and named on a command line."""
    name = f"executed_{len([name for name in sys.modules if name.startswith('executed_')])}"
    spec = importlib.util.spec_from_file_location(name, file)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_file_that_is_executed_again_defines_the_same_things(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(MINE)
    old, new = executed(file), executed(file)
    assert old.again is not new.again
    assert resolve("registry_test.again") is new.again and resolve("registry_test.kind") is new.Kind
    assert name_of(old.again) == name_of(new.again) == "registry_test.again"  # teams that hold the old are saved too
    assert name_of(old.Kind) == name_of(new.Kind) == "registry_test.kind"


def test_another_file_or_another_lambda_is_another_thing(tmp_path):
    for number in (1, 2):
        (tmp_path / f"mine{number}.py").write_text(MINE.replace("registry_test.", "registry_test.other_"))
    executed(tmp_path / "mine1.py")
    with pytest.raises(BadTeam, match=r"'registry_test.other_again' is registered already"):
        executed(tmp_path / "mine2.py")
    register("registry_test.lambda")(lambda inbox: True)
    with pytest.raises(BadTeam, match="is registered already"):
        register("registry_test.lambda")(lambda inbox: False)


def test_the_identity_of_what_is_gone_names_nothing_else():
    """CPython gives the place of a freed function to the next one, which must not come by its name."""

    def made():
        def short(inbox): ...

        return short

    for _ in range(20):
        register("registry_test.freed")(made())
        assert name_of(made()) is None and name_of(lambda inbox: True) is None


@pytest.mark.parametrize("name", ["", "Upper", "9lives", "with blank", "a/b", "../x", "é"])
def test_names_are_plain(name):
    with pytest.raises(BadTeam, match="expected lower-case letters"):
        register(name)


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(UnknownName, match=r"did you mean 'majority'\?"):
        resolve("majorty")


def test_a_team_of_the_shelf_loads_in_a_process_that_never_imported_it(tmp_path):
    from orchestra import topologies
    from orchestra.contracts.topology import assembled
    from orchestra.models.scripted import Scripted

    for name in topologies.__all__:
        assembled(getattr(topologies, name), Scripted(["4"])).write(tmp_path / f"{name}.json")
    code = (
        "import sys, pathlib, orchestra\n"
        "from orchestra.models.scripted import Scripted\n"
        "assert 'orchestra.topologies' not in sys.modules\n"
        f"for file in sorted(pathlib.Path({str(tmp_path)!r}).glob('*.json')):\n"
        "    print(orchestra.Team.load(file, Scripted(['4'])).name)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert len(said.stdout.split()) == len(topologies.__all__)
