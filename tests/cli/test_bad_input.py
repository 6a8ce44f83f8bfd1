"""Whatever a person gets wrong: exit 2, nothing on stdout, one line on stderr that says what and what to do instead."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EVAL = "eval chain arith --model scripted:s.txt"
SAVED = {"schema": 1, "team": {"$": "team", "name": "t", "nodes": [], "edges": []}}

LINES = {
    "evl chain arith": "'eval'",
    "run": "'team'",
    "run chain": "'text'",
    "run chian hello": "did you mean 'chain'",
    "run chain hello --modle tiny": "--model",
    "run chain hello --model tinny": "did you mean 'tiny'",
    "run chain hello --model hf:org/name": "@REVISION",
    "run chain hello --model hf:./absent": "model folder",
    "run chain hello --model scripted:absent.txt": "absent.txt",
    "run chain hello --model openai:m@http://u:p@127.0.0.1/v1": "credentials",
    "run chain hello --seed minus": "valid integer",
    "run chain hello --max-tokens 0": "--max-tokens",
    "run chain hello --temperature nan --model scripted:s.txt": "temperature",
    "run chain hello --budget-seconds 0 --model scripted:s.txt": "above 0",
    "run chain hello --resume --model scripted:s.txt": "no run.json",
    "run chain --model scripted:s.txt ": "expected a task",
    "run chain hello --adapters absent --model scripted:s.txt": "adapter folder",
    "run chain hello --policy absent/generator --model scripted:s.txt": "adapter folder",
    "run debate hello -o rounds": "NAME=VALUE",
    "run debate hello -o round=2": "did you mean 'rounds'",
    "run debate hello -o rounds=two": "valid integer",
    "run debate hello -o rounds=0": "MaxRounds",
    "run debate hello -o graph=tree": "one of full, ring, star",
    "run debate hello --agents 1": "at least two agents",
    "run solo hello --agents 2": "one slot for many agents, and 'solo' has 0",
    "run chain hello --agents 4": "different roles",
    "run chain hello --role agents": "SLOT=ROLE",
    "run chain hello --role agnets=debater": "did you mean 'agents'",
    "run chain hello --role agents=debatter": "did you mean 'debater'",
    "run solo hello --role agent=debater,debater": "one agent",
    "run chain hello --role agents=debater@tinny": "did you mean 'tiny'",
    "run team.txt hello": "unknown topology",
    "run absent.py hello": "absent.py",
    "run wrong.py hello": "ZeroDivisionError",
    "run mine.py hello": "mine.py:NAME, one of five, needs, raises",
    "run mine.py:need hello": "did you mean 'needs'",
    "run mine.py:five hello": "expected a topology",
    "run mine.py:needs hello": "has no role",
    "run mine.py:raises hello": "ValueError: no such thing",
    "run saved.json hello": "no nodes",
    "run saved.json hello -o rounds=2": "--option cannot change",
    "run other.json hello": "not a saved team",
    "run absent.yaml hello": "cannot be read",
    "draw chain --format doot": "did you mean 'dot'",
    "ls roels": "did you mean 'role'",
    "eval chain arithh": "did you mean 'arith'",
    "eval chain arith:ad2": "did you mean 'add2'",
    "eval chain mine.py:five": "expected a benchmark",
    f"{EVAL} --split tset": "did you mean 'test'",
    f"{EVAL} --n 0": "--n",
    f"{EVAL} --n 100000": "a smaller n",
    f"{EVAL} --level 5": "--level",
    f"{EVAL} --data absent.jsonl": "absent.jsonl",
    f"{EVAL} --data data.jsonl --n 3": "a smaller --n",
    f"{EVAL} --data data.jsonl --level 2": "leave one of them out",
    f"{EVAL} --baseline sollo": "did you mean 'solo'",
    f"{EVAL} --baseline solo,solo": "twice",
    f"{EVAL} --match tokens": "--baseline self_consistency",
    f"{EVAL} --match token --baseline self_consistency": "'tokens'",
    "compare absent absent": "no run.json",
    "collect chain arith --split test": "never trained on",
    "collect chain arith --branch 3,2": "generator, verifier, refiner",
    "collect chain arith --branch x": "whole numbers",
    "collect chain arith --branch 0": "at least 1",
    "collect chain arith --branch 4,3,2 --contrast 2": "one number of draws",
    "collect solo arith --contrast 2": "two roles",
    "train sftt": "did you mean 'sft'",
    "train absent.py": "absent.py",
    "simulate epidemics": "did you mean 'epidemic'",
    "simulate epidemic --policy nevr": "did you mean 'never'",
    "simulate epidemic --policy tables/absent": "does not exist",
    "simulate epidemic --policy s.txt": "cannot be read",
    "simulate epidemic --agents 2": "--agents",
    "models pull tinny": "did you mean 'tiny'",
    "models pull scripted:s.txt": "with weights",
    "models lst": "'list'",
}


@pytest.fixture
def files(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("1 / 0\n")
    (tmp_path / "mine.py").write_text(
        "from orchestra.team import Agent, Team\n"
        "five = 5\n"
        "def needs(agent: Agent) -> Team: ...\n"
        "def raises() -> Team: raise ValueError('no such thing')\n"
    )
    (tmp_path / "saved.json").write_text(json.dumps(SAVED))
    (tmp_path / "other.json").write_text("{}")
    (tmp_path / "data.jsonl").write_text('{"prompt": "What is 1 + 1?", "gold": "2"}\n')


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("line", LINES)
def test_one_line_with_the_reason_and_what_to_do(line: str, orchestra) -> None:
    words = line.split(" ")  # so that a line that ends in a blank ends in an empty word
    code, out, err = orchestra(*words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1, err
    assert LINES[line] in err
    assert not Path("runs").exists()  # nothing was begun


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--help"], 0),
        (["eval", "chain", "arithh"], 2),
        (["run", "debate", "hello", "-o", "rounds=0"], 2),
        (["simulate", "epidemic", "--policy", "nevr"], 2),
        (["models", "pull", "tinny"], 2),
    ],
)
def test_help_and_bad_input_do_not_wait_for_torch(words: list[str], code: int) -> None:
    program = f"import sys; from orchestra.cli.app import main; code = main({words!r}); print(code, *sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    found = done.stdout.splitlines()[-1].split()
    assert found[0] == str(code)
    assert not {"torch", "transformers", "accelerate"} & set(found)


def test_a_task_that_is_no_utf8_is_refused(orchestra) -> None:
    code, out, err = orchestra("run", "solo", "caf\udce9", "--model", "scripted:s.txt")
    assert (code, out) == (2, "")
    assert "UTF-8" in err
