"""Names of functions and classes: one thing a name, resolved without imports."""

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


@pytest.mark.parametrize("name", ["", "Upper", "9lives", "with blank", "a/b", "../x", "é"])
def test_names_are_plain(name):
    with pytest.raises(BadTeam, match="expected lower-case letters"):
        register(name)


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(UnknownName, match=r"did you mean 'majority'\?"):
        resolve("majorty")
