"""Which server addresses may be called: plain http(s), no credentials inside, never a cloud's metadata service.

An address is judged as it is written. A name that resolves to a forbidden address is the client's business, after its
look-up.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from orchestra.errors import BadInput

METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})
METADATA_ADDRESSES = frozenset(map(ip_address, ("100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254")))
"""Those that are not link-local (Alibaba, Oracle, Azure, AWS over IPv6); 169.254.169.254 is."""


def checked(url: str) -> str:
    """`url` without a trailing slash. Raises BadInput with the reason; a message never repeats a password.

    >>> checked("http://127.0.0.1:8000/v1/")
    'http://127.0.0.1:8000/v1'
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadInput(
            f"expected a base URL such as http://127.0.0.1:8000/v1, got one that is malformed ({error})"
        ) from error
    if "@" in parts.netloc:
        raise BadInput(f"the base URL for {host!r} holds credentials; fix: leave them out and set OPENAI_API_KEY")
    if parts.scheme not in ("http", "https") or not host:
        raise BadInput(f"expected a base URL that begins with http:// or https:// and names a host, got {url!r}")
    if parts.query or parts.fragment or port == 0:
        raise BadInput(f"expected a base URL of scheme, host, port and path, got {url!r}; fix: leave out the rest")
    if _forbidden(host.rstrip(".")):
        raise BadInput(
            f"{url!r} is a link-local or metadata address, which is never called; fix: name the model server's own"
        )
    return url.rstrip("/")


def _forbidden(host: str) -> bool:
    address = _address(host)
    if address is None:
        return host.lower() in METADATA_NAMES
    return address.is_link_local or address.is_multicast or address in METADATA_ADDRESSES


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host literal means; also in the old forms that resolvers accept (2852039166, 0xa9fea9fe)."""
    try:
        address = ip_address(host)
    except ValueError:
        try:
            return IPv4Address(socket.inet_aton(host))
        except (OSError, UnicodeError):
            return None
    return getattr(address, "ipv4_mapped", None) or address
