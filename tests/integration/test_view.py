"""A compacted topic as a dictionary: read to its end on demand, over outages, with one look for many who ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from stream.kafka.admin import admin, apply
from stream.kafka.embedded import EmbeddedKafka
from stream.kafka.event_log import EventLog
from stream.kafka.view import CompactedView
from stream.records import AnyRecord, ConnectionId, Sealed, Tokens
from stream.topics import TOKENS
from tests.e2e.waiting import until
from tests.integration.harness import event_log
from tests.integration.inputs import ACME, AT, OTHER


def token(box: str, connection: ConnectionId = ACME) -> Tokens:
    return Tokens(connection=connection, api="zoho", access_token=Sealed(key="1", box=box), expires_at=AT)


@asynccontextmanager
async def view(
    bootstrap: str, changes: list[tuple[str, AnyRecord | None]] | None = None
) -> AsyncIterator[CompactedView]:
    seen = changes if changes is not None else []
    found = CompactedView(bootstrap, TOKENS, lambda key, record: seen.append((key, record)))
    await found.start()
    try:
        yield found
    finally:
        await found.stop()


async def test_the_newest_record_of_each_key_is_there_and_a_tombstone_takes_it_away(bootstrap: str) -> None:
    changes: list[tuple[str, AnyRecord | None]] = []
    async with event_log(bootstrap) as log:
        await log.append(token("first"))
        await log.append(token("second"))
        await log.append(token("other", OTHER))
        async with view(bootstrap, changes) as found:
            await asyncio.wait_for(found.loaded.wait(), 20)
            assert found.records == {"acme|zoho": token("second"), "beta|zoho": token("other", OTHER)}
            await log.put(TOKENS.name, log.partition_of(ACME), [(b"acme|zoho", b"garbage")])
            await found.read_to_end()
            assert found.records["acme|zoho"] == token("second"), "what cannot be read changes nothing"
            await log.delete(token("second"))
            await found.read_to_end()
            assert found.records == {"beta|zoho": token("other", OTHER)}
    assert [record for key, record in changes if key == "acme|zoho"] == [token("first"), token("second"), None]


async def test_what_was_appended_before_the_call_is_there_after_it(bootstrap: str) -> None:
    async with event_log(bootstrap) as log, view(bootstrap) as found:
        for number in range(20):
            written = token(str(number))
            await log.append(written)
            await found.read_to_end()
            assert found.records["acme|zoho"] == written


async def test_many_who_ask_at_once_share_few_looks_at_the_end(bootstrap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, look = 0, AIOKafkaConsumer.end_offsets

    async def counted(self: AIOKafkaConsumer, *args: object) -> object:
        nonlocal looks
        looks += 1
        return await look(self, *args)

    async with event_log(bootstrap) as log, view(bootstrap) as found:
        await found.read_to_end()
        monkeypatch.setattr(AIOKafkaConsumer, "end_offsets", counted)
        first = [asyncio.create_task(found.read_to_end()) for _ in range(200)]
        await log.append(token("meanwhile"))
        await asyncio.gather(*first, *(found.read_to_end() for _ in range(200)))
        assert found.records["acme|zoho"] == token("meanwhile")
    assert 1 <= looks <= 3


async def test_it_survives_a_restart_of_the_broker(tmp_path: Path) -> None:
    kafka = EmbeddedKafka(tmp_path)
    await kafka.start()
    try:
        async with admin(kafka.bootstrap) as client:
            await apply(client, 2, 1, 1)
        log = EventLog(kafka.bootstrap, deadline=30)
        await log.start()
        try:
            await log.append(token("before"))
            async with view(kafka.bootstrap) as found:
                await found.read_to_end()
                await kafka.stop()
                reading = asyncio.create_task(found.read_to_end())
                await kafka.start()
                await log.append(token("after"))
                async with asyncio.timeout(30):
                    await reading
                    await until("the new record is seen", lambda: found.records["acme|zoho"] == token("after"), 30)
        finally:
            await log.stop(grace=1)
    finally:
        await kafka.stop()
