"""How much of Zoho's limit a backlog uses, alone and beside another program: in virtual time, against the sandbox's own
limits, so that the machine's load does not matter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from stream.sandbox.zoho.quirks import ZohoQuirks
from tests.bench.figures import Figure, Target
from tests.limited_zoho import MINUTE, LimitedZoho, played

CONTACTS, LIMIT, OTHERS = 1000, 100, 30
MINUTES = 10


async def run() -> Sequence[Figure]:
    # A loop of its own time runs on a thread of its own.
    return [
        figure
        for quirks, note in ((ZohoQuirks(), "Zoho tells the day"), (ZohoQuirks(rate_headers="absent"), "it does not"))
        for figure in await asyncio.to_thread(_figures, quirks, note)
    ]


def _figures(quirks: ZohoQuirks, note: str) -> list[Figure]:
    alone, shared = played(_alone, quirks=quirks), played(_beside_another, quirks=quirks)
    adapted, end = 2 * MINUTE, (2 + MINUTES) * MINUTE
    late = [moment for moment, _ in shared.refused if adapted <= moment < end]
    share = shared.rate(adapted, end) / (LIMIT - OTHERS)
    used = len(alone.got) / (LIMIT * MINUTES)
    return [
        Figure("share of the limit used in ten minutes", used, "", target=Target(">=", 0.98), note=note),
        Figure("calls refused meanwhile", len(alone.refused), "calls", target=Target("<=", 0), note=note),
        Figure("share of the rest used beside another program", share, "", note=note),
        Figure("calls refused from the third minute on", len(late), "calls", note=note),
        Figure("contacts lost", CONTACTS - len(shared.paid), "contacts", target=Target("<=", 0), note=note),
    ]


async def _alone(zoho: LimitedZoho) -> None:
    zoho.owe(CONTACTS)
    await zoho.until(MINUTES * MINUTE)


async def _beside_another(zoho: LimitedZoho) -> None:
    zoho.owe(CONTACTS)
    other = asyncio.create_task(zoho.another_program(OTHERS))
    await zoho.until((2 + MINUTES) * MINUTE)
    other.cancel()
    await zoho.idle()
