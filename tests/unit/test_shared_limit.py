"""The minute's limit of an organization, against the sandbox's own: nearly all of it is used, and what others take is
left to them.
"""

from __future__ import annotations

import asyncio

import pytest

from stream.sandbox.zoho.limits import Limits
from stream.sandbox.zoho.quirks import ZohoQuirks
from tests.limited_zoho import MINUTE, LimitedZoho, played

TOLD, UNTOLD = ZohoQuirks(), ZohoQuirks(rate_headers="absent")


@pytest.mark.parametrize("quirks", [TOLD, UNTOLD], ids=["told", "untold"])
@pytest.mark.parametrize("lasting", [0.3, 2.5])
def test_a_backlog_of_a_thousand_contacts_uses_98_percent_of_the_limit_and_nothing_is_refused(
    quirks: ZohoQuirks, lasting: float
) -> None:
    async def scene(zoho: LimitedZoho) -> None:
        zoho.owe(1000)
        await zoho.until(10 * MINUTE)

    zoho = played(scene, quirks=quirks, lasting=lasting, limits=Limits(in_flight=5))
    assert zoho.refused == []
    assert len(zoho.got) >= 0.98 * 10 * 100


@pytest.mark.parametrize("began", [0.0, 3.5 * MINUTE], ids=["from the start", "later"])
@pytest.mark.parametrize("quirks", [TOLD, UNTOLD], ids=["told", "untold"])
def test_another_program_is_left_its_30_calls_a_minute_after_two_minutes_and_nothing_is_lost(
    quirks: ZohoQuirks, began: float
) -> None:
    async def scene(zoho: LimitedZoho) -> None:
        zoho.owe(1000)
        await zoho.until(began)
        other = asyncio.create_task(zoho.another_program(30))
        await zoho.until(began + 12 * MINUTE)
        other.cancel()
        await zoho.idle()

    zoho = played(scene, quirks=quirks)
    adapted, end = began + 2 * MINUTE, began + 7 * MINUTE
    assert [moment for moment, _ in zoho.refused if adapted <= moment < end] == []
    assert zoho.rate(adapted, end) >= (0.9 if quirks is TOLD else 0.6) * 70
    assert sum(adapted <= moment < end for moment in zoho.others) == pytest.approx(30 * 5, abs=1)
    assert len(zoho.paid) == 1000
