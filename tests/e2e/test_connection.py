"""`rosterbook connection add` against a running installation: what it refuses, and what each mode does."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from agents.demo.vendors import CONNECTION
from stream.clock import SystemClock
from stream.connection_file import load_connection, seal
from stream.kafka.event_log import EventLog
from stream.sandbox.bamboohr import Disorder
from stream.sandbox.zoho import CustomField
from stream.sandbox.zoho.tokens import OAuthRefused
from stream.vault.vault import Vault, new_keyset
from tests.e2e.waiting import until
from tests.e2e.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")


def one_sentence(said: str) -> str:
    """What a refusal says: one line, no traceback."""
    assert said.count("\n") == 1, said
    assert said.endswith(".\n")
    return said


async def test_faulty_file_is_refused_with_a_sentence_and_the_connection_stays(world: World) -> None:
    before = await world.connection()

    extra = world.data / "extra.toml"
    extra.write_text(world.file.read_text() + "\n[mapping]\ncolour = 'red'\n")
    ended = await world.add(extra)
    assert ended.code == 2
    assert "mapping.colour: is not known here" in one_sentence(ended.err)

    unset = world.file_with("unset", api_key='{ env = "NOBODY_SETS_THIS" }')
    ended = await world.add(unset)
    assert ended.code == 2
    assert "NOBODY_SETS_THIS is not set" in one_sentence(ended.err)

    conflict = world.file_with("conflict", id='"other"')
    ended = await world.add(conflict)
    assert ended.code == 2
    assert f"Connection {CONNECTION} has organization" in one_sentence(ended.err)

    moved = world.file_with("moved", organization_id='"12345"')
    ended = await world.add(moved)
    assert ended.code == 2
    assert "is bound for life" in one_sentence(ended.err)

    assert await world.connection() == before
    world.hire(1)
    await world.synced()


async def test_vault_key_that_is_not_the_installations_is_refused_and_the_connection_stays(world: World) -> None:
    before = await world.connection()
    for keys in ("no keys at all", new_keyset()):
        ended = await world.add(ROSTERBOOK_VAULT_KEYS=keys)
        assert ended.code == 2
        assert "ROSTERBOOK_VAULT_KEYS" in one_sentence(ended.err)
    assert await world.connection() == before
    world.hire(1)
    await world.synced()


async def test_second_add_is_an_update_that_is_in_service_when_it_returns(world: World) -> None:
    saved_before = (await world.connection())["saved_at"]
    ended = await world.add(world.file_with("slower", calls_per_minute="3000"))
    assert (ended.code, ended.err) == (0, "")
    assert f"Connection {CONNECTION} is updated, mode live." in ended.out
    assert (await world.connection())["saved_at"] > saved_before
    shown = await world.rosterbook("connection", "show", CONNECTION, "--json")
    assert orjson.loads(shown.out)["zoho"]["calls_per_minute"] == 3000
    world.hire(1)
    await world.synced()
    shown = orjson.loads((await world.rosterbook("connection", "show", CONNECTION, "--json")).out)
    assert shown["webhook"]["state"] == "by hand"
    assert datetime.now(UTC) - datetime.fromisoformat(shown["webhook"]["last_delivery"]) < timedelta(minutes=1)
    calls = shown["worker"]["calls_today"]
    assert calls["begun"] > 0
    assert calls["left"] == calls["limit"] - calls["begun"] == shown["worker"]["forecast"]["left_today"]
    metrics = str(await world.ask("worker", "/metrics"))
    assert re.findall(r"(?m)^rosterbook_zoho_calls_left\{.*\} (\S+)$", metrics) == [str(float(calls["left"]))]


async def test_paused_connection_takes_webhooks_and_writes_nothing_until_it_is_live_again(world: World) -> None:
    contacts, writes = len(world.organization.contacts), world.vendors.zoho.calls.writes
    assert (await world.add(world.file_with("paused", mode='"paused"'))).code == 0
    calls, heard = world.vendors.zoho_calls, len(world.vendors.bamboohr.deliveries)
    world.hire(5)
    await until("all is delivered", lambda: not world.vendors.bamboohr.unsent)
    taken = [attempt.status for attempt in world.vendors.bamboohr.deliveries[heard:]]
    assert len(taken) >= 5
    assert set(taken) == {200}
    told = await world.connection()
    assert (told["serving"], told["reason"]) == (True, "paused")
    assert (await world.rosterbook("connection", "test", CONNECTION)).code == 0
    assert (await world.add()).code == 0
    await world.synced()
    assert len(world.organization.contacts) == contacts + 5
    assert world.vendors.zoho.calls.writes == writes + 5
    assert world.vendors.zoho_calls > calls


async def test_preview_says_what_would_be_done_a_plan_is_let_through_and_going_live_does_the_rest(world: World) -> None:
    (known,) = world.hire(1)
    await world.synced()
    contacts, writes = len(world.organization.contacts), world.vendors.zoho.calls.writes
    assert (await world.add(world.file_with("preview", mode='"preview"'))).code == 0
    newcomers = world.hire(3)
    world.retitle(known)
    concerned = {known, *newcomers}

    async def previewed() -> bool:
        outcomes = await world.outcomes()
        return {outcome.employee for outcome in outcomes if outcome.action == "previewed"} >= concerned

    await until("all of them are previewed", previewed, 30)
    await until("nothing more is to be previewed", world.owes_nothing, 30)
    assert len(world.organization.contacts) == contacts
    file = world.data / "plan.json"
    ended = await world.rosterbook("plan", CONNECTION, "--json", "--out", file)
    assert ended.code == 0, ended
    plan = orjson.loads(ended.out)
    assert (plan["counts"]["create"], plan["counts"]["change"]) == (3, 1)
    assert {line["employee"] for line in plan["lines"]} >= concerned
    assert plan["digest"] == orjson.loads(file.read_bytes())["digest"]
    assert world.vendors.zoho.calls.writes == writes
    assert not world.compare().equal

    (later,) = world.hire(1)
    concerned = {later}
    await until("somebody joined since", previewed, 30)
    for _ in range(2):
        ended = await world.rosterbook("apply", file, "--json")
        assert (ended.code, orjson.loads(ended.out)["done"]) == (0, 4), ended
        assert world.vendors.zoho.calls.writes == writes + 4, "what was planned, once, though it is a preview"
    assert len(world.organization.contacts) == contacts + 3

    assert (await world.add()).code == 0
    await world.synced()
    assert len(world.organization.contacts) == contacts + 4
    assert world.vendors.zoho.calls.writes == writes + 5, "each debt is paid once"


async def test_changes_of_which_no_webhook_came_are_found_by_reconciling(world: World) -> None:
    (told_of,) = world.hire(1)
    await world.synced()
    world.vendors.bamboohr.misbehave(Disorder(lost=1.0))
    try:
        leaver, *newcomers = world.hire(3)
        await until("nothing is on its way", lambda: not world.vendors.bamboohr.unsent)
        assert not world.compare().equal
        ended = await world.rosterbook("reconcile", "--json")
        told = orjson.loads(ended.out)
        assert (ended.code, told["connection"], told["state"]) == (0, CONNECTION, "done")
        missed = {one["employee"]: one["why"] for one in told["missed"]}
        assert {employee: missed[employee] for employee in (leaver, *newcomers)} == dict.fromkeys(
            (leaver, *newcomers), "not told"
        )
        assert told["repaired"] >= 3
        assert world.compare().equal, "it returns when the work is done"

        ended = await world.rosterbook("reconcile", "--report", "--json")
        told = orjson.loads(ended.out)
        missing = {one["employee"]: one for one in told["missing_changes"]}
        assert missing.keys() >= {leaver, *newcomers}
        assert all(missing[one]["delivery"] == "not sent" and missing[one]["fetched_at"] for one in newcomers)
        assert told_of not in missing
        assert told["delivered"] >= 1
        assert (told["unheard"], told["log"]["whole"], told["log"]["problem"]) == (0, True, None)

        world.company.delete(leaver)
        assert (await world.rosterbook("reconcile", CONNECTION, "--no-wait")).code == 0
        await world.synced()
    finally:
        world.vendors.bamboohr.misbehave(Disorder())


async def test_a_new_mapping_is_checked_compared_and_reaches_everybody_without_a_change_of_theirs(world: World) -> None:
    (ada,) = world.hire(1)
    await world.synced()
    people, centre = world.company.people, "customCostCenter"
    for person in people.values():  # nobody tells of this
        person.values.pop(centre, None)
    people[ada].values[centre] = "ops-42"
    mapped, text = world.data / "mapped.toml", world.file.read_text()
    mapping = f'company_name = {{ value = "Acme" }}\ncf_cost_center = {{ field = "{centre}", change = ["upper"] }}'
    mapped.write_text(f"{text}\n[mapping.fields]\n{mapping}\n")

    ended = await world.rosterbook("mapping", "check", mapped)
    assert ended.code == 2
    line = text.count("\n") + 4
    assert f"Zoho Books has no such custom field of contacts: make it there, or correct its API name (line {line})" in (
        one_sentence(ended.err)
    )
    ended = await world.add(mapped)
    assert (ended.code, f"(line {line})" in one_sentence(ended.err)) == (2, True), "nor is it put to use"
    defined = world.organization.define_custom_field(CustomField("cf_cost_center", "Cost centre"))
    ended = await world.rosterbook("mapping", "check", mapped, "--json")
    assert (ended.code, orjson.loads(ended.out)["passed"], orjson.loads(ended.out)["faults"]) == (0, True, [])

    ended = await world.rosterbook("mapping", "diff", mapped, "--json")
    assert ended.code == 0, ended
    told = orjson.loads(ended.out)
    assert (ended.code, told["connection"]) == (0, CONNECTION)
    assert {"employee": ada, "changes": {"company_name": [None, "Acme"]}} in told["differences"]
    assert told["not_read_yet"].keys() == {centre}

    assert (await world.add(mapped)).code == 0

    def carried() -> dict[str, int]:
        return Counter(
            contact.custom.get(defined.customfield_id, "") for contact in world.organization.contacts.values()
        )

    await until("the contact shows the cost centre", lambda: carried()["OPS-42"] == 1, 60)
    await world.synced()
    ended = await world.rosterbook("mapping", "diff", mapped)
    assert ended.out.startswith("0 of "), ended.out

    of_nobody = world.data / "of-nobody.toml"
    of_nobody.write_text(mapped.read_text().replace(CONNECTION, "nobody", 1))
    ended = await world.rosterbook("mapping", "check", of_nobody)
    assert (ended.code, "Connection 'nobody' is not there yet" in one_sentence(ended.err)) == (2, True)
    assert (await world.rosterbook("mapping", "check", of_nobody, "--offline")).code == 0


async def test_worker_without_the_vault_key_of_a_connection_says_so_and_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in world.secrets.items():
        monkeypatch.setenv(name, value)
    stranger = Vault(new_keyset(), source="another installation's keys")
    record = seal(load_connection(world.file), stranger, SystemClock().now())
    log = EventLog((world.data / "kafka" / "address").read_text().strip())
    await log.start()
    try:
        await log.append(record)
    finally:
        await log.stop()

    async def says_why() -> bool:
        told = await world.connection()
        return told.get("serving") is False and "needs vault key" in told["reason"]

    await until("the worker says what it needs", says_why, 15)
    assert not world.up.told("worker ended")
    world.hire(1)
    assert (await world.add()).code == 0
    await world.synced()


@pytest.mark.thorough
async def test_connection_is_paused_and_goes_on_as_it_was_and_a_preview_goes_live(world: World) -> None:
    assert (await world.add(world.file_with("preview", mode='"preview"'))).code == 0
    paused = await world.rosterbook("connection", "pause", CONNECTION, "--json")
    assert orjson.loads(paused.out) == {"connection": CONNECTION, "mode": "paused", "before": "preview"}
    assert (await world.connection())["reason"] == "paused"
    again = await world.rosterbook("connection", "pause", CONNECTION)
    assert (again.code, "is already paused" in again.out) == (0, True)
    resumed = await world.rosterbook("connection", "resume", CONNECTION)
    assert "is in preview" in resumed.out
    assert (await world.connection())["reason"] == "preview"
    world.hire(1)
    live = await world.rosterbook("connection", "resume", CONNECTION, "--mode", "live")
    assert "is live" in live.out
    await world.synced()


@pytest.mark.thorough
async def test_checklist_tells_what_a_connection_may_do_and_what_to_do_about_it(world: World) -> None:
    writes = world.vendors.zoho.calls.writes
    ended = await world.rosterbook("connection", "test", CONNECTION, "--json")
    told = orjson.loads(ended.out)
    assert (ended.code, ended.err, told["passed"]) == (0, "", True)
    assert [check["subject"] for check in told["checks"]][:2] == ["BambooHR access", "BambooHR people"]
    assert f"{len(world.company.people)} people" in told["checks"][1]["found"]
    assert world.vendors.zoho.calls.writes == writes

    assert (await world.add(world.file_with("wrong", api_key='"wrong"'))).code == 0
    ended = await world.rosterbook("connection", "test", CONNECTION)
    assert ended.code == 1
    assert "FAILED" in ended.out
    assert "BambooHR does not accept the API key." in ended.out
    assert (await world.add()).code == 0
    ended = await world.rosterbook("connection", "test", "nobody")
    assert ended.code == 2
    assert "There is no connection 'nobody'" in one_sentence(ended.err)


@pytest.mark.thorough
async def test_without_a_webhook_key_the_worker_registers_a_webhook_and_changes_flow_by_it(world: World) -> None:
    registrations, text = world.vendors.bamboohr.registrations, world.file.read_text()
    secrets, heard = world.secrets, len(world.vendors.bamboohr.deliveries)
    registrations._webhooks.clear()  # the one that was made by hand
    file = world.data / "registered.toml"
    file.write_text(text.replace('webhook_key = { env = "DEMO_WEBHOOK_KEY" }\n', ""))
    ended = await world.rosterbook("connection", "add", file, **secrets)
    assert (ended.code, ended.err) == (0, "")
    (webhook,) = registrations.all()
    assert f"A webhook is registered in BambooHR: it calls {webhook.configuration.url}" in ended.out
    world.hire(1)
    await world.synced()
    taken = [attempt.status for attempt in world.vendors.bamboohr.deliveries[heard:]]
    assert taken
    assert set(taken) == {200}
    shown = await world.rosterbook("connection", "show", CONNECTION, "--json")
    assert webhook.private_key not in shown.out
    told = orjson.loads(shown.out)["webhook"]
    assert (told["state"], told["id"], told["findings"]) == ("registered", webhook.id, [])
    assert told["checked_at"] >= told["key_made_at"]

    ended = await world.rosterbook("connection", "rotate-webhook", CONNECTION, "--json")
    assert (ended.code, ended.err, orjson.loads(ended.out)["rotated"]) == (0, "", True)
    (rotated,) = registrations.all()
    assert rotated.private_key != webhook.private_key
    world.hire(1)
    await world.synced()
    assert world.vendors.bamboohr.deliveries[-1].status == 200


@pytest.mark.thorough
async def test_a_removed_connection_has_no_webhook_no_consent_and_no_secret_and_stays_bound(world: World) -> None:
    registrations, zoho, secrets = world.vendors.bamboohr.registrations, world.vendors.zoho, world.secrets
    ended = await world.rosterbook("connection", "add", world.data / "registered.toml", **secrets)
    assert (ended.code, ended.err) == (0, "")
    assert (await world.rosterbook("connection", "remove", CONNECTION)).code == 2
    ended = await world.rosterbook("connection", "remove", CONNECTION, "--yes", "--json")
    told = orjson.loads(ended.out)
    assert (ended.code, ended.err, told["removed"]) == (0, "", True)
    assert "Its webhook is deleted. Zoho has forgotten the consent." in told["says"]
    assert not [one for one in registrations.all() if "Rosterbook" in one.configuration.name]
    with pytest.raises(OAuthRefused):
        zoho.tokens.refresh(zoho.credentials.refresh_token)
    assert orjson.loads((await world.rosterbook("vault", "check", "--json")).out)["secrets"] == []
    assert "There are no connections yet" in (await world.rosterbook("connection", "list")).out
    async with asyncio.timeout(20):
        while (await world.connection())["serving"]:
            await asyncio.sleep(0.1)
    elsewhere = world.file_with("elsewhere", organization_id='"12345"')
    moved = await world.rosterbook("connection", "add", elsewhere, **secrets)
    assert moved.code == 2
    assert "is bound for life" in one_sentence(moved.err)


async def test_one_person_is_read_again_and_what_came_of_it_is_told(world: World) -> None:
    (employee,) = world.hire(1)
    await world.synced()

    ended = await world.rosterbook("sync", CONNECTION, employee, "--json")
    told = orjson.loads(ended.out)
    assert (ended.code, told["state"]) == (0, "kept"), ended
    assert [step["step"] for step in told["steps"]] == ["read", "standing", "match", "decision", "fields", "calls"]
    assert told["steps"][-2]["says"] == "Zoho Books shows all as it should be."

    ended = await world.rosterbook("sync", "987654", "--explain")
    assert ended.code == 0, ended
    assert "BambooHR has no such employee" in ended.out
    assert ended.out.endswith("Employee 987654 needs no contact.\n")

    ended = await world.rosterbook("sync", CONNECTION)
    assert ended.code == 2
    assert "is no employee id" in one_sentence(ended.err)
