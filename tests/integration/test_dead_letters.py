"""Dead letters on real Kafka: what the folds set aside, over crashes too, and what the command does about it."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from stream.codec import canonical
from stream.core.letters import Letter
from stream.kafka.event_log import EventLog
from stream.kafka.scan import LogScan
from stream.letterbox import read as read_letters
from stream.records import (
    AnyRecord,
    Command,
    ContactKey,
    ContactUpsert,
    DeadLetter,
    EmployeeId,
    EmployeeSnapshot,
    HrEvent,
    LogPosition,
    SyncOutcome,
)
from stream.topics import COMMANDS, CONTACT_UPSERTS, DEAD_LETTERS, EMPLOYEES, HR_EVENTS, OUTCOMES, partition_of
from tests.e2e import processes
from tests.integration.harness import Desk, commit, desk, event_log, records
from tests.integration.inputs import ACME, AT, OTHER, heard, read

HERE = partition_of(ACME, 2)
BODY = b'{"type":"employee.updated","data":{"employeeId":"31"}}'


def unreadable(employee: str, cause: LogPosition) -> EmployeeSnapshot:
    said = {"state": "unreadable", "fields": {}, "reason": "Give access.", "error": "RecordRefused"}
    return read(employee, cause, email=None).model_copy(update=said)


def failed(upsert: ContactUpsert) -> SyncOutcome:
    return SyncOutcome(
        connection=ACME,
        contact_key=upsert.contact_key,
        employee=upsert.employee,
        action="failed",
        parks=upsert.cause.offset,
        reason="Correct it in BambooHR.",
        error="InvalidValue",
        chain=(upsert.cause,),
        at=AT,
    )


async def letters(bootstrap: str) -> list[Letter]:
    return (await read_letters(LogScan(bootstrap))).letters


async def fail(log: EventLog, one: Desk, bootstrap: str) -> None:
    """One person cannot be read, another one's contact is refused."""
    event = await log.append(heard("1", "2"))
    await log.append(unreadable("1", event))
    await log.append(read("2", event, email="ben@acme.test"))
    await one.folded()
    (wish,) = await records(bootstrap, CONTACT_UPSERTS)
    assert isinstance(wish, ContactUpsert)
    await log.append(failed(wish))


# -- what is set aside -------------------------------------------------------------------------------------------------


async def test_a_person_and_a_contact_that_fail_for_good_are_set_aside_and_the_rest_goes_on(
    bootstrap: str, tmp_path: Path
) -> None:
    async with event_log(bootstrap) as log, desk(bootstrap, tmp_path) as one:
        await fail(log, one, bootstrap)
        event = await log.append(heard("3"))
        await log.append(read("3", event, email="cleo@acme.test"))
        await one.folded()
        assert one.rows("people")["acme/1"]["debt"]["reason"] == "Give access."
        assert one.rows("people")["acme/3"]["email"] == "cleo@acme.test"
        (contact,) = [row for row in one.rows("contacts").values() if row["employee"] == "2"]
        assert contact["error"] == "Correct it in BambooHR."
    person, refused = await letters(bootstrap)
    assert (person.content.stage, person.content.error) == ("bamboohr", "RecordRefused")
    assert (refused.content.stage, refused.content.error) == ("zoho", "InvalidValue")
    assert {person.content.origin.topic, refused.content.origin.topic} == {EMPLOYEES.name, OUTCOMES.name}  # type: ignore[union-attr]

    await commit(bootstrap, 0)
    async with desk(bootstrap, tmp_path):
        pass
    assert len(await letters(bootstrap)) == 2, "what is folded again sets nothing else aside"


