"""What tokens cost: a YAML or JSON file of prices per million tokens, by the server's name of a model.

gpt-4o-mini: {input: 0.15, output: 0.60}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from orchestra.errors import BadData

PerMillion = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Price:
    """Of a million tokens, in the table's currency.

    >>> Price(0.15, 0.60).cost(1_000_000, 500_000)
    0.45
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    input: PerMillion
    output: PerMillion

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self.input + tokens_out * self.output) / 1e6


_TABLE = TypeAdapter(dict[str, Price])


def read(path: Path) -> Mapping[str, Price]:
    """The table in a file. Raises BadData, naming the entry, for anything else."""
    try:
        return _TABLE.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the top"
        raise BadData(
            f"expected prices as MODEL: {{input: X, output: Y}}, got {first['input']!r:.80} at {place} of {path}: "
            f"{first['msg']}"
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadData(f"expected a YAML or JSON file of prices, got {' '.join(str(error).split())} at {path}") from None
