"""Each protection of the product, taken away by a patch: without it a simulation must report what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import pytest

import agents.recovery
import agents.roster
import tests.simulation.world
from agents.lanes import Lanes
from agents.partition import Partition
from agents.recovery import named
from agents.results import Results
from agents.tables import Rows
from stream.core import roster
from stream.fence import Fence
from stream.quota import QuotaLedger
from stream.records import AnyRecord, LogPosition
from stream.zoho.lookup import Lookup
from tests.simulation.broker import Entry, Place
from tests.simulation.edges import MemoryReader
from tests.simulation.worker import Inflow

Patch = Callable[[pytest.MonkeyPatch], None]


def no_settle_time(patch: pytest.MonkeyPatch) -> None:
    settings = tests.simulation.world.SETTINGS.model_copy(update={"settle_time": 0.0})
    patch.setattr(tests.simulation.world, "SETTINGS", settings)


def create_without_search(patch: pytest.MonkeyPatch) -> None:
    async def nothing_found(*_: Any) -> None:
        return None

    patch.setattr(Lookup, "_search", nothing_found)


def older_readings_apply(patch: pytest.MonkeyPatch) -> None:
    fold = roster.fold

    def any_reading(snapshot: Any, position: Any, mapping: Any, person_of: Any, address_of: Any) -> Any:
        def as_if_it_came_again(employee: Any) -> Any:
            found = person_of(employee)
            same = employee == snapshot.employee
            return found.model_copy(update={"snapshot": position.offset}) if same else found

        return fold(snapshot, position, mapping, as_if_it_came_again, address_of)

    patch.setattr(agents.roster.core, "fold", any_reading)


class _OpenGate(asyncio.Event):
    """Lets everybody through; whether it is set is told as it is."""

    async def wait(self) -> Any:
        return True


def no_catch_up_gate(patch: pytest.MonkeyPatch) -> None:
    begin = Partition.__init__

    def open_from_the_start(self: Partition, number: int, generation: int) -> None:
        begin(self, number, generation)
        self.caught_up = _OpenGate()

    patch.setattr(Partition, "__init__", open_from_the_start)


async def _no_intent(*_: Any) -> None:
    return None


def no_intent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Results, "_keep", _no_intent)


def rows_before_their_outputs(patch: pytest.MonkeyPatch) -> None:
    async def rows_first(
        self: Results,
        partition: Partition,
        cause: LogPosition,
        appends: Sequence[AnyRecord],
        rows: Mapping[str, Mapping[str, bytes]],
    ) -> None:
        for table, values in rows.items():
            if values:
                await self.write(partition, self.tables[table], values)
        unsaid = [r for r in appends if not partition.is_said("rosterbook.contact-upserts", cause.topic, cause.offset)]
        await self._log.append_all(unsaid)

    patch.setattr(Results, "_keep", _no_intent)
    patch.setattr(Results, "_carry_out", rows_first)


def equal_rows_are_not_written_again(patch: pytest.MonkeyPatch) -> None:
    """And rows are seen before they are durable, without which that would do no harm."""

    async def only_what_differs(self: Rows[Any], partition: int, entries: list[Entry]) -> None:
        new = [(key, row) for key, row in entries if self._store.get(partition, key) != row]
        self._store.write(partition, new, None)
        if new:
            self._own[partition].update(
                await self._log.put(self.changelog, partition, new, named(self._claims[partition]))
            )

    patch.setattr(Rows, "_put", only_what_differs)


def ack_before_durable(patch: pytest.MonkeyPatch) -> None:
    """A record is acked when it is handed out."""
    events = Inflow.events

    async def acked_at_once(self: Inflow) -> AsyncIterator[Any]:
        async for event in events(self):
            await self.ack(event)
            yield event

    patch.setattr(Inflow, "events", acked_at_once)


def acks_before_rows_are_durable(patch: pytest.MonkeyPatch) -> None:
    async def later(self: Rows[Any], partition: int, entries: list[Entry]) -> None:
        own = self._own[partition]

        async def put() -> None:
            own.update(await self._log.put(self.changelog, partition, entries, named(self._claims[partition])))

        self._store.write(partition, entries, None)
        self.__dict__.setdefault("_late", []).append(asyncio.create_task(put()))

    patch.setattr(Rows, "_put", later)


def lanes_are_not_fenced(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Fence, "open", True)


def lanes_stay_open_on_revocation(patch: pytest.MonkeyPatch) -> None:
    async def stay(self: Lanes, numbers: Any) -> None:
        return None

    patch.setattr(Lanes, "close", stay)


def late_rows_of_former_owners_are_recovered(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(agents.recovery, "claim_in", lambda row_of: agents.recovery.NOBODY)
    patch.setattr(agents.recovery, "claim_of", lambda headers: 0)


def claims_hold_wherever_they_land(patch: pytest.MonkeyPatch) -> None:
    async def nothing_in_between(self: MemoryReader, ends: Mapping[Place, int]) -> dict[Place, int]:
        return dict.fromkeys(ends, -1)

    patch.setattr(MemoryReader, "last_records", nothing_in_between)


def calls_of_a_former_owner_are_not_reckoned_with(patch: pytest.MonkeyPatch) -> None:
    begin = QuotaLedger.__init__

    def at_once(self: QuotaLedger, quota: Any, clock: Any, **known: Any) -> None:
        begin(self, quota, clock, **known)
        self._strict_until = self._paced_until = clock.monotonic()

    patch.setattr(QuotaLedger, "__init__", at_once)


PROTECTIONS: tuple[Patch, ...] = (
    no_settle_time,
    create_without_search,
    older_readings_apply,
    no_catch_up_gate,
    no_intent,
    rows_before_their_outputs,
    equal_rows_are_not_written_again,
    ack_before_durable,
    acks_before_rows_are_durable,
    lanes_are_not_fenced,
    lanes_stay_open_on_revocation,
    late_rows_of_former_owners_are_recovered,
    claims_hold_wherever_they_land,
    calls_of_a_former_owner_are_not_reckoned_with,
)
