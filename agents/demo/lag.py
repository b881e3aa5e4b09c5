"""How far behind the worker is, as its own metrics tell: people still to be read, contacts still to be written."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

DEBTS = "rosterbook_debts"


@dataclass(frozen=True)
class Lag:
    """Rows whose work is owed."""

    to_read: int
    to_write: int


async def lag_of(http: aiohttp.ClientSession, worker: str | None) -> Lag | None:
    """worker: host:port. None while it does not answer."""
    if worker is None:
        return None
    with suppress(aiohttp.ClientError, TimeoutError):
        async with http.get(f"http://{worker}/metrics") as answer:
            owed = {"bamboohr": 0, "zoho": 0}
            for family in text_string_to_metric_families(await answer.text()):
                if family.name == DEBTS:
                    for sample in family.samples:
                        owed[sample.labels["api"]] += int(sample.value)
            return Lag(owed["bamboohr"], owed["zoho"])
    return None
