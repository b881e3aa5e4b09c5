"""What deliveries of both families and formats say."""

from __future__ import annotations

import gzip
import json
import zlib
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from stream.bamboohr.payloads import Notice, understand
from stream.errors import UndecodableRecord
from stream.records import EmployeeId

FORM = "application/x-www-form-urlencoded"
AT = datetime(2026, 3, 4, 9, 15, tzinfo=UTC)
UPDATED = ("employee.updated",)


def event(**changes: Any) -> dict[str, Any]:
    data = {"companyId": "9001", "employeeId": "42", "changedFields": ["department", "jobTitle"]}
    return {"type": "employee.updated", "timestamp": "2026-03-04T09:15:00+0000", "data": data} | changes


def entry(employee: Any, **changes: Any) -> dict[str, Any]:
    return {"id": employee, "action": "Updated", "timestamp": "2026-03-04T09:15:00+0000"} | changes


def read(content: Any, content_type: str | None = "application/json") -> Notice:
    return understand(json.dumps(content).encode(), content_type)


def employees(*ids: str) -> tuple[EmployeeId, ...]:
    return tuple(map(EmployeeId, ids))


def test_event_names_one_employee() -> None:
    assert read(event()) == Notice(employees("42"), ("department", "jobTitle"), AT, types=UPDATED)


def test_created_and_deleted_events_have_no_changed_fields() -> None:
    for kind in ("employee.created", "employee.deleted", "employee_with_fields.created"):
        assert read(event(type=kind, data={"employeeId": "42"})) == Notice(employees("42"), (), AT, types=(kind,))


def test_events_may_come_as_a_batch() -> None:
    later = event(timestamp="2026-03-04T09:16:00Z", data={"employeeId": "7", "changedFields": ["jobTitle", "status"]})
    assert read([event(), later, event()]) == Notice(
        employees("42", "7"), ("department", "jobTitle", "status"), AT, types=UPDATED
    )


@pytest.mark.parametrize("fields", [{"First Name": "Ada"}, {"First Name": {"value": "Ada"}}, {}, None, "odd"])
def test_field_based_batch_names_all_employees_once_in_order(fields: Any) -> None:
    batch = [
        entry("42", changedFields=["First Name"], fields=fields),
        entry(7, action="Created", changedFields=[], fields={}),
        entry("42", action="Deleted", changedFields=["Last Name"]),
    ]
    assert read({"employees": batch}) == Notice(
        employees("42", "7"), ("First Name", "Last Name"), AT, types=("Updated", "Created", "Deleted")
    )


def test_old_field_based_entries_have_neither_action_nor_timestamp() -> None:
    assert read({"employees": [{"id": "42", "changedFields": ["A"], "fields": {}}]}) == Notice(employees("42"), ("A",))


def test_five_thousand_employees() -> None:
    ids = [str(number) for number in range(1, 5001)]
    assert read({"employees": [entry(i) for i in ids]}).employees == employees(*ids)


@pytest.mark.parametrize(
    "body",
    [
        {
            "type": "employee.updated",
            "timestamp": "2026-03-04T09:15:00Z",
            "data[companyId]": "9001",
            "data[employeeId]": "42",
            "data[changedFields][0]": "department",
            "data[changedFields][1]": "jobTitle",
        },
        {
            "type": "employee.updated",
            "timestamp": "1772615700",
            "data[employeeId]": "42",
            "data[changedFields][]": ["department", "jobTitle"],
        },
        {
            "employees[0][id]": "42",
            "employees[0][timestamp]": "2026-03-04T09:15:00+0000",
            "employees[0][changedFields][0]": "department",
            "employees[0][changedFields][1]": "jobTitle",
            "employees[0][fields][Pay [USD]][value]": "1",
        },
    ],
)
def test_forms_say_the_same_as_json(body: dict[str, Any]) -> None:
    notice = understand(urlencode(body, doseq=True).encode(), f"{FORM}; charset=UTF-8")
    assert notice == Notice(employees("42"), ("department", "jobTitle"), AT, types=UPDATED if "type" in body else ())


def test_form_that_is_no_utf_8_still_names_its_employee() -> None:
    body = b"type=employee.updated&data[employeeId]=42&data[name]=\xff\xfe&data[changedFields][0]=%FF"
    assert understand(body, FORM) == Notice(employees("42"), ("�",), types=UPDATED)


@pytest.mark.parametrize(
    "kind", ["company.updated", "company.deleted", "company-integrations.updated", "time_off.approved"]
)
def test_other_events_concern_nobody(kind: str) -> None:
    assert read(event(type=kind, data={"companyId": "9001"})).employees == ()


