"""What the answers of token endpoints have in common (RFC 6749, sections 5.1 and 5.2): a token that may be put into a
header, how long it lives, perhaps another refresh token; or an `error`, which both vendors may spell in their own way.
"""

from __future__ import annotations

import math
import re
from typing import Any

from stream.http import Answer
from stream.telemetry import Masked
from stream.tokens import Granted, unusable

LIFETIME_S = 3600.0
"""What is assumed where an answer does not say: both vendors document an hour, and let no token live longer."""
_TOKEN = re.compile(r"[\x21-\x7e]+")


def granted(name: str, answer: Answer) -> Granted:
    """What a successful answer holds. name: the vendor, for messages. Raises Unavailable for anything else."""
    body = answer.object() or {}
    access_token = token(body.get("access_token"))
    if answer.status != 200 or access_token is None:
        raise unusable(name, status=answer.status)
    return Granted(access_token, _lifetime(body.get("expires_in")), token(body.get("refresh_token")))


def refusal(answer: Answer) -> str | None:
    """The error that the answer names, "" when it is no text; None when it names none."""
    error = (answer.object() or {}).get("error")
    return error if isinstance(error, str) or error is None else ""


def token(value: object) -> Masked | None:
    """The token, None for what cannot be one."""
    return Masked(value) if isinstance(value, str) and _TOKEN.fullmatch(value) is not None else None


def _lifetime(value: Any) -> float:
    """Seconds, from 0 to LIFETIME_S. Old answers of Zoho count in milliseconds, which the limit takes care of."""
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return LIFETIME_S
    return min(max(seconds, 0.0), LIFETIME_S) if math.isfinite(seconds) else LIFETIME_S
