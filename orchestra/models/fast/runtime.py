"""OpenVINO, imported without the event that it would send to its vendor.

`import openvino` reports itself over the network and writes to ~/intel, unless the package `openvino_telemetry`, which
comes with it, cannot be imported; then it uses a stub of its own. So the package is hidden before the import.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # type: ignore[import-not-found,import-untyped,unused-ignore] # noqa: E402
from openvino import opset16 as ops  # noqa: E402
from openvino.op import _PagedAttentionExtension as PagedAttention  # type: ignore[import-not-found,import-untyped,unused-ignore] # noqa: E402

__all__ = ["PagedAttention", "ops", "ov"]
