"""What the owner gives up when a connection is removed, and what it says of what it cannot."""

from __future__ import annotations

from typing import Any, cast

import pytest

from agents.removal import NotRemoved, remove
from stream.errors import AnswerLost, CredentialsRefused, LogUnavailable, Retriable, RosterbookError
from stream.records import WebhookRegistration
from tests.small_world import ACME

RECORD = cast(Any, type("Record", (), {"connection": ACME}))
KEPT = WebhookRegistration(connection=ACME, mark="m")


class Vendors:
    """Both, and the log."""

    def __init__(self) -> None:
        self.webhook: RosterbookError | None = None
        self.consent: RosterbookError | None = None
        self.revokes = True
        self.gone: list[object] = []
        self.kept = KEPT
        self.log = self

    async def end(self) -> None:
        if self.webhook is not None:
            raise self.webhook

    async def revoke(self) -> bool:
        if self.consent is not None:
            raise self.consent
        return self.revokes

    async def delete(self, record: object) -> None:
        self.gone.append(record)

    async def give_up(self, connection: object) -> None:
        self.gone.append(connection)

    async def removed(self, *, by_hand: bool = False, force: bool = False) -> str:
        us = cast(Any, self)
        return (await remove(RECORD, us, us, None if by_hand else us, force=force)).says


async def test_webhook_consent_and_tokens_are_given_up() -> None:
    vendors = Vendors()
    assert (await vendors.removed()).startswith("Its webhook is deleted. Zoho has forgotten the consent.")
    assert vendors.gone == [KEPT, ACME]


async def test_what_was_made_by_hand_or_cannot_be_revoked_is_left_to_the_person() -> None:
    vendors = Vendors()
    vendors.revokes = False
    said = await vendors.removed(by_hand=True)
    assert "delete it in BambooHR" in said
    assert "Remove Rosterbook under Connected Apps" in said
    assert vendors.gone == [ACME]


@pytest.mark.parametrize(
    ("webhook", "consent"),
    [(Retriable("BambooHR is away."), None), (None, AnswerLost("x")), (CredentialsRefused("No key."), AnswerLost("x"))],
)
async def test_a_vendor_that_cannot_be_asked_keeps_everything_unless_it_is_forced(
    webhook: RosterbookError | None, consent: RosterbookError | None
) -> None:
    vendors = Vendors()
    vendors.webhook, vendors.consent = webhook, consent
    with pytest.raises(NotRemoved, match=r"^Not removed: .* or say --force"):
        await vendors.removed()
    assert vendors.gone == []
    said = await vendors.removed(force=True)
    assert vendors.gone == [KEPT, ACME]
    assert (webhook is None) == ("Its webhook is deleted." in said)


async def test_a_log_that_is_away_is_not_taken_for_an_answer() -> None:
    vendors = Vendors()
    vendors.webhook = LogUnavailable("Kafka is away.")
    with pytest.raises(LogUnavailable):
        await vendors.removed(force=True)
