r"""How named public projects score the same replies: written anew from their published behaviour, to audit logs with.

Invariant: none of this scores a benchmark of ours. Each rule keeps the defects of its source, stated beside it and held
by a test, and gives what its source gives: `found`, and a credit from 0.0 to 1.0. Where the source raises, so that its
run ends, the credit is None. The gold is that of our tasks, which has no thousands separators; a source that reads its
gold from the data file with the same defect (`mad_gsm`: 1,234 is 234 on both sides) is kinder there than shown here.

| rule            | replies | what it does differently                                                              |
|-----------------|---------|---------------------------------------------------------------------------------------|
| gsm8k           | number  | the official score: first "#### N", as a string                                       |
| lm_eval         | number  | flexible-extract: the last number, so 18... is "18.." and a later aside counts        |
| mad_gsm         | number  | no answer is right; signs are dropped; 1,234 is 234                                    |
| gdesigner_gsm   | number  | the last run of digits, so 70,000 is 0, 18.00 is 0 and -10 is 10; no answer is 0      |
| reasoning_gym   | number  | last <answer> tag; within 1 % is right; half marks for an answer that contains it     |
| hendrycks_math  | text    | last box; as strings, after some rewriting; no answer is equal to no gold             |
| simple_evals    | choice  | first "Answer: A" of A to D, also of "Answer: Because"                                |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from orchestra.types import AnswerKind


class Verdict(NamedTuple):
    """What a rule makes of one reply."""

    found: str | None
    """The answer as the rule reads it; None: it reads none."""
    credit: float | None
    """0.0 to 1.0; None: the source raises."""


class PublicRule(NamedTuple):
    """One project's scoring of one kind of answers."""

    source: str
    """Repository and file on GitHub, and what is known to be wrong."""
    kind: AnswerKind
    judge: Callable[[str, str], Verdict]
    """Of a reply and the gold."""


def gsm8k(reply: str, gold: str) -> Verdict:
    """The first "#### N" without commas, compared as a string; no thinking is removed.

    >>> gsm8k("#### 1,234", "1234").credit, gsm8k("#### 18.00", "18").credit, gsm8k("I cannot.", "0").credit
    (1.0, 0.0, 0.0)
    """
    match = re.search(r"#### (-?[0-9.,]+)", reply)
    return _equal(match[1].replace(",", "") if match else None, gold)


def lm_eval(reply: str, gold: str) -> Verdict:
    """The last run that looks like a number, then without commas, dollar signs and one final dot.

    >>> lm_eval("It is 18...", "18"), lm_eval("Answer: 18. It took 7 days", "18").found
    (Verdict(found='18..', credit=0.0), '7')
    """
    runs = [match[0] for match in re.finditer(r"-?[$0-9.,]{2,}|-?[0-9]+", reply)]
    return _equal(re.sub(r"\.\Z", "", re.sub("[,$]", "", runs[-1])) if runs else None, gold)


def mad_gsm(reply: str, gold: str) -> Verdict:
    """The number in the last braces that hold one, else the last unsigned one; the gold is read in the same way.

    >>> mad_gsm("I cannot solve this.", "18").credit, mad_gsm("{10}", "-10").credit, mad_gsm("1,234", "1234").found
    (1.0, 1.0, '234')
    """
    inside = [re.sub("[^0-9.]", "", braces) for braces in re.findall(r"\{([0-9.,$]*)\}", reply)]
    found = next((number for number in reversed(inside) if number), None) or _last_unsigned(reply)
    wanted = _last_unsigned(gold)
    if found is None:
        return Verdict(None, 1.0)
    return Verdict(found, _as_floats(found, wanted))


def gdesigner_gsm(reply: str, gold: str) -> Verdict:
    """The last run of digits, "0" where there is none, compared as a float with the gold.

    >>> [gdesigner_gsm(reply, gold).found for reply, gold in (("-10", "-10"), ("70,000", "70000"), ("none", "0"))]
    ['10', '000', '0']
    """
    runs = re.findall(r"[0-9]+", reply)
    found = runs[-1] if runs else "0"
    return Verdict(found, _as_floats(found, gold))


def reasoning_gym(reply: str, gold: str) -> Verdict:
    """The last <answer>: full marks if equal or within 1 %; if it contains the gold, the gold's share of its length.

    >>> [reasoning_gym(f"<answer>{said}</answer>", gold).credit for said, gold in (("17", "7"), ("1009", "1000"))]
    [0.5, 1.0]
    >>> reasoning_gym("Evelyn", "Evelyn")
    Verdict(found=None, credit=0.0)
    """
    inside = re.findall(r"<answer>(.*?)</answer>", reply, re.DOTALL)
    if not inside:
        return Verdict(None, 0.0)
    found = inside[-1].strip()
    if found == gold or _near(found, gold):
        return Verdict(found, 1.0)
    return Verdict(found, len(gold) / len(found) if gold and gold in found else 0.0)


