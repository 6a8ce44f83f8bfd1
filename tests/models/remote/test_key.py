"""Where a key goes, and that it is found nowhere else: a planted one is looked for in all that a run leaves behind."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestra.errors import BadInput
from orchestra.models.remote import RemoteModel, Server
from orchestra.models.remote.failure import Failed
from orchestra.models.remote.key import Key, key_for
from orchestra.models.remote.server import SHOWN
from orchestra.types import Request
from tests.models.remote import proxy
from tests.models.remote.proxy import Proxy
from tests.models.remote.service import Service

CANARY = "sk-canary-0123456789"
BOTH = {"ORCHESTRA_API_KEY": "own", "OPENAI_API_KEY": "general"}
GENERAL = {"OPENAI_API_KEY": " general\n"}


@pytest.mark.parametrize(
    ("url", "environment", "secret"),
    [
        ("https://api.openai.com/v1", BOTH, "own"),
        ("https://api.openai.com/v1", GENERAL, "general"),
        ("http://127.0.0.1:8000/v1", GENERAL, "general"),
        ("http://[::1]:8000/v1", GENERAL, "general"),
        ("http://localhost/v1", GENERAL, "general"),
        ("http://gpu-box:8000/v1", GENERAL, ""),  # in the clear, to a machine that it may not be meant for
        ("http://127.0.0.1.evil.org/v1", GENERAL, ""),
        ("http://gpu-box:8000/v1", BOTH, "own"),
        ("https://api.openai.com/v1", {}, ""),
    ],
)
def test_which_key_is_sent_where(url: str, environment: dict[str, str], secret: str) -> None:
    assert key_for(url, environment).secret == secret


@pytest.mark.parametrize("secret", ["two words", "new\nline", "ünicode", 'quo"te', "back\\slash"])
def test_a_key_that_cannot_be_sent_or_hidden_is_refused_without_it(secret: str) -> None:
    with pytest.raises(BadInput, match="ORCHESTRA_API_KEY") as refused:
        key_for("https://h", {"ORCHESTRA_API_KEY": secret})
    assert secret not in str(refused.value)


def test_the_key_reaches_its_server(service: Service) -> None:
    model = RemoteModel("m", Server(service.base_url, key=Key("ORCHESTRA_API_KEY", CANARY)))
    asyncio.run(model.generate([Request((("user", "hello"),))]))
    assert service.asked[0].headers["authorization"] == f"Bearer {CANARY}"


def test_the_key_does_not_follow_a_redirect(service: Service) -> None:
    with Service() as other:
        to = f"HTTP/1.1 307 Moved\r\nlocation: {other.base_url}/chat/completions\r\ncontent-length: 0\r\n\r\n"
        with Proxy(service, proxy.instead(to.encode())) as moved:
            model = RemoteModel("m", Server(moved.base_url, key=Key("ORCHESTRA_API_KEY", CANARY)))
            with pytest.raises(Failed, match="307"):
                asyncio.run(model.generate([Request((("user", "hello"),))]))
        assert other.made == 0


REPEATS = {
    "in an error": proxy.status("401 Unauthorized", said=f"Incorrect API key provided: {CANARY}"),
    "cut by the end of the message": proxy.status("401 Unauthorized", said=CANARY * 40),
    "in HTML": proxy.instead(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<p>" + CANARY.encode()),
    "in JSON of another form": proxy.changed(b'"choices"', b'"' + CANARY.encode() + b'"'),
    "in a header": proxy.instead(f"HTTP/1.1 200 OK\r\ncontent-encoding: {CANARY}\r\n\r\n".encode()),
    "in no HTTP": proxy.instead(f"{CANARY}\r\n\r\n".encode()),
}


@pytest.mark.parametrize("where", REPEATS)
def test_a_server_that_repeats_the_key_does_not_spread_it(
    service: Service, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with Proxy(service, REPEATS[where]) as repeating:
        server = Server(repeating.base_url, key=Key("ORCHESTRA_API_KEY", CANARY), clock=lambda: 0.0, sleep=no_sleep)
        model = RemoteModel("m", server)
        with pytest.raises(Failed) as failed:
            asyncio.run(model.generate([Request((("user", "hello"),))]))
    assert len(str(failed.value)) <= SHOWN
    shown = [str(failed.getrepr(style="long")), str(failed.value), repr(failed.value), repr(model), repr(server)]
    assert all(CANARY[:8] not in text for text in (*shown, caplog.text))


async def no_sleep(seconds: float) -> None: ...


@pytest.mark.parametrize("good", [True, False])
def test_a_run_leaves_no_key_behind(service: Service, tmp_path: Path, good: bool) -> None:
    """Through the command line: what it prints and every byte of its folder."""
    fault = proxy.latency if good else REPEATS["in an error"]
    with Proxy(service, fault) as server:
        command = ["run", "solo", "hello", "--model", f"openai:m@{server.base_url}", "--run-dir", str(tmp_path / "run")]
        said = subprocess.run(
            [sys.executable, "-m", "orchestra.cli", *command],
            env={**os.environ, "OPENAI_API_KEY": CANARY},
            capture_output=True,
            check=False,
        )
    assert said.returncode == (0 if good else 1), said.stderr
    assert good or b"[key]" in said.stderr
    assert service.asked[0].headers["authorization"] == f"Bearer {CANARY}"
    written = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert any(b"hello" in text for text in written)
    assert all(CANARY.encode() not in text for text in (said.stdout, said.stderr, *written))