@pytest.mark.parametrize("moment", ["before", pytest.param("after", marks=pytest.mark.thorough)])
async def test_a_crash_around_the_append_of_a_letter_neither_loses_nor_doubles_it(
    bootstrap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    reached = asyncio.Event()
    append_all = EventLog.append_all

    async def cut_off(self: EventLog, found: Any, **how: Any) -> Any:
        ours = [record for record in found if isinstance(record, DeadLetter)]
        if ours and moment == "after":
            await append_all(self, found, **how)
        if ours:
            reached.set()
            await asyncio.Event().wait()
        return await append_all(self, found, **how)

    async with event_log(bootstrap) as log:
        async with desk(bootstrap, tmp_path) as one:
            event = await log.append(heard("1"))
            await log.append(read("1", event, email="ada@acme.test"))
            await one.folded()
            key = ContactKey(one.rows("people")["acme/1"]["contact_key"])
        doomed = Desk(bootstrap, tmp_path)
        with monkeypatch.context() as patched:
            patched.setattr(EventLog, "append_all", cut_off)
            await doomed.start()
            await doomed.ready()
            await log.append(
                SyncOutcome(
                    connection=ACME,
                    contact_key=key,
                    employee=EmployeeId("1"),
                    action="failed",
                    parks=0,
                    reason="Correct it.",
                    at=AT,
                )
            )
            async with asyncio.timeout(20):
                await reached.wait()
            await doomed.crash()
        async with desk(bootstrap, tmp_path) as next_owner:
            assert next_owner.rows("contacts")[f"acme/{key}"]["error"] == "Correct it."
    assert [one.content.message for one in await letters(bootstrap)] == ["Correct it."]


# -- what is done about it ---------------------------------------------------------------------------------------------


async def rosterbook(bootstrap: str, data: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error of `rosterbook dead-letters`."""
    variables = {"ROSTERBOOK_DATA": str(data), "ROSTERBOOK_KAFKA": bootstrap, "LOGNAME": "kim"}
    ended = await processes.rosterbook("dead-letters", *arguments, **variables)
    assert "Traceback" not in ended.err
    return ended.code, ended.out, ended.err


def letter(stage: str, payload: bytes, origin: LogPosition | None = None, **fields: Any) -> DeadLetter:
    known = {"connection": ACME, "error": "UndecodableRecord", "message": "Why.", "at": AT}
    encoded = b64encode(payload).decode()
    return DeadLetter.model_validate({**known, "stage": stage, "payload": encoded, "origin": origin, **fields})


async def commands(bootstrap: str) -> list[Command]:
    return [one for one in await records(bootstrap, COMMANDS) if isinstance(one, Command)]


async def events(bootstrap: str) -> list[HrEvent]:
    return [one for one in await records(bootstrap, HR_EVENTS) if isinstance(one, HrEvent)]


class Kept(NamedTuple):
    """The ids of four letters, and the snapshot that two of them are about."""

    person: str
    delivery: str
    garbage: str
    too_large: str
    snapshot: EmployeeSnapshot


async def keep(log: EventLog) -> Kept:
    """A person who cannot be read, a delivery, one of another company that is none, a record too large to be copied."""
    snapshot = unreadable("12", await log.append(heard("12")))
    origin = await log.append(snapshot)
    known: list[AnyRecord] = [
        letter("bamboohr", canonical(snapshot), origin, error="RecordRefused"),
        letter("gateway", BODY, headers={"Content-Type": "application/json"}),
        letter("gateway", b"<ada@acme.test>", connection=OTHER),
        letter(EMPLOYEES.name, b"", origin, message="Too large."),
    ]
    person, delivery, garbage, too_large = [
        f"{at.partition}:{at.offset}" for at in [await log.append(one) for one in known]
    ]
    await log.put(DEAD_LETTERS.name, HERE, [(b"acme", b"no letter")])
    return Kept(person, delivery, garbage, too_large, snapshot)


@pytest.mark.thorough
async def test_letters_are_listed_and_shown_without_what_they_hold_unless_asked(bootstrap: str, tmp_path: Path) -> None:
    async def run(*arguments: str) -> tuple[int, str, str]:
        return await rosterbook(bootstrap, tmp_path, *arguments)

    async def chosen(*arguments: str) -> list[str]:
        _, out, _ = await run("list", "--json", *arguments)
        return [row["id"] for row in json.loads(out)]

    assert await run("list") == (0, "There are no such dead letters.\n", "")
    async with event_log(bootstrap) as log:
        kept = await keep(log)

    code, out, err = await run("list", "--json")
    assert (code, {row["id"] for row in json.loads(out)}) == (0, set(kept[:4]))
    assert err == "1 records of the dead letters' topic cannot be read: they are left out.\n"
    assert await chosen("--connection", "beta") == [kept.garbage]
    assert await chosen("--stage", "bamboohr", "--error", "recordrefused") == [kept.person]
    assert await chosen("--since", "2026-03-03") == []
    assert len(await chosen("--until", "2026-03-03", "--limit", "2")) == 2
    code, out, _ = await run("list", "--limit", "1")
    assert "3 older ones are not shown: say --limit 4 to see all." in out

    code, out, _ = await run("show", kept.garbage)
    assert code == 0
    assert "payload_sha256" in out
    assert "ada@acme.test" not in out
    code, out, _ = await run("show", kept.garbage, "--payload", "--json")
    assert json.loads(out)["payload"] == "<ada@acme.test>"
    code, out, err = await run("show", "1:99")
    assert (code, out) == (2, "")
    assert "There is no dead letter 1:99" in err


async def test_a_letter_is_redriven_once_unless_asked_again_with_a_record_of_who_did_it(
    bootstrap: str, tmp_path: Path
) -> None:
    async def run(*arguments: str) -> tuple[int, str, str]:
        return await rosterbook(bootstrap, tmp_path, *arguments)

    assert await run("redrive", "--all") == (0, "0 redriven.\n", "")
    async with event_log(bootstrap) as log:
        kept = await keep(log)

    before = (len(await events(bootstrap)), await commands(bootstrap))
    code, out, err = await run("redrive", *kept[:4], "--dry-run")
    assert code == 1
    assert "HrEvent for employee 31" in out
    assert "HrEvent for employee 12" in out
    assert "3 would be redriven, 1 not." in out
    assert f"Letter {kept.garbage} is not redriven: It still cannot be understood: The delivery is no JSON." in err
    assert (len(await events(bootstrap)), await commands(bootstrap)) == before == (1, [])

    code, out, _ = await run("redrive", kept.person)
    assert (code, out) == (0, "1 redriven.\n")
    event = (await events(bootstrap))[-1]
    assert (event.employees, event.kind, event.insists, event.connection) == (("12",), "redrive", True, ACME)
    (command,) = await commands(bootstrap)
    assert command.command == "redrive dead letter"
    assert command.asked_by.startswith("kim@")
    assert command.arguments["letter"].endswith(f"/{kept.person.replace(':', '/')}")

    code, out, err = await run("redrive", kept.person)
    assert (code, out) == (1, "0 redriven, 1 not.\n")
    assert "It was redriven already, by kim@" in err
    code, _, _ = await run("redrive", kept.person, "--again")
    assert (code, len(await commands(bootstrap))) == (0, 2)
    async with desk(bootstrap, tmp_path) as one:
        assert one.rows("people")["acme/12"]["insisted"] > one.rows("people")["acme/12"]["debt"]["parked"]


async def test_all_open_letters_are_redriven_and_those_that_a_filter_names_dropped(
    bootstrap: str, tmp_path: Path
) -> None:
    async def run(*arguments: str) -> tuple[int, str, str]:
        return await rosterbook(bootstrap, tmp_path, *arguments)

    async with event_log(bootstrap) as log:
        kept = await keep(log)

    code, out, _ = await run("redrive", "--all", "--json", "--by", "lee")
    assert code == 1
    answer = json.loads(out)
    assert (answer["redriven"], answer["failed"]) == (3, 1)
    assert {row["id"]: row["result"] for row in answer["letters"]} == {
        kept.person: "redriven",
        kept.delivery: "redriven",
        kept.garbage: "failed",
        kept.too_large: "redriven",
    }
    assert [event.employees for event in await events(bootstrap)][-2:] == [("12",), ("31",)]
    assert (await records(bootstrap, EMPLOYEES)) == [kept.snapshot, kept.snapshot], "it was read at its origin"
    assert [one.asked_by for one in await commands(bootstrap)] == ["lee"] * 3

    code, out, _ = await run("drop", "--stage", "gateway", "--dry-run")
    assert (code, "1 would be dropped." in out) == (0, True)
    code, out, _ = await run("drop", "--stage", "gateway", "--by", "lee")
    assert (code, out) == (0, "1 dropped.\n")
    _, out, _ = await run("list", "--state", "any", "--json")
    assert {row["id"]: row["state"] for row in json.loads(out)} == {
        kept.person: "redriven",
        kept.delivery: "redriven",
        kept.garbage: "dropped",
        kept.too_large: "redriven",
    }
    async with desk(bootstrap, tmp_path) as one:
        people = one.rows("people")
        assert people["acme/31"]["debt"]["wanted"] > people["acme/31"]["debt"]["settled"]


async def test_kafka_being_away_is_a_sentence(tmp_path: Path) -> None:
    for arguments in (["list"], ["show", "0:1"], ["redrive", "0:1"], ["drop", "--all"]):
        code, out, err = await rosterbook("127.0.0.1:1", tmp_path, *arguments)
        assert (code, out) == (1, "")
        assert "127.0.0.1:1" in err.splitlines()[-1]
