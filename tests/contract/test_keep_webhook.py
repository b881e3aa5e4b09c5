"""The keeper of the webhook and its calls, against BambooHR's stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import pytest

from stream.bamboohr.client import BambooHr
from stream.bamboohr.keep_webhook import CHECK_EVERY_S, NO_ADDRESS, KeepWebhook
from stream.bamboohr.webhooks import OthersWebhook, WebhooksApi
from stream.clock import SystemClock
from stream.core.mapping import FIELDS
from stream.core.webhook import EVENTS, Wanted
from stream.errors import AnswerLost, ConnectionTrouble, CredentialsRefused, NotFound, RecordRefused, Unavailable
from stream.records import ConnectionId, Sealed, WebhookOutcome, WebhookRegistration
from stream.sandbox.bamboohr import BambooHrQuirks, BambooHrSandbox, Company, User
from stream.sandbox.bamboohr.registrations import Webhook
from stream.sandbox.faults import Fault
from stream.telemetry import Masked
from tests.unit.vendor import Door, Reply, vendor

URL = "https://books.example/webhooks/bamboohr/acme"


@dataclass
class Office:
    """One company's sandbox, and what the log would hold."""

    sandbox: BambooHrSandbox
    session: aiohttp.ClientSession
    door: Door = field(default_factory=Door)
    registration: WebhookRegistration | None = None
    outcomes: list[WebhookOutcome] = field(default_factory=list)
    newest: str = "none"

    def sealed_anew(self, one: WebhookRegistration) -> WebhookRegistration:
        """As the vault does it, but that it hides nothing."""
        if all(webhook.key.key == self.newest for webhook in one.webhooks):
            return one
        keys = [Sealed(key=self.newest, box=webhook.key.box) for webhook in one.webhooks]
        webhooks = tuple(w.model_copy(update={"key": key}) for w, key in zip(one.webhooks, keys, strict=True))
        return one.model_copy(update={"webhooks": webhooks})

    def keeper(self, *, key: str | None = None, url: str | None = URL) -> KeepWebhook:
        return KeepWebhook(
            ConnectionId("acme"),
            WebhooksApi(self.client(key or self.sandbox.credentials.api_key)),
            by_us=True,
            url=url,
            fields=FIELDS,
            kept=self.registration,
            mark="3f9a",
            append=self._append,
            seal=lambda key: Sealed(key=self.newest, box=key.reveal),
            clock=SystemClock(),
            settle_time=0.0,
            sealed_anew=self.sealed_anew,
        )

    def client(self, key: str) -> BambooHr:
        return BambooHr(
            self.session, self.sandbox.base_url, Masked(key), admit=self.door.admit, deadline=5.0, clock=SystemClock()
        )

    async def _append(self, record: WebhookRegistration | WebhookOutcome) -> None:
        if isinstance(record, WebhookOutcome):
            self.outcomes.append(record)
        else:
            self.registration = record

    @property
    def webhooks(self) -> tuple[Webhook, ...]:
        return self.sandbox.registrations.all()

    @property
    def said(self) -> list[str]:
        return [outcome.action for outcome in self.outcomes]


@asynccontextmanager
async def office(quirks: BambooHrQuirks | None = None) -> AsyncIterator[Office]:
    sandbox = BambooHrSandbox(Company("acme"), quirks=quirks)
    await sandbox.start()
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            yield Office(sandbox, session)
    finally:
        await sandbox.stop()


async def test_registers_one_webhook_for_all_that_the_mapping_needs_and_leaves_it_alone_after_that() -> None:
    async with office() as acme:
        assert await acme.keeper().check() == CHECK_EVERY_S
        (webhook,) = acme.webhooks
        shown = webhook.configuration
        assert (shown.url, shown.format, shown.events) == (URL, "json", EVENTS)
        assert set(shown.monitored or ()) == set(FIELDS)
        assert acme.registration is not None
        assert [one.key.box for one in acme.registration.webhooks] == [webhook.private_key]
        changes = [name for name, changes in acme.door.admitted if changes]
        assert changes == ["webhooks.create"], "each change is admitted as one"
        await acme.keeper().check()
        assert acme.webhooks == (webhook,)
        assert acme.said == ["registered"]


def _alter(**changes: Any) -> Callable[[Webhook], None]:
    def alter(webhook: Webhook) -> None:
        webhook.configuration = replace(webhook.configuration, **changes)

    return alter


@pytest.mark.parametrize(
    ("alter", "changed"),
    [
        (_alter(url="https://elsewhere.example/"), "url"),
        (_alter(events=EVENTS[:1]), "events"),
        (_alter(monitored=("firstName",)), "fields"),
        (_alter(format="form-encoded"), "format"),
        (_alter(name="books"), "name"),
    ],
    ids=["url", "events", "fields", "format", "name"],
)
async def test_what_somebody_changed_is_put_back_with_the_same_key(
    alter: Callable[[Webhook], None], changed: str
) -> None:
    async with office() as acme:
        await acme.keeper().check()
        (webhook,) = acme.webhooks
        before = webhook.configuration
        alter(webhook)
        await acme.keeper().check()
        assert acme.webhooks == (webhook,)
        assert webhook.configuration == before
        assert acme.said == ["registered", "repaired"]
        assert list(acme.outcomes[-1].changes) == [changed]


async def test_one_that_somebody_deleted_is_made_again() -> None:
    async with office() as acme:
        await acme.keeper().check()
        acme.sandbox.registrations._webhooks.clear()
        await acme.keeper().check()
        assert len(acme.webhooks) == 1
        assert acme.said == ["registered", "missing", "registered"]


