"""Every role on the shelf, found by its file, keeps the contract of roles."""

from importlib import import_module
from pathlib import Path

import pytest

import orchestra.roles
from orchestra.contracts import check_role
from orchestra.team import Role

FILES = sorted(path.stem for path in Path(orchestra.roles.__file__).parent.glob("*.py") if path.stem != "__init__")


def test_the_shelf_is_not_empty():
    assert {"debater", "generator", "refiner", "verifier"} <= set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_file_holds_the_role_of_its_name_and_says_what_it_is(name):
    module = import_module(f"orchestra.roles.{name}")
    role = getattr(module, name)
    assert isinstance(role, Role) and role.name == name
    assert len((module.__doc__ or "").splitlines()[0]) > 20


@pytest.mark.parametrize("name", FILES)
def test_the_contract_of_roles(name):
    check_role(getattr(import_module(f"orchestra.roles.{name}"), name))


@pytest.mark.parametrize("name", sorted(orchestra.roles.__all__))
def test_what_the_shelf_exports_is_its_files(name):
    assert name in FILES and isinstance(getattr(orchestra.roles, name), Role)
