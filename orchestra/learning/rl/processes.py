"""The launcher's processes, as they are found. Each has the weights whole; what optimisers keep may be in shards."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from accelerate import Accelerator  # type: ignore[import-untyped]
from accelerate.utils import (  # type: ignore[import-untyped]
    GradientAccumulationPlugin,
    InitProcessGroupKwargs,
    is_tensorboard_available,
    parse_flag_from_env,
)

from orchestra.errors import BadInput, missing_extra
from orchestra.learning import launcher
from orchestra.learning.rl.settings import Update
from orchestra.learning.settings import Tracker


def accelerator(update: Update, tracker: Tracker = "none", curves: Path | None = None) -> Any:
    """`tracker` writes into `curves`. Raises BadInput where weights would be cut into shards or moved away,
    Unavailable for a tracker that is not installed."""
    if tracker != "none" and not is_tensorboard_available():
        raise missing_extra("track", tracker)
    if parse_flag_from_env("ACCELERATE_USE_FSDP"):
        raise BadInput("expected whole weights on each process, got FSDP; fix: training/configs/zero2.yaml")
    told = launcher.arguments(update.precision)
    handlers = [InitProcessGroupKwargs(backend=told["ddp_backend"])] if told["ddp_backend"] else []
    with redirect_stdout(sys.stderr):  # DeepSpeed tells what it has compiled; stdout is the caller's
        found = Accelerator(
            mixed_precision="no",
            cpu=told["use_cpu"],
            gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),  # a configuration may say "auto"
            kwargs_handlers=handlers,
            log_with=None if tracker == "none" else tracker,
            project_dir=curves,
        )
    plugin = found.deepspeed_plugin
    if plugin is not None and (stage(found) not in (1, 2) or plugin.offload_optimizer_device not in (None, "none")):
        raise BadInput(
            f"expected ZeRO-1 or ZeRO-2 and nothing offloaded, got ZeRO-{stage(found)}, optimiser offloaded to "
            f"{plugin.offload_optimizer_device}; fix: training/configs/zero2.yaml"
        )
    return found


def stage(accelerator: Any) -> int:
    """Of ZeRO; 0: no optimiser is in shards."""
    plugin = accelerator.deepspeed_plugin
    return 0 if plugin is None else int(plugin.zero_stage)
