"""The webhook keys that the gateway holds: opened once, and asked for again where they could not be opened."""

from __future__ import annotations

import structlog

from stream.bamboohr.signature import is_signed, sign
from stream.errors import VaultLocked
from stream.gateway.keys import Keys
from stream.records import ConnectionId, Sealed
from tests.gateway_client import connection


def test_a_key_that_does_not_open_is_tried_again_and_logged_once() -> None:
    tried: list[ConnectionId] = []

    def open_key(of: ConnectionId, _: Sealed) -> str:
        tried.append(of)
        if len(tried) < 3:
            raise VaultLocked("The vault does not hold the key yet.")
        return "the key"

    keys, record = Keys(open_key), connection("acme")
    with structlog.testing.capture_logs() as said:
        assert [len(keys.of(record, None).keys) for _ in range(4)] == [0, 0, 1, 1]
    assert is_signed(keys.of(record, None).keys, b"{}", "7", sign(b"the key", b"{}", "7"))
    assert [line["event"] for line in said] == ["gateway.key_unreadable"]
    assert len(tried) == 3, "an opened key is kept"
