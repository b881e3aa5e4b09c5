"""Is a delivery BambooHR's, and is it of our time?

BambooHR signs with HMAC-SHA256: the raw body directly followed by the text of the timestamp header, under the text of
the webhook's private key, in lowercase hex. Never parse and write the body again before this check: escapes may differ.
The timestamp is hashed as the text it is, whatever its form.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

SIGNATURE = "X-BambooHR-Signature"
TIMESTAMP = "X-BambooHR-Timestamp"

AHEAD = timedelta(minutes=10)
"""How far in the future a delivery may be: what clocks of servers that are set at all differ by."""


def keyed(key: bytes) -> hmac.HMAC:
    """A private key made ready once for all that it has signed. key: its text, not hex-decoded."""
    return hmac.new(key, digestmod="sha256")


def sign(key: bytes, body: bytes, timestamp: str) -> str:
    """The signature that BambooHR sends. key: the private key's text, not hex-decoded."""
    return _signature(keyed(key), body + _as_sent(timestamp))


def is_signed(keys: Iterable[hmac.HMAC], body: bytes, timestamp: str, signature: str) -> bool:
    """Whether one of the keys made the signature. Takes the same time whichever does, or how far it is right."""
    signed, given = body + _as_sent(timestamp), _as_sent(signature)
    return any([hmac.compare_digest(_signature(key, signed).encode(), given) for key in keys])  # noqa: C419  # tries all


def _signature(key: hmac.HMAC, signed: bytes) -> str:
    mac = key.copy()
    mac.update(signed)
    return mac.hexdigest()


def is_of_our_time(sent: datetime | None, now: datetime, max_age: timedelta) -> bool:
    """Whether the timestamp could be read, is at most `max_age` old and at most `AHEAD` in the future.

    max_age: BambooHR retries for 155 minutes and may keep the first signature, so at least 3 h; 0 = any time.
    """
    return sent is not None and (not max_age or -AHEAD <= now - sent <= max_age)


def instant(text: str) -> datetime | None:
    """A time as BambooHR writes it, in UTC: Unix seconds, or ISO 8601 (`Z`, `+0000`; UTC where no zone is named).

    None when it is neither.
    """
    try:
        if text.isascii() and text.isdigit():
            return datetime.fromtimestamp(int(text), UTC)
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _as_sent(header: str) -> bytes:
    """The bytes of a header's text; aiohttp keeps those that are no UTF-8 as surrogates."""
    return header.encode("utf-8", "surrogateescape")
