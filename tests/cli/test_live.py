"""The live view as a person sees it: at any width, with a crowd, and with words that would steer a terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import reduce
from io import StringIO
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from orchestra.cli.live import View, figures, panel, told, watching
from orchestra.cli.scene import News, Place, Scene, after
from orchestra.engine import Budget, Notice
from orchestra.types import Message, Usage

WIDTHS = [40, 80, 200]


def console(width, height=25):
    return Console(file=StringIO(), width=width, height=height, record=True, force_terminal=True, highlight=False)


def lines(renderable, width):
    screen = console(width)
    screen.print(renderable)
    return screen.export_text().splitlines()


def crowd(n):
    """Many who speak at once; of the later ones every one has said more than the one before."""
    notices = [Notice("started", f"t/agent-{i}", 0) for i in range(n)]
    notices += [Notice("delta", f"t/agent-{i}", 0, f"{'word ' * i}end{i}") for i in range(n)]
    return reduce(after, notices, Scene())


@pytest.mark.parametrize("width", WIDTHS)
def test_of_a_crowd_the_busiest_are_shown_and_the_others_counted(width):
    shown = lines(panel(crowd(64), 3.0, None, width, 12), width)
    assert [line.split()[0] for line in shown[:12]] == [f"agent-{i}" for i in range(52, 64)]
    assert shown[12] == "... and 52 more speaking"
    assert all(cell_len(line) <= width for line in shown) and shown[11].endswith("end63")
    assert "".join(shown[13:]).replace(" ", "").startswith("round0·0calls·0+0tokens·3s")


@pytest.mark.parametrize("width", WIDTHS)
def test_few_are_all_shown_in_order_of_start(width):
    shown = lines(panel(crowd(2), 0.0, None, width, 12), width)
    assert shown[:2] == ["agent-0 [0] end0", "agent-1 [0] word end1"]


@pytest.mark.parametrize("width", WIDTHS)
def test_wide_characters_fit_too(width):
    scene = after(after(Scene(), Notice("started", "t/a", 0)), Notice("delta", "t/a", 0, "漢字" * 200 + "終"))
    (line, *_) = lines(panel(scene, 0.0, None, width, 12), width)
    assert cell_len(line) <= width and line.endswith("終")


def test_figures_by_hand():
    scene = Scene(usage=Usage(5, 1200, 34, 0.0125), waste=Usage(1, 20, 2), round=2, why="quorum")
    assert figures(scene, 61.4, Budget(calls=8, tokens=4000, cost=0.5)).plain == (
        "round 2 · 5 calls · 1,200 + 34 tokens · cost 0.0125 · wasted 1 calls, 22 tokens · 61 s · "
        "left: 2 calls, 2,744 tokens, 0.4875 cost · ended: quorum"
    )


@pytest.mark.parametrize(
    ("news", "line", "style"),
    [
        (News("said", Place("t/verifier", 0), "Yes.", ("refiner",)), "verifier -> refiner [0] Yes.", ""),
        (News("said", Place("t/a", 1), "1", tuple("bcde")), "a -> b, c, d, ... [1] 1", ""),
        (News("failed", Place("t/g:1/a", 2), "no server"), "g/a [2] failed: no server", "red"),
        (News("squashed", Place("t/a", 0), "half a wo"), "a [0] squashed: half a wo", "strike"),
        (News("squashed", Place("t/a", 0)), "a [0] squashed", "strike"),
    ],
)
def test_what_is_told_of_an_activation(news, line, style):
    text = told(news)
    assert text.plain == line and style in str(text.style)


def test_provisional_words_are_dimmed():
    screen = console(80)
    screen.print(panel(crowd(1), 0.0, None, 80, 12))
    assert "\x1b[2mend0\x1b[0m" in screen.file.getvalue()


HOSTILE = "\x1b]0;title\x07\x1b[2J\u202e[bold]x[/bold]\r:smile:"


def test_words_of_a_model_cannot_steer_the_terminal():
    screen = console(80)
    view = View(screen, None)
    for notice in (
        Notice("started", "t/a", 0),
        Notice("delta", "t/a", 0, HOSTILE),
        Notice("failed", "t/a", 0, HOSTILE),
        Notice("message", "t/b", 0, HOSTILE, Message("t/b@0", "b", 0, HOSTILE)),
        Notice("stop", "t", 0, HOSTILE),
    ):
        view(notice)
        screen.print(view.picture())
    written = screen.export_text()
    assert written.count("[bold]x[/bold]:smile:") == 4  # provisional, failed, said, and why it ended
    assert not {"\x1b", "\x07", "\u202e", "\r"} & set(written)
    assert "title" not in screen.file.getvalue() and "\x1b[2J" not in screen.file.getvalue()


def test_a_pipe_gets_a_line_a_message(capsys):
    with watching(None, plain=False) as show:
        show(Notice("started", "t/a", 0))
        show(Notice("message", "t/a", 1, "[b]hi[/b]", Message("t/a@1", "a", 1, "[b]hi[/b]"), ("b",)))
    assert capsys.readouterr() == ("", "a [1] [b]hi[/b]\n")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
@pytest.mark.parametrize("plain", [False, True])
def test_on_a_terminal_the_view_is_the_default_and_stdout_stays_the_result(plain, tmp_path: Path):
    (tmp_path / "s.txt").write_text("The answer is 91.\nYes.\nThe answer is 92.\n")
    words = [*PROGRAM, "run", "chain", "q", "--model", "scripted:s.txt", *(["--plain"] if plain else [])]
    mine, theirs = os.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=theirs, cwd=tmp_path, env=environment, check=True)
    os.close(theirs)
    written = read(mine)
    assert done.stdout.decode().startswith("92\ndone after 1 rounds; 3 calls")
    assert ("verifier -> refiner [0]" in written) == (not plain)
    assert ("verifier [0]" in written) == plain
    assert ("· ended: done" in written) == (not plain)


PROGRAM = [sys.executable, "-m", "orchestra.cli"]


def read(handle):
    """All that was written to a pseudo-terminal whose writers are gone, without its escape sequences for style."""
    parts = []
    try:
        while part := os.read(handle, 65536):
            parts.append(part)
    except OSError:  # how Linux says that nobody writes any more
        pass
    finally:
        os.close(handle)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", b"".join(parts).decode())
