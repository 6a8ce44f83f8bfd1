"""Teams whose best policy is known: a language model that is a table, and the product's own path from its words to its
gradient.

    engine -> tree -> credit or critic, masses -> experience -> weights -> policy_loss -> table

Only the network is missing, so what a test finds wrong here is wrong in what a network would be taught.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import inf
from random import Random
from typing import NamedTuple

import torch
from torch import Tensor

from orchestra.credit import Credit, Scored, Table, shared
from orchestra.credit.mass import masses
from orchestra.digest import digest
from orchestra.engine import Branch
from orchestra.learning.rl.estimates import estimated
from orchestra.learning.rl.experience import Batch, Experience, batch_of, with_advantages
from orchestra.learning.rl.normalise import Normalise, Share, weights
from orchestra.learning.rl.settings import Ratio, Update
from orchestra.learning.rl.surrogate import Terms, policy_loss, value_loss
from orchestra.learning.row import IGNORED
from orchestra.models.model import Scores
from orchestra.team import Agent, Role, Team, register
from orchestra.trajectory.trajectory import Trajectory
from orchestra.types import Completion, Key, Request, Usage


class Tabular:
    """p(next token | all tokens before it), with a softmax of its own for each text. A token is a character.

    As a Model it says `max_tokens` words; `logits` (texts, words) are all its weights, and begin at 0.
    """

    name = "tabular"
    capabilities = frozenset({"ids", "logprobs", "exact"})

    def __init__(self, words: str, texts: Sequence[str]) -> None:
        self.words = words
        self.places = {text: place for place, text in enumerate(texts)}
        self.logits = torch.zeros(len(texts), len(words), requires_grad=True)

    def set(self, chances: Mapping[str, Sequence[float]]) -> Tabular:
        """The same table with these probabilities after these texts."""
        with torch.no_grad():
            for text, each in chances.items():
                self.logits[self.places[text]] = torch.tensor(each).log()
        return self

    def chance(self, text: str, word: str) -> float:
        return float(self.logits.detach().softmax(-1)[self.places[text], self.words.index(word)])

    def weights(self, adapter: str = "") -> str:
        return digest(self.name, self.words)

    def count(self, request: Request) -> int:
        return len(request.messages[-1][1])

    async def generate(self, requests: Sequence[Request]) -> Sequence[Completion]:
        return [self._say(request) for request in requests]

    async def score(self, requests: Sequence[Request]) -> Sequence[Scores]:
        raise NotImplementedError("a table generates")

    def _say(self, request: Request) -> Completion:
        random, prompt, said, found = Random(request.seed), request.messages[-1][1], "", list[float]()
        for _ in range(request.max_tokens):
            logprobs = self.logits.detach()[self.places[prompt + said]].log_softmax(-1)
            (word,) = random.choices(range(len(self.words)), logprobs.exp().tolist())
            said += self.words[word]
            found.append(float(logprobs[word]))
        usage = Usage(calls=1, tokens_in=len(prompt), tokens_out=len(said))
        return Completion(said, ids(prompt), ids(said), tuple(found), (1,) * len(said), "stop", usage)


def ids(text: str) -> tuple[int, ...]:
    return tuple(map(ord, text))


@register("test_word")
def word(said: str) -> str | None:
    return said


def speaker(model: Tabular, name: str, *, prompt: str, tokens: int = 1) -> Agent:
    """An agent who reads `prompt`, a template, and says `tokens` words that are its answer too."""
    return Role(name, prompt, answer=word, max_tokens=tokens, temperature=1.0)(model)


def grown(team: Team, branch: Branch, reward: Callable[[Sequence[str]], float], seeds: Iterable[int]) -> list[Scored]:
    """A tree for each seed; `reward` of what was said on a leaf, in order."""

    async def all_of_them() -> list[Trajectory]:
        return await asyncio.gather(*(team.grow("", branch, seed=seed) for seed in seeds))

    batch = []
    for tree in asyncio.run(all_of_them()):
        said = {each.key: each.completion.text for each in tree.decisions if each.completion is not None}
        earned = [reward([said[key] for key in leaf.taken]) for leaf in tree.leaves]
        batch.append(Scored(tree, tuple({"task": each} for each in earned)))
    return batch


def raw(rule: Credit) -> Credit:
    """Values as advantages: REINFORCE without a baseline."""

    def credit(batch: Sequence[Scored]) -> Sequence[Table]:
        return [
            table._replace(rows={key: row._replace(advantage=row.value) for key, row in table.rows.items()})
            for table in rule(batch)
        ]

    return credit


def taught(
    scored: Sequence[Scored],
    rule: Credit,
    roles: Collection[str],
    *,
    mass: Callable[[Trajectory], Mapping[Key, float]] = masses,
) -> Batch:
    """The decisions of these roles, with what a rule makes of them; a policy has its role's name."""
    return batch_of(scored, rule(scored), [mass(tree) for tree, _ in scored], roles)


