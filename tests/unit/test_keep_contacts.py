"""The work of the Zoho lane, call by call, against contacts in memory."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest

from stream.due import BACKFILL, EDIT, JOINER, LEAVER
from stream.errors import AnswerLost, Unavailable
from stream.flood import Flood, FloodGuard, FloodPolicy
from stream.lane import Paid, Waiting
from stream.records import ContactKey, EmployeeId, LogPosition, Mapping, Source, SyncOutcome
from stream.zoho.errors import InvalidValue
from stream.zoho.lookup import LOOKS_BEFORE_HOLD
from tests.memory_zoho import Fault, StoredContact
from tests.small_world import OUTCOMES, SETTLE_TIME, SmallWorld, at, keep_contacts, person


def run(payment: Coroutine[Any, Any, Paid | None]) -> Paid | None:
    """Run a payment to its end; nothing that it does waits for anything real."""
    while True:
        try:
            payment.send(None)
        except StopIteration as end:
            return end.value


def troubled(*faults: Fault | None, **zoho: Any) -> SmallWorld:
    """A world in which the first writes end so."""
    coming = iter(faults)
    return SmallWorld(fault=lambda: next(coming, None), **zoho)


def settled(world: SmallWorld) -> list[str]:
    """Settle, and return the calls that this took."""
    before = len(world.zoho.calls)
    world.settle()
    return world.zoho.calls[before:]


def only(world: SmallWorld) -> StoredContact:
    (contact,) = world.zoho.contacts.values()
    return contact


def actions(world: SmallWorld) -> list[str]:
    return [outcome.action for outcome in world.outcomes if isinstance(outcome, SyncOutcome)]


def key_of(world: SmallWorld, employee: str) -> ContactKey:
    key = world.tables.people[EmployeeId(employee)].contact_key
    assert key is not None
    return key


# -- what it costs -----------------------------------------------------------------------------------------------------


def test_a_new_person_costs_one_search_and_one_write() -> None:
    world = SmallWorld()
    world.hire("1", person())
    assert settled(world) == ["find", "create"]
    assert actions(world) == ["attempting", "created"]
    created = world.outcomes[-1]
    assert created.changes["email"] == (None, "ada@acme.test")
    assert created.calls == 2
    assert created.attempt == 0
    assert [cause.topic.removeprefix("rosterbook.") for cause in created.chain] == [
        "contact-upserts",
        "employees",
        "hr-events",
    ]


def test_a_change_costs_one_reading_and_one_write() -> None:
    world = SmallWorld()
    world.hire("1", person())
    world.settle()
    world.hire("1", person(jobTitle="Lead"))
    assert settled(world) == ["contact", "update"]
    assert world.outcomes[-1].changes == {"designation": ("Engineer", "Lead")}


def test_many_changes_before_the_lane_gets_there_are_one_write() -> None:
    world = SmallWorld()
    world.hire("1", person())
    world.settle()
    for title in ("Lead", "Head", "Chief"):
        world.hire("1", person(jobTitle=title))
    assert settled(world) == ["contact", "update"]


def test_a_change_that_is_taken_back_in_time_costs_nothing() -> None:
    world = SmallWorld()
    world.hire("1", person())
    world.settle()
    world.hire("1", person(jobTitle="Lead"))
    world.hire("1", person())
    assert settled(world) == []
    assert actions(world)[-1] == "unchanged"


def test_a_debt_that_insists_is_paid_by_reading_the_contact() -> None:
    world = SmallWorld()
    world.hire("1", person())
    world.settle()
    world.insist()
    assert settled(world) == ["contact"]
    next(iter(only(world).persons.values()))["designation"] = "By hand"
    world.insist()
    assert settled(world) == ["contact", "update"]
    assert world.outcomes[-1].changes == {"designation": ("By hand", "Engineer")}


def test_a_leaver_without_a_contact_costs_one_search_and_creates_none() -> None:
    world = SmallWorld()
    world.hire("1", person(status="Terminated"))
    assert settled(world) == ["find"]
    assert world.zoho.contacts == {}
    assert actions(world) == ["unchanged"]


def test_who_left_is_made_inactive_and_who_returns_active_with_one_write_each() -> None:
    world = SmallWorld()
    world.hire("1", person())
    world.settle()
    world.hire("1", person(status="Terminated"))
    assert settled(world) == ["contact", "deactivate"]
    world.hire("1", person())
    assert settled(world) == ["contact", "activate"]
    assert world.outcomes[-1].changes == {"status": ("inactive", "active")}


def test_a_leaver_is_made_inactive_before_the_update_and_a_rehire_active_after_it() -> None:
    world = SmallWorld(Mapping(state_field="cf_state"))
    world.hire("1", person())
    world.settle()
    world.hire("1", person(status="Terminated"))
    assert settled(world) == ["contact", "deactivate", "update"]
    assert only(world).custom_fields == {"cf_state": "Inactive"}
    world.hire("1", person())
    assert settled(world) == ["contact", "update", "activate"]


# -- adoption ----------------------------------------------------------------------------------------------------------


def test_an_existing_contact_with_the_address_is_adopted_and_never_doubled() -> None:
    world = SmallWorld()
    there = world.zoho.add("ADA@acme.test", first_name="A.", phone="+44 1")
    world.hire("1", person())
    assert settled(world) == ["find", "contact", "update"]
    assert only(world) is there
    assert actions(world) == ["adopted", "attempting", "updated"]
    assert there.name == "By hand 1"
    assert next(iter(there.persons.values()))["phone"] == "+44 1"


def test_adoption_prefers_our_type_then_active_then_the_oldest() -> None:
    world = SmallWorld()
    world.zoho.add("ada@acme.test", contact_type="customer")
    world.zoho.add("ada@acme.test", active=False)
    best = world.zoho.add("ada@acme.test")
    world.zoho.add("ada@acme.test")
    world.hire("1", person())
    world.settle()
    assert world.tables.contacts[key_of(world, "1")].contact_id == best.contact_id
    assert world.zoho.count("create") == 0


def test_where_the_filter_minds_the_case_the_other_spelling_is_tried() -> None:
    world = SmallWorld(minds_case=True)
    world.zoho.add("ada@acme.test")
    world.hire("1", person("Ada@Acme.test"))
    assert settled(world) == ["find", "find", "contact", "update"]
    assert only(world).email == "Ada@Acme.test"


def test_a_leaver_found_by_address_is_adopted_and_made_inactive() -> None:
    world = SmallWorld()
    there = world.zoho.add("ada@acme.test")
    world.hire("1", person(status="Terminated"))
    world.settle()
    assert not there.active
    assert world.zoho.count("create") == 0


def test_other_persons_of_a_contact_stay_with_their_ids() -> None:
    world = SmallWorld()
    there = world.zoho.add("ada@acme.test")
    there.persons["other"] = {"first_name": "Bob", "email": "bob@acme.test"}
    world.hire("1", person())
    world.settle()
    assert there.persons["other"] == {"first_name": "Bob", "email": "bob@acme.test"}
    assert len(there.persons) == 2


# -- answers that are lost ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["applied and lost", "applied late"])
def test_a_create_whose_answer_was_lost_is_found_and_not_repeated(fault: Fault) -> None:
    world = troubled(fault, hidden_for=25.0)
    world.hire("1", person())
    calls = settled(world)
    assert world.zoho.count("create") == 1
    assert calls == ["find", "create", "find", "contact"]
    assert world.clock.passed >= SETTLE_TIME
    assert actions(world) == ["attempting", "created"]
    assert world.outcomes[-1].attempt == 0
    assert world.tables.contacts[key_of(world, "1")].contact_id == only(world).contact_id


def test_a_create_that_was_lost_on_the_way_is_repeated_once_it_has_settled() -> None:
    world = troubled("lost")
    world.hire("1", person())
    assert settled(world) == ["find", "create", "find", "newest", "create"]
    assert world.clock.passed >= SETTLE_TIME
    assert len(world.zoho.contacts) == 1


def test_an_address_that_changed_meanwhile_does_not_hide_a_lost_create() -> None:
    world = troubled("applied and lost")
    world.hire("1", person("old@acme.test"))
    world.begin(key_of(world, "1"))
    while world.paying:
        world.go_on(key_of(world, "1"))
    world.hire("1", person("new@acme.test"))
    assert settled(world) == ["find", "contact", "update"]
    assert only(world).email == "new@acme.test"


def test_a_lost_create_that_another_person_has_by_now_stands_in_nobodys_way() -> None:
    world = troubled("applied and lost")
    world.hire("1", person("shared@acme.test"))
    first = key_of(world, "1")
    world.begin(first)
    while world.paying:
        world.go_on(first)
    world.hire("1", person("own@acme.test"))
    world.hire("2", person("shared@acme.test"))
    world.settle()
    assert [len(world.zoho.showing(email)) for email in ("shared@acme.test", "own@acme.test")] == [1, 1]
    assert "held" not in actions(world)


def test_a_lost_update_is_read_back_before_the_debt_counts_as_paid() -> None:
    world = troubled(None, "applied and lost")
    world.hire("1", person())
    world.settle()
    world.hire("1", person(jobTitle="Lead"))
    assert settled(world) == ["contact", "update", "contact"]
    assert world.clock.passed >= SETTLE_TIME
    assert actions(world)[-1] == "unchanged"
    assert world.tables.contacts[key_of(world, "1")].unresolved is None


def test_a_call_that_was_certainly_not_applied_is_repeated_without_the_settle_time() -> None:
    for fault in ("down", "limited", "no access"):
        world = troubled(fault)
        world.hire("1", person())
        world.settle()
        assert world.clock.passed < SETTLE_TIME
        assert len(world.zoho.contacts) == 1


def test_the_next_owner_resolves_an_attempt_without_an_end_first() -> None:
    world = SmallWorld()
    world.hire("1", person())
    key = key_of(world, "1")
    world.begin(key)
    while not world.outcomes:
        world.go_on(key)
    world.new_owner()
    assert settled(world) == ["find", "newest", "create"]
    assert world.clock.passed >= SETTLE_TIME


def test_nothing_is_written_while_the_attempt_before_is_not_folded() -> None:
    world = troubled("lost")
    world.hire("1", person())
    key = key_of(world, "1")
    with pytest.raises(AnswerLost):
        run(world.work.pay(key))
    with pytest.raises(Waiting) as waiting:
        run(world.work.pay(key))
    assert waiting.value.retry_after is not None
    assert waiting.value.retry_after < 1
    assert world.zoho.count("create") == 1
    world.learn()
    with pytest.raises(Waiting) as waiting:
        run(world.work.pay(key))
    assert waiting.value.retry_after == SETTLE_TIME


def test_a_look_up_that_is_refused_leaves_the_lost_create_unresolved(monkeypatch: pytest.MonkeyPatch) -> None:
    world = troubled("applied and lost")
    world.hire("1", person())
    key = key_of(world, "1")
    with pytest.raises(AnswerLost):
        run(world.work.pay(key))
    world.learn()

    async def refused(email: str) -> None:
        raise InvalidValue("refused", status=400)

    with monkeypatch.context() as patched:
        patched.setattr(world.zoho, "find_by_email", refused)
        world.settle()
    assert actions(world)[-1] == "failed"
    assert world.tables.contacts[key].unresolved is not None
    world.insist()
    world.settle()
    assert world.zoho.count("create") == 1
    assert world.tables.contacts[key].contact_id == only(world).contact_id


def test_a_preview_does_not_settle_the_question_of_a_lost_create() -> None:
    world = troubled("applied and lost")
    world.hire("1", person())
    key = key_of(world, "1")
    with pytest.raises(AnswerLost):
        run(world.work.pay(key))
    world.learn()

    async def append(outcome: SyncOutcome) -> LogPosition:
        world.outcomes.append(outcome)
        return at(OUTCOMES, len(world.outcomes) - 1)

    preview = keep_contacts(world.zoho, world.tables.contacts.get, append, world.clock, preview=True)
    assert run(preview.pay(key)) == Paid(at(OUTCOMES, 1), "not asked")
    world.learn()
    assert world.tables.contacts[key].unresolved is not None
    assert run(preview.pay(key)) is None
    world.settle()
    assert world.zoho.count("create") == 1


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_a_refusal_parks_the_debt_with_its_reason_until_something_newer_is_wanted() -> None:
    world = troubled("refused")
    world.hire("1", person())
    world.settle()
    state = world.tables.contacts[key_of(world, "1")]
    assert (state.debt.owed, state.debt.reason, state.error) == (False, "refused", "refused")
    assert world.outcomes[-1].status == 400
    world.hire("1", person(jobTitle="Lead"))
    world.settle()
    assert len(world.zoho.contacts) == 1


def test_a_name_that_is_taken_gets_the_employee_id_behind_it() -> None:
    world = SmallWorld(names_once=True)
    world.zoho.add("other@acme.test").name = "Ada Moreno"
    world.hire("17", person())
    assert settled(world) == ["find", "create", "create"]
    assert [contact.name for contact in world.zoho.showing("ada@acme.test")] == ["Ada Moreno (17)"]


def test_a_rename_to_a_name_that_is_taken_gets_the_employee_id_behind_it() -> None:
    world = SmallWorld(names_once=True)
    world.zoho.add("other@acme.test").name = "Ada Lovelace"
    world.hire("17", person())
    world.settle()
    world.hire("17", person(lastName="Lovelace"))
    assert settled(world) == ["contact", "update", "update"]
    assert [contact.name for contact in world.zoho.showing("ada@acme.test")] == ["Ada Lovelace (17)"]


def test_a_field_that_zoho_drops_is_read_back_and_does_not_lose_the_contact() -> None:
    world = SmallWorld(drops=("email",))
    world.hire("1", person())
    assert settled(world) == ["find", "create", "contact", "update", "contact"]
    assert actions(world) == ["attempting", "created", "attempting", "updated", "failed"]
    assert world.outcomes[1].contact_id == only(world).contact_id


def test_a_field_that_a_create_drops_and_an_update_keeps_is_kept() -> None:
    def fault() -> None:
        if world.zoho.count("update"):
            world.zoho.drops = ()

    world = SmallWorld(drops=("email",), fault=fault)
    world.hire("1", person())
    assert settled(world) == ["find", "create", "contact", "update"]
    assert actions(world)[-1] == "updated"
    assert only(world).email == "ada@acme.test"


CENTRE = Mapping(fields={"cf_centre": Source(field="location")})


@pytest.mark.parametrize("deleted", [True, False])
def test_an_update_is_not_believed_where_zoho_drops_a_field_with_its_value_or_without(deleted: bool) -> None:
    world = SmallWorld(CENTRE)
    world.hire("1", person(location="Sofia"))
    assert settled(world) == ["find", "create"]
    world.zoho.drops = ("cf_centre",)
    if deleted:
        only(world).custom_fields.clear()
    world.hire("1", person(location="Oslo", jobTitle="Lead"))
    assert settled(world) == ["contact", "update", "contact"]
    assert actions(world)[-2:] == ["updated", "failed"]
    state = world.tables.contacts[key_of(world, "1")]
    assert (state.debt.owed, state.debt.reason, state.unresolved) == (False, state.error, None)
    assert "cf_centre" in (state.error or "")
    assert "Oslo" not in (state.error or "")
    assert next(iter(only(world).persons.values()))["designation"] == "Lead", "all else is written"


def test_a_contact_is_right_again_once_the_field_is_there_again() -> None:
    world = SmallWorld(CENTRE, drops=("cf_centre",))
    world.hire("1", person(location="Sofia"))
    world.settle()
    assert actions(world)[-1] == "failed"
    world.zoho.drops = ()
    world.insist()
    assert settled(world) == ["contact", "update"]
    assert only(world).custom_fields == {"cf_centre": "Sofia"}


def test_a_value_that_zoho_does_not_empty_is_not_believed_to_be_empty() -> None:
    world = SmallWorld(CENTRE)
    world.hire("1", person(location="Sofia"))
    world.settle()
    world.zoho.drops = ("cf_centre",)
    world.hire("1", person(location=""))
    world.settle()
    assert "cf_centre" in (world.tables.contacts[key_of(world, "1")].error or "")


def test_who_joins_or_leaves_is_made_active_or_not_though_a_field_is_dropped() -> None:
    world = SmallWorld(CENTRE, drops=("cf_centre",))
    world.hire("1", person(location="Sofia"))
    world.hire("1", person(location="Sofia", status="Inactive"))
    world.settle()
    world.hire("1", person(location="Sofia"))
    world.settle()
    assert only(world).active
    world.hire("1", person(location="Sofia", status="Inactive"))
    world.settle()
    assert not only(world).active


@pytest.mark.parametrize("terse", [("contact_persons",), ("custom_fields",), ("contact_persons", "custom_fields")])
def test_where_an_answer_shows_less_than_the_contact_the_contact_decides(terse: tuple[str, ...]) -> None:
    world = SmallWorld(CENTRE, terse=terse)
    world.hire("1", person(location="Sofia"))
    assert settled(world) == ["find", "create", "contact"]
    assert actions(world)[-2:] == ["created", "unchanged"]
    world.hire("1", person(location="Oslo"))
    assert settled(world) == ["contact", "update", "contact"]
    assert actions(world)[-2:] == ["updated", "unchanged"]
    assert only(world).custom_fields == {"cf_centre": "Oslo"}
    world.hire("1", person(location="Oslo"))
    assert settled(world) == []


def test_too_many_contacts_whose_fields_are_dropped_stop_the_lane() -> None:
    world = SmallWorld(CENTRE, drops=("cf_centre",))
    policy = FloodPolicy()
    for number in range(policy.run + 1):
        world.hire(str(number), person(f"{number}@acme.test", location="Sofia"))
        if number < policy.run:
            world.settle()
    with pytest.raises(Flood, match="cf_centre"):
        run(world.work.pay(key_of(world, str(policy.run))))


def test_a_reading_that_fails_after_a_create_does_not_lose_the_contact(monkeypatch: pytest.MonkeyPatch) -> None:
    world = SmallWorld(drops=("email",))
    world.hire("1", person())

    async def down(contact: str) -> None:
        raise Unavailable("down")

    with monkeypatch.context() as patched:
        patched.setattr(world.zoho, "contact", down)
        with pytest.raises(Unavailable):
            run(world.work.pay(key_of(world, "1")))
    world.settle()
    assert world.zoho.count("create") == 1
    assert world.tables.contacts[key_of(world, "1")].contact_id == only(world).contact_id


def test_a_contact_that_was_deleted_by_hand_is_looked_for_and_made_anew() -> None:
    world = SmallWorld()
    world.hire("1", person())
    world.settle()
    world.zoho.contacts.clear()
    world.hire("1", person(jobTitle="Lead"))
    assert settled(world) == ["contact", "find", "create"]
    assert world.tables.contacts[key_of(world, "1")].contact_id == only(world).contact_id


@pytest.mark.parametrize("who", ["1", "2"])
def test_a_contact_that_was_deleted_by_hand_before_somebody_left_is_made_anew_when_they_return(who: str) -> None:
    world = SmallWorld()
    world.hire("1", person())
    world.settle()
    world.zoho.contacts.clear()
    world.hire("1", person(status="Terminated"))
    world.settle()
    world.hire(who, person())
    world.settle()
    assert only(world).active


def test_a_refusal_after_a_contact_was_made_anew_does_not_bring_the_deleted_one_back() -> None:
    world = troubled(None, "applied and lost", "refused")
    world.hire("1", person())
    world.settle()
    world.zoho.contacts.clear()
    world.hire("1", person("old@acme.test"))
    key = key_of(world, "1")
    with pytest.raises(AnswerLost):
        run(world.work.pay(key))
    world.learn()
    world.hire("1", person("new@acme.test"))
    world.settle()
    assert actions(world)[-1] == "failed"
    assert world.tables.contacts[key].contact_id == only(world).contact_id


# -- addresses that move -----------------------------------------------------------------------------------------------


def test_a_contact_of_another_key_is_not_adopted_while_that_key_owes_something() -> None:
    world = SmallWorld()
    world.hire("1", person("a@acme.test"))
    world.settle()
    world.hire("1", person("b@acme.test"))
    world.hire("2", person("a@acme.test"))
    second = key_of(world, "2")
    with pytest.raises(Waiting):
        run(world.work.pay(second))
    world.settle()
    assert {len(world.zoho.showing(email)) for email in ("a@acme.test", "b@acme.test")} == {1}
    assert world.zoho.count("create") == 2


def test_an_address_that_stays_on_another_keys_contact_becomes_a_hold() -> None:
    world = SmallWorld()
    world.hire("1", person("a@acme.test"))
    world.settle()
    next(iter(only(world).persons.values()))["email"] = "b@acme.test"
    world.hire("2", person("b@acme.test"))
    assert settled(world) == ["find"] * LOOKS_BEFORE_HOLD
    assert actions(world)[-1] == "held"
    assert not world.tables.contacts[key_of(world, "2")].debt.owed
    world.insist()
    world.settle()
    assert len(world.zoho.showing("b@acme.test")) == 1
    assert world.tables.contacts[key_of(world, "2")].contact_id is not None


def test_the_former_holder_gives_up_the_address_before_the_new_one_shows_it() -> None:
    world = SmallWorld()
    world.hire("1", person("a@acme.test"))
    world.hire("2", person("b@acme.test"))
    world.settle()
    world.hire("1", person("a@acme.test", status="Terminated"))
    world.hire("2", person("a@acme.test"))
    with pytest.raises(Waiting):
        run(world.work.pay(key_of(world, "2")))
    world.settle()
    (holder,) = world.zoho.showing("a@acme.test")
    assert holder.contact_id == world.tables.contacts[key_of(world, "2")].contact_id
    assert not next(c for c in world.zoho.contacts.values() if c is not holder).active


@pytest.mark.parametrize("lost", [False, True])
def test_two_debts_never_wait_for_each_other(lost: bool) -> None:
    world = troubled(None, "lost")
    world.hire("2", person("b@acme.test"))
    world.settle()
    world.hire("1", person("a@acme.test"))
    if lost:
        with pytest.raises(AnswerLost):
            run(world.work.pay(key_of(world, "1")))
        world.learn()
    else:
        world.zoho.fault = lambda: None
    world.hire("1", person(""))
    world.hire("2", person("a@acme.test"))
    world.hire("1", person("b@acme.test"))
    world.settle()
    for employee, email in (("1", "b@acme.test"), ("2", "a@acme.test")):
        (contact,) = world.zoho.showing(email)
        assert contact.contact_id == world.tables.contacts[key_of(world, employee)].contact_id


# -- the rest ----------------------------------------------------------------------------------------------------------


def test_joiners_come_before_edits_and_leavers_before_all() -> None:
    world = SmallWorld()
    world.hire("1", person())
    key = key_of(world, "1")

    def priority() -> int:
        row = world.work.look(key)
        assert row is not None
        return row.priority

    assert priority() == JOINER
    world.settle()
    assert priority() == EDIT
    world.hire("1", person(status="Terminated"))
    assert priority() == LEAVER
    assert LEAVER < JOINER < EDIT
    assert world.work.look("nobody") is None


def test_a_first_load_comes_after_every_change_and_who_left_before_all_however_that_came_to_light() -> None:
    world = SmallWorld()

    def swept(employee: str, fields: dict[str, str]) -> int:
        world.truth[EmployeeId(employee)] = fields
        world.notice(employee, kind="sweep")
        world.read(employee)
        row = world.work.look(key_of(world, employee))
        assert row is not None
        return row.priority

    assert swept("1", person()) == BACKFILL
    world.settle()
    assert swept("1", person(jobTitle="Lead")) == BACKFILL
    assert swept("1", person(status="Terminated")) == LEAVER


def test_nothing_is_done_for_a_key_that_owes_nothing() -> None:
    world = SmallWorld()
    world.hire("1", person())
    world.settle()
    assert run(world.work.pay(key_of(world, "1"))) is None
    assert run(world.work.pay("nobody")) is None


# -- what the lane learns of it ----------------------------------------------------------------------------------------


def test_a_payment_says_whether_zoho_took_the_contact_refused_it_or_was_not_asked() -> None:
    world = troubled(None, "refused")
    world.hire("1", person())
    key = key_of(world, "1")

    def vendor() -> str:
        world.work.look(key)
        paid = run(world.work.pay(key))
        world.learn()
        assert paid is not None
        return paid.vendor

    assert vendor() == "accepted"
    world.hire("1", person(jobTitle="Lead"))
    assert vendor() == "refused"
    world.hire("1", person(jobTitle="Boss"))
    assert vendor() == "accepted"
    world.hire("1", person(jobTitle="Lead"))
    world.hire("1", person(jobTitle="Boss"))
    assert vendor() == "not asked"


def test_a_refused_contact_is_parked_with_the_class_of_the_error() -> None:
    world = troubled("refused")
    world.hire("1", person())
    world.settle()
    failed = world.outcomes[-1]
    assert (failed.action, failed.reason, failed.error, failed.status) == ("failed", "refused", "RecordRefused", 400)


def test_a_contact_that_zoho_never_answers_about_is_parked_after_the_last_try_until_somebody_insists(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = troubled(None, "lost")
    world.hire("1", person())
    world.settle()
    key = key_of(world, "1")
    world.hire("1", person(jobTitle="Lead"))
    with pytest.raises(AnswerLost):
        run(world.work.pay(key, last=True))
    world.learn()
    world.work.look(key)
    with pytest.raises(Waiting):
        run(world.work.pay(key, last=True))
    world.clock.advance(SETTLE_TIME)

    async def down(contact: str) -> None:
        raise Unavailable("no usable answer", status=500)

    with monkeypatch.context() as patched:
        patched.setattr(world.zoho, "contact", down)
        with pytest.raises(Unavailable):
            run(world.work.pay(key))
        paid = run(world.work.pay(key, last=True))
    assert paid is not None
    assert paid.vendor == "silent"
    failed = world.outcomes[-1]
    assert isinstance(failed, SyncOutcome)
    assert (failed.action, failed.error, failed.status, failed.attempt) == ("failed", "NeverAnswered", 500, None)
    assert settled(world) == []
    world.insist()
    assert settled(world) == ["contact", "update"]
    assert only(world).persons.popitem()[1]["designation"] == "Lead"


def test_when_too_many_contacts_are_refused_the_next_one_stays_owed_and_is_tried_again() -> None:
    world = SmallWorld(fault=lambda: "refused")
    guard = FloodGuard(FloodPolicy(run=2))
    world.work = keep_contacts(world.zoho, world.tables.contacts.get, world.append, world.clock, guard=guard)
    for employee in ("1", "2", "3"):
        world.hire(employee, person(f"p{employee}@acme.test"))
    for employee in ("1", "2"):
        run(world.work.pay(key_of(world, employee)))
        world.learn()
    third = key_of(world, "3")
    for _ in range(2):
        with pytest.raises(Flood, match="2 records in a row failed for good"):
            run(world.work.pay(third))
        world.learn()
    assert world.tables.contacts[third].debt.owed
    assert actions(world).count("failed") == 2
    world.zoho.fault = lambda: None
    run(world.work.pay(third))
    world.learn()
    assert not world.tables.contacts[third].debt.owed
    assert len(world.zoho.showing("p3@acme.test")) == 1


def test_a_contact_that_waits_for_a_person_is_no_failure_to_the_flood_guard() -> None:
    world = SmallWorld()
    guard = FloodGuard(FloodPolicy(run=0))
    world.work = keep_contacts(world.zoho, world.tables.contacts.get, world.append, world.clock, guard=guard)
    world.hire("1", person("a@acme.test"))
    world.settle()
    next(iter(only(world).persons.values()))["email"] = "b@acme.test"
    world.hire("2", person("b@acme.test"))
    world.settle()
    held = world.outcomes[-1]
    assert (held.action, held.error) == ("held", "AddressTaken")
    assert guard.stopped is None
