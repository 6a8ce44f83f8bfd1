"""The special tokens of a model folder, read without loading the tokenizer: text of a role must not contain them."""

from __future__ import annotations

import json
from pathlib import Path

from orchestra.errors import BadData


def special_tokens(folder: Path) -> frozenset[str]:
    """The texts that `folder`'s tokenizer turns into control tokens, such as `<|im_start|>`.

    Raises BadData where tokenizer.json is absent or not a tokenizer.
    """
    file = folder / "tokenizer.json"
    try:
        added = json.loads(file.read_text(encoding="utf-8"))["added_tokens"]
        return frozenset(str(token["content"]) for token in added if token["special"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise BadData(
            f"expected a tokenizer.json with added_tokens, got {error!r} at {file}; "
            "fix: save the model with a fast tokenizer (AutoTokenizer.from_pretrained(...).save_pretrained(...))"
        ) from error
