"""The contacts of an organization, read once in bulk and kept up to date, so that a first load searches for nobody.

It may be asked while it is fresh: at most FRESH_S old by our clock, from before the request that made it so was sent.
An older one first takes up, by one call as a rule, whatever was created or changed since by anybody; a search would
cost as much. What this connection writes is taken up at once. So a contact that somebody made by hand is overlooked
only if it was made within the last FRESH_S seconds before ours, as it would be by a search made so long ago.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from stream.clock import Clock
from stream.core.contact import ActualContact, ContactRow, email_key, row_of
from stream.core.drift import has_moved
from stream.core.rows import ContactState
from stream.records import ContactId, Email
from stream.telemetry import log
from stream.zoho.models import Page, moment

logger = log("zoho")

FRESH_S = 60.0
CLOCK_SKEW = timedelta(minutes=10)
"""How far Zoho's clock may be behind ours."""
OVERLAP = timedelta(seconds=30)
"""For how long a contact may be missing from lists after it was created or changed."""
PER_PAGE = 200
FEWEST = 180
"""Rows of a page, at most and at least. A page begins at a multiple of its size: with one of the sizes in between it
begins just before where the last page ended."""
TRIES = 3


Changed = tuple[ContactRow, ...] | None
Counted = Callable[[Coroutine[Any, Any, Changed]], Awaitable[Changed]]


class Lists(Protocol):
    """What is asked of the client."""

    async def listed(self, number: int, per_page: int) -> Page: ...

    async def modified_since(self, since: datetime) -> tuple[ContactRow, ...] | None: ...


