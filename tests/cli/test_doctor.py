"""Each check of the doctor on a machine that is well and on one that is not."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path

import pytest

from orchestra import models
from orchestra.cli import doctor
from orchestra.cli.app import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("found", "ok"), [((3, 10, 14), False), ((3, 11, 0), True), ((3, 14, 1), True)])
def test_python(found: tuple[int, ...], ok: bool) -> None:
    check = doctor.python(found)
    assert (check.ok, bool(check.fix)) == (ok, not ok)


@pytest.mark.parametrize(("found", "ok"), [((3, 9, 0), False), ((3, 24, 0), True)])
def test_sqlite(found: tuple[int, ...], ok: bool) -> None:
    assert doctor.sqlite(found).ok is ok


def test_shelves_of_this_checkout_are_found() -> None:
    assert doctor.shelves().ok


def test_a_lost_symlink_is_named_with_its_remedy(tmp_path: Path) -> None:
    for name in doctor.SHELVES[1:]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "roles").write_text("../roles")  # what git writes where it may not make symlinks

    check = doctor.shelves(tmp_path)

    assert not check.ok
    assert check.detail == "cannot be imported: roles"
    assert check.fix == "git config core.symlinks true && git checkout -- orchestra/roles"


@pytest.mark.parametrize(
    ("asked", "ok"), [(None, True), ("1", True), ("4", True), ("5", False), ("0", False), ("many", False)]
)
def test_threads_of_four_cores(asked: str | None, ok: bool) -> None:
    environment = {} if asked is None else {"OMP_NUM_THREADS": asked}
    check = doctor.threads(environment, cores=4)
    assert check.ok is ok
    assert check.fix == ("" if ok else "export OMP_NUM_THREADS=4")


def test_the_cache_may_not_exist_yet_but_must_be_a_place_to_write(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.touch()
    assert doctor.cache(tmp_path / "a" / "b").ok
    assert not (tmp_path / "a").exists()  # looking changes nothing
    assert not doctor.cache(blocker / "models").ok


def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.fullmatch(r"\d+\.\d GiB free at .*", doctor.disk(tmp_path).detail)
    monkeypatch.setattr(doctor, "DISK", 1 << 80)
    assert not doctor.disk(tmp_path).ok


def test_a_model_that_is_not_there_yet_is_no_fault(tmp_path: Path) -> None:
    absent = doctor.model("smollm2", tmp_path, ["MANIFEST.json is missing"])
    ready = doctor.model("smollm2", tmp_path, [])
    assert (absent.ok, absent.fix) == (True, "orchestra models pull")
    assert (ready.ok, ready.detail, ready.fix) == (True, str(tmp_path), "")


def test_local_models_are_looked_for_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRA_CACHE", str(tmp_path))
    found = {check.name: check for check in doctor.local_models()}
    assert found.keys() == {"cache", "disk", "model smollm2"}
    assert found["cache"].detail == str(tmp_path)
    assert found["model smollm2"].fix == "orchestra models pull"


def test_without_the_extra_there_is_no_model_to_look_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(models, "smollm2", raising=False)
    monkeypatch.setitem(sys.modules, "orchestra.models.smollm2", None)
    assert [(check.name, check.ok) for check in doctor.local_models()] == [("local models", True)]


def test_an_absent_extra_is_no_fault_and_tells_its_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "EXTRAS", {"data": ("pydantic", "no-such-distribution")})
    check = doctor.extra("data")
    assert check.ok
    assert re.fullmatch(r"pydantic \S+, no-such-distribution not installed", check.detail)
    assert check.fix == "pip install 'orchestra-teams[data]'"


def test_extras_are_those_of_the_project_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {
        extra: tuple(re.split(r"[=>]", line)[0] for line in lines if not line.startswith(project["name"]))
        for extra, lines in project["optional-dependencies"].items()
        if extra not in {"all", "dev"}
    }
    assert declared == dict(doctor.EXTRAS)


def test_the_command_says_what_is_wrong_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = doctor.Check("shelves", False, "cannot be imported: roles", "git checkout")
    monkeypatch.setattr(doctor, "checks", lambda: [doctor.Check("python", True, "3.11.7"), broken])

    assert main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert found["checks"][1] == {"name": "shelves", "ok": False, "detail": broken.detail, "fix": "git checkout"}

    assert main(["doctor"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "ok   python           3.11.7",
        "FAIL shelves          cannot be imported: roles; fix: git checkout",
    ]


def test_this_machine_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is True
    assert {"python", "shelves", "cache", "threads", "torch"} <= {check["name"] for check in found["checks"]}
