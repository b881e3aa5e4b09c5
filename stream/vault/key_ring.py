"""The key ring: several keys, of which the newest seals and all open. As text it is a Tink keyset in JSON.

Rings are made and changed as texts, so that what is written is what was read but for the one change. A key that is gone
for good is named in the ring without its material (Tink: DESTROYED): what it sealed is then known to be lost, which
nobody may take for a ring that was mixed up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
import tink
from tink import aead, secret_key_access
from tink.proto import tink_pb2

from stream.errors import VaultLocked

_STATUS = tink_pb2.DESCRIPTOR.enum_types_by_name["KeyStatusType"].values_by_name
ENABLED, DESTROYED = _STATUS["ENABLED"].number, _STATUS["DESTROYED"].number
ID = re.compile("[0-9a-f]{8}")
WITH_ID = tink_pb2.DESCRIPTOR.enum_types_by_name["OutputPrefixType"].values_by_name["TINK"].number


@dataclass(frozen=True)
class KeyRing:
    """Ids are 8 hex digits and not secret. newest: of the key that seals. held: of all that open. lost: see above."""

    aead: aead.Aead
    newest: str
    held: frozenset[str]
    lost: frozenset[str]


def parse(text: str, source: str) -> KeyRing:
    """The ring that a text holds. source: what a person knows it by. Raises VaultLocked when it is no ring of ours."""
    aead.register()
    try:
        handle = tink.json_proto_keyset_format.parse(text, secret_key_access.TOKEN)
        primitive: aead.Aead = handle.primitive(aead.Aead)  # type: ignore[type-abstract]  # names the interface
        info = handle.keyset_info()
    except (tink.TinkError, ValueError):  # its text may quote what it could not read
        raise VaultLocked(
            f"{source} does not hold vault keys: put back the text that Rosterbook wrote when it made them."
        ) from None
    usable = [key for key in info.key_info if key.status == ENABLED]
    if any(key.output_prefix_type != WITH_ID for key in usable):
        raise VaultLocked(f"{source} holds keys without an id: make them with output prefix TINK.")
    return KeyRing(
        primitive,
        newest=_id(info.primary_key_id),
        held=frozenset(_id(key.key_id) for key in usable),
        lost=frozenset(_id(key.key_id) for key in info.key_info if key.status == DESTROYED),
    )


def new_ring(lost: Iterable[str] = ()) -> str:
    """The text of a ring with one new key. lost: ids of keys that are gone for good."""
    lost = frozenset(lost)
    ring = _new(taken=lost)
    ring["key"] += [{"keyId": int(key, 16), "status": "DESTROYED", "outputPrefixType": "TINK"} for key in sorted(lost)]
    return _text(ring)


def with_new_key(text: str) -> str:
    """The ring with one more key, which is the newest from now on. text: of a ring that `parse` accepts."""
    ring = orjson.loads(text)
    added = _new(taken=frozenset(_id(key["keyId"]) for key in ring["key"]))
    return _text({**ring, "key": [*ring["key"], *added["key"]], "primaryKeyId": added["primaryKeyId"]})


def without(text: str, keys: Iterable[str]) -> str:
    """The ring without these keys; never without the newest. text: of a ring that `parse` accepts."""
    ring = orjson.loads(text)
    gone = frozenset(keys) - {_id(ring["primaryKeyId"])}
    return _text({**ring, "key": [key for key in ring["key"] if _id(key["keyId"]) not in gone]})


def _new(taken: frozenset[str]) -> dict[str, Any]:
    """A ring of one key whose id is none of those that are taken."""
    aead.register()
    while True:
        handle = tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM)
        ring: dict[str, Any] = orjson.loads(tink.json_proto_keyset_format.serialize(handle, secret_key_access.TOKEN))
        if _id(ring["primaryKeyId"]) not in taken:
            return ring


def _text(ring: dict[str, Any]) -> str:
    return orjson.dumps(ring).decode()


def _id(number: int) -> str:
    return f"{number:08x}"