class ContactIndex:
    """Empty, and of no use, until it is filled; and again once it is cleared."""

    def __init__(self, client: Lists, clock: Clock, *, field: str = "") -> None:
        """field: what contacts are matched by; "email", which no custom field is called, where it is their address."""
        self._client = client
        self._clock = clock
        self._field = field
        self._refreshing = asyncio.Lock()
        self._written: dict[ContactId, float] = {}
        self.clear()

    def clear(self) -> None:
        """Forget everything: whoever asks searches from now on."""
        self._rows: dict[ContactId, ContactRow] = {}
        self._by_email: dict[Email, dict[ContactId, ContactRow]] = {}
        self._by_value: dict[str, ContactId] = {}
        self._written.clear()
        self._since: datetime | None = None
        self._fresh_at = self._unsure_at = -math.inf
        self._is_sorted = True
        self.filled = False

    async def fill(self, page_of: Callable[[Callable[[], Awaitable[Page]]], Awaitable[Page]]) -> None:
        """Read all contacts. page_of: makes the call for one page, again where that may help.

        Raises what the client raises; it is then empty. It stays empty too where the pages do not join, however often
        they are read.
        """
        try:
            for _ in range(TRIES):
                self.clear()
                if await self._read(page_of):
                    self.filled = True
                    return
            logger.warning("zoho.pages_do_not_join", tries=TRIES)
        finally:
            if not self.filled:
                self.clear()

    async def _read(self, page_of: Callable[[Callable[[], Awaitable[Page]]], Awaitable[Page]]) -> bool:
        """Whether each page joined the one before: it must show the last contact of that again.

        Else one that was deleted meanwhile has moved all that come after it, and somebody is on no page.
        """
        asked, self._since = self._clock.monotonic(), self._clock.now() - CLOCK_SKEW
        reached, last, more = 0, None, True
        while more:
            size = min(range(PER_PAGE, FEWEST - 1, -1), key=lambda size: (reached - 1) % size) if reached else PER_PAGE
            number = max(reached - 1, 0) // size + 1
            page = await page_of(partial(self._client.listed, number, size))
            if last is not None and all(row.contact_id != last for row in page.rows):
                return False
            for row in page.rows:
                self._take(row, asked)
            before, reached = reached, (number - 1) * size + len(page.rows)
            last, more = page.rows[-1].contact_id if page.rows else last, page.more
            if more and reached <= before:
                return False
        return True

    async def with_address(self, email: str, counted: Counted) -> list[ContactRow] | None:
        """All contacts whose primary person has this address; None where it is not known, so that Zoho must be asked.

        counted: awaits a call of the client. Raises what the client raises.
        """
        async with self._refreshing:  # whoever comes meanwhile waits for the one call
            if self.filled and self._is_sorted and not self.fresh:
                await self._refresh(counted)
        known = self.filled and self._is_sorted
        return list(self._by_email.get(email_key(email), {}).values()) if known else None

    def holding(self, value: str) -> ContactRow | None:
        """A contact that had this value in the field when it was seen last. None says nothing: whether every
        organization's list shows the field is not documented, and it is not refreshed for this.
        """
        holder = self._by_value.get(value)
        return None if holder is None else self._rows.get(holder)

    @property
    def fresh(self) -> bool:
        return self._fresh_at > self._unsure_at and self._clock.monotonic() - self._fresh_at < FRESH_S

    def row(self, contact: ContactId) -> ContactRow | None:
        """The contact as it was seen last; None where there is none, or nothing is known."""
        return self._rows.get(contact)

    @property
    def rows(self) -> Iterable[ContactRow]:
        """All contacts as they were seen last; none where nothing is known."""
        return self._rows.values()

    def seen(self, contact: ContactId | None) -> tuple[bool, datetime | None]:
        """Whether the contact is there, and when it was changed last; None where it is not, or Zoho did not say."""
        row = None if contact is None else self._rows.get(contact)
        return row is not None, None if row is None else moment(row.last_modified_time)

    def has_moved(self, state: ContactState | None) -> bool:
        """Whether somebody changed or deleted the contact in Zoho since we last knew it to be right."""
        return state is not None and has_moved(state, *self.seen(state.contact_id))

    def is_doubled(self, state: ContactState) -> bool:
        """Whether several contacts show the address of somebody who is to have one; False where nothing is known."""
        email = state.desired.email
        return bool(state.desired.active and email) and len(self._by_email.get(email_key(email or ""), ())) > 1

    def saw(self, actual: ActualContact) -> None:
        """Zoho has just shown this contact, or taken what we wrote. An answer without persons does not tell all."""
        if self._since is None:
            return
        if actual.primary is None:
            self.unsure()
            return
        self._put(row_of(actual))
        self._written[actual.contact_id] = self._clock.monotonic()

    def gone(self, contact: ContactId) -> None:
        """Zoho has no such contact any more."""
        if (row := self._rows.pop(contact, None)) is not None:
            self._by_email[email_key(row.email)].pop(contact, None)
            value = row.custom_fields.get(self._field, "")
            if self._by_value.get(value) == contact:
                del self._by_value[value]

    def unsure(self) -> None:
        """The answer to a change was lost: what changed is looked up before anybody is told anything."""
        self._unsure_at = self._clock.monotonic()

    async def _refresh(self, counted: Counted) -> None:
        assert self._since is not None
        asked = self._clock.monotonic()
        rows = await counted(self._client.modified_since(self._since))
        if self._since is None:
            return  # cleared meanwhile
        if rows is None:
            self._is_sorted = False  # what has changed cannot be told from the rest; what was seen before stays known
            return
        for row in rows:
            self._take(row, asked)
        newest = moment(rows[0].last_modified_time) if rows else None
        if newest is not None:
            self._since = max(self._since, newest - OVERLAP)
        self._fresh_at = asked

    def _take(self, row: ContactRow, asked: float) -> None:
        """A row of an answer that was asked for then; what was written or seen alone since is newer."""
        if self._written.get(row.contact_id, -math.inf) < asked:
            self._put(row)

    def _put(self, row: ContactRow) -> None:
        self.gone(row.contact_id)
        self._rows[row.contact_id] = row
        self._by_email.setdefault(email_key(row.email), {})[row.contact_id] = row
        if value := row.custom_fields.get(self._field):
            self._by_value[value] = row.contact_id
