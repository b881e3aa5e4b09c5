"""Seals secrets before they reach the log and opens them for whoever calls a vendor.

A sealed secret is bound to its connection and its purpose: moved to another place it does not open, so nobody who can
write to the log can make one company's key be used for another. The keys are a ring (`key_ring.py`, AES-256-GCM): the
newest seals, all of them open. Where they come from is `keyfile.py`'s matter; a ring that changes there is followed, so
that a process that runs needs no restart for a new key.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Literal

import orjson
import tink

from stream.errors import VaultLocked
from stream.records import ConnectionId, Sealed
from stream.telemetry import Masked, log
from stream.vault import key_ring

logger = log("vault")

Purpose = Literal[
    "bamboohr.api_key",
    "bamboohr.webhook_key",
    "bamboohr.client_id",
    "bamboohr.client_secret",
    "bamboohr.client",
    "bamboohr.refresh_token",
    "bamboohr.access_token",
    "bamboohr.consent_state",
    "bamboohr.consent_answer",
    "zoho.client_id",
    "zoho.client_secret",
    "zoho.client",
    "zoho.refresh_token",
    "zoho.access_token",
    "zoho.consent_state",
    "zoho.consent_answer",
]
"""Where a secret belongs. A name never changes its meaning: it is part of what is sealed."""

PREFIX_BYTES = 5
"""Tink's output prefix: 0x01, then the id of the key in 4 bytes, big-endian (Tink wire format, "TINK" keys)."""


def new_keyset() -> str:
    """The text of a new key file with one fresh key, in Tink's JSON format."""
    return key_ring.new_ring()


class Vault:
    """`keys`: a key ring's text. `source`: what a person knows it by, for messages."""

    def __init__(self, keys: str, *, source: str, changed: Callable[[], str | None] = lambda: None) -> None:
        """changed: gives the ring's text where it is another than was given last, else None; may raise VaultLocked.

        Raises VaultLocked when `keys` is no ring of ours.
        """
        self._ring = key_ring.parse(keys, source)
        self.source = source
        self._changed = changed

    @property
    def key_ids(self) -> frozenset[str]:
        """Ids of the keys that open, 8 hex digits each; not secret."""
        return self._followed().held

    @property
    def newest(self) -> str:
        """Id of the key that seals."""
        return self._followed().newest

    @property
    def lost_ids(self) -> frozenset[str]:
        """Ids of keys that are known to be gone for good."""
        return self._followed().lost

    def _followed(self) -> key_ring.KeyRing:
        """The ring as it is now. One that cannot be read leaves us with the one that we have."""
        try:
            if (text := self._changed()) is not None:
                self._ring = key_ring.parse(text, self.source)
                logger.info("vault.keys_read", newest=self._ring.newest, held=sorted(self._ring.held))
        except VaultLocked as error:
            logger.error("vault.keys_not_read", reason=error.message)
        return self._ring

    def seal(self, secret: Masked, *, connection: ConnectionId, purpose: Purpose) -> Sealed:
        """Encrypt with the newest key. Sealing the same secret twice gives two different boxes."""
        box = self._followed().aead.encrypt(secret.reveal.encode(), _place(connection, purpose))
        return Sealed(key=box[1:PREFIX_BYTES].hex(), box=base64.b64encode(box).decode())

    def open(self, sealed: Sealed, *, connection: ConnectionId, purpose: Purpose) -> Masked:
        """Decrypt. Raises VaultLocked: the key is not here, or the secret was altered or belongs to another place."""
        ring = self._ring if sealed.key in self._ring.held else self._followed()
        if sealed.key in ring.lost:
            raise VaultLocked(
                f"The secret {purpose} was sealed with vault key {sealed.key}, which is lost: add the connection again "
                "with `rosterbook connection add FILE`.",
                connection=connection,
            )
        if sealed.key not in ring.held:
            raise VaultLocked(
                f"The secret {purpose} needs vault key {sealed.key}, which {self.source} does not hold: point "
                "ROSTERBOOK_VAULT_KEY_FILE (or ROSTERBOOK_VAULT_KEYS) at the keys it was sealed with.",
                connection=connection,
            )
        try:
            box = base64.b64decode(sealed.box, validate=True)
            secret = ring.aead.decrypt(box, _place(connection, purpose))
        except (tink.TinkError, binascii.Error):
            raise VaultLocked(
                f"The secret {purpose} was altered in the log or sealed for another place: add the connection again "
                "with `rosterbook connection add FILE`.",
                connection=connection,
            ) from None
        return Masked(secret.decode())


def _place(connection: ConnectionId, purpose: Purpose) -> bytes:
    """Associated data. A JSON list, so that no two places read alike whatever their names hold."""
    return orjson.dumps([connection, purpose])
