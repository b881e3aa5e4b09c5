"""Reads everybody from BambooHR's list, page after page, and appends what it shows of each as a snapshot.

The list is read to its end first, so that who shares an address with somebody on a later page is known before anybody
is taken. Each page is asked for by an `HrEvent` of kind sweep that names nobody; its position is the `through` of what
the page shows, and everything up to it is folded before the request is sent. Whoever owes a reading, or was read since
this began, is left to that reading, and so is whoever the list does not tell enough of for the mapping. So nobody's
readings overlap, nobody is taken twice, and an older one never replaces a newer. Of whoever is as known nothing is
appended: that is most of a company, night after night. An absence from the list says nothing here, and whatever came of
it would be for somebody else to decide.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import NamedTuple, Protocol

from pydantic import ConfigDict

from stream.bamboohr.client import PageMoved
from stream.bamboohr.listed import Listed, must_be_whole, must_go_on
from stream.bamboohr.models import EmployeePage
from stream.clock import Clock
from stream.codec import fingerprint
from stream.core import roster
from stream.core.claim import may_claim
from stream.core.mapping import fields_to_read
from stream.core.repair import Finding, Known, Missed, Why, finding, why_missed
from stream.core.rows import Address, Person
from stream.core.sharing import Sharing
from stream.core.window import day_in, day_told
from stream.patience import Patience
from stream.records import AnyRecord, ConnectionId, Email, EmployeeId, EmployeeSnapshot, HrEvent, LogPosition, Model
from stream.records import Mapping as FieldMapping
from stream.rereading import reread
from stream.topics import EMPLOYEES, HR_EVENTS

NAMED = 1000
"""People whose faults a sweep names: it is on the log after each page."""
BATCH = 25
"""Snapshots that are appended together, while at most the batch before is not folded: so never 50 are, and a
neighbour's change waits for no more."""


class Sweep(Model):
    """How far a reading of everybody has come.

    began: hr-events offset of its first page. people: whose page is folded, of `total`, where BambooHR says how many
    there are. ended: all pages are. found: how many had what kind of fault, and named: who, up to NAMED, and why they
    had been missed; of those who are read alone that is known once `found_alone` is asked.
    """

    model_config = ConfigDict(extra="ignore")  # an earlier version said more

    began: int | None = None
    people: int = 0
    total: int | None = None
    ended: bool = False
    found: dict[Finding, int] = {}
    named: dict[EmployeeId, Finding] = {}
    why: dict[EmployeeId, Why] = {}

    @property
    def anew(self) -> Sweep:
        """From the first page, without those who were read already: for the next owner, who has not seen who was on the
        pages before.
        """
        return Sweep(began=self.began, found=self.found, named=self.named, why=self.why)

    def with_found(self, people: Mapping[EmployeeId, Missed]) -> Sweep:
        found = Counter(self.found) + Counter(one.what for one in people.values())
        named = dict(islice(people.items(), max(0, NAMED - len(self.named))))
        return self.model_copy(
            update={
                "found": dict(found),
                "named": {**self.named, **{who: one.what for who, one in named.items()}},
                "why": {**self.why, **{who: one.why for who, one in named.items()}},
            }
        )

    def without(self, people: Collection[EmployeeId]) -> Sweep:
        """Of these, who are named, it is known by now that nothing was wrong."""
        found = Counter(self.found) - Counter(self.named[who] for who in people)
        return self.model_copy(
            update={
                "found": dict(found),
                "named": {who: kind for who, kind in self.named.items() if who not in people},
                "why": {who: why for who, why in self.why.items() if who not in people},
            }
        )


class Page(NamedTuple):
    """What one shows of those who were on none before. cause: the event that asked for it."""

    rows: dict[EmployeeId, dict[str, str]]
    cause: LogPosition
    read_at: datetime
    total: int | None


class Pages(Protocol):
    """What is asked of the client."""

    async def page(self, fields: Sequence[str], after: str | None) -> EmployeePage: ...


class Log(Protocol):
    """Where records go."""

    async def append(self, record: AnyRecord) -> LogPosition: ...

    async def append_all(self, records: Sequence[AnyRecord]) -> list[LogPosition]: ...


