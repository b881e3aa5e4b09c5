"""How much of Zoho's limit a backlog uses, alone and beside another program: in virtual time, against the sandbox's own
limits, so that the machine's load does not matter. How long the calls of a first load take then. And what it costs that
tokens end in the middle of many syncs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from stream.sandbox.zoho.limits import Limits
from stream.sandbox.zoho.quirks import ZohoQuirks
from tests.bench.figures import Figure, Target
from tests.limited_zoho import CALLS, MINUTE, LimitedZoho, played
from tests.shop import shop

CONTACTS, LIMIT, OTHERS = 1000, 100, 30
MINUTES = 10
SYNCS = 500
LOADED = 10_000
"""New people of a first load, each of whom takes a call."""


async def run() -> Sequence[Figure]:
    # A loop of its own time runs on a thread of its own.
    figures = [
        figure
        for quirks, note in ((ZohoQuirks(), "Zoho tells the day"), (ZohoQuirks(rate_headers="absent"), "it does not"))
        for figure in await asyncio.to_thread(_figures, quirks, note)
    ]
    return [*figures, await asyncio.to_thread(_first_load), *await _tokens_that_end()]


async def _tokens_that_end() -> list[Figure]:
    """Both vendors forget the access token without a warning when half of the people are synced."""
    async with shop(SYNCS, "rotated") as here:
        here.hear(last=SYNCS // 2)
        await here.until(lambda: here.synced >= SYNCS // 4)
        first = here.token_requests
        here.bamboohr.accounts.revoke("access")
        here.zoho.tokens.expire_access_tokens()
        here.hear(first=SYNCS // 2)
        await here.until(lambda: all(lane.idle for lane in here.lanes.values()))
        asked = [after - before for before, after in zip(first, here.token_requests, strict=True)]
        note = f"{here.synced} people, OAuth on both sides, refresh tokens that change"
        return [
            Figure("most token requests of an API when tokens end", max(asked), "", target=Target("<=", 1), note=note),
            Figure("syncs that failed meanwhile", len(here.failures()), "", target=Target("<=", 0), note=note),
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


def _first_load() -> Figure:
    zoho = played(_loaded, limits=Limits(per_day=2 * LOADED))
    assert len(zoho.got) == LOADED
    seconds, permitted = zoho.got[-1], LOADED / LIMIT * MINUTE
    note = f"{seconds / MINUTE:.1f} minutes for {LOADED} calls at {LIMIT} a minute, {len(zoho.refused)} refused"
    return Figure(
        "time of a first load's calls to what the limit permits",
        seconds / permitted,
        "",
        None,
        Target("<=", 1.02),
        note,
    )


async def _loaded(zoho: LimitedZoho) -> None:
    zoho.owe(LOADED // CALLS)
    await zoho.until(1.1 * LOADED / LIMIT * MINUTE)


async def _alone(zoho: LimitedZoho) -> None:
    zoho.owe(CONTACTS)
    await zoho.until(MINUTES * MINUTE)


async def _beside_another(zoho: LimitedZoho) -> None:
    zoho.owe(CONTACTS)
    other = asyncio.create_task(zoho.another_program(OTHERS))
    await zoho.until((2 + MINUTES) * MINUTE)
    other.cancel()
    await zoho.idle()
