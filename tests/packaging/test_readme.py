"""The README's code runs as printed, at small sizes.

Python blocks run in order in one namespace, with the real model replaced by the tiny one. Of bash blocks the lines that
start with `orchestra` or `accelerate launch` run, in one folder for all blocks. Comments of the page steer them:

    <!-- test: --model tiny -->         added to every command of the next block
    <!-- test eval: --n 4 -->           added to its `orchestra eval`, or `accelerate launch .../eval.py`
    <!-- no test: needs a server -->    the next block is not run

Of an option that is given twice the last holds, so what is added overrides what is printed.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(?P<language>python|bash)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"<!-- (?P<verb>no test|test)(?P<command> \w+)?: (?P<rest>.*?) -->")
PROGRAMS = {
    "orchestra": [sys.executable, "-m", "orchestra.cli"],
    "accelerate launch": [sys.executable, "-m", "accelerate.commands.launch"],
}
SECONDS = 300
"""For one command; a hang must not hold up the run."""


class Block(NamedTuple):
    """One fenced block that is to be run."""

    language: str
    code: str
    line: int
    """Of its first line of code in the page, from 1."""
    added: dict[str, str]
    """Command (empty: every one) -> arguments that make it small."""


def blocks(page: str) -> Iterator[Block]:
    """The blocks to be run, in order. Comments belong to the block that follows them next."""
    end = 0
    for fence in FENCE.finditer(page):
        comments = list(COMMENT.finditer(page, end, fence.start()))
        end = fence.end()
        if any(comment["verb"] == "no test" for comment in comments):
            continue
        added = {(comment["command"] or "").strip(): comment["rest"] for comment in comments}
        yield Block(fence["language"], fence["code"], page.count("\n", 0, fence.start("code")) + 1, added)


def run_python(block: Block, namespace: dict[str, object], page: str = "README.md") -> None:
    """Executes a block, `await` at its top level included; a traceback names the line of the page."""
    source = "\n" * (block.line - 1) + block.code.replace('load_model("smollm2")', 'load_model("tiny")')
    code = compile(source, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    outcome = eval(code, namespace)
    if inspect.iscoroutine(outcome):
        asyncio.run(outcome)


def commands(block: Block) -> Iterator[list[str]]:
    """The command lines of a bash block as they are to be run."""
    for line in block.code.replace("\\\n", " ").splitlines():
        program = next((name for name in PROGRAMS if line.startswith(f"{name} ")), None)
        if program is None:
            continue
        words = shlex.split(line.removeprefix(program), comments=True)
        script = next((word for word in words if word.endswith(".py")), "")
        command = Path(script).stem if program == "accelerate launch" else words[0]
        extra = shlex.split(f"{block.added.get('', '')} {block.added.get(command, '')}")
        yield [*PROGRAMS[program], *words, *extra]


def run_bash(block: Block, folder: Path, page: str = "README.md") -> None:
    """Runs a block's commands one after another; the first that fails fails the test with its own words."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    for words in commands(block):
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS)
        place = f"{page}, block at line {block.line}: {shlex.join(words[1:])}"
        assert done.returncode == 0, f"{place} exited {done.returncode}\n{done.stdout}\n{done.stderr}"


def run_page(page: str, language: str, folder: Path) -> int:
    """Runs every block of a language and returns how many there were."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    chosen = [block for block in blocks(page) if block.language == language]
    for block in chosen:
        if language == "python":
            run_python(block, namespace)
        else:
            run_bash(block, folder)
    return len(chosen)


@pytest.mark.parametrize("language", ["python", pytest.param("bash", marks=pytest.mark.slow)])
def test_readme(language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "training").symlink_to(ROOT / "training")  # the page's commands are typed in a checkout
    monkeypatch.chdir(tmp_path)
    assert run_page((ROOT / "README.md").read_text(encoding="utf-8"), language, tmp_path) > 0


SAMPLE = """\
# A page

```python
seen = ["first"]
def load_model(name): return name
```
Words between.
<!-- no test: would end the test -->
```python
raise SystemExit
```

```python
import asyncio
await asyncio.sleep(0)
seen += [load_model("smollm2")]
```

<!-- test: --json -->
<!-- test eval: --n 4 -->
```bash
make install
orchestra version   # which one is this?
orchestra eval chain arith \\
  --n 100
accelerate launch --cpu training/eval.py --epochs 3
```

```toml
orchestra = "no command"
```
"""


def test_blocks_know_their_line_and_their_comments() -> None:
    assert [(block.language, block.line) for block in blocks(SAMPLE)] == [("python", 4), ("python", 14), ("bash", 22)]
    assert [block.added for block in blocks(SAMPLE)] == [{}, {}, {"": "--json", "eval": "--n 4"}]


def test_python_blocks_share_a_namespace_and_use_the_tiny_model() -> None:
    namespace: dict[str, object] = {}
    for block in blocks(SAMPLE):
        if block.language == "python":
            run_python(block, namespace)
    assert namespace["seen"] == ["first", "tiny"]


def test_an_error_names_the_line_of_the_page() -> None:
    page = SAMPLE.replace("seen +=", "unseen +=")
    with pytest.raises(NameError) as caught:
        run_page(page, "python", Path())
    assert caught.traceback[-1].lineno + 1 == 16


def test_only_our_commands_run_with_what_makes_them_small() -> None:
    block = next(block for block in blocks(SAMPLE) if block.language == "bash")
    assert [" ".join(words[2:]) for words in commands(block)] == [
        "orchestra.cli version --json",
        "orchestra.cli eval chain arith --n 100 --json --n 4",
        "accelerate.commands.launch --cpu training/eval.py --epochs 3 --json --n 4",
    ]


def test_bash_blocks_are_really_run(tmp_path: Path) -> None:
    assert run_page("```bash\norchestra version --json\n```", "bash", tmp_path) == 1
    with pytest.raises(AssertionError, match=r"line 2: .*no-such-command exited 2"):
        run_page("```bash\norchestra no-such-command\n```", "bash", tmp_path)
