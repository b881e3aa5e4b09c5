"""Zoho's data centres: where tokens come from and where the Books API answers. An account lives in one of them, and its
credentials work in no other. Only these hosts, or a loopback stand-in, ever get credentials: what an answer says in
`api_domain` or `accounts-server` is never followed, only looked up here to tell which region the account is in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stream.errors import ConnectionMisset
from stream.settings import Settings

BOOKS = "/books/v3"


@dataclass(frozen=True)
class Region:
    """Host names."""

    accounts: str
    api: str


REGIONS = {
    "us": Region("accounts.zoho.com", "www.zohoapis.com"),
    "eu": Region("accounts.zoho.eu", "www.zohoapis.eu"),
    "in": Region("accounts.zoho.in", "www.zohoapis.in"),
    "au": Region("accounts.zoho.com.au", "www.zohoapis.com.au"),
    "jp": Region("accounts.zoho.jp", "www.zohoapis.jp"),
    # Canada's accounts are not under zoho.ca, whatever its other names suggest.
    "ca": Region("accounts.zohocloud.ca", "www.zohoapis.ca"),
    "cn": Region("accounts.zoho.com.cn", "www.zohoapis.com.cn"),
    "sa": Region("accounts.zoho.sa", "www.zohoapis.sa"),
}


TOLD_BY = "the address of your Zoho Books names its region (books.zoho.eu: eu)"
"""How a person finds the region. A refusal does not say where the credentials would be known, and no other region is
asked unless their owner says so (`stream/zoho/elsewhere.py`).
"""


def accounts_url(settings: Settings, region: str) -> str:
    """The root of the region's OAuth server. Raises ConnectionMisset for a region that is not in the table."""
    host = _region(region).accounts
    return settings.zoho_accounts_url or f"https://{host}"


def api_url(settings: Settings, region: str) -> str:
    """The root of the region's Books API; ends in `/books/v3`. Raises ConnectionMisset as `accounts_url` does."""
    root = settings.zoho_api_url or f"https://{_region(region).api}"
    return root if root.endswith(BOOKS) else root + BOOKS


def region_told_by(settings: Settings, *, accounts_server: object = None, api_domain: object = None) -> str | None:
    """The region that an answer of Zoho speaks of; None when it names no host of the table.

    While stand-ins are set their answers name themselves, and nothing is told by that.
    """
    if settings.zoho_accounts_url is not None or settings.zoho_api_url is not None:
        return None
    return _with_host(accounts_server, lambda region: region.accounts) or _with_host(
        api_domain, lambda region: region.api
    )


def refuse_other_region(asked: str, told: str | None) -> None:
    """Raise ConnectionMisset, naming the right region, when an answer told another one than was asked."""
    if told is not None and told != asked:
        raise ConnectionMisset(
            f'This Zoho account is in region {told}, not {asked}: set region = "{told}" and connect Zoho Books again.'
        )


def _with_host(address: object, host_of: Callable[[Region], str]) -> str | None:
    """The whole address is compared, so nothing that merely looks like a host of the table passes."""
    return next((name for name, region in REGIONS.items() if address == f"https://{host_of(region)}"), None)


def _region(region: str) -> Region:
    if (found := REGIONS.get(region)) is None:
        raise ConnectionMisset(f"Set the Zoho region to one of {', '.join(REGIONS)}.")
    return found
