"""Adapters on disk: versions, verification, and a kill at every step of a publication."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestra.errors import BadData, BadInput
from orchestra.learning.adapters import Stamp, base_digest, bind, read_manifest
from orchestra.learning.publishing import publish

ROOT = Path(__file__).resolve().parents[2]


def put(output: Path, policy: str, words: str, **facts: Any) -> None:
    def fill(folder: Path) -> None:
        (folder / "adapter_config.json").write_text("{}")
        (folder / "adapter_model.safetensors").write_text(words)

    given = {"base_digest": "b", "data_digest": "d", "config": {"lr": 0.1}, "metrics": {"rows": 3, "loss": 0.5}}
    publish(output, policy, fill, **{**given, **facts})


def words(output: Path, policy: str) -> str:
    return (bind(output)[policy].folder / "adapter_model.safetensors").read_text()


def test_a_publication_can_be_bound(tmp_path: Path) -> None:
    put(tmp_path / "new", "generator", "one", parents=("generator@3:00",))
    entry = read_manifest(tmp_path / "new").policies["generator"]
    assert (entry.version, entry.metrics, entry.parents) == (1, {"rows": 3, "loss": 0.5}, ["generator@3:00"])
    assert type(entry.metrics["rows"]) is int
    assert entry.files["adapter_config.json"] == Stamp(
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", 2  # sha256 of {}
    )  # fmt: skip
    assert bind(tmp_path / "new") == {"generator": (tmp_path / "new" / "generator@1", 1, "b")}
    card = (tmp_path / "new" / "generator" / "README.md").read_text()
    assert "# generator, version 1" in card
    assert "| lr | 0.1 |" in card


def test_versions_follow_each_other_and_the_one_before_stays(tmp_path: Path) -> None:
    put(tmp_path, "verifier", "v")
    for version in ("one", "two", "three"):
        put(tmp_path, "generator", version)
    assert words(tmp_path, "generator") == "three"
    assert (tmp_path / "generator" / "adapter_model.safetensors").read_text() == "three"
    assert {path.name for path in tmp_path.glob("*@*")} == {"generator@2", "generator@3", "verifier@1"}
    assert bind(tmp_path)["verifier"].version == 1


KILLED = """
import json, os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_publishing import put, words

WATCHED = ("open", "os.mkdir", "os.rename", "os.symlink", "os.remove", "os.rmdir")

def child(folder, stop):
    seen = []
    def watch(event, args):
        if event in WATCHED and str(folder) in str(args[0]):
            seen.append(f"{event} {Path(str(args[0])).name}")
            if len(seen) == stop:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(watch)
    put(folder, "generator", "new")
    return seen

def forked(folder, stop):
    pid = os.fork()
    if not pid:
        child(folder, stop)
        os._exit(0)
    return os.waitpid(pid, 0)[1]

states = []
for stop in range(1, 1000):
    folder = Path(sys.argv[1], str(stop))
    put(folder, "generator", "older")
    put(folder, "generator", "old")
    put(folder, "verifier", "v")
    status = forked(folder, stop)
    state = words(folder, "generator"), words(folder, "verifier")
    put(folder, "generator", "next")
    states.append([state, words(folder, "generator"), sorted(path.name for path in folder.iterdir())])
    if status == 0:
        break
print(json.dumps(states))
"""


def test_a_kill_at_any_step_leaves_the_older_or_the_newer_state(tmp_path: Path) -> None:
    """Each opening, renaming, linking and removal inside the folder is one place to die at."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), str(Path(__file__).parent)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    states = json.loads(done.stdout)
    found = [state[0] for state, _, _ in states]
    assert {verifier for _, verifier in (state for state, _, _ in states)} == {"v"}
    assert found == sorted(found, reverse=True)  # old, ..., old, new, ..., new
    assert found.count("old") > 5
    assert found.count("new") > 1
    for _, after, names in states:
        assert after == "next"
        stands = "3" if "generator@3" in names and "generator@4" not in names else "4"
        before = str(int(stands) - 1)
        kept = {f"generator@{before}", f"generator@{stands}", "verifier@1"}
        assert set(names) == {".lock", "generator", "manifest.json", "verifier"} | kept


@pytest.mark.parametrize("damage", ["cut", "altered", "gone"])
def test_damage_is_found(tmp_path: Path, damage: str) -> None:
    put(tmp_path, "generator", "one")
    file = tmp_path / "generator@1" / "adapter_model.safetensors"
    if damage == "gone":
        file.unlink()
    else:
        file.write_text("on" if damage == "cut" else "two")
    expected = {"cut": "expected 3 bytes, got 2 bytes", "altered": "expected SHA-256", "gone": "got no file"}
    with pytest.raises(BadData, match=expected[damage]):
        bind(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "expected schema 1, got 2"),
        ({"extra": 1}, r"manifest\.json: extra: Unexpected keyword argument"),
        ({"policies": {"g": {}}}, r"policies\.g\.folder: Field required"),
        ({"folder": "../g@1"}, r"expected the name of a folder beside it, got '\.\./g@1'"),
    ],
)
def test_a_strange_manifest_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    put(tmp_path, "g", "one")
    file = tmp_path / "manifest.json"
    manifest = json.loads(file.read_text())
    if "folder" in change:
        manifest["policies"]["g"] |= change
    else:
        manifest |= change
    file.write_text(json.dumps(manifest))
    with pytest.raises(BadData, match=message):
        read_manifest(tmp_path)


def test_bad_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="expected an adapter folder, got 'No such file or directory'"):
        read_manifest(tmp_path)
    with pytest.raises(BadInput, match=r"expected a policy name .* got '\.\./x'"):
        put(tmp_path, "../x", "one")
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="expected a folder to write"):
        put(tmp_path / "file", "g", "one")
    (tmp_path / "g").mkdir()
    with pytest.raises(BadInput, match="expected no other file of the policy's name"):
        put(tmp_path, "g", "one")


def test_the_base_is_named_by_its_bytes(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"expected model\.safetensors, got none"):
        base_digest(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"a")
    one = base_digest(tmp_path)
    (tmp_path / "model-2.safetensors").write_bytes(b"a")
    assert base_digest(tmp_path) != one