def test_unknown_event_with_an_employee_concerns_that_employee() -> None:
    assert read(event(type="time_off.approved")).employees == employees("42")


def test_company_event_never_concerns_an_employee() -> None:
    assert read(event(type="company.updated")).employees == ()


def test_empty_batch_concerns_nobody() -> None:
    assert read({"employees": []}) == Notice(())


def test_unknown_fields_unicode_and_times_that_are_none_do_no_harm() -> None:
    odd = event(new={"a": [1]}, timestamp="soon") | {"データ": "🦜"}
    odd["data"] = odd["data"] | {"changedFields": ["名前", "名前", 4, None, "\ud800"]}
    assert read(odd) == Notice(employees("42"), ("名前", "4", "?"), types=UPDATED)


def test_part_that_cannot_be_understood_does_not_hide_the_rest() -> None:
    notice = read({"employees": [entry("42"), entry("a\u0000b"), "7", entry("8")]})
    assert notice.employees == employees("42", "8")
    assert notice.refused is not None


@pytest.mark.parametrize(
    "employee", ["", " ", "x" * 65, 10**64, "4\n2", "../1", "0", 0, -1, True, None, 4.2, ["42"], {"value": "42"}]
)
def test_absurd_employee_ids_are_refused(employee: Any) -> None:
    with pytest.raises(UndecodableRecord):
        read(event(data={"employeeId": employee}))
    with pytest.raises(UndecodableRecord):
        read({"employees": [entry(employee)]})


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/json"),
        (b"", FORM),
        (b"{", None),
        (b"null", "application/json"),
        (b"{}", "application/json"),
        (b'{"type":""}', "application/json"),
        (b'{"type":"employee.updated"}', "application/json"),
        (b'{"type":"employee.updated","data":[]}', "application/json"),
        (b'{"employees":"42"}', "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"a" + b"[b]" * 1000 + b"=1", FORM),
        (b"[" * 100_000, FORM),
        (b"\x00\xff", "application/json"),
        (json.dumps(event()).encode(), "text/xml"),
        (json.dumps(event()).encode(), "multipart/form-data; boundary=x"),
        (json.dumps(event()).encode(), "\ufffd"),
    ],
)
def test_what_cannot_be_understood_is_refused(body: bytes, content_type: str | None) -> None:
    with pytest.raises(UndecodableRecord):
        understand(body, content_type)


@pytest.mark.parametrize(
    ("encoding", "content_type"),
    [
        ("utf-8", 'application/json; charset="utf-8"'),
        ("utf-8-sig", "application/json"),
        ("utf-16", "Application/JSON;charset=UTF-16"),
        ("latin-1", "application/json; charset=ISO-8859-1"),
        ("latin-1", "application/json"),
        ("latin-1", "application/json; charset=hex"),
        ("latin-1", "application/vnd.bamboohr+json; charset=unknown"),
        ("utf-8", None),
    ],
)
def test_charsets(encoding: str, content_type: str | None) -> None:
    body = json.dumps(event(name="Zoë"), ensure_ascii=False).encode(encoding)
    assert understand(body, content_type).employees == employees("42")


def test_half_surrogate_pairs_are_no_reason_to_refuse() -> None:
    assert read(event(name="\ud83e")).employees == employees("42")


def test_compressed_bodies_are_unpacked_within_bounds() -> None:
    body = json.dumps(event()).encode()
    assert understand(gzip.compress(body), None, "gzip").employees == employees("42")
    assert understand(zlib.compress(body), None, "Deflate").employees == employees("42")
    assert understand(body, None, "identity").employees == employees("42")
    full = body + b" " * (1024 * 1024 - len(body))
    assert understand(gzip.compress(full), None, "gzip").employees == employees("42")
    for packed, coding in [
        (gzip.compress(full + b" "), "gzip"),
        (gzip.compress(b" " * 100_000_000), "gzip"),
        (gzip.compress(body)[:-1], "gzip"),
        (body, "gzip"),
        (body, "br"),
    ]:
        with pytest.raises(UndecodableRecord):
            understand(packed, None, coding)


def test_types_that_are_none_are_not_kept_beside_the_bytes() -> None:
    notice = read(
        {"employees": [entry("42", action="x" * 65), entry("7", action=["Updated"]), entry("8", action="\n")]}
    )
    assert notice.employees == employees("42", "7", "8")
    assert notice.types == ()
