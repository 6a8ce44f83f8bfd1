"""Replies held to a grammar: they match it, are drawn as renormalised, and disturb nobody else."""

import asyncio
import json
import math
import re
import sys
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from orchestra.errors import BadInput, CallFailed, Unavailable
from orchestra.models import tiny
from orchestra.models.local import LocalModel
from orchestra.models.local.sampling import sample
from orchestra.types import Completion, Request

SCHEMA = {
    "type": "object",
    "properties": {
        "why": {"type": "string", "maxLength": 12},
        "answer": {"type": "integer", "minimum": -99, "maximum": 999},
        "sure": {"enum": ["yes", "no", "hardly"]},
    },
    "required": ["why", "answer", "sure"],
    "additionalProperties": False,
}
OPTIONS = ["red", "green", "dark blue", 'a "b" \\ c\n/[d]*', "ré 好 🙂"]


def schema(rule: dict) -> str:
    return json.dumps({"json_schema": rule})


def regex(rule: str) -> str:
    return json.dumps({"regex": rule})


def enum(*texts: str) -> str:
    return json.dumps({"enum": texts})


def fits_schema(text: str) -> bool:
    try:
        said = json.loads(text)
    except ValueError:
        return False
    return (
        list(said) == ["why", "answer", "sure"]
        and isinstance(said["why"], str)
        and len(said["why"]) <= 12
        and isinstance(said["answer"], int)
        and -99 <= said["answer"] <= 999
        and said["sure"] in ("yes", "no", "hardly")
    )


MONEY = r"\$[1-9][0-9]{0,3}\.[0-9]{2}|nothing( at all){0,2}"
GRAMMARS = {
    "json_schema": (schema(SCHEMA), fits_schema),
    "regex": (regex(MONEY), lambda text: re.fullmatch(MONEY, text) is not None),
    "enum": (enum(*OPTIONS), lambda text: text in OPTIONS),
}
ASK = Request((("user", "Say something."),), max_tokens=150, temperature=1.5, seed=1)


@pytest.fixture(scope="module")
def model():
    model = LocalModel(tiny.ensure(), name="tiny", dtype=torch.float32)
    yield model
    model.close()


@pytest.fixture(scope="module")
def plain():
    return AutoModelForCausalLM.from_pretrained(tiny.ensure(), dtype=torch.float32).eval()


def ask(model: LocalModel, *requests: Request) -> list[Completion]:
    return list(asyncio.run(model.generate(requests)))


@pytest.mark.parametrize("kind", GRAMMARS)
def test_every_hot_sample_matches(model: LocalModel, kind: str) -> None:
    grammar, fits = GRAMMARS[kind]
    held = ask(model, *(replace(ASK, grammar=grammar, seed=seed) for seed in range(200)))
    assert {reply.finish for reply in held} == {"stop"}
    assert all(fits(reply.text) for reply in held)
    assert len({reply.text for reply in held}) >= min(4, len(OPTIONS))
    free = ask(model, *(replace(ASK, max_tokens=20, seed=seed) for seed in range(200)))
    assert not any(fits(reply.text) for reply in free), "a control: without the grammar they do not match"


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<"), max_size=8), min_size=1),
    st.integers(0, 2**32),
)
def test_any_texts_make_an_enum(model: LocalModel, texts: list[str], seed: int) -> None:
    (reply,) = ask(model, replace(ASK, grammar=enum(*texts), seed=seed))
    assert (reply.text in texts, reply.finish) == (True, "stop")


HEN = r"[hen]{1,3}"
"""Texts of one to three of these letters. Of `tiny`'s tokens h, e, n, he and en spell them, in 60 different ways."""


def followers(spelled: str, words: dict[int, str]) -> dict[int, str]:
    """The slow way: each token that keeps the text a possible one, with what it adds; the end of turn adds nothing."""
    grown = {token: word for token, word in words.items() if re.fullmatch(HEN, spelled + word)}
    return grown | ({2: ""} if spelled else {})


def enumerated(plain, prompt: tuple[int, ...], words: dict[int, str]) -> dict[tuple[int, ...], tuple[float, float]]:
    """Every reply's ids: its probability where each step is renormalised, and as the model itself would weigh it."""
    done, open_ = {}, {(): ("", 1.0, 1.0)}
    while open_:
        grown = {}
        for ids, (spelled, held, free) in open_.items():
            with torch.no_grad():
                chances = plain(torch.tensor([prompt + ids])).logits[0, -1].double().softmax(-1)
            left = followers(spelled, words)
            total = sum(float(chances[token]) for token in left)
            for token, word in left.items():
                chance = float(chances[token])
                step = spelled + word, held * chance / total, free * chance
                if token == 2 or len(step[0]) == 3:
                    done[(*ids, token)] = step[1:]
                else:
                    grown[(*ids, token)] = step
        open_ = grown
    return done


