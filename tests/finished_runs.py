"""A finished evaluation with known answers, made by the program itself on a scripted model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestra.cli.app import main
from orchestra.errors import CallFailed
from orchestra.models import scripted
from orchestra.models.scripted import Scripted
from orchestra.types import Request

HOSTILE = (
    "</pre></script><script>window.hacked = true</script><img src=x onerror='window.hacked = true'>\u202e & {{ hm }}"
)


def say(request: Request) -> str:
    """By the first number of a task: multiples of 5 fail, of 3 get markup without an answer, the others are right; but
    where it is asked to look at what was proposed it spoils those that are even."""
    text = request.messages[-1][1]
    first, second = (int(number) for number in re.findall("[0-9]+", text)[:2])
    if first % 5 == 0:
        raise CallFailed("the model <b>broke</b>")
    if first % 3 == 0:
        return HOSTILE
    return f"<think>hm</think> #### {first + second + ('Proposed' in text and first % 2 == 0)}"


def evaluated(folder: Path, *words: str) -> Path:
    """The folder of `orchestra eval chain arith:add1`, 40 tasks, two baselines and a pool, unless told otherwise."""

    def load(path: Path) -> Scripted:
        return Scripted(say, name=f"scripted:{path}")

    usual = ("chain", "arith:add1", "--n", "40", "--baseline", "solo,self_consistency", "--pool", "3")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scripted, "load", load)
        code = main(["eval", *(words or usual), "--model", "scripted:s.txt", "--run-dir", str(folder)])
    assert code == 0
    return folder
