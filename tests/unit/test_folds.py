"""The folds that touch one row."""

from __future__ import annotations

from datetime import timedelta

from stream.core import folds
from stream.core.mapping import desired_contact
from stream.core.rows import Attempt, Company, ContactState, Person, Polled
from stream.records import (
    ContactId,
    ContactKey,
    ContactUpsert,
    EmployeeId,
    HrEvent,
    LaneOutcome,
    Mapping,
    PollOutcome,
    SyncOutcome,
)
from tests.fake_clock import START
from tests.small_world import ACME, CONTACT_UPSERTS, EMPLOYEES, HR_EVENTS, OUTCOMES, at, person

KEY = ContactKey("k1")


def event(*, insists: bool = False) -> HrEvent:
    return HrEvent(connection=ACME, employees=(EmployeeId("1"),), kind="webhook", insists=insists, received_at=START)


def upsert(cause: int, *, title: str = "Engineer", insists: bool = False, after: str | None = None) -> ContactUpsert:
    return ContactUpsert(
        connection=ACME,
        contact_key=KEY,
        employee=EmployeeId("1"),
        desired=desired_contact(person(jobTitle=title), Mapping(), active=True),
        insists=insists,
        after=None if after is None else ContactKey(after),
        cause=at(EMPLOYEES, cause),
        chain=(at(HR_EVENTS, cause),),
        mapping_version="m",
    )


def wished(cause: int = 5) -> ContactState:
    return folds.wish(None, upsert(cause), at(CONTACT_UPSERTS, 0))


def outcome(action: str, **fields: object) -> SyncOutcome:
    return SyncOutcome.model_validate(
        {"connection": ACME, "contact_key": KEY, "employee": "1", "action": action, "at": START, **fields}
    )


def test_an_event_makes_a_reading_owed_and_only_an_insisting_one_insists() -> None:
    heard = folds.hear(Person(), event(), at(HR_EVENTS, 3))
    assert heard.debt.owed
    assert heard.debt.wanted == 3
    assert heard.insisted == -1
    assert heard.asked_at == START
    insisted = folds.hear(heard, event(insists=True), at(HR_EVENTS, 4))
    assert insisted.insisted == 4
    assert folds.hear(insisted, event(), at(HR_EVENTS, 6)).insisted == 4


def test_a_sweep_makes_a_reading_owed_that_nobody_waits_for() -> None:
    swept = folds.hear(Person(), event().model_copy(update={"kind": "sweep"}), at(HR_EVENTS, 3))
    assert swept.debt.owed
    assert not swept.debt.owes(swept.live)
    changed = folds.hear(swept, event(), at(HR_EVENTS, 4))
    assert changed.debt.owes(changed.live)
    swept_again = folds.hear(changed, event().model_copy(update={"kind": "sweep"}), at(HR_EVENTS, 5))
    assert swept_again.debt.owes(swept_again.live)


def test_a_poll_is_waited_for_by_nobody_and_tells_of_all_changes_up_to_its_time() -> None:
    polled = event().model_copy(update={"kind": "poll", "occurred_at": START})
    heard = folds.hear(Person(), polled, at(HR_EVENTS, 3))
    assert heard.debt.owed
    assert not heard.debt.owes(heard.live)
    assert heard.heard_of == START
    late = event().model_copy(update={"occurred_at": START - timedelta(minutes=9)})
    assert folds.hear(heard, late, at(HR_EVENTS, 4)).heard_of == START


def test_a_time_of_a_notice_that_is_far_ahead_does_not_hide_what_comes_later() -> None:
    told = event().model_copy(update={"occurred_at": START + timedelta(days=365)})
    assert folds.hear(Person(), told, at(HR_EVENTS, 3)).heard_of == START + folds.MOST_AHEAD


def polled(minute: int, *, began: int) -> PollOutcome:
    through, began_at = START + timedelta(minutes=minute), START + timedelta(minutes=began)
    return PollOutcome(
        connection=ACME, by="schedule", began_at=began_at, since=START, through=through, looked_at=0, at=began_at
    )


def test_the_change_feed_was_read_as_far_as_the_owner_came_that_came_furthest() -> None:
    company = folds.poll(Company(), polled(5, began=6), at(OUTCOMES, 0))
    company = folds.poll(company, polled(3, began=8), at(OUTCOMES, 1))
    assert company.polled == Polled(through=START + timedelta(minutes=5), at=START + timedelta(minutes=8))


