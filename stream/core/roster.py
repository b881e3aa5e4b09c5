"""Snapshots -> who claims which address, who holds it, and which contacts must change.

The contact of an address stands for its holder: the one active person who claims it. Two active people on one address
are held: nobody's contact is touched until one of them moves on or a person decides who holds it, except that whoever
has left is made inactive. A decision is about those whom the person saw, and ends when the holder leaves the address. A
contact belongs to a person by its key, which follows the person through changes of address; only when the holder has
left does it pass to a new holder who has none. Whoever moves to an address that is held still has the former one on the
contact, and so keeps a lesser claim to it: it can be given up to the next one there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

from stream.core.claim import brought
from stream.core.contact import email_key
from stream.core.debt import LATER, NOTHING
from stream.core.mapping import filled, with_activity
from stream.core.rows import Address, Claim, Given, Person, Row, Standing
from stream.records import (
    ContactKey,
    ContactUpsert,
    DesiredContact,
    Email,
    EmployeeId,
    EmployeeSnapshot,
    LogPosition,
    Mapping,
)
from stream.topics import EMPLOYEES

WHEN = ("folded", "debt", "snapshot", "read_at")
"""What any reading changes in a row."""
VOID = "the decision about its address is void: not the same people state it any more"


@dataclass(frozen=True)
class RosterFold:
    """The result of one snapshot: rows to write, upserts to append first. unclear: what could not be decided, if so."""

    people: dict[EmployeeId, Person]
    addresses: dict[Email, Address] = field(default_factory=dict)
    upserts: tuple[ContactUpsert, ...] = ()
    unclear: str | None = None


def fold(
    snapshot: EmployeeSnapshot,
    position: LogPosition,
    mapping: Mapping,
    person_of: Callable[[EmployeeId], Person],
    address_of: Callable[[Email], Address],
) -> RosterFold:
    """Fold one snapshot. Reads nothing but the snapshot and the rows that `person_of` and `address_of` hand out.

    A snapshot that is an older reading changes nothing, unless it is the very one that was applied last, which gives
    the same result again.
    """
    person = person_of(snapshot.employee)
    if _is_older(snapshot, position, person) and person.snapshot != position.offset:
        return RosterFold({snapshot.employee: person.model_copy(update={"folded": person.folded_with(position)})})
    if snapshot.state == "unreadable":
        parked = person.debt.park(snapshot.through, snapshot.reason or "unreadable")
        update = {"debt": parked, "mapping": snapshot.mapping_version, "folded": person.folded_with(position)}
        return RosterFold({snapshot.employee: person.model_copy(update=update)})
    return _Folding(snapshot, position, mapping, person_of, address_of).result()


def brings_news(
    snapshot: EmployeeSnapshot,
    mapping: Mapping,
    person_of: Callable[[EmployeeId], Person],
    address_of: Callable[[Email], Address],
) -> bool:
    """Whether folding the reading, as the newest there is, would change more than when the person was read."""
    person_of, address_of = cache(person_of), cache(address_of)  # reading a row costs more than the rest
    debt = person_of(snapshot.employee).debt
    if snapshot.insists or debt.settled < debt.wanted:
        return True
    last = LogPosition(topic=EMPLOYEES.name, topic_id="", partition=0, offset=LATER)
    found = fold(snapshot, last, mapping, person_of, address_of)
    return (
        bool(found.upserts)
        or any(_has_changed(person_of(who), person) for who, person in found.people.items())
        or any(_has_changed(address_of(email), address) for email, address in found.addresses.items())
    )


def _has_changed(before: Row, after: Row) -> bool:
    return any(getattr(before, name) != getattr(after, name) for name in type(after).model_fields if name not in WHEN)


def is_to_be_asked_about(employee: EmployeeId, person: Person, address_of: Callable[[Email], Address | None]) -> bool:
    """Whether somebody whom BambooHR's list does not show is to be read alone, since an absence says nothing: who has
    an active contact, and who is taken for employed, since that may keep others from an address.
    """
    if person.shown is not None and person.shown.active is True:
        return True
    address = None if person.email is None else address_of(person.email)
    claim = None if address is None else address.claims.get(employee)
    return claim is not None and claim.standing != "departed"


def rivals(employee: EmployeeId, email: Email | None, address_of: Callable[[Email], Address | None]) -> set[EmployeeId]:
    """Who else is taken for employed at the address, and so decides with whom it is."""
    address = None if email is None else address_of(email)
    claims = {} if address is None else address.claims
    return {who for who, claim in claims.items() if who != employee and claim.standing != "departed"}


def of_earlier_life(snapshot: EmployeeSnapshot) -> EmployeeSnapshot:
    """A reading that answers events of an earlier life of their topic: it is what is known, and settles nothing now."""
    return snapshot.model_copy(update={"through": NOTHING})


def _is_older(snapshot: EmployeeSnapshot, position: LogPosition, person: Person) -> bool:
    """Not after what is settled. Readings of earlier lives lie in the order in which they were made."""
    if snapshot.through == person.debt.settled == NOTHING:
        return position.offset < person.snapshot
    return snapshot.through <= person.debt.settled


def _stays(claim: Claim) -> bool:
    """Whether the contact stays active: of who is employed, or has left and is given some days more."""
    return claim.standing != "departed" or claim.desired.active is True


class _Folding:
    """The working state of one fold: rows that were touched, and the contacts that they come to."""

    def __init__(
        self,
        snapshot: EmployeeSnapshot,
        position: LogPosition,
        mapping: Mapping,
        person_of: Callable[[EmployeeId], Person],
        address_of: Callable[[Email], Address],
    ) -> None:
        self.snapshot = snapshot
        self.position = position
        self.mapping = mapping
        self._person_of = person_of
        self._address_of = address_of
        self.people: dict[EmployeeId, Person] = {}
        self.addresses: dict[Email, Address] = {}
        self.targets: dict[EmployeeId, DesiredContact] = {}
        self.after: dict[EmployeeId, ContactKey] = {}
        self.unsettled: list[Email] = []
        self.took_over: set[EmployeeId] = set()
        self.freed: set[EmployeeId] = set()
        self.minted = 0

    def person(self, employee: EmployeeId) -> Person:
        if employee not in self.people:
            found = self._person_of(employee)
            self.people[employee] = found.model_copy(update={"folded": found.folded_with(self.position)})
        return self.people[employee]

    def change(self, employee: EmployeeId, **update: object) -> None:
        self.people[employee] = self.person(employee).model_copy(update=update)

    def address(self, email: Email) -> Address:
        if email not in self.addresses:
            found = self._address_of(email)
            self.addresses[email] = found.model_copy(update={"folded": found.folded_with(self.position)})
        return self.addresses[email]

    def result(self) -> RosterFold:
        employee = self.snapshot.employee
        person = self.person(employee)
        self.change(
            employee,
            debt=person.debt.settle(self.snapshot.through),
            snapshot=self.position.offset,
            read_at=self.snapshot.read_at,
            problem=None,
            mapping=self.snapshot.mapping_version,
        )
        problem = self._claim(employee)
        if problem is not None:
            self.change(employee, problem=problem)
        return RosterFold(self.people, self.addresses, tuple(self._upserts()), problem)

    def _claim(self, employee: EmployeeId) -> str | None:
        """Move the person's claim to where the reading puts it, and settle the addresses it left and reached."""
        before = self.person(employee).email
        former = None if before is None else self.address(before).claims.get(employee)
        given = self.snapshot.decision is None
        found = brought(self.snapshot, self.mapping, before, former, self.person(employee).decides_on)
        self.change(employee, decides_on=found.until)
        if found.claim is not None and found.email is not None:
            if before is not None and before != found.email:
                self._withdraw(employee, before)
            self._state(employee, found.email, found.claim)
            given = self._give(employee, found.email)
            self._linger(employee, found.email, found.claim)
            self.change(employee, email=found.email)
        while self.unsettled:
            self._settle(self.unsettled.pop(0))
        return found.problem if given else VOID

    def _give(self, employee: EmployeeId, email: Email) -> bool:
        """Do what a person decided about the address; False when it is no longer what that person saw."""
        decision = self.snapshot.decision
        if decision is None:
            return True
        address = self.address(email)
        if employee not in address.active or set(decision.among) != set(address.active):
            return False
        given = Given(holder=employee, among=decision.among)
        self.addresses[email] = address.model_copy(update={"given": given})
        return True

    def _state(self, employee: EmployeeId, email: Email, claim: Claim) -> None:
        address = self.address(email)
        self.addresses[email] = address.model_copy(update={"claims": {**address.claims, employee: claim}})
        self._unsettle(email)

    def _withdraw(self, employee: EmployeeId, email: Email) -> None:
        address = self.address(email)
        if employee in address.claims:
            claims = {who: claim for who, claim in address.claims.items() if who != employee}
            self.addresses[email] = address.model_copy(update={"claims": claims})
            self._unsettle(email)

    def _unsettle(self, email: Email) -> None:
        if email not in self.unsettled:
            self.unsettled.append(email)

    def _linger(self, employee: EmployeeId, email: Email, claim: Claim) -> None:
        """Keep a lesser claim to the address that the contact shows while the one that is stated is held."""
        shown = self.person(employee).shown
        former = email_key(shown.email) if shown is not None and shown.email else email
        if shown is None or former == email:
            return
        if self.address(email).contested:
            standing: Standing = "departed" if claim.standing == "departed" else "unstated"
            desired = filled(claim.desired, shown, self.mapping).model_copy(update={"email": shown.email})
            self._state(employee, former, Claim(standing=standing, desired=desired))
        else:
            self._withdraw(employee, former)

    def _settle(self, email: Email) -> None:
        """Decide who holds the address now, and what follows for everybody who claims it."""
        address = self.addresses[email]
        held = address.contested
        holder = self._holder(address)
        given = address.given if address.given is not None and address.given.holder in address.active else None
        self.addresses[email] = address.model_copy(update={"held": held, "holder": holder, "given": given})
        if held:
            if not address.held:
                self._leave_contacts(address, email)
            self._deactivate_departed(address)
            return
        if holder is None:
            return
        if address.held:
            self.freed.add(holder)
        if self.person(holder).contact_key is None:
            if address.claims[holder].standing != "active" and holder != self.snapshot.employee:
                return  # somebody who left long ago without a contact needs none now
            self._give_key(holder, address)
        for who, claim in address.claims.items():
            if who == holder:
                if self.person(who).email == email:  # else: held elsewhere, and not touched
                    self._target(who, claim.desired)
            elif self.person(who).contact_key is not None:
                self._give_up_address(who, claim, holder, email)

    def _holder(self, address: Address) -> EmployeeId | None:
        """The one active person, or the one to whom it was given; while several are held, or none is left, whoever held
        it goes on doing so.
        """
        active = address.active
        if len(active) == 1:
            return active[0]
        if address.is_given and address.given is not None:
            return address.given.holder
        before = address.holder if address.holder in address.claims else None
        if active or (before is not None and self.person(before).contact_key is not None):
            return before

        def rank(who: EmployeeId) -> tuple[bool, bool, bool, int, str]:
            """A contact first, then who is still employed, then the one who was read just now."""
            return (
                self.person(who).contact_key is None,
                address.claims[who].standing != "unstated",
                who != self.snapshot.employee,
                len(who),
                who,
            )

        return min(address.claims, key=rank, default=None)

    def _leave_contacts(self, address: Address, email: Email) -> None:
        """What a contact was to become before the address was held may not be written yet: it waits with the rest."""
        for who in address.active:
            shown = self.person(who).shown
            if shown is not None and email_key(shown.email or "") == email:
                self.targets[who] = shown

    def _shared_by(self, who: EmployeeId, desired: DesiredContact) -> int | None:
        """How many active people state the address of this one's contact, where it is held for that."""
        email = email_key(desired.email or "")
        address = self.addresses.get(email) or self._address_of(email)
        return len(address.active) if address.held and who in address.active else None

    def _deactivate_departed(self, address: Address) -> None:
        """A hold waits for those who are employed; other contacts become inactive, once they are to, with the address
        that they show.
        """
        for who, claim in address.claims.items():
            shown = self.person(who).shown
            if claim.standing == "departed" and shown is not None:
                wish = filled(claim.desired, shown, self.mapping)
                self.targets[who] = with_activity(wish, self.mapping, active=_stays(claim), email=shown.email)

    def _target(self, who: EmployeeId, desired: DesiredContact) -> None:
        """The contact shall be so; an address that it gives up by that is nobody's reason to wait any more."""
        shown = self.person(who).shown
        self.targets[who] = desired
        if shown is not None and shown.email and desired.email is not None:
            former = email_key(shown.email)
            if former != email_key(desired.email):
                self._forget(who, former)

    def _forget(self, who: EmployeeId, former: Email) -> None:
        """The lesser claim goes with the address; the claim to the stated one stays."""
        if former != self.person(who).email:
            self._withdraw(who, former)

    def _give_key(self, holder: EmployeeId, address: Address) -> None:
        """The key of somebody who left this address passes on, with what its contact shows; else a new one is made."""
        for who in sorted(address.claims, key=lambda who: (who != address.holder, len(who), who)):
            other = self.person(who)
            if who != holder and address.claims[who].standing == "departed" and other.contact_key is not None:
                self.change(holder, contact_key=other.contact_key, shown=other.shown)
                self.took_over.add(holder)
                self.change(who, contact_key=None, shown=None)
                self.targets.pop(who, None)
                if other.shown is not None and other.shown.email:
                    self._forget(who, email_key(other.shown.email))
                return
        key = ContactKey(
            f"{self.position.topic_id[:12]}-{self.position.partition}-{self.position.offset}-{self.minted}"
        )
        self.minted += 1
        self.change(holder, contact_key=key)

    def _give_up_address(self, who: EmployeeId, claim: Claim, holder: EmployeeId, email: Email) -> None:
        """Another person holds the address now: this one's contact must let go of it before the holder's shows it."""
        person = self.person(who)
        assert person.contact_key is not None
        if person.shown is not None and email_key(person.shown.email or "") == email:
            self.after[holder] = person.contact_key
        wish = filled(claim.desired, person.shown, self.mapping)
        self._target(who, with_activity(wish, self.mapping, active=_stays(claim), email=""))

    def _upserts(self) -> Iterable[ContactUpsert]:
        snapshot = self.snapshot
        reader = self.people[snapshot.employee]
        if snapshot.insists and reader.contact_key is not None and reader.shown is not None:
            self.targets.setdefault(snapshot.employee, reader.shown)
        for who, wish in self.targets.items():
            person = self.people[who]
            assert person.contact_key is not None
            desired = filled(wish, person.shown, self.mapping)
            insists = snapshot.insists and who == snapshot.employee
            shared = self._shared_by(who, desired)
            # A contact that passes on must be known as the new person's, even if it shows the same; and one that was
            # left as it is, or is to be from now on, may never have been written.
            moves_on = who in self.took_over or who in self.freed or shared is not None
            if desired == person.shown and not insists and not moves_on:
                continue
            self.change(who, shown=desired, upsert=self.position.offset)
            yield ContactUpsert(
                connection=snapshot.connection,
                contact_key=person.contact_key,
                employee=who,
                desired=desired,
                insists=insists,
                backfill=self.snapshot.backfill,
                after=self.after.get(who),
                shared=shared,
                cause=self.position,
                chain=(snapshot.cause,),
                mapping_version=snapshot.mapping_version,
            )
