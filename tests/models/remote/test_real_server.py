"""The contract of models against a real server of the protocol: `transformers serve` with SmolLM2 on loopback."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest

from orchestra.contracts import check_model
from orchestra.errors import CallFailed
from orchestra.models import smollm2
from orchestra.models.remote import RemoteModel, Server
from orchestra.types import Request

MISSING = [name for name in ("fastapi", "uvicorn", "openai") if importlib.util.find_spec(name) is None]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} missing; pip install 'transformers[serving]'"),
]


class Served(NamedTuple):
    folder: Path
    server: Server


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = smollm2.ensure()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    serve = "import sys; from transformers.cli.transformers import main; sys.argv[0] = 'transformers'; main()"
    log = tmp_path_factory.mktemp("serve") / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", serve, "serve", str(folder), "--port", str(port), "--device", "cpu"],
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            stdout=file,
            stderr=file,
        )
    try:
        while not alive(port):
            assert process.poll() is None, log.read_text(errors="replace")[-2000:]
            time.sleep(0.5)
        yield Served(folder, Server(f"http://localhost:{port}/v1"))
    finally:
        process.terminate()
        process.wait()


def alive(port: int) -> bool:
    try:
        return httpx2.get(f"http://localhost:{port}/health", trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


def sums(n: int) -> list[Request]:
    return [Request((("user", f"What is {i} plus 2?"),), max_tokens=12, temperature=0.0) for i in range(n)]


def test_the_contract_holds(served: Served) -> None:
    check_model(RemoteModel(str(served.folder), served.server))


def test_prompts_are_those_of_the_local_back_end(served: Served) -> None:
    from orchestra.models.local.render import Renderer

    renderer = Renderer(served.folder)
    made = asyncio.run(RemoteModel(str(served.folder), served.server).generate(sums(3)))
    assert [m.usage.tokens_in for m in made] == [len(renderer.prompt(request.messages)) for request in sums(3)]
    assert all(m.text and m.usage.tokens_out <= 12 for m in made)


def test_whole_and_streamed_answers_agree(served: Served) -> None:
    whole, streamed = (
        [m.text for m in asyncio.run(RemoteModel(str(served.folder), served.server, stream=s).generate(sums(4)))]
        for s in (False, True)
    )
    assert whole == streamed
    assert len(set(whole)) > 1


def test_its_refusal_is_told(served: Served) -> None:
    with pytest.raises(CallFailed, match=r"status 400: .*absent"):
        asyncio.run(RemoteModel("absent", served.server).generate(sums(1)))