def appraised(
    scored: Sequence[Scored], critic: Tensor, policy: Tabular, roles: Collection[str], *, decay: float, lr: float
) -> Batch:
    """The same with a critic's advantages along the chain of agents, of whom the last alone is paid. The critic
    (texts,) reads prompts, and takes a step of `lr` towards what came back.
    """
    batch = taught(scored, shared(), roles)
    places = torch.tensor([policy.places[prompt(each)] for each in batch.experiences])
    values = {at: [value] for at, value in enumerate(critic.detach()[places].tolist())}
    found = estimated(batch, values, "action", gamma=1.0, decay=decay)
    returns = torch.tensor([found.returns[at][0] for at in values])
    now, alike = critic[places], torch.full_like(returns, 1 / len(values))
    descend(critic, value_loss(now, now.detach(), returns, alike, clip=inf), lr)
    return with_advantages(batch, [each[0] for each in found.advantages])


def prompt(experience: Experience) -> str:
    row = experience.row
    return "".join(map(chr, row.input_ids[: row.labels.count(IGNORED)]))


def shuffled(batch: Batch, seed: int) -> Batch:
    """The control of every test of learning: the same rows and the same advantages, but whose is left to chance."""
    gained = [each.advantage for each in batch.experiences]
    Random(seed).shuffle(gained)
    return with_advantages(batch, gained)


class Tokens(NamedTuple):
    """The sampled tokens of some experiences, (M,) each."""

    places: Tensor
    """Of the text before the token, in the table."""
    words: Tensor
    rows: Tensor
    old: Tensor
    advantages: Tensor
    weights: Tensor


def tokens(policy: Tabular, batch: Sequence[Experience], how: Normalise = "rollout") -> Tokens:
    shares = [Share(each.row.run, each.agent, each.tokens, each.mass) for each in batch]
    found = []
    for number, (each, weight) in enumerate(zip(batch, weights(shares, how, longest=8), strict=True)):
        text = "".join(map(chr, each.row.input_ids))
        labelled = [at for at, label in enumerate(each.row.labels) if label != IGNORED]
        for at, old in zip(labelled, each.logprobs, strict=True):
            place = policy.places[text[:at]]
            found.append((place, policy.words.index(text[at]), number, old, each.advantage, weight))
    return Tokens(*(torch.tensor(column) for column in zip(*found, strict=True)))


def loss(logprobs: Tensor, of: Tokens, ratio: Ratio = "token") -> Terms:
    """The product's, with its usual clips."""
    usual, count = Update(), int(of.rows[-1]) + 1
    return policy_loss(
        logprobs, of.old, of.advantages, of.weights, of.rows, count,
        ratio=ratio, low=usual.low, high=usual.high, dual=usual.dual,
    )  # fmt: skip


def improve(policy: Tabular, batch: Sequence[Experience], *, lr: float, epochs: int = 1) -> None:
    """Gradient steps on one batch."""
    of = tokens(policy, batch)
    for _ in range(epochs):
        logprobs = policy.logits.log_softmax(-1)[of.places, of.words]
        descend(policy.logits, loss(logprobs, of).loss, lr)


def descend(table: Tensor, error: Tensor, lr: float) -> None:
    """The plainest step there is."""
    (slope,) = torch.autograd.grad(error, table)
    with torch.no_grad():
        table -= lr * slope
