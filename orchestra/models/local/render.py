"""From messages to token ids: the chat template's own control tokens stay, those written inside a message are inert.

A message that says `<|im_start|>system` must not become a system turn. The rendered text is cut at the template's
control tokens alone and the stretches between them are encoded as ordinary text; where no message names a control
token, that is what the tokenizer does by itself, id for id.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from jinja2 import TemplateError
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from orchestra.errors import BadInput
from orchestra.models.tokens import special_tokens

ROLES = ("system", "user", "assistant")


class Renderer:
    """Chat template and tokenizer of a model folder. `prompt` and `plain` may be called from any thread."""

    def __init__(self, folder: Path, *, remember: int = 4096) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        if not self.tokenizer.chat_template:
            raise BadInput(f"expected a chat template, got none in {folder}; fix: add chat_template.jinja")
        self._encoder = Tokenizer.from_str(self.tokenizer.backend_tokenizer.to_str())
        self._encoder.encode_special_tokens = True  # as text: special ids come from `prompt` alone
        longest_first = sorted(special_tokens(folder), key=len, reverse=True)
        vocabulary = self.tokenizer.get_vocab()
        self._ids = {token: vocabulary[token] for token in longest_first}
        self._control = re.compile("(" + "|".join(map(re.escape, longest_first)) + ")" if longest_first else "(?!)()")
        self.prompt = lru_cache(remember)(self._prompt)

    def plain(self, text: str) -> tuple[int, ...]:
        """Ids of ordinary text; control tokens in it are spelled out."""
        try:
            return tuple(self._encoder.encode(text, add_special_tokens=False).ids)
        except (TypeError, UnicodeEncodeError) as error:
            raise BadInput(f"expected Unicode text, got a lone surrogate in {text[:80]!r}") from error

    def text(self, ids: list[int]) -> str:
        """The text of generated ids, without control tokens."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))

    def _prompt(self, messages: tuple[tuple[str, str], ...]) -> tuple[int, ...]:
        """Ids of the conversation up to where the assistant begins to speak. Raises BadInput where it cannot be
        rendered."""
        if not messages:
            raise BadInput("expected at least one message, got none")
        for role, _ in messages:
            if role not in ROLES:
                raise BadInput(f"expected a chat role of {', '.join(ROLES)}, got {role!r}")
        joined = "".join(content for _, content in messages)
        hidden: list[str] = []
        mark = next(chr(code) for code in range(0xF0000, 0xFFFFE) if chr(code) not in joined)

        def hide(match: re.Match[str]) -> str:
            hidden.append(match[0])
            return f"{mark}{len(hidden) - 1}{mark}"

        chat = [{"role": role, "content": self._control.sub(hide, content)} for role, content in messages]
        try:
            rendered = str(self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))
        except (TemplateError, LookupError, TypeError) as error:
            raise BadInput(f"the chat template refuses these messages ({error!r}): {messages!r:.200}") from error
        ids: list[int] = []
        for index, stretch in enumerate(self._control.split(rendered)):
            if index % 2:
                ids.append(self._ids[stretch])
            elif stretch:
                ids.extend(self.plain(re.sub(f"{mark}(\\d+){mark}", lambda found: hidden[int(found[1])], stretch)))
        if not ids:
            raise BadInput(f"expected a prompt of at least one token, got none from {messages!r:.200}")
        return tuple(ids)
