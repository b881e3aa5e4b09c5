"""The rows of the tables. Each carries `folded`: topic -> the offset of the last input that it was folded with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, JsonValue

from stream.core.debt import NOTHING, Debt
from stream.records import (
    ADDED,
    ContactId,
    ContactKey,
    Decision,
    DesiredContact,
    Email,
    EmployeeId,
    LogPosition,
    Model,
)

Standing = Literal["active", "unstated", "departed"]
"""active: employed and states this address; unstated: employed, states none any more; departed: left or gone."""


class Row(Model):
    """What all rows have."""

    folded: dict[str, int] = {}

    def folded_with(self, position: LogPosition) -> dict[str, int]:
        return {**self.folded, position.topic: max(position.offset, self.folded.get(position.topic, NOTHING))}

    def has_folded(self, topic: str, offset: int) -> bool:
        """Whether the fold of this input is in the row, or a later one."""
        return self.folded.get(topic, NOTHING) >= offset


class Person(Row):
    """Table `people`: connection and employee id.

    debt: the reading that is owed, in hr-events offsets. asked_at: when the newest of those events was received.
    live: the greatest hr-events offset that is more urgent than a backfill.
    insisted: the greatest hr-events offset that wants the contact put right even if nothing seems to have changed.
    decision: the last one that an event brought, and decided: that event's offset. It counts until it is read.
    email: the address this person claims. contact_key: the contact that stands for this person.
    shown: what the last upsert of that contact says. upsert: employees offset of the reading that brought that upsert.
    snapshot: employees offset of the last reading that was applied; it may have brought nothing new.
    problem: why the last reading could not decide something. mapping: the version that it was made under.
    heard_of: the latest change that an event told of, by BambooHR's clock. read_at: of the last reading, by ours.
    decides_on: the day on which the date alone changes whether this person counts as at work; None = no day does.
    """

    debt: Debt = Debt()
    live: int = NOTHING
    insisted: int = NOTHING
    decision: Decision | None = None
    decided: int = NOTHING
    asked_at: AwareDatetime | None = None
    email: Email | None = None
    contact_key: ContactKey | None = None
    shown: DesiredContact | None = None
    upsert: int = NOTHING
    snapshot: int = NOTHING
    problem: str | None = None
    heard_of: AwareDatetime | None = None
    read_at: AwareDatetime | None = None
    mapping: str | None = None
    decides_on: date | None = None

    @property
    def undone(self) -> Decision | None:
        """The decision that the next reading is to bring along."""
        return self.decision if self.decided > self.debt.settled else None


class Claim(Model):
    """What one employee who states an address brings with it."""

    standing: Standing
    desired: DesiredContact


class Given(Model):
    """An address that several active people state was given to one of them, by a person who saw just these."""

    holder: EmployeeId
    among: tuple[EmployeeId, ...]


class Address(Row):
    """Table `roster`: connection and email. holder: whom the contact stands for; held: two active people claim it.

    given: what a person decided about that; it holds while nobody else states the address.
    """

    claims: dict[EmployeeId, Claim] = {}
    holder: EmployeeId | None = None
    held: bool = False
    given: Given | None = None

    @property
    def active(self) -> list[EmployeeId]:
        """Those who are employed and state this address."""
        return [who for who, claim in self.claims.items() if claim.standing == "active"]

    @property
    def is_given(self) -> bool:
        """Whether a decision about the address holds."""
        active = set(self.active)
        return self.given is not None and self.given.holder in active and active <= set(self.given.among)

    @property
    def contested(self) -> bool:
        return len(self.active) > 1 and not self.is_given

    @property
    def desired(self) -> DesiredContact | None:
        """The contact that this address should have."""
        return self.claims[self.holder].desired if self.holder is not None and not self.held else None


class Attempt(Model):
    """A write that was begun. Without an end nobody knows whether it was applied.

    offset: of its attempting outcome. email: the address that a new contact carried. identifier: the employee's id in
    its unique field, where contacts are matched by that.
    """

    operation: Literal["create", "update", "activate", "deactivate"]
    offset: int
    at: AwareDatetime
    email: str | None = None
    identifier: Annotated[str | None, ADDED] = None


class Leave(Model):
    """A contact was about to be made inactive, for the debt at this employees offset."""

    at: AwareDatetime
    offset: int


class Drifted(Model):
    """Somebody changed the contact in Zoho Books, and it is left so. As the DriftOutcome says."""

    fields: tuple[str, ...]
    modified_at: AwareDatetime | None


class ContactState(Row):
    """Table `contacts`: connection and contact key.

    debt: in employees offsets. live: the greatest of them that is more urgent than a backfill.
    insisted: the greatest of them whose debt must be paid by reading the contact.
    after: a contact that must give up its address first. chain: causes of the wish, newest first.
    applied: fingerprint of the desired contact that Zoho is known to show. modified_at: when Zoho says that it was
        changed last, as we knew it then; None where that is not known.
    active: whether the contact was active when that was seen last; None while nobody has looked.
    written: the greatest employees offset for whose debt a write was begun.
    left: when it was made inactive last. held_at: when the leaver guard held it last.
    taken: up to which the debt is parked since another contact shows the address.
    drifted: what was found when it was looked at after somebody had changed it; None once it is known to be as we want.
    """

    employee: EmployeeId
    desired: DesiredContact
    debt: Debt = Debt()
    live: int = NOTHING
    insisted: int = NOTHING
    after: ContactKey | None = None
    chain: tuple[LogPosition, ...] = ()
    contact_id: ContactId | None = None
    applied: str | None = None
    active: bool | None = None
    written: Annotated[int, Field(exclude_if=lambda offset: offset == NOTHING)] = NOTHING
    left: Leave | None = None
    held_at: AwareDatetime | None = None
    taken: int = NOTHING
    modified_at: AwareDatetime | None = None
    drifted: Drifted | None = None
    unresolved: Attempt | None = None
    error: str | None = None

    def is_shown(self, wish: str) -> bool:
        """Whether Zoho is known to show the desired contact with this fingerprint, and nobody has it looked at."""
        known = self.contact_id is not None and self.unresolved is None and self.applied == wish
        return known and not self.must_be_read

    @property
    def may_exist(self) -> bool:
        """Whether a contact is made or taken over, or may be; a row of an earlier version tells by other fields."""
        return self.debt.begun or self.contact_id is not None or self.unresolved is not None

    @property
    def owes_backfill(self) -> bool:
        """Whether something is owed, and nothing that is more urgent than a backfill."""
        return self.debt.owed and not self.debt.owes(self.live)

    @property
    def must_be_read(self) -> bool:
        """Whether what is owed must be paid by reading the contact, which may have been changed by hand."""
        return self.insisted > self.debt.settled


class Suspension(Model):
    """Why a lane waits, and since when. flood: its flood guard stopped it."""

    reason: str
    since: AwareDatetime
    flood: bool = False


class Asked(Model):
    """A command that the owner of the connection is to carry out. debt: in commands offsets; the newest counts.

    progress: how far it has come, as whoever carries it out said last; empty before and after.
    """

    debt: Debt = Debt()
    cause: LogPosition
    arguments: dict[str, str] = {}
    progress: dict[str, JsonValue] = {}


class Polled(Model):
    """How far BambooHR's change feed was read. through: by BambooHR's clock. at: when the last run began, by ours.

    log_read_at: when the log of the webhook's deliveries was read last, by BambooHR's clock.
    """

    through: AwareDatetime
    at: AwareDatetime
    log_read_at: AwareDatetime | None = None


class Window(Model):
    """The leaver guard's: opened by a leaver, with so many people who should have had an active contact then.

    closed: too many are leaving; who is not done yet, and whoever follows in the window, waits for a person.
    """

    opened_at: AwareDatetime
    people: int
    closed: bool = False


class Company(Row):
    """Table `companies`: connection. suspended: API -> why its lane waits. asked: command -> what is owed of it.

    window: the leaver guard's last one. swept_at: when a reading of everybody came to its end last.
    """

    suspended: dict[str, Suspension] = {}
    asked: dict[str, Asked] = {}
    polled: Polled | None = None
    window: Window | None = None
    swept_at: AwareDatetime | None = None


@dataclass(frozen=True)
class Seen:
    """The rows of a connection's people, as somebody outside its owner sees them."""

    contacts: dict[ContactKey, ContactState]
    people: dict[EmployeeId, Person]
    addresses: dict[Email, Address]