def test_a_change_among_the_wishes_of_a_backfill_stays_urgent_until_it_is_paid() -> None:
    swept = folds.wish(None, upsert(5).model_copy(update={"backfill": True}), at(CONTACT_UPSERTS, 0))
    assert not swept.debt.owes(swept.live)
    changed = folds.wish(swept, upsert(6, title="Lead"), at(CONTACT_UPSERTS, 1))
    again = upsert(7, title="Chief").model_copy(update={"backfill": True})
    state = folds.wish(changed, again, at(CONTACT_UPSERTS, 2))
    assert state.debt.owes(state.live)
    paid = folds.learn(state, outcome("updated", settles=6), at(OUTCOMES, 0))
    assert paid.debt.owed
    assert not paid.debt.owes(paid.live)


def test_hearing_an_event_again_changes_nothing() -> None:
    heard = folds.hear(Person(), event(insists=True), at(HR_EVENTS, 3))
    assert folds.hear(heard, event(insists=True), at(HR_EVENTS, 3)) == heard


def test_a_newer_wish_replaces_the_older_one_and_names_its_causes_newest_first() -> None:
    state = folds.wish(wished(5), upsert(8, title="Lead", after="k2"), at(CONTACT_UPSERTS, 1))
    assert state.desired.designation == "Lead"
    assert state.debt.wanted == 8
    assert state.after == "k2"
    assert state.chain == (at(CONTACT_UPSERTS, 1), at(EMPLOYEES, 8), at(HR_EVENTS, 8))


def test_a_wish_that_is_repeated_at_its_own_cause_changes_nothing_but_what_was_folded() -> None:
    state = folds.learn(wished(5), outcome("updated", settles=5), at(OUTCOMES, 0))
    again = folds.wish(state, upsert(5), at(CONTACT_UPSERTS, 4))
    assert again == state.model_copy(update={"folded": again.folded})
    assert again.folded[CONTACT_UPSERTS] == 4


def test_a_wish_with_an_older_cause_changes_nothing_but_what_was_folded() -> None:
    state = wished(8)
    older = folds.wish(state, upsert(5, title="Intern", insists=True), at(CONTACT_UPSERTS, 1))
    assert older == state.model_copy(update={"folded": {CONTACT_UPSERTS: 1}})


def test_an_attempt_is_unresolved_until_an_outcome_ends_it() -> None:
    state = folds.learn(
        wished(), outcome("attempting", operation="create", changes={"email": (None, "a@x.test")}), at(OUTCOMES, 7)
    )
    assert state.unresolved == Attempt(operation="create", offset=7, at=START, email="a@x.test")
    assert state.debt.owed
    other = folds.learn(state, outcome("previewed", parks=5, reason="preview"), at(OUTCOMES, 8))
    assert other.unresolved == state.unresolved
    ended = folds.learn(
        state, outcome("created", attempt=7, settles=5, contact_id="460", fingerprint="f"), at(OUTCOMES, 8)
    )
    assert ended.unresolved is None
    assert (ended.contact_id, ended.applied) == (ContactId("460"), "f")
    assert not ended.debt.owed


def test_what_zoho_shows_is_unknown_from_the_first_attempt_on() -> None:
    state = wished().model_copy(update={"applied": "f"})
    assert folds.learn(state, outcome("attempting", operation="update"), at(OUTCOMES, 7)).applied is None


def test_a_failure_parks_the_debt_with_its_reason_and_a_later_success_clears_it() -> None:
    failed = folds.learn(wished(), outcome("failed", parks=5, reason="refused"), at(OUTCOMES, 1))
    assert not failed.debt.owed
    assert failed.error == failed.debt.reason == "refused"
    again = folds.wish(failed, upsert(6), at(CONTACT_UPSERTS, 1))
    assert again.debt.owed
    done = folds.learn(again, outcome("updated", settles=6, fingerprint="f"), at(OUTCOMES, 2))
    assert (done.error, done.debt.reason) == (None, None)


def test_a_lane_that_was_suspended_says_why_until_it_goes_on() -> None:
    def said(state: str, reason: str | None) -> LaneOutcome:
        return LaneOutcome.model_validate(
            {"connection": ACME, "api": "zoho", "state": state, "reason": reason, "at": START}
        )

    company = folds.note(Company(), said("suspended", "no access"), at(OUTCOMES, 1))
    assert company.suspended["zoho"].reason == "no access"
    assert company.suspended["zoho"].since == START
    assert folds.note(company, said("resumed", None), at(OUTCOMES, 2)).suspended == {}


def test_an_attempt_that_comes_again_does_not_open_anew_what_was_answered_since() -> None:
    attempt = outcome("attempting", operation="create", changes={"email": (None, "a@x.test")})
    answered = folds.learn(
        folds.learn(wished(), attempt, at(OUTCOMES, 7)), outcome("created", settles=5, attempt=7), at(OUTCOMES, 8)
    )
    assert answered.unresolved is None
    assert folds.learn(answered, attempt, at(OUTCOMES, 7)) == answered
