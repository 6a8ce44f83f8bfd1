"""Whether DeepSpeed can run here: it compiles operators as it goes."""

from __future__ import annotations

import shutil
import sysconfig
from importlib.util import find_spec
from pathlib import Path

import pytest

NEEDED = {
    "deepspeed": find_spec("deepspeed"),
    "g++": shutil.which("g++"),
    "Python.h": (Path(sysconfig.get_path("include")) / "Python.h").exists(),
}
MISSING = [name for name, there in NEEDED.items() if not there]
DEEPSPEED = pytest.mark.skipif(
    bool(MISSING),
    reason=f"{' and '.join(MISSING)} not here: make install adds deepspeed where there is g++, which it compiles with",
)
