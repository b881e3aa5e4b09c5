"""Seals secrets before they reach the log and opens them for whoever calls a vendor.

A sealed secret is bound to its connection and its purpose: moved to another place it does not open, so nobody who can
write to the log can make one company's key be used for another. The keys are a Tink keyset (AES-256-GCM); the newest
one seals, all of them open, hence a later key ring only adds keys. Where the keys come from is `keyfile.py`'s matter.
"""

from __future__ import annotations

import base64
import binascii
from typing import Literal

import orjson
import tink
from tink import aead, secret_key_access
from tink.proto import tink_pb2

from stream.errors import VaultLocked
from stream.records import ConnectionId, Sealed
from stream.telemetry import Masked

Purpose = Literal[
    "bamboohr.api_key",
    "bamboohr.webhook_key",
    "zoho.client_id",
    "zoho.client_secret",
    "zoho.refresh_token",
    "zoho.access_token",
]
"""Where a secret belongs. A name never changes its meaning: it is part of what is sealed."""

ENABLED = tink_pb2.DESCRIPTOR.enum_types_by_name["KeyStatusType"].values_by_name["ENABLED"].number
WITH_ID = tink_pb2.DESCRIPTOR.enum_types_by_name["OutputPrefixType"].values_by_name["TINK"].number
PREFIX_BYTES = 5
"""Tink's output prefix: 0x01, then the id of the key in 4 bytes, big-endian (Tink wire format, "TINK" keys)."""


def new_keyset() -> str:
    """The text of a new key file with one fresh key, in Tink's JSON format."""
    aead.register()
    handle = tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM)
    text: str = tink.json_proto_keyset_format.serialize(handle, secret_key_access.TOKEN)
    return text


class Vault:
    """`keys`: a Tink keyset as JSON. `source`: what a person knows it by, for messages."""

    def __init__(self, keys: str, *, source: str) -> None:
        """Raises VaultLocked when `keys` is no keyset of ours."""
        aead.register()
        try:
            handle = tink.json_proto_keyset_format.parse(keys, secret_key_access.TOKEN)
            self._aead: aead.Aead = handle.primitive(aead.Aead)  # type: ignore[type-abstract]  # names the interface
            usable = [key for key in handle.keyset_info().key_info if key.status == ENABLED]
        except (tink.TinkError, ValueError):  # its text may quote what it could not read
            raise VaultLocked(
                f"{source} does not hold vault keys: put back the text that Rosterbook wrote when it made them."
            ) from None
        if any(key.output_prefix_type != WITH_ID for key in usable):
            raise VaultLocked(f"{source} holds keys without an id: make them with output prefix TINK.")
        self._source = source
        self.key_ids = frozenset(f"{key.key_id:08x}" for key in usable)
        """Ids of the keys that open, 8 hex digits each; not secret."""

    def seal(self, secret: Masked, *, connection: ConnectionId, purpose: Purpose) -> Sealed:
        """Encrypt with the newest key. Sealing the same secret twice gives two different boxes."""
        box = self._aead.encrypt(secret.reveal.encode(), _place(connection, purpose))
        return Sealed(key=box[1:PREFIX_BYTES].hex(), box=base64.b64encode(box).decode())

    def open(self, sealed: Sealed, *, connection: ConnectionId, purpose: Purpose) -> Masked:
        """Decrypt. Raises VaultLocked: the key is not here, or the secret was altered or belongs to another place."""
        if sealed.key not in self.key_ids:
            raise VaultLocked(
                f"The secret {purpose} needs vault key {sealed.key}, which {self._source} does not hold: point "
                "ROSTERBOOK_VAULT_KEY_FILE (or ROSTERBOOK_VAULT_KEYS) at the keys it was sealed with.",
                connection=connection,
            )
        try:
            box = base64.b64decode(sealed.box, validate=True)
            secret = self._aead.decrypt(box, _place(connection, purpose))
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
