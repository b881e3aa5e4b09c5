"""What a new owner of a connection goes on with: the calls that its organization has had today."""

from __future__ import annotations

from typing import Any, cast

from agents.ledgers import Ledgers
from agents.partition import Partition
from stream.codec import canonical, decode
from stream.core.day import DailyBudget
from stream.quota import AHEAD, QuotaLedger
from stream.records import AnyRecord, BambooHrSettings, Connection, Sealed, ZohoSettings
from stream.topics import TOKENS
from tests.fake_clock import START, FakeClock
from tests.small_world import ACME
from tests.virtual_time import VirtualTime, run

SECRET = Sealed(key="1", box="x")


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

    def partition_of(self, _: object) -> int:
        return 3


def ledger_of_a_new_owner(loop: VirtualTime, topic: Topic, organization: str = "10234695") -> QuotaLedger:
    return Ledgers(cast(Any, topic), cast(Any, topic), loop).of_zoho(connection(organization))


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


def test_calls_count_on_unless_somebody_else_may_have_made_some_since() -> None:
    topic = cast(Any, Topic())
    ledgers = Ledgers(topic, topic, FakeClock())
    ledgers.taken(Partition(3, 1))
    first = ledgers.of_zoho(connection()), ledgers.of_bamboohr(connection())
    ledgers.taken(Partition(3, 2))
    ledgers.taken(Partition(2, 2))
    assert (ledgers.of_zoho(connection()), ledgers.of_bamboohr(connection())) == first
    ledgers.taken(Partition(3, 4))
    second = ledgers.of_zoho(connection()), ledgers.of_bamboohr(connection())
    assert not set(first) & set(second)


def test_when_the_limits_of_a_connection_change_its_calls_of_the_day_count_on() -> None:
    topic = cast(Any, Topic())
    ledgers = Ledgers(topic, topic, FakeClock())
    before = ledgers.of_zoho(connection())
    changed = connection().zoho.model_copy(update={"calls_per_minute": 50})
    after = ledgers.of_zoho(connection().model_copy(update={"zoho": changed}))
    assert after is not before
    assert after.day == before.day
