"""Where a BambooHR company answers. The subdomain becomes part of a host name that credentials are sent to, so nothing
but a single DNS label is accepted. A loopback stand-in takes the subdomain as a path segment instead.
"""

from __future__ import annotations

import re

from stream.errors import ConnectionMisset
from stream.settings import Settings

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def base_url(settings: Settings, subdomain: str) -> str:
    """The root of the company's API, without `/api/v1`. Raises ConnectionMisset unless `subdomain` is one DNS label."""
    label = subdomain.lower()
    if _LABEL.fullmatch(label) is None:
        raise ConnectionMisset("Set the BambooHR subdomain to the first part of the company's address alone.")
    if (root := settings.bamboohr_url) is not None:
        return root if root.endswith(f"/{label}") else f"{root}/{label}"  # a sandbox prints it with the subdomain
    return f"https://{label}.bamboohr.com"
