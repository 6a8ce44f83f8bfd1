"""One task: what is shown, what is kept, what a repeat does, and how a run ends that did not end well."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestra.errors import CallFailed
from orchestra.models.scripted import Scripted
from orchestra.trajectory.store import open_run
from orchestra.types import Completion, Request

CHAIN = ("run", "chain", "What is 34 + 57?", "--model", "scripted:s.txt")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Every request that reaches any scripted model."""
    requests: list[Request] = []
    answer = Scripted.generate

    async def generate(self: Scripted, batch: Sequence[Request]) -> Sequence[Completion]:
        requests.extend(batch)
        return await answer(self, batch)

    monkeypatch.setattr(Scripted, "generate", generate)
    return requests


def test_the_keys_of_the_contract_and_the_messages_on_stderr(orchestra) -> None:
    said = orchestra(*CHAIN, "--json")
    value = said.json
    assert (value["answer"], value["stopped_by"], value["rounds"]) == ("92", "done", 1)
    assert value["usage"].keys() == {"calls", "tokens_in", "tokens_out", "cost"}
    assert value["usage"]["calls"] == 3
    assert said.err.splitlines() == [
        "generator [0] The answer is 91.",
        "verifier [0] Yes.",
        "refiner [0] The answer is 92.",
    ]
    with open_run(Path(value["run_dir"])) as run:
        kept = run.get(value["trajectory_id"])
        assert kept is not None and kept.answer == "92"
        assert run.spec["command"] == "run"


def test_a_repeat_asks_no_model(orchestra, asked: list[Request]) -> None:
    first = orchestra(*CHAIN, "--json").json
    assert len(asked) == 3
    assert orchestra(*CHAIN, "--json", "--resume").json == first
    assert len(asked) == 3
    assert orchestra(*CHAIN, "--json", "--seed", "1").json["run_dir"] != first["run_dir"]
    assert len(asked) == 6


def test_a_run_folder_of_another_command_is_refused(orchestra) -> None:
    assert orchestra(*CHAIN, "--run-dir", "kept").code == 0
    code, out, err = orchestra("run", "chain", "Another task", "--model", "scripted:s.txt", "--run-dir", "kept")
    assert (code, out) == (2, "")
    assert 'task was "What is 34 + 57?", is "Another task"' in err


def test_a_budget_ends_a_run_in_time(orchestra) -> None:
    value = orchestra(*CHAIN, "--budget-calls", "2", "--json").json
    assert (value["stopped_by"], value["usage"]["calls"], value["answer"]) == ("budget", 2, "91")


def test_the_text_on_stdout_cannot_steer_a_terminal(orchestra) -> None:
    Path("evil.txt").write_text("Answer: \x1b]0;title\x07\u202e12\n")
    said = orchestra("run", "solo", "q", "--model", "scripted:evil.txt")
    assert said.code == 0
    assert not {"\x1b", "\x07", "\u202e"} & set(said.out + said.err)


def test_a_run_in_which_no_call_gave_a_reply_failed(orchestra, monkeypatch: pytest.MonkeyPatch) -> None:
    async def generate(self: Scripted, batch: Sequence[Request]) -> Sequence[Completion]:
        raise CallFailed("the server is down")

    monkeypatch.setattr(Scripted, "generate", generate)
    for words in (CHAIN, ("eval", *CHAIN[1:2], "arith", *CHAIN[3:], "--n", "2")):
        code, out, err = orchestra(*words)
        assert (code, out) == (1, "")
        assert "error: " in err and "the server is down" in err and "--run-dir" in err
    code, out, err = orchestra("collect", "chain", "arith", *CHAIN[3:], "--n", "2")
    assert (code, out) == (1, "") and "the server is down" in err


@pytest.mark.parametrize("resumed", [(), ("--resume",)])
def test_ctrl_c_tells_how_to_go_on_and_repeats_nothing(
    resumed: tuple[str, ...], orchestra, monkeypatch: pytest.MonkeyPatch, asked: list[Request]
) -> None:
    words = ("eval", "solo", "arith", "--model", "scripted:s.txt", "--n", "6", "--concurrency", "1")
    answer = Scripted.generate
    stopping = [True]

    async def generate(self: Scripted, batch: Sequence[Request]) -> Sequence[Completion]:
        if stopping[0] and len(asked) == 3:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(60)
        return await answer(self, batch)

    monkeypatch.setattr(Scripted, "generate", generate)
    code, out, err = orchestra(*words)
    assert (code, out) == (130, "")
    (folder,) = Path("runs").iterdir()
    assert err.splitlines()[-1].startswith(
        f"stopped; what was done is in {folder}; go on with: orchestra eval solo arith"
    )
    assert err.rstrip().endswith("--concurrency 1 --resume")

    stopping[0] = False
    again = orchestra(*words, *resumed, "--json").json
    assert (again["n"], again["run_dir"]) == (6, str(folder))
    assert len(asked) == 6  # three before, three after, none twice
    assert len({request.messages for request in asked}) == 6
