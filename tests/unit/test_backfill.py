"""The first load as the owner of a connection carries it out: what it reads, what it waits for, what it tells.

Time is virtual: a sleep lets so much of it pass, and costs none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, cast

import pytest

from agents.backfill import NAME, READINGS, TELL_S, Backfill
from agents.drift import FindDrift
from agents.operations import Done
from stream.bamboohr.client import PageMoved
from stream.bamboohr.everybody import NAMED, Sweep
from stream.core import folds
from stream.core.debt import Debt
from stream.core.forecast import Limits
from stream.core.repair import Known, Missed
from stream.core.rows import Company, ContactState, Person
from stream.core.sharing import Sharing
from stream.errors import RecordRefused
from stream.patience import Patience
from stream.records import (
    BambooHrSettings,
    Command,
    CommandOutcome,
    Connection,
    Email,
    EmployeeId,
    Mode,
    Reconciling,
    Sealed,
    ZohoSettings,
)
from tests.fake_clock import START
from tests.small_world import ACME, OUTCOMES, SmallWorld, at, person
from tests.unit.test_contact_index import run as drive
from tests.unit.test_sharing import wish
from tests.virtual_time import VirtualTime, run

COMMANDS = "rosterbook.commands"
SECRET = Sealed(key="1", box="x")


def connection(mode: Mode) -> Connection:
    return Connection(
        connection=ACME,
        mode=mode,
        bamboohr=BambooHrSettings(subdomain="acme", api_key=SECRET),
        webhook_key=SECRET,
        zoho=ZohoSettings(
            region="eu", organization_id="1", client_id=SECRET, client_secret=SECRET, refresh_token=SECRET
        ),
        saved_at=START,
    )


class FakeLane:
    """A lane that owes something until a test says otherwise."""

    def __init__(self) -> None:
        self.open_keys: set[str] = set()
        self.suspended: str | None = None
        self.ledger = cast(Any, self)
        self.closed: str | None = None
        self.limits = Limits(per_minute=100)
        self.bulk = 0

    @property
    def debts(self) -> int:
        return len(self.open_keys)

    @property
    def backfill(self) -> int:
        return len(self.open_keys)

    @contextmanager
    def in_bulk(self) -> Iterator[None]:
        self.bulk += 1
        yield


class Owner:
    """The handler and all that it touches. readings: what each reading of the list comes to, a number: seconds."""

    def __init__(
        self, *readings: Sequence[Sweep | Exception | float], mode: Mode = "live", reconcile: Reconciling | None = None
    ) -> None:
        self.world = SmallWorld()
        self.readings = list(readings)
        self.begun: list[Sweep] = []
        self.people, self.contacts = FakeLane(), FakeLane()
        self.claims: list[tuple[EmployeeId, Email]] = []
        self.unclear: ContactState | None = None
        self.forgot = self.waited = 0
        self.listed: set[EmployeeId] = set()
        self.on_list: set[EmployeeId] = set()
        self.company = folds.ask(Company(), command(), at(COMMANDS, 3))
        self.told: list[CommandOutcome] = []
        self.alone: dict[EmployeeId, Known] = {}
        self.found: dict[EmployeeId, Missed] = {}
        self.sharing = Sharing(lambda: self.company)
        self.load = Backfill(
            connection(mode).model_copy(update={"reconcile": reconcile or Reconciling()}),
            people=cast(Any, self.people),
            contacts=cast(Any, self.contacts),
            everybody=cast(Any, self),
            sharing=self.sharing,
            index=self.world.index,
            drift=find_drift(self.world),
            rows=replace(self.world.tables.rows, company=lambda: self.company),
            wishes_folded=self.wishes_folded,
            append=self.append,
            clock=self.world.clock,
        )

    async def pages(
        self, sweep: Sweep, patience: Patience, known: Callable[[Person], Known]
    ) -> AsyncGenerator[Sweep, None]:
        self.begun.append(sweep)
        self.on_list |= self.listed
        self.sharing.listed(self.claims)
        for one in self.readings.pop(0):
            if isinstance(one, Exception):
                raise one
            if isinstance(one, float):
                await asyncio.sleep(one)
            else:
                yield one

    async def read_alone(self, people: Mapping[EmployeeId, Known]) -> None:
        self.alone |= people

    def found_alone(self) -> dict[EmployeeId, Missed]:
        return self.found

    def forget(self) -> None:
        self.on_list.clear()
        self.forgot += 1

    async def wishes_folded(self) -> None:
        self.waited += 1
        assert self.unclear is None or self.sharing.is_unclear(self.unclear), "nothing is begun before"

    async def append(self, outcome: CommandOutcome) -> None:
        self.told.append(outcome)
        self.company = folds.answer(self.company, outcome, at(OUTCOMES, len(self.told)))

    def carried_out(self) -> Done:
        return run(self.load(self.company.asked[NAME]), VirtualTime())


def find_drift(world: SmallWorld) -> FindDrift:
    return FindDrift(
        ACME,
        read=world.zoho.contact,
        index=world.index,
        rows=world.tables.rows,
        append=world.append,
        clock=world.clock,
    )


def command() -> Command:
    return Command(connection=ACME, command=NAME, asked_by="me", work=True, at=START)


def test_it_ends_when_all_are_read_and_none_of_their_contacts_is_owed_any_more() -> None:
    owner = Owner([Sweep(began=1, people=2, total=3), Sweep(began=1, people=3, total=3, ended=True)])
    owner.contacts.open_keys = {"k1", "k2"}

    async def paid() -> None:
        await asyncio.sleep(50.0)
        owner.contacts.open_keys = {"k2", "of a webhook"}
        await asyncio.sleep(50.0)
        owner.contacts.open_keys = {"of a webhook"}

    async def both() -> Done:
        paying = asyncio.create_task(paid())
        done = await owner.load(owner.company.asked[NAME])
        await paying
        return done

    loop = VirtualTime()
    done = run(both(), loop)
    assert 100.0 <= loop.monotonic() < 102.0
    assert done.result == {
        "people": 3,
        "set_aside": 0,
        "differed": {},
        "repaired": 0,
        "found": [],
        "doubled": [],
    }
    assert done.says == "3 people were read, and their contacts are as they should be."
    assert (owner.people.bulk, owner.contacts.bulk) == (1, 1)
    assert not owner.world.index.filled, "it is of no use afterwards"


def test_while_the_list_is_read_it_says_how_many_are_on_it_so_far() -> None:
    slowly = [TELL_S + 1, Sweep(began=1, people=2, total=2, ended=True)]
    owner = Owner(slowly, slowly)
    owner.listed = {EmployeeId("1"), EmployeeId("2")}
    begin = "0 people read, 0 contacts owed, about 0 minutes."
    said = [begin, *(f"{read} of 2 people read, 0 contacts owed, about 0 minutes." for read in (0, 2))]
    owner.carried_out()
    assert [one.says for one in owner.told] == said
    owner.carried_out()
    assert [one.says for one in owner.told] == said * 2, "what the list showed the night before is of no interest"


def test_who_must_be_read_alone_is_waited_for_and_then_what_their_contacts_owe() -> None:
    owner = Owner([Sweep(began=1, people=1, total=1, ended=True)])
    owner.people.open_keys = {"1"}
    owner.claims = [(EmployeeId("3"), Email("ada@acme.test"))]
    contact = owner.unclear = wish()

    async def both() -> None:
        loading = asyncio.create_task(owner.load(owner.company.asked[NAME]))
        await asyncio.sleep(30.0)
        assert owner.sharing.is_unclear(contact), "whoever is read alone may share its address"
        owner.people.open_keys, owner.contacts.open_keys = {"of a webhook"}, {"k1"}
        await asyncio.sleep(30.0)
        assert not loading.done()
        assert not owner.sharing.is_unclear(contact)
        owner.contacts.open_keys = set()
        await loading

    loop = VirtualTime()
    run(both(), loop)
    assert 60.0 <= loop.monotonic() < 62.0


@pytest.mark.parametrize("reading", [[Sweep(began=1, people=1, ended=True)], [RecordRefused("cut off")]])
def test_of_what_the_list_showed_nothing_is_known_in_the_next_load(reading: list[Sweep | Exception]) -> None:
    owner = Owner(reading)
    with suppress(RecordRefused):
        owner.carried_out()
    assert owner.forgot == 1
    assert owner.sharing.is_unclear(wish()), "the load is still owed"


def test_when_the_list_moves_for_ever_the_rows_know_who_was_on_it_before_that_is_told() -> None:
    owner = Owner(*[[Sweep(began=7, people=1), PageMoved("moved")]] * READINGS)
    owner.claims = [(EmployeeId("3"), Email("ada@acme.test"))]
    owner.unclear = wish()
    with pytest.raises(RecordRefused):
        owner.carried_out()
    assert owner.waited == 1


def test_whoever_the_list_does_not_show_is_read_alone_unless_their_contact_is_inactive_or_nobody_is_shown() -> None:
    whole = Sweep(began=2, people=1, total=1, ended=True)
    owner = Owner([whole], [whole], [Sweep(began=2, ended=True)])
    for employee in ("1", "2", "3", "4"):
        owner.world.hire(employee, person(f"{employee}@acme.test"))
    owner.world.hire("3", person("3@acme.test", status="Terminated"))
    owner.world.settle()
    rows = owner.world.tables.people
    rows |= {
        EmployeeId(who): rows[EmployeeId(who)].model_copy(update={"debt": Debt(wanted=1, settled=1)}) for who in "34"
    }
    rows[EmployeeId("1")] = rows[EmployeeId("1")].model_copy(update={"debt": Debt(wanted=5, settled=5)})
    rows[EmployeeId("2")] = rows[EmployeeId("2")].model_copy(update={"debt": Debt(wanted=6, settled=1)})
    owner.listed = {EmployeeId("5")}
    owner.carried_out()
    assert owner.alone == {"4": Known(rows[EmployeeId("4")].shown)}
    owner.alone.clear()
    owner.listed |= {EmployeeId("4")}
    owner.carried_out()
    assert not owner.alone
    owner.listed.clear()
    with pytest.raises(RecordRefused, match="lists nobody"):  # and no first load was made by that
        owner.carried_out()
    assert not owner.alone


def test_an_absence_is_looked_into_where_a_contact_was_changed_by_hand_or_somebody_keeps_others_from_an_address() -> (
    None
):
    owner = Owner(*[[Sweep(began=99, people=1, total=1, ended=True)]] * 2)
    world = owner.world
    for employee, email in (("1", "ada"), ("2", "bo"), ("3", "cy"), ("4", "cy")):
        world.hire(employee, person(f"{email}@acme.test"))
    world.settle()
    for employee in ("1", "2", "3"):
        world.hire(employee, None)
    world.settle()
    world.insist()
    world.settle()
    owner.listed = {EmployeeId("9")}
    owner.carried_out()
    assert {who: known.insists for who, known in owner.alone.items()} == {"4": False}
    world.clock.advance(60.0)
    contacts = {one.email: one for one in world.zoho.contacts.values()}
    contacts["ada@acme.test"].active, contacts["ada@acme.test"].modified = True, world.clock.now()
    del world.zoho.contacts[contacts["bo@acme.test"].contact_id]  # who left needs none
    owner.found = {EmployeeId("4"): Missed("left")}
    done = owner.carried_out()
    assert {who: known.insists for who, known in owner.alone.items()} == {"1": True, "4": False}
    assert done.result["differed"] == {"left": 1}


def test_when_it_has_ended_is_known_and_when_it_was_asked_for_only_is_not() -> None:
    owner = Owner([Sweep(began=1, people=1, total=1, ended=True)])
    owner.carried_out()
    assert owner.company.swept_at is None
    done = owner.told[-1].model_copy(update={"state": "done"})
    assert folds.answer(owner.company, done, at(OUTCOMES, 99)).swept_at == done.at


def test_it_tells_how_far_it_is_at_once_with_each_page_and_at_least_thrice_a_minute() -> None:
    owner = Owner([Sweep(began=1, people=3, total=3, ended=True)])
    owner.contacts.open_keys = {"k1"}
    owner.contacts.suspended = "Zoho Books does not accept a fresh token."

    async def scene() -> None:
        loading = asyncio.create_task(owner.load(owner.company.asked[NAME]))
        await asyncio.sleep(60.5)
        owner.company = folds.ask(owner.company, command(), at(COMMANDS, 5))
        owner.contacts.open_keys = {"k1", "k2"}
        await asyncio.sleep(20.0)
        loading.cancel()
        await asyncio.gather(loading, return_exceptions=True)

    run(scene(), VirtualTime())
    assert [one.state for one in owner.told] == ["progress"] * 6
    assert owner.told[0].result["people"] == 0
    assert owner.told[1].result == {
        "sweep": Sweep(began=1, people=3, total=3, ended=True).model_dump(),
        "people": 3,
        "total": 3,
        "owed": 1,
        "minutes": 0.0,
    }
    assert owner.told[1].says.startswith("3 of 3 people read, 1 contacts owed, about 0 minutes. It waits: Zoho Books")
    assert [one.cause.offset for one in owner.told][-2:] == [3, 5], "whoever joined hears it too"


def test_the_next_owner_sees_the_whole_list_without_those_who_were_read() -> None:
    first = Sweep(began=1, people=2, total=3)
    owner = Owner([first, RecordRefused("cut off")], [Sweep(began=1, people=3, total=3, ended=True)])
    with pytest.raises(RecordRefused):
        owner.carried_out()
    assert owner.carried_out().result["people"] == 3
    assert owner.begun == [Sweep(), first.anew]


def test_a_list_that_moves_is_begun_anew_but_not_for_ever() -> None:
    half = Sweep(began=7, people=2, total=3)
    whole = Sweep(began=7, people=3, total=3, ended=True)
    owner = Owner([half, PageMoved("moved")], [PageMoved("moved")], [whole])
    assert owner.carried_out().result["people"] == 3
    assert owner.begun == [Sweep(), Sweep(began=7), Sweep(began=7)]
    with pytest.raises(RecordRefused, match="changed each of the 5 times it was read"):
        Owner(*[[half, PageMoved("moved")]] * READINGS).carried_out()


def test_what_it_says_in_preview() -> None:
    owner = Owner([Sweep(began=1, people=2, total=2, ended=True)], mode="preview")
    says = "2 people were read, and what would be done is recorded: nothing was written."
    assert owner.carried_out().says == says
    assert owner.world.zoho.calls == ["listed"]


def test_while_bamboohr_gives_no_access_it_says_why_it_waits() -> None:
    owner = Owner([Sweep(began=1, people=2, total=2, ended=True)])
    owner.people.suspended = "BambooHR refuses the key."
    owner.carried_out()
    assert owner.told[0].says.endswith(" It waits: BambooHR refuses the key.")


@pytest.mark.parametrize(
    "set_aside", [lambda debt: debt.park(debt.wanted, "held"), lambda debt: debt.hold(debt.wanted)]
)
def test_contacts_that_are_held_or_failed_are_counted(set_aside: Callable[[Debt], Debt]) -> None:
    owner = Owner([Sweep(began=1, people=1, total=1, ended=True)])
    owner.world.hire("1", person())
    (key,) = owner.world.tables.contacts
    state = owner.world.tables.contacts[key]
    owner.world.tables.contacts[key] = state.model_copy(update={"debt": set_aside(state.debt)})
    assert owner.carried_out().says.endswith("; 1 contact is held or failed.")


def test_a_contact_has_moved_when_zoho_shows_another_time_of_change_than_we_know_of() -> None:
    owner = Owner()
    world = owner.world

    def moved(employee: str) -> bool:
        drive(world.index.fill(Patience()))
        known = owner.load._known(world.tables.people[EmployeeId(employee)])
        assert known.insists is known.changed
        return known.insists

    world.hire("1", person())
    assert not moved("1"), "its debt is paid by reading it anyway"
    world.settle()
    assert not moved("1"), "we know it as we made it"
    world.clock.advance(5.0)
    world.hire("1", person(jobTitle="Lead"))
    world.settle()
    assert not moved("1"), "nor does our own change count"
    (contact,) = world.zoho.contacts.values()
    world.clock.advance(5.0)
    contact.modified = world.clock.now()
    assert moved("1"), "somebody changed it"
    world.notice("1", insists=True)
    world.settle()
    assert not moved("1"), "it was read since"
    world.index.clear()
    assert not owner.load._known(world.tables.people[EmployeeId("1")]).insists, "nothing is known"
    del world.zoho.contacts[contact.contact_id]
    drive(world.index.fill(Patience()))
    known = owner.load._known(world.tables.people[EmployeeId("1")])
    assert (known.insists, known.changed) == (True, False), "a list may lag behind what was made just before"
    world.clock.advance(3600.0)
    assert moved("1"), "somebody deleted it"


def test_a_contact_whose_time_of_change_zoho_did_not_tell_is_read_once_more() -> None:
    owner = Owner()
    world = owner.world
    world.hire("1", person())
    world.settle()
    world.clock.advance(5.0)
    world.hire("1", person(status="Terminated"))
    world.settle()
    drive(world.index.fill(Patience()))
    known = owner.load._known(world.tables.people[EmployeeId("1")])
    assert known.insists, "marking it inactive tells no time"
    assert not known.changed, "and so nobody is said to have changed it"


@pytest.mark.parametrize(("by_hand", "found"), [({"department": "Sales"}, 1), ({"phone": "1"}, 0)])
def test_what_somebody_changed_beside_our_fields_is_no_fault_that_was_put_right(
    by_hand: dict[str, str], found: int
) -> None:
    changed = Missed("changed in Zoho Books", "by hand")
    owner = Owner([Sweep(began=1, people=1, total=1, ended=True).with_found({EmployeeId("1"): changed})])
    owner.company = owner.company.model_copy(update={"swept_at": START})
    world = owner.world
    world.hire("1", person())
    world.settle()
    world.clock.advance(5.0)
    (contact,) = world.zoho.contacts.values()
    next(iter(contact.persons.values())).update(by_hand)
    contact.modified = world.clock.now()
    drive(world.index.fill(Patience()))
    assert owner.load._known(world.tables.people[EmployeeId("1")]).changed
    world.notice("1", insists=True)
    world.settle()
    done = owner.carried_out()
    assert (done.result["repaired"], len(cast(Any, done.result["found"]))) == (found, found)
    assert ("changed in Zoho Books" in done.says) is bool(found)


WHY = "why: 1 another mapping, 2 not told"
FOUND = {
    EmployeeId("12"): Missed("stale"),
    EmployeeId("3"): Missed("stale", "another mapping"),
    EmployeeId("7"): Missed("left"),
}


@pytest.mark.parametrize(
    ("swept", "says"),
    [
        (None, "should be."),
        (
            START,
            f"should be. Found: 1 left (employees 7), 2 stale (employees 3, 12); {WHY}; put right: 3.",
        ),
    ],
)
def test_what_was_found_is_told_but_not_after_a_first_load_to_which_everybody_is_new(swept: Any, says: str) -> None:
    owner = Owner([Sweep(began=1, people=3, total=3, ended=True).with_found(FOUND)])
    owner.company = owner.company.model_copy(update={"swept_at": swept})
    done = owner.carried_out()
    assert done.says.endswith(says)
    assert done.result["differed"] == {"left": 1, "stale": 2}
    assert done.result["repaired"] == 3
    assert done.result["found"] == [
        {"employee": "3", "what": "stale", "why": "another mapping"},
        {"employee": "7", "what": "left", "why": "not told"},
        {"employee": "12", "what": "stale", "why": "not told"},
    ]


@pytest.mark.parametrize(("employee", "repaired"), [("3", 2), ("99", 3)])
def test_whose_contact_is_held_or_failed_is_not_put_right(employee: str, repaired: int) -> None:
    owner = Owner([Sweep(began=1, people=4, total=4, ended=True).with_found(FOUND)])
    owner.company = owner.company.model_copy(update={"swept_at": START})
    owner.world.hire(employee, person())
    (key,) = owner.world.tables.contacts
    state = owner.world.tables.contacts[key]
    debt = state.debt.park(state.debt.wanted, "refused")
    owner.world.tables.contacts[key] = state.model_copy(update={"debt": debt})
    done = owner.carried_out()
    assert (done.result["set_aside"], done.result["repaired"]) == (1, repaired)
    assert done.says.endswith("put right: 2, waiting: 1." if repaired == 2 else "put right: 3.")


def test_where_the_contacts_could_not_be_listed_it_says_that_drift_was_not_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner = Owner([Sweep(began=1, people=1, total=1, ended=True)])

    async def not_filled(patience: Patience) -> None:
        return None

    monkeypatch.setattr(owner.world.index, "fill", not_filled)
    done = owner.carried_out()
    assert done.result["drift_unknown"] is True
    assert done.says.endswith("was not looked for: its list of contacts kept changing.")


def test_in_preview_nothing_is_put_right_and_zoho_may_be_away(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner([Sweep(began=1, people=4, total=4, ended=True).with_found(FOUND)], mode="preview")

    async def refused(number: int, per_page: int) -> None:
        raise RecordRefused("no access")

    monkeypatch.setattr(owner.world.zoho, "listed", refused)
    assert owner.carried_out().result["repaired"] == 0


def test_of_more_people_than_it_names_it_does_not_say_that_one_is_put_right_who_may_wait() -> None:
    many = {EmployeeId(str(number)): Missed("stale") for number in range(NAMED + 1)}
    owner = Owner([Sweep(began=1, people=2000, total=2000, ended=True).with_found(many)])
    owner.world.hire(str(NAMED), person())
    (key,) = owner.world.tables.contacts
    state = owner.world.tables.contacts[key]
    debt = state.debt.park(state.debt.wanted, "refused")
    owner.world.tables.contacts[key] = state.model_copy(update={"debt": debt})
    done = owner.carried_out()
    assert done.result["differed"] == {"stale": NAMED + 1}
    assert done.result["repaired"] == NAMED
    assert len(cast(Any, done.result["found"])) == NAMED


def test_what_one_owner_found_the_next_one_knows() -> None:
    first = Sweep(began=1, people=2, total=4).with_found(FOUND)
    owner = Owner([first, RecordRefused("cut off")], [first.anew.model_copy(update={"people": 4, "ended": True})])
    with pytest.raises(RecordRefused):
        owner.carried_out()
    assert first.anew.named == {who: one.what for who, one in FOUND.items()}
    assert first.anew.why == {who: one.why for who, one in FOUND.items()}
    owner.found = {EmployeeId("5"): Missed("missing")}
    done = owner.carried_out()
    assert owner.begun == [Sweep(), first.anew]
    assert done.result["differed"] == {"left": 1, "missing": 1, "stale": 2}


def test_contacts_that_others_doubled_are_told_and_not_made_more() -> None:
    owner = Owner([Sweep(began=1, people=2, total=2, ended=True)])
    world = owner.world
    for email in (
        "ada@acme.test",
        "Ada@acme.test",
        "bob@acme.test",
        "strangers@acme.test",
        "strangers@acme.test",
        "",
        "",
    ):
        world.zoho.add(email)
    world.clock.advance(5.0)
    world.hire("7", person("ada@acme.test"))
    world.hire("8", person("bob@acme.test"))
    world.hire("9", person("cy@acme.test"))
    world.hire("9", person(""))  # who keeps a contact, without an address
    world.settle()
    done = owner.carried_out()
    assert done.result["doubled"] == ["7"]
    assert done.says.endswith(" more than one contact with the address of employees 7: merge them there.")
    assert (world.zoho.count("create"), len(world.zoho.contacts)) == (1, 8)


def test_a_preview_tells_of_doubled_contacts_too() -> None:
    owner = Owner([Sweep(began=1, people=1, total=1, ended=True)], mode="preview")
    for _ in range(2):
        owner.world.zoho.add("ada@acme.test")
    owner.world.clock.advance(5.0)
    owner.world.hire("7", person("ada@acme.test"))
    done = owner.carried_out()
    assert done.result["doubled"] == ["7"]
    assert done.says.endswith(
        "nothing was written. Zoho Books has more than one contact with the address of employees 7: merge them there."
    )
