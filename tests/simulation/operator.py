"""The person who decides about leavers that are held: now and then for some of them, in the end for all."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from datetime import timedelta

from stream.codec import canonical, decode
from stream.core.folds import APPROVE, REJECT, wish_of
from stream.core.guard import is_waiting
from stream.core.rows import ContactState
from stream.errors import RecordRefused
from stream.records import Command, ConnectionId, ContactKey, HeldContact, LeaverGuard, LogPosition, SyncOutcome
from stream.topics import COMMANDS, EMPLOYEES, OUTCOMES, changelog_of
from tests.simulation.broker import Broker
from tests.simulation.loop import SimulatedTime
from tests.simulation.offices import Violation

STRICT = LeaverGuard(people=2, percent=0)
OPEN = LeaverGuard(people=1_000_000)
LOOKS_S = (20.0, 400.0)
"""From when to when the person looks again."""


def policy_of(seed: int) -> LeaverGuard:
    """In every second seed almost every leaver is held."""
    return OPEN if seed % 2 else STRICT


class Operator:
    """Sees the rows as their changelogs have them, and takes a moment until the decision is on the log."""

    def __init__(self, loop: SimulatedTime, broker: Broker, seed: int) -> None:
        self._loop = loop
        self._broker = broker
        self._chance = random.Random(f"operator {seed}")

    async def work(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._chance.uniform(*LOOKS_S))
            held = [one for one in self._held() if self._chance.random() < 0.5]
            await asyncio.sleep(self._chance.uniform(0.0, 5.0))
            for one in held:
                self._say(self._chance.choice((APPROVE, APPROVE, REJECT)), *one)

    def approve_all(self) -> bool:
        """Whether there was anything to approve of. What was rejected is approved as well."""
        held = list(self._held(rejected=True))
        for one in held:
            self._say(APPROVE, *one)
        return bool(held)

    def _held(self, *, rejected: bool = False) -> Iterator[tuple[int, ConnectionId, HeldContact]]:
        for partition in range(self._broker.partitions):
            for key, row in dict(self._broker.logs[changelog_of("contacts"), partition]).items():
                if row is None or key.startswith(b"\x00"):
                    continue
                state = ContactState.model_validate_json(row)
                debt = state.debt
                stays = rejected and state.desired.active is False and debt.held > max(debt.settled, debt.approved)
                if is_waiting(state) or stays:
                    connection, _, contact = key.decode().partition("/")
                    wish = LogPosition(
                        topic=EMPLOYEES.name,
                        topic_id=self._broker.topic_ids[EMPLOYEES.name],
                        partition=partition,
                        offset=debt.held,
                    )
                    held = HeldContact(contact_key=ContactKey(contact), employee=state.employee, wish=wish)
                    yield partition, ConnectionId(connection), held

    def _say(self, command: str, partition: int, connection: ConnectionId, held: HeldContact) -> None:
        said = Command(connection=connection, command=command, asked_by="ada", holds=(held,), at=self._loop.now())
        self._broker.append((COMMANDS.name, partition), [(connection.encode(), canonical(said))])


def too_many_left(broker: Broker) -> list[Violation]:
    """Contacts that were made inactive without an approval, beyond what the strict policy lets go."""
    found: list[Violation] = []
    for partition in range(broker.partitions):
        approved: set[tuple[str, int]] = set()
        for _, value in broker.logs[COMMANDS.name, partition]:
            said = decode(COMMANDS, value)
            if isinstance(said, Command) and said.command == APPROVE:
                approved |= {(one.contact_key, one.wish.offset) for one in said.holds}
        left = [
            one
            for one in _outcomes(broker, partition)
            if one.action == "deactivated" and all((one.contact_key, w.offset) not in approved for w in wish_of(one))
        ]
        for one in left:
            begin = one.at - timedelta(hours=STRICT.hours)
            within = {o.contact_key for o in left if o.connection == one.connection and begin < o.at <= one.at}
            if len(within) > STRICT.people:
                found.append(Violation("invariant_violations", f"{len(within)} left within {STRICT.hours} hours"))
    return found


def _outcomes(broker: Broker, partition: int) -> Iterator[SyncOutcome]:
    for _, value in broker.logs[OUTCOMES.name, partition]:
        try:
            record = decode(OUTCOMES, value)
        except RecordRefused:
            continue
        if isinstance(record, SyncOutcome):
            yield record
