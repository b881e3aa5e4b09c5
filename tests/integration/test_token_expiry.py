"""Tokens end in the middle of a first load: both lanes as a worker makes them, against both sandboxes by HTTP."""

from __future__ import annotations

import pytest

from stream.quota import Quota
from tests.shop import Refresh, shop


@pytest.fixture(autouse=True)
def no_pacing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.ledgers.BAMBOOHR", Quota(per_minute=10**6, in_flight=4))


async def test_tokens_that_end_in_the_middle_of_500_syncs_cost_one_refresh_and_no_sync(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warnings: list[dict[str, object]] = []
    monkeypatch.setattr("stream.trouble.logger.warning", lambda _, **told: warnings.append(told))
    async with shop(520, "rotated") as here:
        here.hear(last=200)
        await here.until(lambda: here.synced >= 50)
        assert here.token_requests == (1, 1)
        here.bamboohr.accounts.revoke("access")  # without warning
        here.zoho.tokens.expire_access_tokens()
        here.hear(first=200, last=400)
        await here.until(lambda: here.synced >= 250)
        assert here.token_requests == (2, 2)
        here.pass_time(3600)  # at the end of their hour
        here.hear(first=400)
        await here.until(lambda: all(lane.idle for lane in here.lanes.values()))
        assert here.token_requests == (3, 3)
        assert here.synced == len(here.zoho.organization.contacts) >= 500
        assert here.failures() == []
        # A call without an answer, as a busy machine has it, is only tried again; it has nothing to do with tokens.
        assert [told for told in warnings if "cause" not in told] == []


@pytest.mark.parametrize("refresh", ["kept", "repeated", "rotated"])
async def test_a_connection_that_is_added_again_goes_on_with_the_refresh_token_that_came_last(refresh: Refresh) -> None:
    """At once, before the worker has read its own record from `tokens`."""
    async with shop(3, refresh) as here:
        for _ in range(3):
            here.hear()
            await here.until(lambda: all(lane.idle for lane in here.lanes.values()))
            await here.close()
            here.pass_time(3600)
            here.open()
        assert here.failures() == []
        assert here.token_requests[0] == 3


async def test_while_both_consents_are_revoked_nothing_is_lost() -> None:
    async with shop(3, "rotated") as here:
        here.hear()
        await here.until(lambda: all(lane.idle for lane in here.lanes.values()))
        here.bamboohr.accounts.revoke("access")
        here.bamboohr.accounts.revoke("refresh")
        here.zoho.tokens.revoke(here.refresh_tokens["zoho"])
        for employee in list(here.company.people):
            here.company.change(employee, {"lastName": "Tokensen"})
        here.hear()
        people = here.lanes["bamboohr"]
        await here.until(lambda: people.suspended is not None)
        assert people.suspended == "BambooHR no longer accepts the refresh token: connect BambooHR again."
        await here.consent_again("bamboohr")
        contacts = here.lanes["zoho"]
        await here.until(lambda: contacts.suspended is not None)
        assert str(contacts.suspended).startswith("Zoho does not know the refresh token: connect Zoho Books again")
        await here.consent_again("zoho")
        await here.until(lambda: all(lane.idle for lane in here.lanes.values()))
        shown = [contact.text_of_primary("last_name") for contact in here.zoho.organization.contacts.values()]
        assert set(shown) == {"Tokensen"}
