"""The key of a server: read from the environment, sent to that server's host alone, and shown nowhere.

ORCHESTRA_API_KEY is the key of whatever server is named. OPENAI_API_KEY is often set for other programs, so it is sent
over TLS or to this machine only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from orchestra.errors import BadInput

OWN, GENERAL = "ORCHESTRA_API_KEY", "OPENAI_API_KEY"

_USABLE = re.compile(r"[!#-&(-\[\]-~]*")  # a quoted message must show it letter by letter, or it is not found


@dataclass(frozen=True, slots=True)
class Key:
    """A secret and the variable it came from; its `repr` shows the variable. Empty: no key.

    >>> Key("ORCHESTRA_API_KEY", "sk-1234")
    Key(name='ORCHESTRA_API_KEY')
    """

    name: str = ""
    secret: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Raises BadInput, without the secret, for what cannot stand in a header or could not be hidden."""
        if not _USABLE.fullmatch(self.secret):
            raise BadInput(f"expected printable ASCII without spaces and quotes in {self.name}; fix: set it anew")

    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secret}"} if self.secret else {}

    def hide(self, text: str) -> str:
        """`text` without the secret, which some servers repeat."""
        return text.replace(self.secret, "[key]") if self.secret else text


def key_for(base_url: str, environment: Mapping[str, str]) -> Key:
    """The key for a server; an empty one where none is set or may be sent."""
    parts = urlsplit(base_url)
    names = [OWN, GENERAL] if parts.scheme == "https" or _loopback(parts.hostname or "") else [OWN]
    return next((Key(name, secret) for name in names if (secret := environment.get(name, "").strip())), Key())


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
