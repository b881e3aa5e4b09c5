"""Which region Zoho knows a client in, when the one that was named does not: its refusal does not say. The others are
asked for tokens with the same credentials, so only where their owner agreed: it is Zoho alone that gets them, but in
the data centres of other countries too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import aiohttp

from stream.clock import Clock
from stream.errors import ConnectionTrouble, CredentialsRefused, Retriable
from stream.http import Request, call
from stream.zoho.oauth import ZohoAccounts
from stream.zoho.regions import REGIONS

_OF_ELSEWHERE = ("invalid_client", "invalid_client_secret", "invalid_code")
"""The second, since a client that several regions know may have a secret in each."""


def may_be_elsewhere(refusal: CredentialsRefused) -> bool:
    """Whether it is what credentials of another region get."""
    return refusal.context.get("code") in _OF_ELSEWHERE


async def region_elsewhere(
    http: aiohttp.ClientSession,
    accounts: ZohoAccounts,
    asking: Callable[[ZohoAccounts], Request],
    *,
    deadline: float,
    clock: Clock,
) -> str | None:
    """The first other region that gives tokens; None when none does. A code is used up where it is accepted.

    asking: the request for tokens, of a region's accounts server. deadline: seconds for each of them.
    """
    for region in REGIONS:
        if region == accounts.region:
            continue
        other = replace(accounts, region=region)
        try:
            other.read(await call(http, asking(other), deadline=deadline, clock=clock), clock.now())
        except (ConnectionTrouble, Retriable):
            continue
        return region
    return None
