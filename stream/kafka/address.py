"""Where Kafka is.

Known from the start, or asked anew at each connection: a broker of a data folder may start later than we do, and
elsewhere after a restart.
"""

from __future__ import annotations

from collections.abc import Callable

from stream.errors import LogUnavailable

Bootstrap = str | Callable[[], str | None]
"""Bootstrap servers, or what finds them; that returns None while they are not known."""


def address_of(bootstrap: Bootstrap) -> str:
    """The bootstrap servers as they are now. Raises LogUnavailable while they are not known."""
    found = bootstrap if isinstance(bootstrap, str) else bootstrap()
    if found is None:
        raise LogUnavailable("No broker runs here: start it with `rosterbook up` or `kafka`, or set ROSTERBOOK_KAFKA.")
    return found
