"""Snapshots -> who claims which address, who holds it, and which contacts must change.

The contact of an address stands for its holder: the one active person who claims it. Two active people on one address
are held: nobody's contact is touched until one of them moves on. A contact belongs to a person by its key, which
follows the person through changes of address; only when the holder has left does it pass to a new holder who has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import assert_never

from stream.core.contact import email_key
from stream.core.employment import Employment, employment
from stream.core.mapping import desired_contact, filled, with_activity
from stream.core.rows import Address, Claim, Person, Standing
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

    A snapshot whose `through` is not after what is settled is an older reading and changes nothing, unless it is the
    very one that was applied last, which gives the same result again.
    """
    person = person_of(snapshot.employee)
    if snapshot.through <= person.debt.settled and person.snapshot != position.offset:
        return RosterFold({snapshot.employee: person.model_copy(update={"folded": person.folded_with(position)})})
    if snapshot.state == "unreadable":
        parked = person.debt.park(snapshot.through, snapshot.reason or "unreadable")
        return RosterFold(
            {snapshot.employee: person.model_copy(update={"debt": parked, "folded": person.folded_with(position)})}
        )
    return _Folding(snapshot, position, mapping, person_of, address_of).result()


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
            employee, debt=person.debt.settle(self.snapshot.through), snapshot=self.position.offset, problem=None
        )
        problem = self._claim(employee)
        if problem is not None:
            self.change(employee, problem=problem)
        return RosterFold(self.people, self.addresses, tuple(self._upserts()), problem)

    def _claim(self, employee: EmployeeId) -> str | None:
        """Move the person's claim to where the reading puts it, and settle the addresses it left and reached."""
        before = self.person(employee).email
        claim, email, problem = self._reading(before)
        if claim is None:
            return problem
        touched: list[Email] = []
        if before is not None and before != email:
            old = self.address(before)
            self.addresses[before] = old.model_copy(
                update={"claims": {who: other for who, other in old.claims.items() if who != employee}}
            )
            touched.append(before)
        if email is not None:
            new = self.address(email)
            self.addresses[email] = new.model_copy(update={"claims": {**new.claims, employee: claim}})
            touched.append(email)
            self.change(employee, email=email)
        for address in touched:
            self._settle(address)
        return problem

    def _reading(self, before: Email | None) -> tuple[Claim | None, Email | None, str | None]:
        """(what the person brings, the address it is for, what could not be decided)."""
        if self.snapshot.state == "gone":
            return self._departed(before), before, None
        fields = self.snapshot.fields
        kind: Employment = employment(fields, self.snapshot.read_at.date())
        match kind:
            case "unclear":
                return None, before, "status is empty or withheld"
            case "active":
                standing: Standing = "active"
            case "inactive" | "terminated" | "not started":
                standing = "departed"
            case _:
                assert_never(kind)
        desired = desired_contact(fields, self.mapping, active=standing == "active")
        if desired.email is not None:
            return Claim(standing=standing, desired=desired), email_key(desired.email), None
        problem = "work email is withheld" if "workEmail" not in fields else "work email is empty or too long"
        if before is None:
            return None, None, problem
        # An address that is withheld is still theirs; one that is empty is free for somebody else.
        if standing == "active" and "workEmail" in fields:
            standing = "unstated"
        former = self.address(before).claims.get(self.snapshot.employee)
        return Claim(standing=standing, desired=filled(desired, former.desired if former else None)), before, problem

    def _departed(self, before: Email | None) -> Claim | None:
        """What somebody brings who is gone: the last that was known, no longer active."""
        claim = None if before is None else self.address(before).claims.get(self.snapshot.employee)
        if claim is None:
            return None
        desired = with_activity(claim.desired, self.mapping, active=False, email=claim.desired.email)
        return Claim(standing="departed", desired=desired)

    def _settle(self, email: Email) -> None:
        """Decide who holds the address now, and what follows for everybody who claims it."""
        address = self.addresses[email]
        active = [who for who, claim in address.claims.items() if claim.standing == "active"]
        held = len(active) > 1
        holder = address.holder if address.holder in address.claims else None
        if len(active) == 1:
            holder = active[0]
        elif not active and holder is None and address.claims:
            holder = min(address.claims, key=lambda who: (address.claims[who].standing != "unstated", len(who), who))
        self.addresses[email] = address.model_copy(update={"held": held, "holder": holder})
        if held or holder is None:
            return
        if self.person(holder).contact_key is None:
            if address.claims[holder].standing != "active" and holder != self.snapshot.employee:
                return  # somebody who left long ago without a contact needs none now
            self._give_key(holder, address)
        for who, claim in address.claims.items():
            if who == holder:
                self.targets[who] = claim.desired
            elif self.person(who).contact_key is not None:
                self._give_up_address(who, claim, holder)

    def _give_key(self, holder: EmployeeId, address: Address) -> None:
        """The key of somebody who left this address passes on, with what its contact shows; else a new one is made."""
        for who in sorted(address.claims, key=lambda who: (who != address.holder, len(who), who)):
            other = self.person(who)
            if who != holder and address.claims[who].standing == "departed" and other.contact_key is not None:
                self.change(holder, contact_key=other.contact_key, shown=other.shown)
                self.change(who, contact_key=None, shown=None)
                return
        key = ContactKey(
            f"{self.position.topic_id[:12]}-{self.position.partition}-{self.position.offset}-{self.minted}"
        )
        self.minted += 1
        self.change(holder, contact_key=key)

    def _give_up_address(self, who: EmployeeId, claim: Claim, holder: EmployeeId) -> None:
        """Another person holds the address now: this one's contact must let go of it before the holder's shows it."""
        person = self.person(who)
        assert person.contact_key is not None
        self.targets[who] = with_activity(
            filled(claim.desired, person.shown), self.mapping, active=claim.standing != "departed", email=""
        )
        self.after[holder] = person.contact_key

    def _upserts(self) -> Iterable[ContactUpsert]:
        snapshot = self.snapshot
        reader = self.people[snapshot.employee]
        if snapshot.insists and reader.contact_key is not None and reader.shown is not None:
            self.targets.setdefault(snapshot.employee, reader.shown)
        for who, wish in self.targets.items():
            person = self.people[who]
            assert person.contact_key is not None
            desired = filled(wish, person.shown)
            insists = snapshot.insists and who == snapshot.employee
            if desired == person.shown and not insists:
                continue
            self.change(who, shown=desired)
            yield ContactUpsert(
                connection=snapshot.connection,
                contact_key=person.contact_key,
                employee=who,
                desired=desired,
                insists=insists,
                after=self.after.get(who),
                cause=self.position,
                chain=(snapshot.cause,),
                mapping_version=snapshot.mapping_version,
            )
