"""What `--model` takes, and what it refuses before anything is touched."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from contextlib import suppress

import pytest
from huggingface_hub.errors import LocalEntryNotFoundError
from hypothesis import given
from hypothesis import strategies as st

from orchestra.errors import BadData, BadInput, Unavailable, UnknownName
from orchestra.models import address, hub, names, tiny
from orchestra.models.names import ModelName, parse

GOOD = {
    "smollm2": ModelName("smollm2"),
    "tiny": ModelName("tiny"),
    "scripted:../replies.txt": ModelName("scripted", "../replies.txt"),
    "hf:./model": ModelName("hf", "./model"),
    "hf:../model": ModelName("hf", "../model"),
    "hf:/models/a b@c": ModelName("hf", "/models/a b@c"),
    "hf:~/model": ModelName("hf", "~/model"),
    "hf:.": ModelName("hf", "."),
    "hf:org/name.v-1_2@main": ModelName("hf", "org/name.v-1_2", revision="main"),
    "hf:gpt2@607a30d783dfa663caf39e06633721c8d4cfcd7e": ModelName(
        "hf", "gpt2", revision="607a30d783dfa663caf39e06633721c8d4cfcd7e"
    ),
    "hf:org/name@refs/pr/3": ModelName("hf", "org/name", revision="refs/pr/3"),
    "openai:org/model:4b@http://127.0.0.1:8000/v1": ModelName(
        "openai", "org/model:4b", base_url="http://127.0.0.1:8000/v1"
    ),
    "openai:m@https://[::1]:8000": ModelName("openai", "m", base_url="https://[::1]:8000"),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_name_is_read_and_written_back(name):
    assert parse(name) == GOOD[name]
    assert str(parse(name)) == name


BAD = {
    "": "without control characters",
    " tiny": "outer spaces",
    "tiny\n": "control characters",
    "hf:a/b@\x1b[31m": "control characters",
    "smolm2": "did you mean 'smollm2'",
    "script:replies.txt": "unknown kind of model 'script'; did you mean 'scripted'",
    "tiny:x": "unknown kind of model 'tiny'",
    "../../etc": "fix: hf:./FOLDER",
    "/etc": "fix: hf:./FOLDER",
    "C:\\": "fix: hf:./FOLDER",
    "org/name": "hf:ORG/NAME@REVISION",
    "http://127.0.0.1/v1": "fix: openai:MODEL@BASE_URL",
    "hf:": "something after hf:",
    "scripted:": "fix: scripted:FILE",
    "hf:http://host/model": "got a URL",
    "hf:C:\\models": "expected / between",
    "hf:..\\models": "expected / between",
    "hf:org/name": "fix: hf:org/name@REVISION",
    "hf:org/name@": "expected a commit, tag or branch",
    "hf:org/name@../x": "expected a commit, tag or branch",
    "hf:org/name@a..b": "expected a commit, tag or branch",
    "hf:org/name--x@main": "without -- or ..",
    "hf:org/na..me@main": "without -- or ..",
    "hf:org/name/more@main": "expected a Hub id",
    "hf:-org/name@main": "expected a Hub id",
    "hf:org/name.@main": "expected a Hub id",
    "openai:m": "openai:NAME@http",
    "openai:@http://h/v1": "expected MODEL@BASE_URL",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_name_is_refused_with_the_fix(name):
    with pytest.raises(BadInput) as refused:
        parse(name)
    assert BAD[name] in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 2


@given(st.text())
def test_any_text_is_read_or_refused(text):
    with suppress(BadInput):
        assert parse(str(parse(text))) == parse(text)


FORBIDDEN = [
    "http://169.254.169.254/latest",
    "http://169.254.1.1",
    "http://2852039166",  # the same, as one number
    "http://0xa9fea9fe",  # in hexadecimal
    "http://0251.0376.0251.0376",  # in octal
    "http://[::ffff:169.254.169.254]",
    "http://[fe80::1]",
    "http://[fd00:ec2::254]",
    "http://100.100.100.200",
    "http://metadata.google.internal./v1",
    "http://METADATA",
    "http://224.0.0.1",
]


@pytest.mark.parametrize("url", FORBIDDEN)
def test_metadata_services_are_never_called(url):
    with pytest.raises(BadInput, match="link-local or metadata"):
        parse(f"openai:m@{url}")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "https://10.0.0.7/v1", "http://gpu-box:8000/v1", "https://api.a.org"]
)
def test_other_servers_may_be_called(url):
    assert address.checked(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://h",
        "http://",
        "h/v1",
        "http://h:99999",
        "http://[::1",
        "http://h?a=b",
        "http://h#f",
        "http://h:0",
    ],
)
def test_a_malformed_address_is_refused(url):
    with pytest.raises(BadInput, match="base URL"):
        address.checked(url)


@pytest.mark.parametrize(
    "url", ["https://user:hunter2@h/v1", "https://hunter2@h/v1", "http://:hunter2@169.254.169.254"]
)
def test_credentials_are_refused_and_not_repeated(url):
    with pytest.raises(BadInput, match="credentials") as refused:
        parse(f"openai:m@{url}")
    assert "hunter2" not in str(refused.value)


def test_every_form_is_listed_and_described():
    kinds = [form.partition(":")[0] for form, _ in names.known()]
    assert kinds == ["smollm2", "tiny", "scripted", "cassette", "hf", "fast", "openai"]
    assert all(summary for _, summary in names.known())


def test_names_load_neither_torch_nor_the_hub():
    code = (
        "import sys, orchestra.models.names as n; n.parse('tiny'); print({'torch', 'huggingface_hub'} & {*sys.modules})"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "set()\n"


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    tiny.build(folder)
    return folder


def test_the_folder_of_tiny_and_of_a_path(model, tmp_path, monkeypatch):
    monkeypatch.setenv("ORCHESTRA_CACHE", str(tmp_path / "cache"))
    assert names.folder("tiny") == tmp_path / "cache" / "models" / tiny.NAME
    assert names.folder(f"hf:{model}") == model
    monkeypatch.chdir(tmp_path)
    assert names.folder("hf:./model").samefile(model)


@pytest.mark.parametrize("name", ["scripted:f", "openai:m@http://h"])
def test_some_models_have_no_folder(name):
    with pytest.raises(BadInput, match="weights on this machine"):
        names.folder(name)


def test_a_missing_extra_is_named_with_its_pip_line(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    with pytest.raises(Unavailable, match=r"torch is not installed; fix: pip install 'orchestra-teams\[local\]'"):
        names.folder("tiny")


SPOILS = {
    "which is none": lambda folder: folder.rename(folder.with_name("away")),
    "with config.json": lambda folder: (folder / "config.json").unlink(),
    "with tokenizer.json": lambda folder: (folder / "tokenizer.json").unlink(),
    "weights as *.safetensors": lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
    "expected JSON": lambda folder: (folder / "config.json").write_text("{"),
    "expected a JSON object": lambda folder: (folder / "config.json").write_text("[]"),
    "(auto_map), which is never run": lambda folder: (folder / "config.json").write_text('{"auto_map": {}}'),
    "tokenizer_config.json asks": lambda folder: (folder / "tokenizer_config.json").write_text('{"auto_map": {}}'),
}


@pytest.mark.parametrize("said", SPOILS)
def test_a_folder_that_cannot_be_trusted_is_refused(model, said):
    SPOILS[said](model)
    with pytest.raises(BadData) as refused:
        names.folder(f"hf:{model}")
    assert said in str(refused.value)


def test_of_a_hub_model_only_data_is_asked_for(model, monkeypatch):
    asked = {}
    monkeypatch.setattr(hub, "snapshot_download", lambda repo, **wanted: asked.update(wanted, repo=repo) or str(model))
    assert names.folder("hf:org/name@abc") == model
    assert (asked["repo"], asked["revision"]) == ("org/name", "abc")
    assert asked["allow_patterns"] == ["*.safetensors", "*.json", "*.jinja"]


def test_a_hub_model_is_checked_like_a_folder(model, monkeypatch):
    (model / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "code.Model"}}))
    monkeypatch.setattr(hub, "snapshot_download", lambda repo, **wanted: str(model))
    with pytest.raises(BadData, match="never run"):
        names.folder("hf:org/name@abc")


def test_a_hub_out_of_reach_is_told(tmp_path, monkeypatch):
    def fail(repo, **wanted):
        raise LocalEntryNotFoundError("offline")

    monkeypatch.setattr(hub, "snapshot_download", fail)
    with pytest.raises(Unavailable, match="connect to the network"):
        names.folder("hf:org/name@abc")


def test_a_scripted_model_is_loaded_and_one_behind_a_server(tmp_path):
    (tmp_path / "replies.txt").write_text("four\n")
    assert "score" in names.load_model(f"scripted:{tmp_path / 'replies.txt'}").capabilities
    assert names.load_model("openai:m@http://127.0.0.1:8000/v1").capabilities == frozenset()
    with pytest.raises(UnknownName):
        names.load_model("gpt-x")
