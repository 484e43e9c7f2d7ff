"""TLS to an address that was looked up beforehand: the certificate must still be the name's."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from agents.notify.receivers import Receiver as ReceiverConfig
from pipeline.act import guard
from pipeline.act.desk import Desk, Outcome
from pipeline.act.receivers.build import build
from tests.fakes.receivers import FakeReceiver
from tests.notify.build import a_delivery

CONFIG: TypeAdapter[ReceiverConfig] = TypeAdapter(ReceiverConfig)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Certificate for hooks.example.com, signed by itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    name = ["-subj", "/CN=hooks.example.com", "-addext", "subjectAltName=DNS:hooks.example.com"]
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run([*new, "-keyout", str(key), "-out", str(cert), *name], check=True, capture_output=True)
    return cert, key


@pytest.mark.parametrize(("host", "trusts", "status"), [("hooks", True, "done"), ("other", True, "failed"), ("hooks", False, "failed")])
def test_the_certificate_is_checked_against_the_name(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, host: str, trusts: bool, status: str
) -> None:
    cert, key = certificate
    client = ssl.create_default_context(cafile=str(cert) if trusts else None)
    monkeypatch.setattr(guard, "trusted", lambda: client)
    monkeypatch.setattr(guard, "look_up", lambda name: ["127.0.0.1"])
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    with FakeReceiver(tls=server) as fake:
        url = f"https://{host}.example.com:{fake.port}/"
        config = CONFIG.validate_python({"name": "r", "type": "webhook", "url": url, "allow_private": True, "timeout_s": 3})

        async def once() -> Outcome:
            receiver = build(config, {}, "")
            try:
                return await Desk("r", receiver, config.timeout_s, 1).attempt(a_delivery())
            finally:
                await receiver.close()

        outcome = asyncio.run(once())
    assert outcome.status == status, outcome.detail
