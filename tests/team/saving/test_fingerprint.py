"""Fingerprints: equal source, equal digest, in any file and process; other behaviour, another."""

import functools
import subprocess
import sys
from pathlib import Path

import pytest

from orchestra.team.saving.fingerprint import fingerprint

ROOT = Path(__file__).parents[3]

DIFFERENT = {
    "constant": ("lambda x: x + 1", "lambda x: x + 2"),
    "kind of constant": ("lambda x: 1", "lambda x: True"),
    "operator": ("lambda x: x + 1", "lambda x: x - 1"),
    "name": ("lambda x: min(x)", "lambda x: max(x)"),
    "attribute": ("lambda x: x.a", "lambda x: x.b"),
    "default": ("lambda x, y=1: x + y", "lambda x, y=2: x + y"),
    "keyword default": ("lambda x, *, y=1: x + y", "lambda x, *, y=2: x + y"),
    "keyword": ("lambda *, y=1: y", "lambda *, z=1: z"),
    "text in a set": ("lambda x: x in {'a', 'b'}", "lambda x: x in {'a', 'c'}"),
    "inner function": ("lambda x: [y + 1 for y in x]", "lambda x: [y + 2 for y in x]"),
    "closed over": ("(lambda n: lambda x: x + n)(1)", "(lambda n: lambda x: x + n)(2)"),
    "closed over tuple": ("(lambda n: lambda x: n)((1, 'a'))", "(lambda n: lambda x: n)((1, 'b'))"),
    "closed over function": ("(lambda f: lambda x: f(x))(lambda x: 1)", "(lambda f: lambda x: f(x))(lambda x: 2)"),
    "part": ("functools.partial(max, 1)", "functools.partial(max, 2)"),
    "part by keyword": ("functools.partial(sorted, reverse=True)", "functools.partial(sorted, reverse=False)"),
    "built-in": ("len", "max"),
    "method": ("type('C', (), {'f': lambda self: 1})().f", "type('C', (), {'f': lambda self: 2})().f"),
    "class": ("type('C', (), {'f': lambda self: 1})", "type('C', (), {'f': lambda self: 2})"),
    "static method": (
        "type('C', (), {'f': staticmethod(lambda: 1)})",
        "type('C', (), {'f': staticmethod(lambda: 2)})",
    ),
    "property": ("type('C', (), {'f': property(lambda s: 1)})", "type('C', (), {'f': property(lambda s: 2)})"),
    "object": ("type('C', (), {'f': lambda self: 1})()", "type('C', (), {'f': lambda self: 2})()"),
}


def made(source, file="<test>", line=1):
    return eval(compile("\n" * line + source, file, "eval"), {"functools": functools})


@pytest.mark.parametrize("case", DIFFERENT)
def test_what_differs_in_what_it_does_differs(case):
    one, other = DIFFERENT[case]
    assert fingerprint(made(one)) != fingerprint(made(other))


@pytest.mark.parametrize("case", DIFFERENT)
def test_equal_source_is_equal_wherever_it_stands(case):
    for source in DIFFERENT[case]:
        assert fingerprint(made(source)) == fingerprint(made(source, "another_file.py", 99))


def test_another_process_finds_the_same():
    """Sets of texts are in another order there."""
    code = "import functools\nfrom orchestra.team.saving.fingerprint import fingerprint\n" + "\n".join(
        f"print(fingerprint({source}))" for pair in DIFFERENT.values() for source in pair
    )
    run = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    here = [fingerprint(made(source)) for pair in DIFFERENT.values() for source in pair]
    assert run[0].split() == run[1].split() == here


def test_functions_that_call_themselves_and_each_other_have_one():
    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    assert fingerprint(even) != fingerprint(odd) and fingerprint(even) == fingerprint(even)


def test_state_is_not_covered():
    heard = []

    class Actor:
        def __init__(self):
            self.calls = 0

    actor = Actor()
    functions = [lambda x: heard.append(x), lambda x: actor]
    before = [fingerprint(function) for function in functions], fingerprint(actor)
    heard.append(1)
    actor.calls += 1
    assert before == ([fingerprint(function) for function in functions], fingerprint(actor))


def test_control_the_python_name_alone_tells_no_lambdas_apart():
    one, other = (made(source) for source in DIFFERENT["constant"])
    assert one.__qualname__ == other.__qualname__ == "<lambda>"
