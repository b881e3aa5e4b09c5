"""Where BambooHR's real behaviour is unknown or its documents disagree: one switch each, both answers on offer.

The defaults are what the vendor documents best. A client that is right works with every combination, and the tests run
both sides of each switch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class BambooHrQuirks:
    """How this company's BambooHR behaves where the vendor leaves it open."""

    refresh_token: Literal["kept", "repeated", "rotated"] = "kept"  # noqa: S105 - a switch, no secret
    """What a refresh answers: no refresh token, the same one again, or a new one that ends the old one."""
    webhook_owner: Literal["user", "credentials"] = "user"
    """Whether an API key and an OAuth app of one user share their webhooks."""
    allow_http_webhooks: bool = False
    """Let webhook URLs of this machine through without https, for a demo or a test on one machine."""
    allow_http_redirects: bool = False
    """Let registered redirect URIs of this machine through without https."""
    www_authenticate: Literal["sent", "absent"] = "sent"
    """Whether a 401 carries WWW-Authenticate; the vendor has announced that it will vanish."""
    throttle_status: Literal[429, 503] = 429
    """Status above the rate limit: 429 since September 2026, 503 before."""
    retry_after: Literal["seconds", "date"] = "seconds"
    """How Retry-After is written."""
    empty_date: Literal["null", "0000-00-00"] = "null"
    """How `/employees/{id}` shows a date that is not set."""
    empty_status: Literal["null", "empty text"] = "null"
    """How `status` is shown for a person who has none."""
    option_ids: Literal["numbers", "text"] = "numbers"
    """How ids of lists and options are written in `/meta/lists`."""
    list_alias: Literal["null", "missing"] = "null"
    """How a list without an alias shows that."""
    field_option_ids: Literal["option ids", "own ids"] = "option ids"
    """Whether `departmentId` and its like are the option ids of `/meta/lists`, or ids of another kind."""
    omitted_options: Literal["kept", "dropped"] = "kept"
    """What `PUT /meta/lists/{fieldId}` does to options that the body does not name."""
    duplicate_option: Literal["refused", "refused unless archived"] = "refused"
    """Whether a new option may have the name of an archived one."""
    renamed_option: Literal["silent", "fires"] = "silent"
    """Whether renaming an option counts as a change of everyone who has it."""
    duplicate_email: Literal["refused", "refused among active", "accepted"] = "refused"
    """Whether two people may have one work email."""
    event_timestamp: Literal["+0000", "Z"] = "+0000"
    """How the zone is written in payloads of webhooks."""
    signature_timestamp: Literal["unix", "iso"] = "unix"
    """What the header X-BambooHR-Timestamp holds."""
    signed_on_retry: Literal["again", "once"] = "again"
    """Whether a retry carries a new timestamp and signature, or those of the first attempt."""
    body_escapes: Literal["plain", "escaped"] = "plain"
    """Whether JSON bodies escape slashes, plus signs and everything beyond ASCII."""
    field_values: Literal["text", "objects"] = "text"
    """How field-based payloads carry a value: "Ada", or {"value": "Ada"}."""
    retry_minutes: tuple[float, ...] = (5, 10, 20, 40, 80)
    """Minutes before each retry of a delivery that met a 5xx or no answer. The other reading: 0, 5, 10, 20, 40."""
    retry_jitter: float = 0.0
    """The share by which a retry may come earlier or later."""
    delivery_timeout_s: float = 10.0
    """Seconds a receiver has for its answer; the vendor documents none."""