def hendrycks_math(reply: str, gold: str) -> Verdict:
    r"""The last box, equal to the gold after `rewritten`; one without braces ends at a dollar sign; an open one raises.

    >>> hendrycks_math(r"\boxed{0.5}", r"\frac{1}{2}").credit, hendrycks_math(r"\boxed{10080}", r"10,\!080").credit
    (1.0, 0.0)
    """
    found = _last_box(reply)
    if found is None and (r"\boxed" in reply or r"\fbox" in reply):
        return Verdict(None, None)
    return Verdict(found, float(is_equiv(found, gold)))


def simple_evals(reply: str, gold: str) -> Verdict:
    """The first letter A to D behind "Answer:", whatever follows it.

    >>> simple_evals("Answer: Because of X, it is C", "C"), simple_evals("Answer: E", "E").found
    (Verdict(found='B', credit=0.0), None)
    """
    match = re.search(r"(?i)Answer[ \t]*:[ \t]*\$?([A-D])\$?", reply)
    return _equal(match[1] if match else None, gold)


RULES: Final[Mapping[str, PublicRule]] = {
    "gsm8k": PublicRule("openai/grade-school-math:grade_school_math/dataset.py", "number", gsm8k),
    "lm_eval": PublicRule(
        "EleutherAI/lm-evaluation-harness:lm_eval/tasks/gsm8k/gsm8k.yaml flexible-extract", "number", lm_eval
    ),
    "mad_gsm": PublicRule("composable-models/llm_multiagent_debate:gsm/eval_gsm.py", "number", mad_gsm),
    "gdesigner_gsm": PublicRule("yanweiyue/GDesigner:datasets/gsm8k_dataset.py", "number", gdesigner_gsm),
    "reasoning_gym": PublicRule("open-thought/reasoning-gym", "number", reasoning_gym),
    "hendrycks_math": PublicRule("hendrycks/math:modeling/math_equivalence.py", "text", hendrycks_math),
    "simple_evals": PublicRule("openai/simple-evals:common.py", "choice", simple_evals),
}


def is_equiv(a: str | None, b: str | None) -> bool:
    r"""Equal strings once rewritten; no answer is equal to no answer.

    >>> is_equiv(None, None), is_equiv("", ""), is_equiv("6/8", "3/4"), is_equiv("C", r"\text{(C)}")
    (True, True, False, False)
    """
    return a is b is None or (a is not None and b is not None and rewritten(a) == rewritten(b))


def rewritten(answer: str) -> str:
    r"""The rewriting of hendrycks/math: spaces, sizes, units, signs of degree, dollar and per cent go; `a/b` of whole
    numbers and `\frac12` become fractions in braces, a root gets braces, and 0.5 alone is one half.

    >>> rewritten(r"\dfrac12"), rewritten("k = 3"), rewritten("3/4"), rewritten("0.5"), rewritten(r"5 \text{ cm}")
    ('\\frac{1}{2}', '3', '\\frac{3}{4}', '\\frac{1}{2}', '5')
    """
    text = answer.replace("\n", "").replace(r"\!", "").replace("\\\\", "\\")
    for gone in (r"\left", r"\right", r"^{\circ}", r"^\circ", r"\$", r"\%"):
        text = text.replace(gone, "")
    text = text.replace("tfrac", "frac").replace("dfrac", "frac").partition(r"\text{ ")[0]
    text = text.replace(" .", " 0.").replace("{.", "{0.")
    text = f"0{text}" if text.startswith(".") else text
    name, equals, value = text.partition("=")
    if equals and "=" not in value and len(name) <= 2:
        text = value
    text = re.sub(r"\\sqrt([^{])", r"\\sqrt{\1}", text).replace(" ", "")
    text = re.sub(r"\\frac([^{])([^{])", r"\\frac{\1}{\2}", text)
    text = r"\frac{1}{2}" if text == "0.5" else text
    return re.sub(r"\A(-?[0-9]+)/(-?[0-9]+)\Z", r"\\frac{\1}{\2}", text)


def _last_box(reply: str) -> str | None:
    r"""What stands in the last `\boxed{...}` (else `\fbox`), by counting braces; None where there is no closed one."""
    if "\\boxed " in reply:
        return reply.rpartition("\\boxed ")[2].partition("$")[0]
    start = reply.rfind(r"\boxed")
    start = start if start >= 0 else reply.rfind(r"\fbox")
    depth = 0
    for brace in re.finditer(r"[{}]", reply[start:]) if start >= 0 else ():
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return reply[start : start + brace.start()].partition("{")[2]
    return None


def _equal(found: str | None, gold: str) -> Verdict:
    return Verdict(found, float(found is not None and found.casefold() == gold.casefold()))


def _last_unsigned(text: str) -> str | None:
    return next(reversed(re.findall(r"[0-9]+\.?[0-9]*", text)), None)


def _near(a: str, b: str) -> bool:
    x, y = _number(a), _number(b)
    return x is not None and y is not None and abs(x - y) <= 0.01 * abs(y)


def _as_floats(found: str, gold: str | None) -> float | None:
    """Equal as floats; None where the source would raise, since one is no number."""
    x, y = _number(found), _number(gold or "")
    return None if x is None or y is None else float(x == y)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
