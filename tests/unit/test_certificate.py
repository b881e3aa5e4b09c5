"""https at the gateway itself: what is served, what happens when the files change, and what is refused."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from structlog.testing import capture_logs

from agents.cli.surroundings import gateway_url
from stream.errors import LogUnavailable, SettingsError
from stream.gateway import certificate as module
from stream.gateway.certificate import Certificate, own
from stream.gateway.process import serve
from stream.settings import Settings
from stream.vault import Vault
from stream.vault.key_ring import new_ring
from tests.e2e.waiting import until


@pytest.fixture(scope="module")
def issuer() -> trustme.CA:
    return trustme.CA()


class Files:
    """A certificate and its key."""

    def __init__(self, folder: Path) -> None:
        self.certificate, self.key = folder / "cert.pem", folder / "key.pem"

    def write(self, issued: trustme.LeafCert) -> None:
        """Each file whole at once, as those who renew certificates do."""
        self.put(self.certificate, b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        self.put(self.key, issued.private_key_pem.bytes())

    def put(self, path: Path, content: bytes) -> None:
        part = path.with_suffix(".part")
        part.write_bytes(content)
        part.replace(path)


@pytest.fixture
def files(tmp_path: Path, issuer: trustme.CA) -> Files:
    found = Files(tmp_path)
    found.write(issuer.issue_cert("127.0.0.1"))
    return found


def _no_kafka() -> str:
    raise LogUnavailable("There is no Kafka here.")


@pytest.fixture
async def settings(tmp_path: Path, files: Files, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Settings]:
    """Of a gateway that serves https."""
    monkeypatch.setattr(module, "LOOK_S", 0.02)
    found = Settings(data=tmp_path, gateway_port=0, gateway_cert=files.certificate, gateway_key=files.key)
    stop = asyncio.Event()
    vault = Vault(new_ring(), source="the test")

    def open_key(*_: Any) -> str:
        raise NotImplementedError

    running = asyncio.create_task(serve(found, _no_kafka, open_key, vault, stop))
    try:
        await until("it serves", lambda: (tmp_path / "gateway" / "address").exists() or running.done(), 20)
        yield found
    finally:
        stop.set()
        await running


async def health(settings: Settings, how: ssl.SSLContext | aiohttp.Fingerprint | bool) -> int:
    """The answer to a new connection."""
    connector = aiohttp.TCPConnector(ssl=how)
    async with aiohttp.ClientSession(connector=connector) as http, http.get(f"{gateway_url(settings)}/healthz") as got:
        return got.status


def trusting(*issuers: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for issuer in issuers:
        issuer.configure_trust(context)
    return context


async def test_gateway_speaks_https_and_a_command_beside_it_knows_it_by_its_certificate(
    settings: Settings, files: Files, issuer: trustme.CA
) -> None:
    assert (gateway_url(settings) or "").startswith("https://127.0.0.1:")
    assert await health(settings, trusting(issuer)) == 200
    assert await health(settings, own(settings)) == 200
    files.put(files.certificate.with_name("another.pem"), issuer.issue_cert("127.0.0.1").cert_chain_pems[0].bytes())
    another = settings.model_copy(update={"gateway_cert": files.certificate.with_name("another.pem")})
    with pytest.raises(aiohttp.ServerFingerprintMismatch):
        await health(settings, own(another))


async def test_new_certificate_is_served_without_a_restart_and_one_that_does_not_do_leaves_the_old_one(
    settings: Settings, files: Files, issuer: trustme.CA
) -> None:
    newer = trustme.CA()
    files.write(newer.issue_cert("127.0.0.1"))

    async def is_newer() -> bool:
        try:
            return await health(settings, trusting(newer)) == 200
        except aiohttp.ClientConnectorCertificateError:
            return False

    await until("the new one is served", is_newer, 20)  # type: ignore[arg-type]  # T is the bool
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await health(settings, trusting(issuer))
    with capture_logs() as logs:
        files.put(files.key, issuer.issue_cert("127.0.0.1").private_key_pem.bytes())
        await until("that it does not fit is said", lambda: [one["event"] for one in logs], 20)
    assert [one["event"] for one in logs] == ["gateway.certificate_refused"]
    assert await health(settings, trusting(newer)) == 200


def encrypted(files: Files) -> None:
    """A key that would be asked for its password at the terminal."""
    from cryptography.hazmat.primitives import serialization as form

    key = form.load_pem_private_key(files.key.read_bytes(), None)
    sealed = form.BestAvailableEncryption(b"secret")
    files.key.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, sealed))


@pytest.fixture(
    params=["missing certificate", "missing key", "folder", "garbled", "of another", "swapped", "encrypted"]
)
def fault(request: pytest.FixtureRequest, files: Files, issuer: trustme.CA) -> str:
    match request.param:
        case "missing certificate":
            files.certificate.unlink()
        case "missing key":
            files.key.unlink()
        case "folder":
            files.key.unlink()
            files.key.mkdir()
        case "garbled":
            files.certificate.write_bytes(os.urandom(100))
        case "of another":
            files.key.write_bytes(issuer.issue_cert("127.0.0.1").private_key_pem.bytes())
        case "swapped":
            files.certificate, files.key = files.key, files.certificate
        case "encrypted":
            encrypted(files)
    return str(request.param)


def test_files_that_do_not_do_are_refused_in_a_sentence_that_names_the_setting(fault: str, files: Files) -> None:
    with pytest.raises(SettingsError) as refused:
        Certificate(files.certificate, files.key)
    named = "CERT" if fault == "missing certificate" else "KEY"
    assert f"ROSTERBOOK_GATEWAY_{named}" in refused.value.message
    assert refused.value.message.endswith(".")
    assert ("cannot be read" in refused.value.message) == (fault in ("missing certificate", "missing key", "folder"))


def test_one_without_the_other_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be set both or neither"):
        Settings(gateway_cert=tmp_path / "cert.pem")
