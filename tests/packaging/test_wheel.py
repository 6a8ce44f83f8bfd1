"""What is installed: one top-level package with real files on its shelves, and a program that runs from it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHELVES = ("roles", "topologies", "training", "evals")


def run(*words: str | Path, cwd: Path) -> str:
    """Stdout of a command that must succeed, without this checkout on its path."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{words} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def build(source: Path, folder: Path, target: str) -> Path:
    run(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", folder, cwd=source)
    (built,) = folder.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a clean virtual environment."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    run(sys.executable, "-m", "venv", folder, cwd=ROOT)
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def top_level(python: Path, cwd: Path) -> str:
    """Which of the repository's folders can be imported, and from where `orchestra` comes."""
    names = ("orchestra", *SHELVES, "tests", "scripts")
    code = f"from importlib.util import find_spec\nprint([name for name in {names} if find_spec(name)])"
    return run(python, "-c", code, cwd=cwd).strip()


def test_the_wheel_holds_every_module_as_a_real_file_and_nothing_at_top_level(wheel: Path) -> None:
    files = [name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name]
    modules = {str(path.relative_to(ROOT)) for path in followed(ROOT / "orchestra") if path.suffix == ".py"}
    assert {name.partition("/")[0] for name in files} == {"orchestra"}
    assert {name for name in files if name.endswith(".py")} == modules
    assert {f"orchestra/{shelf}/__init__.py" for shelf in SHELVES} <= modules
    assert "orchestra/py.typed" in files


def followed(folder: Path) -> list[Path]:
    """Every file below a folder, symlinked folders included."""
    return [Path(top, name) for top, _, names in os.walk(folder, followlinks=True) for name in names]


def test_the_sdist_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(build(ROOT, tmp_path, "sdist")) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = (path for path in tmp_path.iterdir() if path.is_dir())
    again = build(source, tmp_path / "again", "wheel")
    assert contents(again) == contents(wheel)


def contents(wheel: Path) -> dict[str, bytes]:
    archive = ZipFile(wheel)
    return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.slow
def test_the_wheel_runs_from_a_clean_environment(wheel: Path, python: Path, tmp_path: Path) -> None:
    run(python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel, cwd=tmp_path)

    assert top_level(python, tmp_path) == "['orchestra']"
    light = [f"orchestra.{shelf}" for shelf in SHELVES if shelf != "training"]
    run(python, "-c", f"import orchestra, {', '.join(light)}", cwd=tmp_path)

    found = json.loads(run(python.with_name("orchestra"), "doctor", "--json", cwd=tmp_path))
    assert found["ok"] is True
    details = {check["name"]: check["detail"] for check in found["checks"]}
    assert details["shelves"] == ", ".join(SHELVES)
    assert details["torch"] == "not installed"  # the core stands without it


@pytest.mark.slow
def test_an_editable_install_maps_the_package_alone(python: Path, tmp_path: Path) -> None:
    run(python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", "-e", ROOT, cwd=tmp_path)
    assert top_level(python, tmp_path) == "['orchestra']"
    where = run(python, "-c", "import orchestra.roles; print(orchestra.roles.__file__)", cwd=tmp_path)
    assert Path(where.strip()) == ROOT / "orchestra" / "roles" / "__init__.py"
