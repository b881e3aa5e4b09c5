"""What becomes a dead letter, and what has become of it."""

from __future__ import annotations

from base64 import b64decode
from datetime import timedelta

import pytest

from stream.codec import decode
from stream.core import set_aside
from stream.core.letters import DROP, REDRIVE, Letter, Wanted, letters, place
from stream.records import Command, DeadLetter, EmployeeId, EmployeeSnapshot, LogPosition, SyncOutcome
from stream.topics import EMPLOYEES, OUTCOMES
from tests.fake_clock import START
from tests.small_world import ACME, HR_EVENTS, at
from tests.small_world import OUTCOMES as OUTCOMES_NAME

TOPIC = "rosterbook.dead-letters"


def letter(offset: int, origin: LogPosition | None = None, **fields: object) -> tuple[LogPosition, DeadLetter]:
    known = {"connection": ACME, "stage": "zoho", "error": "InvalidValue", "message": "Correct it.", "payload": ""}
    when = START + timedelta(minutes=offset)
    return at(TOPIC, offset), DeadLetter.model_validate({**known, "origin": origin, "at": when, **fields})


def command(what: str, offset: int, *, by: str = "kim@desk") -> Command:
    named = {"letter": place(at(TOPIC, offset))}
    return Command(connection=ACME, command=what, asked_by=by, arguments=named, at=START)


def states(found: list[Letter]) -> list[str]:
    return [one.state for one in found]


# -- what becomes one --------------------------------------------------------------------------------------------------


def outcome(action: str, **fields: object) -> SyncOutcome:
    return SyncOutcome.model_validate(
        {"connection": ACME, "contact_key": "k", "employee": "7", "action": action, "at": START, **fields}
    )


def test_a_contact_that_was_given_up_is_a_letter_that_holds_its_outcome() -> None:
    failed = outcome("failed", parks=4, reason="Correct it.", error="InvalidValue", chain=(at(HR_EVENTS, 1),))
    (found,) = set_aside.of_outcome(failed, at(OUTCOMES_NAME, 9))
    assert (found.connection, found.stage, found.error) == (ACME, "zoho", "InvalidValue")
    assert (found.message, found.origin, found.at) == ("Correct it.", at(OUTCOMES_NAME, 9), START)
    assert decode(OUTCOMES, b64decode(found.payload)) == failed


@pytest.mark.parametrize("action", ["attempting", "created", "unchanged", "previewed", "held"])
def test_no_other_outcome_is_a_letter(action: str) -> None:
    assert set_aside.of_outcome(outcome(action, reason="why"), at(OUTCOMES_NAME, 9)) == ()


def test_a_person_who_cannot_be_read_is_a_letter_that_holds_the_snapshot() -> None:
    snapshot = EmployeeSnapshot(
        connection=ACME,
        employee=EmployeeId("7"),
        through=3,
        cause=at(HR_EVENTS, 3),
        mapping_version="m",
        read_at=START,
        state="unreadable",
        reason="Give access.",
        error="RecordRefused",
    )
    (found,) = set_aside.of_snapshot(snapshot, at(EMPLOYEES.name, 5))
    assert (found.stage, found.error, found.message) == ("bamboohr", "RecordRefused", "Give access.")
    assert (found.origin, found.at) == (at(EMPLOYEES.name, 5), START)
    assert decode(EMPLOYEES, b64decode(found.payload)) == snapshot
    assert set_aside.of_snapshot(snapshot.model_copy(update={"state": "gone"}), at(EMPLOYEES.name, 5)) == ()


# -- what has become of it ---------------------------------------------------------------------------------------------


def test_a_letter_is_open_until_a_command_names_it_and_the_last_command_decides() -> None:
    found = [letter(1), letter(2), letter(3)]
    assert states(letters(found, [])) == ["open", "open", "open"]
    commands = [command(REDRIVE, 1), command(DROP, 2), command(DROP, 1, by="lee@desk")]
    decided = letters(found, commands)
    assert states(decided) == ["dropped", "dropped", "open"]
    assert [one.by for one in decided] == ["lee@desk", "kim@desk", None]
    assert [one.id for one in decided] == ["0:1", "0:2", "0:3"]
    assert letters(found, commands * 2) == decided, "a command that is repeated in its order changes nothing"


def test_commands_of_other_kinds_other_letters_and_other_lives_of_the_topic_mean_nothing() -> None:
    elsewhere = command(DROP, 1).model_copy(update={"arguments": {"letter": "another-life/0/1"}})
    nowhere = command(DROP, 1).model_copy(update={"arguments": {}})
    assert states(letters([letter(1)], [elsewhere, nowhere, command(DROP, 8), command("backfill", 1)])) == ["open"]


def test_what_a_repeated_fold_set_aside_twice_is_one_letter_whichever_of_the_two_is_named() -> None:
    found = [letter(1, at(OUTCOMES_NAME, 9)), letter(2, at(OUTCOMES_NAME, 9)), letter(3, at(OUTCOMES_NAME, 10))]
    assert [one.id for one in letters(found, [])] == ["0:1", "0:3"]
    assert states(letters(found, [command(DROP, 2)])) == ["dropped", "open"]


def test_one_record_that_failed_at_two_stages_is_two_letters() -> None:
    found = [letter(1, at(OUTCOMES_NAME, 9)), letter(2, at(OUTCOMES_NAME, 9), stage=OUTCOMES_NAME)]
    assert len(letters(found, [])) == 2


def test_letters_are_listed_oldest_first() -> None:
    found = [letter(2), letter(1)]
    assert [one.id for one in letters(found, [])] == ["0:1", "0:2"]


@pytest.mark.parametrize(
    ("wanted", "has"),
    [
        (Wanted(), True),
        (Wanted(connection="acme"), True),
        (Wanted(connection="beta"), False),
        (Wanted(stage="rosterbook.employees"), True),
        (Wanted(stage="employees"), True),
        (Wanted(stage="zoho"), False),
        (Wanted(error="invalidvalue"), True),
        (Wanted(error="NameTaken"), False),
        (Wanted(since=START + timedelta(minutes=1), until=START + timedelta(minutes=2)), True),
        (Wanted(since=START + timedelta(minutes=2)), False),
        (Wanted(until=START + timedelta(minutes=1)), False),
        (Wanted(states=frozenset(("dropped",))), False),
        (Wanted(states=frozenset()), False),
    ],
)
def test_letters_are_chosen_by_what_is_said_of_them(wanted: Wanted, has: bool) -> None:
    (one,) = letters([letter(1, stage="rosterbook.employees")], [])
    assert wanted.has(one) is has
