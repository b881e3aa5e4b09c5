"""What a new owner of a connection goes on with: the calls that its organization has had today."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from agents.lane_making import LaneMaker
from stream.codec import canonical, decode
from stream.core.day import DailyBudget
from stream.quota import AHEAD, Quota, QuotaLedger
from stream.records import AnyRecord, BambooHrSettings, Connection, Sealed, ZohoSettings
from stream.topics import TOKENS
from tests.fake_clock import START
from tests.small_world import ACME
from tests.virtual_time import VirtualTime, run

SECRET = Sealed(key="1", box="x")
QUOTA = Quota(per_minute=100, in_flight=5)


def connection(organization: str = "10234695") -> Connection:
    return Connection(
        connection=ACME,
        mode="live",
        bamboohr=BambooHrSettings(subdomain="acme", api_key=SECRET),
        webhook_key=SECRET,
        zoho=ZohoSettings(
            region="eu", organization_id=organization, client_id=SECRET, client_secret=SECRET, refresh_token=SECRET
        ),
        saved_at=START,
    )


class Topic:
    """The topic `tokens`, appended to by one owner and read by the next."""

    def __init__(self) -> None:
        self.records: dict[str, AnyRecord] = {}

    async def append(self, record: Any) -> None:
        self.records[TOKENS.key_of(record).decode()] = decode(TOKENS, canonical(record))


def ledger_of_a_new_owner(loop: VirtualTime, topic: Topic, organization: str = "10234695") -> QuotaLedger:
    nothing: Any = None
    log = cast(Any, SimpleNamespace(append=topic.append))
    tokens = cast(Any, topic)
    crashed: Callable[[BaseException], None] = lambda error: None  # noqa: E731
    maker = LaneMaker(
        settings=nothing,
        log=log,
        people=nothing,
        addresses=nothing,
        contacts=nothing,
        companies=nothing,
        tokens=tokens,
        vault=nothing,
        http=nothing,
        fence=nothing,
        clock=loop,
        crashed=crashed,
    )
    return maker._ledger(connection(organization), "zoho", QUOTA)


def test_a_new_owner_goes_on_with_the_days_count_of_the_one_before() -> None:
    loop, topic = VirtualTime(), Topic()

    async def main() -> None:
        before = ledger_of_a_new_owner(loop, topic)
        async with before.call():
            before.told(DailyBudget(limit=1000, remaining=400, reset=7200))
        async with before.call():
            pass
        after = ledger_of_a_new_owner(loop, topic)
        assert after.left_today is not None
        assert 399 - AHEAD <= after.left_today <= 399
        assert after.limits.day_ends_in < 120.0
        another = ledger_of_a_new_owner(loop, topic, organization="2")
        assert another.left_today is None

    run(main(), loop)
