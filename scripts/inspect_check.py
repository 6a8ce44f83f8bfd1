"""Whether Inspect itself opens what `orchestra export --format inspect` writes.

    python -m scripts.inspect_check RUN_DIR

Exports a finished evaluation, reads the logs with the real package in an environment of its own under `.bench/`,
compares every figure with ours, and lets `inspect view bundle` make its static viewer of them. Exit code 1 where
anything differs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from orchestra.evaluation.finished import Finished, finished
from orchestra.evaluation.inspect_log import VERSION, write
from scripts.bench.engine import PEERS, interpreter


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("run", type=Path, help="folder of a finished `orchestra eval`")
    run = options.parse_args().run
    python = interpreter("inspect-ai")
    with tempfile.TemporaryDirectory() as folder:
        logs = write(run, Path(folder) / "logs")
        read = json.loads(_said(python, str(PEERS / "read_inspect.py"), *map(str, logs)))
        faults = [
            f"{log.name}: {fault}"
            for log, name in zip(logs, finished(run).systems, strict=True)
            for fault in differences(finished(run), name, read[str(log)])
        ]
        bundle = Path(folder) / "bundle"
        _said(str(Path(python).with_name("inspect")), "view", "bundle", "--log-dir", str(logs[0].parent),
              "--output-dir", str(bundle))  # fmt: skip
        if not (bundle / "index.html").exists():
            faults.append("inspect view bundle made no index.html")
    for fault in faults:
        print(fault)
    print(f"{len(logs)} logs, {len(faults)} differences")
    return 1 if faults else 0


def differences(found: Finished, system: str, read: dict[str, Any]) -> list[str]:
    """What Inspect reads otherwise than we wrote it."""
    runs = found.systems[system]
    result = next(each for each in found.results() if each.system == system)
    used = sum(run.item.usage.tokens for run in runs)
    wanted = {
        "version": VERSION,
        "status": "success",
        "task": result.benchmark,
        "accuracy": {"strict": result.strict.mean, "flexible": result.flexible.mean},
        "scores": [{"strict": run.item.strict, "flexible": run.item.flexible} for run in runs],
        "calls": [run.item.usage.calls for run in runs],
    }
    told = [f"{name}: {read[name]!r}, expected {value!r}" for name, value in wanted.items() if read[name] != value]
    sums = {name: sum(read[name].values()) for name in ("tokens_by_model", "tokens_by_role")}
    return told + [f"{name}: {total}, expected {used}" for name, total in sums.items() if total != used]


def _said(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603  (what we installed)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        raise SystemExit(f"{command[0]} failed with code {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
