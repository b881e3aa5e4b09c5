"""What redriving a dead letter appends, and why it sometimes appends nothing."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta

import pytest

from stream.codec import canonical
from stream.core import set_aside
from stream.errors import NewerRecord
from stream.records import AnyRecord, DeadLetter, EmployeeId, EmployeeSnapshot, HrEvent, LogPosition, SyncOutcome
from stream.redrive import NotRedriven, payload_of, redriven
from tests.fake_clock import START
from tests.small_world import ACME, EMPLOYEES, HR_EVENTS, OUTCOMES, at

NOW = START + timedelta(days=3)
FAILED = SyncOutcome.model_validate(
    {"connection": ACME, "contact_key": "k", "employee": "7", "action": "failed", "reason": "r", "at": START}
)
UNREADABLE = EmployeeSnapshot(
    connection=ACME,
    employee=EmployeeId("8"),
    through=3,
    cause=at(HR_EVENTS, 3),
    mapping_version="m",
    read_at=START,
    state="unreadable",
)
INSISTS = HrEvent(connection=ACME, employees=(EmployeeId("7"),), kind="redrive", insists=True, received_at=NOW)


def letter(payload: bytes, stage: str, origin: LogPosition | None = None, **headers: str) -> DeadLetter:
    return DeadLetter(
        connection=ACME,
        stage=stage,
        error="UndecodableRecord",
        message="m",
        origin=origin,
        payload=b64encode(payload).decode(),
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        at=START,
    )


def redrive(found: DeadLetter) -> AnyRecord:
    return redriven(found, payload_of(found), NOW)


def test_a_contact_or_a_person_is_read_again_and_put_right() -> None:
    (contact,) = set_aside.of_outcome(FAILED, at(OUTCOMES, 4))
    assert redrive(contact) == INSISTS
    (person,) = set_aside.of_snapshot(UNREADABLE, at(EMPLOYEES, 4))
    assert redrive(person) == INSISTS.model_copy(update={"employees": (EmployeeId("8"),)})


def test_a_record_that_can_be_decoded_now_goes_to_its_topic_as_it_is() -> None:
    for record, topic in ((FAILED, OUTCOMES), (UNREADABLE, EMPLOYEES), (INSISTS, HR_EVENTS)):
        assert redrive(letter(canonical(record), topic, at(topic, 4))) == record


def test_a_delivery_that_can_be_understood_now_becomes_an_event_that_insists() -> None:
    body = b'{"type":"employee.updated","data":{"employeeId":"7","changedFields":["department"]}}'
    event = redrive(letter(body, "gateway", content_type="application/json", X_BambooHR_Timestamp="1772442000"))
    assert isinstance(event, HrEvent)
    assert (event.employees, event.kind, event.insists) == (("7",), "redrive", True)
    assert (event.types, event.changed_fields) == (("employee.updated",), ("department",))
    assert event.received_at == START
    assert event.raw == b64encode(body).decode()
    assert event.digest is not None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<xml/>", "It still cannot be understood: The delivery is no JSON."),
        (b'{"type":"employee.updated","data":{}}', "It still cannot be understood"),
        (b'{"employees":[{"id":"7"},{"id":"../8"}]}', "It still cannot be understood: An employee id is none"),
        (b'{"type":"company.updated"}', "It does not concern employees: drop this letter."),
    ],
)
def test_a_delivery_that_still_says_too_little_is_not_redriven(body: bytes, reason: str) -> None:
    with pytest.raises(NotRedriven, match=reason):
        redrive(letter(body, "gateway"))


def test_a_record_that_still_cannot_be_decoded_is_not_redriven() -> None:
    with pytest.raises(NotRedriven, match="It still cannot be understood"):
        redrive(letter(b'{"employee":"Ada"}', EMPLOYEES, at(EMPLOYEES, 4)))
    with pytest.raises(NewerRecord, match="update Rosterbook"):
        redrive(letter(b'{"schema":99}', EMPLOYEES, at(EMPLOYEES, 4)))
    with pytest.raises(NotRedriven, match="update Rosterbook"):
        redrive(letter(b"{}", "rosterbook.later", at("rosterbook.later", 4)))


def test_what_is_too_large_to_be_copied_is_read_at_its_origin_and_may_be_gone() -> None:
    copied = letter(b"", EMPLOYEES, at(EMPLOYEES, 4))
    assert payload_of(copied) is None
    assert redriven(copied, canonical(UNREADABLE), NOW) == UNREADABLE
    with pytest.raises(NotRedriven, match="no longer holds what failed"):
        redriven(copied, None, NOW)


def test_a_damaged_payload_is_a_sentence() -> None:
    with pytest.raises(NotRedriven, match="damaged"):
        payload_of(letter(b"x", "gateway").model_copy(update={"payload": "%%%"}))
    assert payload_of(letter(b"", "gateway")) == b""
