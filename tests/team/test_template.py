"""Prompts are sandboxed: they read, they end, and what is in the data stays data."""

import pytest

from orchestra.errors import BadRole, CallFailed
from orchestra.team import Role, template
from orchestra.team.template import LONGEST, LOOPED
from orchestra.types import Message, View

INBOX = tuple(Message(f"m{i}", f"s{i}", 0, f"said {i}", answer=str(i)) for i in range(3))


def rendered(prompt, view=None, **rest):
    return Role("r", prompt, **rest).request(view or View("q", INBOX, memory={"n": 3}, private="p")).messages[-1][1]


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("{{ prompt }} {{ round }} {{ round + 1 }}", "q\np 0 1"),
        ("{% for m in inbox %}{{ loop.index }}:{{ m.content }}{{ '' if loop.last else ', ' }}{% endfor %}",
         "1:said 0, 2:said 1, 3:said 2"),
        ("{% for m in inbox if m.answer != '1' %}{{ m.sender }}{% else %}none{% endfor %}", "s0s2"),
        ("{{ inbox | map(attribute='answer') | join('+') }}", "0+1+2"),
        ("{{ inbox[-1].content | upper if inbox else 'nothing' }}", "SAID 2"),
        ("{{ memory.n }}{{ memory['n'] }}{% if private is defined %}!{% endif %}", "33!"),
        ("{{ inbox | length }} {{ prompt ~ '?' }} {{ inbox[0].parsed | default('-', true) }}", "3 q\np? -"),
    ],
)  # fmt: skip
def test_what_a_prompt_can_read(prompt, text):
    assert rendered(prompt) == text


@pytest.mark.parametrize(
    "prompt",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ inbox.__init__.__globals__ }}",
        "{{ prompt|attr('__class__') }}",
        "{{ prompt.format.__globals__ }}",
        "{{ inbox[0]['__class__'] }}",
    ],
)
def test_a_prompt_reaches_nothing_behind_its_data(prompt):
    with pytest.raises(BadRole):
        rendered(prompt)


@pytest.mark.parametrize(
    ("prompt", "what"),
    [
        ("{{ 'x' * 1000000000 }}", "mul"),
        ("{{ 9 ** 9 ** 9 ** 9 }}", "pow"),
        ("{{ '%1000000000d' % 1 }}", "mod"),
        ("{{ '{:>1000000000}'.format(1) }}", "call"),
        ("{{ 'x'.center(1000000000) }}", "call"),
        ("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}", "call"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "macro"),
        ("{% set a = prompt ~ prompt %}{% set b = a ~ a %}{{ b }}", "assign"),
        ("{% for m in inbox recursive %}{{ loop(inbox) }}{% endfor %}", "call"),
        ("{% include '/etc/passwd' %}", "include"),
        ("{% import 'os' as os %}", "import"),
        ("{{ 'x' | center(1000000000) }}", "unknown filter 'center'"),
        ("{{ 'x' | indent(1000000000) }}", "unknown filter 'indent'"),
        ("{{ prompt | replace('', prompt) }}", "constants as arguments of the filter 'replace'"),
        ("{{ prompt | list | join(prompt) }}", "constants as arguments of the filter 'join'"),
        ("{{ 1.5 | round(1000000000) }}", "constants as arguments of the filter 'round'"),
    ],
)
def test_what_could_run_for_ever_or_grow_without_bound_is_refused(prompt, what):
    with pytest.raises(BadRole, match=rf"role 'r'.*{what}"):
        Role("r", "first line\n" + prompt)


def test_map_cannot_call_a_filter_that_was_taken_away():
    with pytest.raises(BadRole, match="center"):
        rendered("{{ inbox | map('center', 1000) | list }}")


def test_loops_are_counted_together():
    nested = "{% for a in prompt %}{% for b in prompt %}{% endfor %}{% endfor %}done"
    side = int(LOOPED**0.5)
    assert rendered(nested, View("x" * (side - 1))) == "done"
    with pytest.raises(BadRole, match="more than 100,000 turns"):
        rendered(nested, View("x" * (side + 1)))


def test_a_prompt_that_grew_too_long_is_a_failed_call_and_not_a_bad_role():
    assert len(rendered("{{ prompt }}", View("x" * LONGEST))) == LONGEST
    with pytest.raises(CallFailed, match="grew past 200,000 characters"):
        rendered("{{ prompt }}", View("x" * (LONGEST + 1)))


def test_an_unknown_variable_is_named_and_an_absent_field_too():
    with pytest.raises(BadRole, match=r"role 'r': unknown variable gold; a prompt sees inbox, memory"):
        Role("r", "{{ gold }}")
    with pytest.raises(BadRole, match=r"no element 9|no attribute|out of range"):
        rendered("{{ inbox[9].content }}")
    with pytest.raises(BadRole, match="None"):
        rendered("{{ memory.n }}", View("q"))


def test_a_template_that_does_not_parse_names_its_line():
    with pytest.raises(BadRole, match=r"role 'r', line 3: the template does not parse"):
        Role("r", "one\ntwo\n{% if %}")


@pytest.mark.parametrize(
    "token",
    ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "</s>", "[INST]", "<start_of_turn>", "<｜User｜>", "<|IM_END|>"],
)
def test_control_tokens_are_refused_with_their_line_and_inert_in_data(token):
    for made in (
        lambda: Role("r", f"one\ntwo {token}"),
        lambda: Role("r", "x", system=f"one\ntwo {token}"),
        lambda: Role("r", "x", examples=(("one", f"two {token}"),)),
    ):
        with pytest.raises(BadRole, match=r"role 'r', line 2: control token"):
            made()
    assert rendered("{{ prompt }}", View(token)) == token


def test_jinja_in_data_is_not_evaluated():
    hostile = "{{ 7 * 7 }}{% for i in inbox %}x{% endfor %}{# gone #}"
    assert rendered("{{ prompt }}|{{ inbox[0].content }}", View(hostile, (Message("m", "s", 0, hostile),))) == (
        f"{hostile}|{hostile}"
    )


def test_the_data_cannot_be_changed():
    with pytest.raises(BadRole):
        rendered("{{ memory.update({'n': 4}) }}")


def test_equal_prompts_of_a_role_are_parsed_once_and_a_bad_one_is_refused_each_time(monkeypatch):
    parsed, parse = [], template._environment.parse
    monkeypatch.setattr(template._environment, "parse", lambda source: parsed.append(source) or parse(source))
    for prompt in ("once {{ prompt }}", "again {{ prompt }}"):
        for _ in range(3):
            Role("r", prompt)
    assert {source: parsed.count(source) for source in parsed if source} == {
        "once {{ prompt }}": 2, "again {{ prompt }}": 2}  # fmt: skip
    for _ in range(2):
        with pytest.raises(BadRole, match="unknown variable secret"):
            Role("r", "{{ secret }}")
