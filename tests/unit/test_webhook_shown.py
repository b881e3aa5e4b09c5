"""What `connection show` tells of a webhook."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agents.cli.webhook_shown import webhook_shown
from stream.records import ConnectionId, RegisteredWebhook, Sealed, WebhookRegistration
from tests.fake_clock import START
from tests.unit.test_ledgers import connection

ACME = ConnectionId("acme")
SECRET = Sealed(key="00000001", box="private")
ONE = RegisteredWebhook(id="17", name="Rosterbook acme", created="today", key=SECRET, made_at=START)
GONE = ONE.model_copy(update={"id": "9", "ended_at": START})


@pytest.mark.parametrize(
    ("registration", "state", "id"),
    [
        (None, "not registered", None),
        (WebhookRegistration(connection=ACME, mark="x", webhooks=(GONE,)), "not registered", None),
        (WebhookRegistration(connection=ACME, mark="x", webhooks=(GONE,), pending=True), "being registered", None),
        (WebhookRegistration(connection=ACME, mark="x", webhooks=(ONE, GONE)), "registered", "17"),
    ],
)
def test_a_webhook_of_ours_is_told_by_its_state_and_never_by_its_key(
    registration: WebhookRegistration | None, state: str, id: str | None
) -> None:
    record = connection().model_copy(update={"webhook_key": None})
    told = webhook_shown(record, registration, START + timedelta(hours=1))
    assert (told["state"], told["id"]) == (state, id)
    assert told["last_delivery"] == (START + timedelta(hours=1)).isoformat()
    assert SECRET.box not in str(told)


def test_a_webhook_kept_by_hand_and_what_is_wrong_with_one_are_said() -> None:
    assert webhook_shown(connection(), None, None)["state"] == "by hand"
    kept = WebhookRegistration(connection=ACME, mark="x", webhooks=(ONE,), told=("Mend it.",), checked_at=START)
    told = webhook_shown(connection().model_copy(update={"webhook_key": None}), kept, None)
    assert (told["findings"], told["checked_at"], told["last_delivery"]) == (["Mend it."], START.isoformat(), None)
