"""The checklist of a connection, against vendors that lack one thing after the other."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from stream.bamboohr.models import EmployeePage, HrField
from stream.checklist import Check, checklist
from stream.core.contact import ContactRow
from stream.core.mapping import FIELDS
from stream.errors import AnswerLost, CredentialsRefused, RosterbookError
from stream.records import EmployeeId
from stream.zoho.models import DailyBudget, Organization

ACME = Organization("10", "Acme", active=True, plan_name="Professional", time_zone="Europe/Berlin")


class Hr:
    def __init__(self, *rows: tuple[str, str, str], visible: frozenset[str] = frozenset(FIELDS)) -> None:
        self.visible = visible
        self.refusal: RosterbookError | None = None
        self.silent: RosterbookError | None = None
        self.restricted: frozenset[str] = frozenset()
        self._rows = tuple((EmployeeId(who), {"status": status, "workEmail": email}) for who, status, email in rows)

    async def fields(self) -> tuple[HrField, ...]:
        if self.refusal is not None:
            raise self.refusal
        return tuple(HrField(str(number), name, "text") for number, name in enumerate(self.visible))

    async def people(self, fields: Sequence[str]) -> AsyncGenerator[EmployeePage, None]:
        for row in self._rows:
            yield EmployeePage((row,), self.restricted, len(self._rows), None)

    async def check_changes(self) -> None:
        if self.silent is not None:
            raise self.silent


class Books:
    def __init__(self, *organizations: Organization) -> None:
        self.daily_budget: DailyBudget | None = None
        self.refusal: RosterbookError | None = None
        self._organizations = list(organizations)

    async def organizations(self) -> list[Organization]:
        return self._organizations

    async def find_by_email(self, email: str) -> list[ContactRow]:
        return []

    async def check_writing(self) -> None:
        if self.refusal is not None:
            raise self.refusal


ADA, BOB = ("1", "Active", "ada@acme.test"), ("2", "Active", "bob@acme.test")


async def checked(hr: Hr, books: Books) -> dict[str, Check]:
    return {check.subject: check for check in await checklist(hr, books, "10")}


async def test_a_connection_that_may_do_everything_passes() -> None:
    books = Books(ACME)
    books.daily_budget = DailyBudget(limit=5000, remaining=4990, reset=60)
    found = await checked(Hr(ADA, BOB, ("3", "Inactive", "ada@acme.test")), books)
    assert len(found) == 9
    assert {check.state for check in found.values()} == {"ok"}
    assert found["BambooHR people"].found == "3 people, 2 of them active."
    assert found["Zoho Books organization"].found == "Acme, plan Professional, time zone Europe/Berlin."
    assert found["Zoho Books calls"].found == "4990 of 5000 calls are left today."


async def test_a_refused_key_is_said_with_its_remedy_and_zoho_is_checked_all_the_same() -> None:
    hr = Hr(ADA)
    hr.refusal = CredentialsRefused("BambooHR does not accept the API key: give the connection a valid one.")
    found = await checked(hr, Books(ACME))
    refused = found["BambooHR access"]
    assert (refused.state, refused.found) == ("failed", "BambooHR does not accept the API key.")
    assert refused.remedy == "Give the connection a valid one."
    assert "BambooHR people" not in found
    assert found["Zoho Books changes"].state == "ok"


async def test_fields_that_are_withheld_are_named_and_the_status_is_needed() -> None:
    found = await checked(Hr(ADA, visible=frozenset(FIELDS) - {"jobTitle"}), Books(ACME))
    assert (found["BambooHR fields"].state, found["BambooHR fields"].found) == ("warning", "Not visible: jobTitle.")
    hr = Hr(ADA)
    hr.restricted = frozenset({"status"})
    assert (await checked(hr, Books(ACME)))["BambooHR fields"].state == "failed"


async def test_a_key_that_may_not_ask_who_has_changed_fails() -> None:
    hr = Hr(ADA)
    hr.silent = CredentialsRefused("BambooHR does not tell who has changed: give the key's user access.")
    check = (await checked(hr, Books(ACME)))["BambooHR changes"]
    assert (check.state, check.found) == ("failed", "BambooHR does not tell who has changed.")
    assert check.remedy == "Give the key's user access."


async def test_shared_and_missing_addresses_are_told_by_employee_ids_alone() -> None:
    hr = Hr(ADA, ("9", "Active", " ADA@acme.test"), ("4", "Active", ""), ("5", "Inactive", "bob@acme.test"), BOB)
    check = (await checked(hr, Books(ACME)))["Work emails"]
    assert check.state == "warning"
    assert "1 addresses are shared by active people (employees 1 and 9)" in check.found
    assert "1 active people have no work email" in check.found
    assert "acme.test" not in check.found


async def test_nobody_to_be_seen_and_an_organization_out_of_reach_fail() -> None:
    found = await checked(Hr(), Books(Organization("77", "Other", active=True, plan_name="", time_zone="")))
    assert found["BambooHR people"].state == "failed"
    refused = found["Zoho Books organization"]
    assert (refused.state, refused.found) == (
        "failed",
        "The credentials do not reach organization 10, but Other (77).",
    )
    assert "Zoho Books contacts" not in found
    inactive = Organization("10", "Acme", active=False, plan_name="", time_zone="")
    assert (await checked(Hr(ADA), Books(inactive)))["Zoho Books organization"].state == "failed"


async def test_missing_scopes_lost_answers_and_scarce_calls_are_told() -> None:
    books = Books(ACME)
    books.refusal = CredentialsRefused("Zoho Books does not accept a fresh token: connect it again.")
    found = await checked(Hr(ADA), books)
    assert found["Zoho Books changes"].remedy == "Connect it again."
    assert "Zoho Books calls" not in found
    books.refusal = AnswerLost("x")
    assert (await checked(Hr(ADA), books))["Zoho Books changes"].found == "Zoho Books did not answer."
    books.refusal, books.daily_budget = None, DailyBudget(limit=1000, remaining=99, reset=3600)
    scarce = (await checked(Hr(ADA), books))["Zoho Books calls"]
    assert (scarce.state, scarce.remedy is not None and "1.0 h" in scarce.remedy) == ("warning", True)
