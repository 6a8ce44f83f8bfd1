"""Files and options that cannot be trained on: both recipes refuse each in one line, and publish nothing."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from orchestra.atomic import write_record
from orchestra.learning.dpo import fit as fit_pairs
from orchestra.learning.loop import Keep
from orchestra.learning.preference import FITTING, Preference
from orchestra.models import names
from orchestra.training import dpo, sft
from orchestra.trajectory.shards import seal
from tests.learning.preferences import branched, pairs_of

pytestmark = [pytest.mark.usefixtures("tiny"), pytest.mark.parametrize("recipe", [sft, dpo], ids=["sft", "dpo"])]
ROOT = Path(__file__).resolve().parents[2]
VALUES = "annotations/nested_mean.json"
JOURNAL = "journal-main.sqlite"
Refused = Callable[..., None]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return branched(tmp_path_factory.mktemp("good") / "run", 2)


@pytest.fixture
def run(good: Path, tmp_path: Path) -> Path:
    """A run folder of its own, to be harmed."""
    return Path(shutil.copytree(good, tmp_path / "run"))


@pytest.fixture
def refused(recipe: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """That a recipe ends with `code` and one line on stderr with `message`."""

    def check(run: Path, message: str, *more: object, code: int = 2) -> None:
        words = ["--trajectories", run, "--output", tmp_path / "out", "--model", "tiny", "--epochs", "1", *more]
        assert recipe.main([str(word) for word in words]) == code
        printed = capsys.readouterr()
        (line,) = [each for each in printed.err.splitlines() if not each.startswith("train ")]  # a bar that was begun
        assert line.startswith("error: ") and message in line
        assert printed.out == ""
        assert not [path for path in tmp_path.glob("out/*") if not path.name.startswith(".")]

    return check


def test_what_is_refused_below_is_trained_on_unharmed(
    run: Path, recipe: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The control."""
    seal(run)
    (run / JOURNAL).unlink()  # so that the shards alone are read
    words = ["--trajectories", run, "--output", tmp_path / "out", "--model", "tiny", "--epochs", "1"]
    assert recipe.main([str(word) for word in words]) == 0


def cut(data: bytes) -> bytes:
    return data[:-40]


def halved(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    at = data.find(b"good words") + 3
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("file", "harm", "message"),
    [
        (VALUES, cut, "is no saved record"),
        (VALUES, lambda data: data.replace(b"0.5", b"NaN").replace(b"1.0", b"Infinity"), "is no saved record"),
        (VALUES, lambda data: data[:10] + b"\xed\xa0\x80" + data[10:], "does not match its checksum"),
        (VALUES, lambda _: b'{"a":' * 10_000, "is no saved record"),
        (
            VALUES,
            lambda _: b'{"schema":1,"checksum":"x","body":"' + b"a" * 10**7 + b'"}',
            "does not match its checksum",
        ),
        (VALUES, lambda _: b"[1]", "is no saved record"),
        (VALUES, lambda _: b"\x80\x04 a pickle", "is no saved record"),
        ("run.json", cut, "is no saved record"),
        (JOURNAL, halved, "database disk image is malformed"),
        (JOURNAL, lambda _: b"\x80\x04 a pickle", "file is not a database"),
        (JOURNAL, flipped, "does not match its checksum"),
    ],
    ids=["torn", "nan", "surrogate", "depth", "long", "type", "pickle", "spec", "journal", "no journal", "flipped"],
)
def test_a_damaged_run_folder(
    run: Path, refused: Refused, file: str, harm: Callable[[bytes], bytes], message: str
) -> None:
    before = (run / file).read_bytes()
    (run / file).write_bytes(harm(before))
    assert (run / file).read_bytes() != before
    refused(run, message, code=1)


@pytest.mark.parametrize("body", [[1, 2], {"config": "", "tables": {"t0": ["x", 3]}}, {"config": "", "tables": 1}])
def test_annotations_of_another_shape(run: Path, refused: Refused, body: object) -> None:
    """Whole by their checksum, and yet nothing that we write."""
    write_record(run / VALUES, body, version=1)
    refused(run, "nested_mean.json holds no annotations", code=1)


@pytest.mark.parametrize("harm", [cut, flipped], ids=["cut", "flipped"])
def test_a_damaged_shard(run: Path, refused: Refused, harm: Callable[[bytes], bytes]) -> None:
    seal(run)
    (run / JOURNAL).unlink()
    (shard,) = (run / "shards").glob("trajectories-*.arrow")
    shard.write_bytes(harm(shard.read_bytes()))
    refused(run, f"{shard}", code=1)


@pytest.mark.parametrize("name", ["run.pkl", "run.pt", "run.zip", "run.py", "nothing"])
def test_what_is_no_run_folder(tmp_path: Path, good: Path, refused: Refused, name: str) -> None:
    if name != "nothing":
        (tmp_path / name).write_bytes(b"\x80\x04 a pickle")
    refused(tmp_path / name, "is no run folder: it has no run.json")
    refused(good, "is no run folder: it has no run.json", "--held-out", tmp_path / name)


def test_no_row_of_a_held_out_task(tmp_path: Path, good: Path, refused: Refused) -> None:
    """Told by the words of the prompt, in a run of other ids."""
    refused(branched(tmp_path / "same", 1), "expected no training row of a held-out task, got", "--held-out", good)


