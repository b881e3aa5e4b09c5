"""https at the gateway itself: a certificate and its key in PEM files, loaded again when they change.

New connections get the new certificate; those that are open keep theirs. Files that do not do are said once, and the
certificate before them stays.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
from pathlib import Path
from typing import NoReturn

import aiohttp

from stream.errors import SettingsError
from stream.settings import Settings
from stream.telemetry import log

logger = log("gateway")

LOOK_S = 2.0

Files = tuple[tuple[int, int, int], ...]
"""Of each file: inode, size, time of change in nanoseconds."""


class Certificate:
    """`context` is what a server takes."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises SettingsError when the files cannot be read, or do not belong together."""
        self._certificate = certificate
        self._key = key
        self._seen = self._look()
        self._load(_context())  # an attempt of its own: a failed one may leave half of the pair behind
        self.context = _context()
        self._load(self.context)

    async def follow(self) -> None:
        """Look at the files again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """Load the files if they have changed; the certificate stays when they do not do."""
        seen = self._look()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._load(_context())
            self._load(self.context)
        except SettingsError as error:
            logger.error("gateway.certificate_refused", reason=error.message)
        else:
            logger.info("gateway.certificate_loaded")

    def _look(self) -> Files | None:
        try:
            found = [path.stat() for path in (self._certificate, self._key)]
        except OSError:
            return None
        return tuple((one.st_ino, one.st_size, one.st_mtime_ns) for one in found)

    def _load(self, context: ssl.SSLContext) -> None:
        for name, path in (("CERT", self._certificate), ("KEY", self._key)):
            try:
                path.open("rb").close()
            except OSError as error:
                why = os.strerror(error.errno or 0)
                raise SettingsError(
                    f"ROSTERBOOK_GATEWAY_{name}: {path} cannot be read ({why}): make it readable."
                ) from None
        try:
            context.load_cert_chain(self._certificate, self._key, password=_no_password)
        except (ssl.SSLError, ValueError, OSError):
            raise SettingsError(
                f"{self._certificate} and {self._key} are no certificate and its key: ROSTERBOOK_GATEWAY_CERT takes a "
                "chain in PEM, the gateway's own certificate first, ROSTERBOOK_GATEWAY_KEY its key in PEM, without a "
                "password."
            ) from None


def certificate_of(settings: Settings) -> Certificate | None:
    """None where the gateway speaks plain http. Raises SettingsError."""
    if settings.gateway_cert is None or settings.gateway_key is None:
        return None
    return Certificate(settings.gateway_cert, settings.gateway_key)


def own(settings: Settings) -> aiohttp.Fingerprint | bool:
    """How a command on this machine knows the gateway: by its very certificate, since it calls it by no name.

    Raises SettingsError when that cannot be read.
    """
    if settings.gateway_cert is None:
        return True
    try:
        text = settings.gateway_cert.read_text(encoding="ascii")
        first = text[text.index(ssl.PEM_HEADER) : text.index(ssl.PEM_FOOTER) + len(ssl.PEM_FOOTER)]
        return aiohttp.Fingerprint(hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).digest())
    except (OSError, ValueError):
        raise SettingsError(f"ROSTERBOOK_GATEWAY_CERT: {settings.gateway_cert} holds no certificate in PEM.") from None


def _context() -> ssl.SSLContext:
    return ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)


def _no_password() -> NoReturn:
    """OpenSSL would ask at the terminal for the password of an encrypted key."""
    raise ValueError("the key is encrypted")
