"""OpenVINO is imported as the fast back-end wants it: silent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip(
    "orchestra.models.fast.runtime", reason="needs the extra `fast`: pip install 'orchestra-teams[fast]'"
)

ASK = """
import sys
import orchestra.models.fast.runtime
from openvino.tools.ovc import telemetry_utils
print(telemetry_utils.tm.__name__, [name for name in sys.modules if name.startswith("openvino_telemetry.")])
"""


def test_the_import_reports_nothing_and_leaves_no_file(tmp_path: Path) -> None:
    environment = os.environ | {"HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["openvino.tools.ovc.telemetry_stub", "[]"]
    assert not list(tmp_path.iterdir())
