"""Who is spoken to: the address that answers is judged before a byte is sent, and over TLS so is its certificate."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest

from orchestra.models import address
from orchestra.models.remote import RemoteModel, Server
from orchestra.models.remote.failure import Failed
from orchestra.types import Request
from tests.models.remote.service import Service


def test_a_name_that_leads_to_a_forbidden_address_is_not_spoken_to(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name is looked up when it is called; the address that answers is judged before a byte is sent."""
    model = RemoteModel("m", Server(service.base_url.replace("127.0.0.1", "localhost")))
    hello = [Request((("user", "hello"),))]
    asyncio.run(model.generate(hello))
    loopback = {ip_address("127.0.0.1"), ip_address("::1")}
    monkeypatch.setattr(address, "METADATA_ADDRESSES", frozenset(loopback))
    with pytest.raises(Failed, match=r"attempt 1 of 5: its name leads to .*metadata address"):
        asyncio.run(model.generate(hello))
    assert len(service.asked) == 1


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with the openssl command")
@pytest.mark.parametrize(
    ("name", "trusted", "said"),
    [
        ("localhost", True, ""),
        ("localhost", False, "certificate verify failed: self-signed certificate"),
        ("other.example", True, "certificate verify failed: Hostname mismatch"),
    ],
)
def test_a_certificate_must_be_trusted_and_name_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, trusted: bool, said: str
) -> None:
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=x"
    out = ["-addext", f"subjectAltName=DNS:{name}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make.split(), *out], check=True, capture_output=True)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Service(context) as service:
        model = RemoteModel("m", Server(f"https://localhost:{service.port}/v1"))
        call = model.generate([Request((("user", "hello"),))])
        if said:
            with pytest.raises(Failed, match=f"attempt 1 of 5: ConnectError: .*{said}"):
                asyncio.run(call)
        else:
            asyncio.run(call)
        assert len(service.asked) == (0 if said else 1)