@pytest.mark.parametrize(
    "fault", [Fault(drop="after"), Fault(status=502, applied=True), Fault(body="half")], ids=["drop", "502", "half"]
)
async def test_one_whose_answer_was_lost_is_deleted_and_made_again(fault: Fault) -> None:
    async with office() as acme:
        acme.sandbox.faults.plant(replace(fault, method="POST", path=".*/webhooks"))
        keeper = acme.keeper()
        with pytest.raises(AnswerLost):
            await keeper.check()
        assert acme.registration is not None
        assert acme.registration.pending
        lost = acme.webhooks
        await acme.keeper().check()
        (webhook,) = acme.webhooks
        assert [one.private_key for one in lost] != [webhook.private_key]
        assert acme.registration.webhooks[0].key.box == webhook.private_key
        assert not acme.registration.pending


async def test_credentials_of_another_user_get_a_webhook_of_their_own_and_the_old_one_is_left_and_named() -> None:
    async with office() as acme:
        await acme.keeper().check()
        (first,) = acme.webhooks
        first.creator.active = False
        other = acme.sandbox.accounts.new_key(User("2"))
        with pytest.raises(CredentialsRefused):
            await acme.keeper().check()
        await acme.keeper(key=other).check()
        assert [webhook.creator.id for webhook in acme.webhooks] == ["1", "2"]
        assert acme.said == ["registered", "missing", "registered"]
        assert "belongs to another user" in acme.outcomes[1].reason


async def test_fields_that_the_user_may_not_see_are_left_out_and_said() -> None:
    async with office() as acme:
        key = acme.sandbox.accounts.new_key(User("2", denied=frozenset({"department"})))
        keeper = acme.keeper(key=key)
        await keeper.check()
        (webhook,) = acme.webhooks
        assert set(webhook.configuration.monitored or ()) == set(FIELDS) - {"department"}
        assert keeper.reason == (
            "BambooHR does not tell of changes of department: let the connection's user see those fields."
        )


async def test_without_an_address_nothing_is_asked_and_the_setting_is_named() -> None:
    async with office() as acme:
        keeper = acme.keeper(url=None)
        assert await keeper.check() == CHECK_EVERY_S
        assert keeper.reason == NO_ADDRESS
        assert acme.door.admitted == []


async def test_an_address_that_bamboohr_refuses_leaves_nothing_pending() -> None:
    async with office() as acme:
        with pytest.raises(RecordRefused, match="ROSTERBOOK_PUBLIC_URL"):
            await acme.keeper(url="http://127.0.0.1:1/webhooks/bamboohr/acme").check()
        assert acme.registration is not None
        assert not acme.registration.pending


ALL = {"id": "3", "name": "n", "url": URL, "format": "json", "events": list(EVENTS), "monitorFields": ["4", 7]}


def create(api: WebhooksApi) -> Any:
    return api.create(Wanted(URL, FIELDS).configuration("n"))


def delete(api: WebhooksApi) -> Any:
    return api.delete("3")


def listed(api: WebhooksApi) -> Any:
    return api.listed()


async def calls(reply: Reply, call: Callable[[WebhooksApi], Any]) -> Any:
    """What becomes of this answer."""
    async with vendor([reply]) as (server, session):
        door = Door()
        api = BambooHr(session, f"{server.url}/acme", Masked("k"), admit=door.admit, deadline=5.0, clock=SystemClock())
        return await call(WebhooksApi(api))


async def test_fields_are_told_by_alias_or_id_and_compared_by_alias() -> None:
    found = await calls(Reply(ALL), lambda api: api.shown("3", {"4": "department", "7": "jobTitle"}))
    assert found.fields == ("department", "jobTitle")
    names = await calls(
        Reply({"fields": [{"id": "4", "alias": "department"}, {"id": 9, "alias": None}]}), lambda api: api.monitored()
    )
    assert names == {"4": "department", "department": "department", "9": "9"}


@pytest.mark.parametrize(
    ("reply", "call", "error"),
    [
        (Reply({"id": "3"}, 201), create, AnswerLost),
        (Reply(b"<html>", 201), create, AnswerLost),
        (Reply({"id": "../3", "privateKey": "k"}, 201), create, AnswerLost),
        (Reply({"errors": [{"error": "no", "monitorFields": [{"id": 4}]}]}, 403), create, RecordRefused),
        (Reply({"errors": {"error": "no"}}, 403), create, CredentialsRefused),
        (Reply({"errors": {"error": "no"}}, 403), delete, OthersWebhook),
        (Reply(b"", 404), delete, NotFound),
        (Reply(b"", 500), delete, AnswerLost),
        (Reply(b"", 403), listed, CredentialsRefused),
        (Reply(b"", 401), listed, ConnectionTrouble),
        (Reply({"webhooks": [{"id": True}]}), listed, Unavailable),
        (Reply({"webhooks": {}}), listed, Unavailable),
        (Reply({**ALL, "id": "4"}), lambda api: api.shown("3", {}), Unavailable),
    ],
)
async def test_what_each_answer_means(reply: Reply, call: Callable[[WebhooksApi], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        await calls(reply, call)


async def test_keys_that_an_older_vault_key_sealed_are_sealed_anew_even_while_bamboohr_is_away() -> None:
    async with office() as acme:
        await acme.keeper().check()
        assert acme.registration is not None
        before, acme.newest = acme.registration.webhooks[0].key, "newer"
        keeper = acme.keeper(key="wrong")
        assert keeper.needs_old_keys
        with pytest.raises(CredentialsRefused):
            await keeper.check()
        assert acme.registration.webhooks[0].key == Sealed(key="newer", box=before.box)
        assert not keeper.needs_old_keys