class ReadEverybody:
    """Of one connection. on_list: whom the pages have shown so far."""

    def __init__(
        self,
        connection: ConnectionId,
        client: Pages,
        *,
        mapping: FieldMapping,
        person_of: Callable[[EmployeeId], Person | None],
        address_of: Callable[[Email], Address | None],
        sharing: Sharing,
        log: Log,
        folded: Callable[[str, int], Awaitable[None]],
        clock: Clock,
        time_zone: str = "UTC",
    ) -> None:
        """folded: waits until the record at an offset of a topic, in the connection's partition, is folded.

        time_zone: where the company is.
        """
        self._connection = connection
        self._client = client
        self._mapping = mapping
        self._mapping_version = fingerprint(mapping)
        self._listed = Listed(fields_to_read(mapping))
        self._time_zone = time_zone
        self._person_of = person_of
        self._address_of = address_of
        self._sharing = sharing
        self.on_list: set[EmployeeId] = set()
        self._read_alone: dict[EmployeeId, Known] = {}
        self._log = log
        self._folded = folded
        self._clock = clock

    async def pages(
        self, sweep: Sweep, patience: Patience, known: Callable[[Person], Known] = lambda person: Known(person.shown)
    ) -> AsyncGenerator[Sweep, None]:
        """Where it stands, after each page whose snapshots are in the log and folded.

        Raises PageMoved where the list changed under its reader or ended early, once what it showed is folded; and what
        the client raises, when nothing is, or the log.
        """
        pages, moved = await self._read(patience)
        if moved is None:
            claims: list[tuple[EmployeeId, Email]] = []
            for page in pages:
                claims += self._claims(page)
                await asyncio.sleep(0)
            self._sharing.listed(claims)
        while pages:
            page = pages.pop(0)
            began = page.cause.offset if sweep.began is None else sweep.began
            snapshots = {who: self._snapshot(who, fields, page) for who, fields in page.rows.items()}
            found = await self._append(snapshots, began, known)
            come = {"began": began, "total": page.total, "ended": moved is None and not pages}
            sweep = sweep.with_found(found).model_copy(update={**come, "people": sweep.people + len(snapshots)})
            yield sweep
        if moved is not None:
            raise moved

    async def _read(self, patience: Patience) -> tuple[list[Page], PageMoved | None]:
        """The pages to the end of the list, or to where it moved."""
        self.on_list.clear()
        pages: list[Page] = []
        after: str | None = None
        try:
            while not pages or after is not None:
                cause = await self._append_and_fold(
                    HrEvent(connection=self._connection, employees=(), kind="sweep", received_at=self._clock.now())
                )
                page = await patience(partial(self._client.page, self._listed.names, after))
                read_at = self._clock.now()
                rows = {who: self._listed.shown(who, fields) for who, fields in page.rows if who not in self.on_list}
                must_go_on(rows, page.next)
                self.on_list.update(rows)
                pages.append(Page(rows, cause, read_at, page.total))
                after = page.next
            must_be_whole(len(self.on_list), page.total)
        except PageMoved as error:
            return pages, error
        return pages, None

    def _claims(self, page: Page) -> Iterator[tuple[EmployeeId, Email]]:
        """Who may have which address."""
        today = day_in(self._time_zone, page.read_at)
        for employee, fields in page.rows.items():
            if (email := may_claim(fields, self._mapping, today)) is not None:
                yield employee, email

    def forget(self) -> None:
        """The reading is over, and who is on the list of no more interest."""
        self.on_list.clear()

    def _snapshot(self, employee: EmployeeId, fields: dict[str, str], page: Page) -> EmployeeSnapshot:
        return EmployeeSnapshot(
            connection=self._connection,
            employee=employee,
            through=page.cause.offset,
            backfill=True,
            cause=page.cause,
            mapping_version=self._mapping_version,
            read_at=page.read_at,
            read_on=day_told(self._time_zone, page.read_at),
            state="read",
            fields=fields,
        )

    async def _append(
        self, snapshots: Mapping[EmployeeId, EmployeeSnapshot], began: int, known: Callable[[Person], Known]
    ) -> dict[EmployeeId, Missed]:
        """Append those that bring news of people who are due, or have them read alone, and return when that is folded;
        what was found of the former.
        """
        newest: LogPosition | None = None
        told: dict[EmployeeId, Known] = {}
        alone: dict[EmployeeId, Known] = {}
        people = list(snapshots)
        for first in range(0, len(people), BATCH):
            batch = []
            for employee in people[first : first + BATCH]:
                person = self._person_of(employee) or Person()
                if person.debt.owed or person.debt.settled >= began:
                    continue
                if not self._listed.tells_all(snapshots[employee].fields):
                    alone[employee] = known(person)
                    continue
                before_it = known(person)
                snapshot = snapshots[employee].model_copy(update={"insists": before_it.insists})
                if self._brings_news(snapshot):
                    told[employee] = self._explained(person, before_it)
                    batch.append(snapshot)
            before, newest = newest, (await self._log.append_all(batch))[-1] if batch else newest
            if before is not None:
                await self._folded(EMPLOYEES.name, before.offset)
            await asyncio.sleep(0)
        if newest is not None:
            await self._folded(EMPLOYEES.name, newest.offset)
        await self.read_alone(alone)
        return self._found(told)

    async def read_alone(self, people: Mapping[EmployeeId, Known]) -> None:
        """Return when the rows know that these are to be read by the lane."""
        for who, known in people.items():
            self._read_alone[who] = self._explained(self._person_of(who) or Person(), known)
        for insists in (False, True):
            due = [who for who, known in people.items() if known.insists is insists]
            await reread(self._connection, due, "sweep", self._append_and_fold, self._clock.now(), insists=insists)

    def found_alone(self) -> dict[EmployeeId, Missed]:
        """What the lane found of those whom it read since this was asked last."""
        people, self._read_alone = self._read_alone, {}
        return self._found(people)

    def _explained(self, person: Person, known: Known) -> Known:
        today = day_in(self._time_zone, self._clock.now())
        return known._replace(why=why_missed(person, self._mapping_version, today))

    def _found(self, people: Mapping[EmployeeId, Known]) -> dict[EmployeeId, Missed]:
        kinds = {who: finding(known, self._person_of(who) or Person()) for who, known in people.items()}
        return {who: kind for who, kind in kinds.items() if kind is not None}

    def _brings_news(self, snapshot: EmployeeSnapshot) -> bool:
        return roster.brings_news(
            snapshot,
            self._mapping,
            lambda employee: self._person_of(employee) or Person(),
            lambda email: self._address_of(email) or Address(),
        )

    async def _append_and_fold(self, event: HrEvent) -> LogPosition:
        position = await self._log.append(event)
        await self._folded(HR_EVENTS.name, position.offset)
        return position