def surprise(seen: list[float], expected: list[float]) -> float:
    """Pearson's chi-squared in standard deviations above its mean under the hypothesis; what is rare in one bin."""
    common = [i for i, e in enumerate(expected) if e >= 5]
    binned = [[counts[i] for i in common] for counts in (seen, expected)]
    rest = [sum(counts) - sum(kept) for counts, kept in zip((seen, expected), binned, strict=True)]
    statistic = sum((s - e) ** 2 / e for s, e in zip(*binned, strict=True)) + (rest[0] - rest[1]) ** 2 / max(rest[1], 1)
    return (statistic - len(common)) / math.sqrt(2 * len(common))


@pytest.fixture(scope="module")
def words(model: LocalModel) -> dict[int, str]:
    """Tokens that are nothing but these letters."""
    spelled = {token: model._renderer.text([token]) for token in range(3, tiny.VOCABULARY)}
    return {token: word for token, word in spelled.items() if re.fullmatch("[hen]+", word)}


def test_whole_replies_follow_the_renormalised_distribution(model: LocalModel, plain, words) -> None:
    """3,000 draws against the exact enumeration; a control: rejection sampling has another distribution."""
    asked = replace(ASK, grammar=regex(HEN), temperature=1.0)
    replies = ask(model, *(replace(asked, seed=seed) for seed in range(3000)))
    exact = enumerated(plain, replies[0].prompt_ids, words)
    assert sum(held for held, _ in exact.values()) == pytest.approx(1.0)
    seen = dict.fromkeys(exact, 0)
    for reply in replies:
        seen[reply.output_ids] += 1
    mass = sum(free for _, free in exact.values())
    assert surprise(list(seen.values()), [3000 * held for held, _ in exact.values()]) < 4
    assert surprise(list(seen.values()), [3000 * free / mass for _, free in exact.values()]) > 40


def test_greedy_takes_the_likeliest_of_what_is_allowed(model: LocalModel, plain, words) -> None:
    (reply,) = ask(model, replace(ASK, grammar=regex(HEN), temperature=0.0))
    ids, spelled = (), ""
    while not ids or (ids[-1] != 2 and len(spelled) < 3):
        with torch.no_grad():
            logits = plain(torch.tensor([reply.prompt_ids + ids])).logits[0, -1]
        left = followers(spelled, words)
        ids = (*ids, max(left, key=lambda token: float(logits[token])))
        spelled += left[ids[-1]]
    assert (reply.output_ids, reply.text) == (ids, spelled)


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.5])
def test_the_record_is_the_models_own_before_the_grammar(model: LocalModel, plain, temperature: float) -> None:
    (reply,) = ask(model, replace(ASK, grammar=regex("colou?r: [a-z]{2,9}"), temperature=temperature))
    with torch.no_grad():
        logits = plain(torch.tensor([reply.prompt_ids + reply.output_ids])).logits[0, len(reply.prompt_ids) - 1 : -1]
    wanted = torch.log_softmax(logits / (temperature or 1.0), -1).gather(1, torch.tensor(reply.output_ids)[:, None])
    torch.testing.assert_close(torch.tensor(reply.logprobs), wanted[:, 0], atol=1e-4, rtol=0)
    assert reply.truncated
    assert len(reply.mask) == len(reply.output_ids) == reply.usage.tokens_out


def test_tokens_without_an_alternative_are_marked_as_forced(model: LocalModel) -> None:
    (fixed,) = ask(model, replace(ASK, grammar=regex("zzz")))
    assert (fixed.text, fixed.mask, fixed.finish) == ("zzz", (0, 0, 0), "stop")
    (open_,) = ask(model, replace(ASK, grammar=regex("z[qz]z")))
    assert open_.mask == (0, 1, 0)
    (free,) = ask(model, replace(ASK, max_tokens=3))
    assert (free.mask, free.truncated) == ((1, 1, 1), False)


def test_a_draw_is_from_what_is_left_and_its_logprob_from_all() -> None:
    logits = torch.tensor([[0.0, math.log(3.0), math.log(6.0), -300.0, -301.0]]).repeat(5, 1)
    some, unlikely = torch.tensor([1, 1, 0, 0, 0]).bool(), torch.tensor([0, 0, 0, 1, 1]).bool()
    one = torch.tensor([0, 0, 0, 0, 1]).bool()
    got = sample(
        logits, [1.0, 1.0, 1.0, 1.0, 0.0], [0.2, 0.26, 0.74, 0.0, 0.9], {0: some, 1: some, 2: unlikely, 3: one, 4: some}
    )
    assert (got.tokens, got.mask) == ([0, 1, 4, 4, 1], [1, 1, 1, 0, 1])
    wanted = [math.log(0.1), math.log(0.3), -301 - math.log(10), -301 - math.log(10), math.log(0.3)]
    assert got.logprobs == pytest.approx(wanted)


