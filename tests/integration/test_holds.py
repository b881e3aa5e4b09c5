"""`rosterbook holds` as a person uses it, with a worker on real Kafka and both vendors' sandboxes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.cli import holds
from agents.cli.holds import Manner
from stream.errors import UsageError
from stream.records import ConnectionId, LeaverGuard
from stream.vault.vault import Vault
from tests.e2e import processes
from tests.e2e.waiting import until
from tests.integration.connected import Vendors, WorkerProcess, saved, tell
from tests.integration.harness import event_log

ACME = ConnectionId("acme")


class Person:
    """Somebody who calls the command, in this process for the sake of time."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    async def says(self, work: Awaitable[int | None]) -> tuple[int, str]:
        """Exit code and standard output."""
        self._capsys.readouterr()
        code = await work
        return code or 0, self._capsys.readouterr().out

    async def listed(self) -> dict[str, Any]:
        code, out = await self.says(holds.list_(json=True))
        assert code == 0
        return dict(json.loads(out))


@pytest.fixture
async def vendors() -> AsyncIterator[Vendors]:
    found = Vendors(6)
    found.company.quirks = replace(found.company.quirks, duplicate_email="accepted")
    await found.start()
    yield found
    await found.stop()


async def test_leavers_wait_are_listed_and_decided_and_an_address_is_given(
    bootstrap: str,
    vendors: Vendors,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    variables = {"ROSTERBOOK_KAFKA": bootstrap, "ROSTERBOOK_DATA": str(tmp_path)}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    worker = WorkerProcess(tmp_path, bootstrap, **vendors.settings())
    someone = Person(capsys)
    company, contacts = vendors.company, vendors.organization.contacts
    people = sorted(company.people)

    def inactive() -> int:
        return sum(not contact.active for contact in contacts.values())

    async with event_log(bootstrap) as log:
        record = saved(Vault(vendors.keys, source="the test"), ACME, vendors.bamboohr, vendors.zoho, 6000)
        await log.append(record.model_copy(update={"guard": LeaverGuard(people=1, percent=0)}))
        await worker.start()
        try:
            await worker.ready()
            await tell(log, ACME, people)
            await until("everybody has a contact", lambda: len(contacts) == 6)
            ended = await processes.rosterbook("holds", "acme", **variables)
            assert (ended.code, ended.out, ended.err) == (0, "Nothing waits for a decision.\n", "")
            with pytest.raises(UsageError, match="No leaver waits for a decision"):
                await holds.approve()

            for employee in people[:3]:
                company.terminate(employee)
            company.change(people[4], {"workEmail": company.people[people[5]].values["workEmail"]})
            await tell(log, ACME, people)

            async def all_wait() -> dict[str, Any] | None:
                found = await someone.listed()
                kinds = [hold["kind"] for hold in found["holds"]]
                return found if kinds.count("address") == 1 and kinds.count("leaver") + inactive() == 3 else None

            found = await until("who left and who shares an address is listed", all_wait)
            assert inactive() <= 1
            leavers = [hold for hold in found["holds"] if hold["kind"] == "leaver"]
            address = found["holds"][-1]
            assert address["people"] == people[4:6]

            async def counted() -> bool:
                answer = await worker._answers("/connections/acme")
                return answer is not None and answer["held_leavers"] == len(leavers)

            await until("the worker counts as many", counted)

            with pytest.raises(UsageError, match="not what it was at digest"):
                await holds.approve(manner=Manner(seen="0"))
            first = leavers[0]["hold"]
            code, out = await someone.says(holds.approve("acme", first, manner=Manner(json=True)))
            assert code == 0
            assert json.loads(out)["decided"] == [{"hold": first, "became": "is inactive", "well": True}]
            before = inactive()
            code, out = await someone.says(holds.reject(manner=Manner(seen=(await someone.listed())["digest"])))
            assert code == 0
            assert "stays active" in out
            assert inactive() == before
            assert {h["state"] for h in (await someone.listed())["holds"] if h["kind"] == "leaver"} == {"rejected"}

            with pytest.raises(UsageError, match=f"--holder {people[4]} or --holder {people[5]}"):
                await holds.approve(address["hold"])
            code, out = await someone.says(holds.approve(address["hold"], holder=people[4]))
            assert "holds the address" in out
            assert code == 0
            email = company.people[people[4]].values["workEmail"]
            name = company.people[people[4]].values["firstName"]

            def shows() -> bool:
                showing = [one for one in contacts.values() if one.text_of_primary("email") == email]
                return [one.text_of_primary("first_name") for one in showing] == [name]

            await until("the address is shown for whom it was given to", shows)
            with pytest.raises(UsageError, match="There is no hold"):
                await holds.approve("acme", first)
        finally:
            await worker.end()
