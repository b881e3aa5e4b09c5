"""A key for one answer: whoever asks makes it and keeps its private half in memory, so that the answer may lie on the
log for ever and nobody can read it once the asker has ended. (HPKE, RFC 9180, with X25519 and AES-256-GCM, by Tink.)
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from functools import cache

import tink
from tink import hybrid

from stream.errors import RecordRefused


@cache
def _register() -> None:
    hybrid.register()  # type: ignore[no-untyped-call]  # of Tink


class AnswerKey:
    """Of whoever asks."""

    def __init__(self) -> None:
        _register()
        self._handle = tink.new_keyset_handle(
            hybrid.hybrid_key_templates.DHKEM_X25519_HKDF_SHA256_HKDF_SHA256_AES_256_GCM
        )

    @property
    def public(self) -> str:
        """What goes to whoever answers, as text."""
        return str(tink.json_proto_keyset_format.serialize_without_secret(self._handle.public_keyset_handle()))

    def opened(self, sealed: str, place: str) -> bytes:
        """What was sealed for this key and place. Raises RecordRefused."""
        primitive: hybrid.HybridDecrypt = self._handle.primitive(hybrid.HybridDecrypt)  # type: ignore[type-abstract]  # names the interface
        try:
            return bytes(primitive.decrypt(base64.b64decode(sealed, validate=True), place.encode()))
        except (tink.TinkError, binascii.Error, ValueError):
            raise RecordRefused("The answer is sealed for somebody else or damaged: ask again.") from None


def sealed_for(public: str, plain: bytes, place: str) -> str:
    """Text that only the key's owner can open, and only as what stands at this place. Raises RecordRefused."""
    _register()
    try:
        handle = tink.json_proto_keyset_format.parse_without_secret(public)
        primitive: hybrid.HybridEncrypt = handle.primitive(hybrid.HybridEncrypt)  # type: ignore[type-abstract]  # names the interface
        return base64.b64encode(primitive.encrypt(plain, place.encode())).decode()
    except (tink.TinkError, ValueError):
        raise RecordRefused("The command holds no key to seal its answer with: update whoever asks.") from None


def name_of(public: str) -> str:
    """By which an answer says whose it is: 16 hex characters."""
    return hashlib.sha256(public.encode()).hexdigest()[:16]