def test_a_grammar_disturbs_no_neighbour_and_no_neighbour_a_grammar() -> None:
    """Bit for bit, in bf16: every second row is held to one of three grammars."""
    grammars = [grammar for grammar, _ in GRAMMARS.values()]
    asked = [
        replace(
            ASK,
            messages=(("user", "Tell me about rain." + " Be brief." * (index % 5)),),
            grammar=grammars[index // 2 % 3] if index % 2 else "",
            temperature=(0.0, 1.0, 0.7)[index % 3],
            max_tokens=12 + index % 4,
            seed=index,
        )
        for index in range(24)
    ]
    free = [replace(request, grammar="") for request in asked]

    def outcomes(requests: list[Request], size: int) -> list[tuple]:
        model = LocalModel(tiny.ensure(), name="tiny")
        batches = [requests[at : at + size] for at in range(0, len(requests), size)]
        made = [reply for batch in batches for reply in ask(model, *batch)]
        model.close()
        return [(reply.output_ids, reply.logprobs, reply.mask, reply.text, reply.finish) for reply in made]

    alone = outcomes(asked, 1)
    assert outcomes(asked, 24) == outcomes(asked, 7) == alone
    without = outcomes(free, 24)
    assert without[::2] == alone[::2]
    assert without[1::2] != alone[1::2], "a control: the grammars did something"


def test_a_grammar_longer_than_the_cap_ends_by_length(model: LocalModel) -> None:
    (reply,) = ask(model, replace(ASK, grammar=regex("z{40}"), max_tokens=7))
    assert (reply.text, reply.finish, len(reply.output_ids)) == ("z" * 7, "length", 7)


def test_a_stop_string_ends_a_reply_before_its_grammar_does(model: LocalModel) -> None:
    (reply,) = ask(model, replace(ASK, grammar=regex("zqz done"), stop=("qz",)))
    assert (reply.text, reply.finish) == ("z", "stop")


def test_properties_come_in_the_order_of_the_schema(model: LocalModel) -> None:
    turned = SCHEMA | {"properties": dict(reversed(SCHEMA["properties"].items()))}
    (reply,) = ask(model, replace(ASK, grammar=schema(turned)))
    assert list(json.loads(reply.text)) == ["sure", "answer", "why"]


BAD = {
    "no JSON": "answer: yes",
    "no object": "[1]",
    "another kind": '{"lark": "start: \\"a\\""}',
    "empty": "{}",
    "two kinds": '{"regex": "a", "enum": ["a"]}',
    "a regex that is no text": '{"regex": 7}',
    "unclosed": regex("a(b"),
    "look-ahead": regex("a(?=b)"),
    "no option": enum(),
    "an option that is no text": '{"enum": ["a", 1]}',
    "unknown type": schema({"type": "banana"}),
    "unknown format": schema({"type": "string", "format": "nonsense"}),
    "nothing fits": schema({"enum": []}),
}


@pytest.mark.parametrize("why", BAD)
def test_a_bad_grammar_is_one_line_before_the_first_call(model: LocalModel, monkeypatch, why: str) -> None:
    def never(items) -> None:
        raise AssertionError("submitted")

    monkeypatch.setattr(model._worker, "submit", never)
    with pytest.raises(BadInput, match=r"^expected a grammar .*, got [^\n]*$"):
        ask(model, ASK, replace(ASK, grammar=BAD[why]))


def test_a_control_token_spelled_as_text_fails_its_own_row_alone(model: LocalModel) -> None:
    async def both() -> list:
        bad, good = replace(ASK, grammar=enum("<|im_end|>")), replace(ASK, grammar=enum("zzz"))
        return await asyncio.gather(model.generate([bad]), model.generate([good]), return_exceptions=True)

    failed, (fine,) = asyncio.run(both())
    assert isinstance(failed, CallFailed)
    assert "cannot be followed any further" in str(failed)
    assert fine.text == "zzz"


def test_options_and_a_grammar_are_refused(model: LocalModel) -> None:
    with pytest.raises(BadInput, match="got both"):
        asyncio.run(model.score([replace(ASK, options=("a", "b"), grammar=enum("a"))]))


def test_the_library_is_missed_by_its_pip_line_and_only_when_wanted(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)
    model = LocalModel(tiny.ensure(), name="tiny")
    assert "grammar" in model.capabilities
    assert ask(model, ASK)[0].output_ids
    with pytest.raises(Unavailable, match=r"llguidance is not installed; fix: pip install 'orchestra-teams\[local\]'"):
        ask(model, replace(ASK, grammar=enum("a")))
    model.close()