def test_rows_that_are_all_too_long(good: Path, refused: Refused) -> None:
    refused(good, "expected at most 2 tokens, got", "--max-tokens-per-step", 2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--batch", 0), "expected --batch > 0, got 0"),
        (("--lr", -1), "expected --lr > 0, got -1.0"),
        (("--lr", "nan"), "expected --lr > 0, got nan"),
        (("--seed", 2**64), "expected 0 <= --seed < 2**32"),
        (("--save-every", -1), "expected --save-every >= 0"),
        (("--full", "--rank", 4), "--rank and --full exclude each other"),
        (("--trainer", "trl", "--report-to", "tensorboard"), "--trainer trl and --report-to tensorboard exclude"),
        (("--learning-rate", 1), "unrecognized arguments: --learning-rate 1"),
        (("--model", "hf:/"), "expected a model folder with config.json"),
        (("--model", "http://host/model"), "a URL is no model name"),
        (("--init", "nowhere"), "expected an adapter folder, got 'No such file or directory'"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "".join(map(str, value)),
)
def test_options_that_cannot_be(good: Path, refused: Refused, words: tuple[object, ...], message: str) -> None:
    refused(good, message, *words)


@pytest.mark.parametrize("harm", ["base", "pickle", "outside", "file outside"])
def test_adapters_that_do_not_fit(
    good: Path, tmp_path: Path, recipe: ModuleType, refused: Refused, capsys: pytest.CaptureFixture[str], harm: str
) -> None:
    first = tmp_path / "first"
    words = ["--trajectories", good, "--output", first, "--model", "tiny", "--epochs", 1, "--roles", "verifier"]
    assert recipe.main([str(word) for word in words]) == 0
    capsys.readouterr()
    manifest = json.loads((first / "manifest.json").read_text())
    entry = manifest["policies"]["verifier"]
    if harm == "base":
        entry["base_digest"] = "0" * 64
    elif harm == "pickle":
        (first / entry["folder"] / "adapter_model.safetensors").write_bytes(b"\x80\x04 a pickle")
    elif harm == "outside":
        entry["folder"] = "../verifier"
    else:
        entry["files"]["../../run/run.json"] = entry["files"]["adapter_config.json"]
    (first / "manifest.json").write_text(json.dumps(manifest))
    message = {
        "base": "expected adapters of 'tiny', got those of another base",
        "pickle": "expected",
        "outside": "'../",
        "file outside": "'../../",
    }
    refused(good, message[harm], "--init", first)


def test_a_place_that_takes_no_file(good: Path, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "file").write_text("")
    refused(good, f"cannot make {tmp_path / 'file'}/", "--output", tmp_path / "file", code=1)


def test_an_output_that_another_training_writes(
    good: Path, tmp_path: Path, recipe: ModuleType, refused: Refused
) -> None:
    policy = {"sft": "generator", "dpo": "verifier"}[recipe.__name__.rpartition(".")[2]]
    keep = Keep(tmp_path / "out" / recipe.CHECKPOINTS / policy)

    def second(done: int, total: int) -> None:
        refused(good, f"expected a folder to itself, got one in use at {keep.folder}")

    settings = replace(FITTING, rank=4, precision="fp32")
    fit_pairs(pairs_of(0, 2), names.folder("tiny"), settings, Preference(), keep=keep, report=second)


def test_changed_options_do_not_go_on_from_a_checkpoint(good: Path, tmp_path: Path, recipe: ModuleType) -> None:
    """They train anew, and say what changed."""
    words = ["--trajectories", good, "--output", tmp_path / "out", "--model", "tiny", "--roles", "verifier"]
    policy = tmp_path / "out" / recipe.CHECKPOINTS / "verifier"
    lines: list[str] = []
    fit_pairs(
        pairs_of(0, 2), names.folder("tiny"), replace(FITTING, epochs=2, save_every=1, precision="fp32"), Preference(),
        keep=Keep(policy, {"lr": 1.0}, lines.append),
    )  # fmt: skip
    assert (policy / "step-00000001").is_dir() and lines == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.stderr, "write", lambda text: lines.append(text) or len(text))
        assert recipe.main([str(word) for word in words]) == 0
    (line,) = [each for each in lines if "left out" in each]
    assert "verifier: step-00000001 is left out: expected the same training, got another: " in line
    assert "lr was 1.0, now" in line


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), ("--save-every", "0")], ids=["checkpoint", "publishing"])
def test_a_full_disk(good: Path, tmp_path: Path, recipe: ModuleType, words: tuple[str, ...]) -> None:
    """No file over 60 kB: one line, nothing published, and the same command succeeds once there is room."""
    name = recipe.__name__.rpartition(".")[2]
    command = [sys.executable, f"training/{name}.py", "--trajectories", str(good), "--output", str(tmp_path / "out")]
    command += ["--model", "tiny", "--save-every", "1", "--epochs", "2", "--roles", "verifier", *words]

    def ended(limit: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}, text=True,
            capture_output=True, check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY)),
        )  # fmt: skip

    full = ended(60_000)
    assert full.returncode == 1, full.stderr
    assert full.stderr.splitlines()[-1].startswith("error: ") and "free space" in full.stderr
    assert "Traceback" not in full.stderr and not (tmp_path / "out" / "manifest.json").exists()
    assert ended(resource.RLIM_INFINITY).returncode == 0


def test_an_empty_output_is_not_the_current_folder(recipe: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """As of a variable that is not set: `--output "$OUT"`."""
    assert recipe.main(["--trajectories", "runs/none", "--output", ""]) == 2
    assert capsys.readouterr().err == "error: argument --output: expected a folder, got '' (see --help)\n"
