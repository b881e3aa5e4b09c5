"""The Zoho sandbox lets in whom Zoho would: OAuth, scopes, organizations and limits, both answers of every switch."""

from __future__ import annotations

from typing import Any

import pytest
from yarl import URL

from stream.sandbox.zoho import Limits, ZohoQuirks
from tests.contract.zoho_caller import Caller, running_sandbox

CALLBACK = "http://127.0.0.1/oauth/zoho/callback"


async def consent(zoho: Caller, **changes: str) -> URL:
    """Where the consent page sends the browser."""
    asked = {
        "response_type": "code",
        "client_id": zoho.sandbox.credentials.client_id,
        "scope": "ZohoBooks.contacts.READ,ZohoBooks.contacts.UPDATE",
        "redirect_uri": CALLBACK,
        "access_type": "offline",
        "prompt": "consent",
        "state": "s 1",
    }
    answer = await zoho.accounts("GET", "/oauth/v2/auth", asked | changes)
    assert answer.status == 302
    return URL(answer.headers["Location"])


async def exchange(zoho: Caller, code: str, redirect_uri: str = CALLBACK) -> Any:
    answer = await zoho.token_request(grant_type="authorization_code", code=code, redirect_uri=redirect_uri)
    assert answer.status == 200
    return answer.body


async def test_a_consent_brings_a_code_that_works_once() -> None:
    async with running_sandbox(location="eu") as zoho:
        back = await consent(zoho)
        assert str(back.with_query(None)) == CALLBACK
        assert (back.query["state"], back.query["location"]) == ("s 1", "eu")
        assert back.query["accounts-server"] == zoho.sandbox.accounts_url
        tokens = await exchange(zoho, back.query["code"])
        assert (tokens["expires_in"], tokens["token_type"]) == (3600, "Bearer")
        assert tokens["api_domain"] + "/books/v3" == zoho.sandbox.api_url
        assert tokens["refresh_token"]
        assert await exchange(zoho, back.query["code"]) == {"error": "invalid_code"}


async def test_a_code_lives_two_minutes_and_is_bound_to_its_redirect() -> None:
    async with running_sandbox() as zoho:
        code = (await consent(zoho)).query["code"]
        zoho.clock.advance(120)
        assert await exchange(zoho, code) == {"error": "invalid_code"}
        code = (await consent(zoho)).query["code"]
        assert await exchange(zoho, code, "http://127.0.0.1/elsewhere") == {"error": "invalid_redirect_uri"}


async def test_a_refresh_token_comes_offline_and_with_prompted_consent_only() -> None:
    async with running_sandbox() as zoho:
        for changes in ({"access_type": "online"}, {"prompt": "none"}):
            tokens = await exchange(zoho, (await consent(zoho, **changes)).query["code"])
            assert "refresh_token" not in tokens
            zoho.token = tokens["access_token"]
            assert (await zoho.call("GET", "/contacts")).status == 200


async def test_oauth_errors_come_with_status_200() -> None:
    async with running_sandbox() as zoho:
        refresh = {"grant_type": "refresh_token", "refresh_token": zoho.sandbox.credentials.refresh_token}
        for changes, error in (
            ({"refresh_token": "1000.dead.token"}, "invalid_code"),
            ({"client_id": "1000.OTHER"}, "invalid_client"),
            ({"client_secret": "wrong"}, "invalid_client_secret"),
        ):
            answer = await zoho.token_request(**refresh | changes)
            assert (answer.status, answer.body) == (200, {"error": error})
        answer = await zoho.accounts("GET", "/oauth/v2/auth", {"client_id": "1000.OTHER", "response_type": "code"})
        assert (answer.status, answer.body) == (200, {"error": "invalid_client"})


async def test_a_refresh_answer_has_no_refresh_token_and_its_access_token_lives_an_hour() -> None:
    async with running_sandbox() as zoho:
        answer = await zoho.refresh()
        assert "refresh_token" not in answer.body
        zoho.token = answer.body["access_token"]
        zoho.clock.advance(3599)
        assert (await zoho.call("GET", "/contacts")).status == 200
        zoho.clock.advance(1)
        assert (await zoho.call("GET", "/contacts")).outcome == (401, 57)


async def test_access_tokens_die_at_once_when_a_test_says_so() -> None:
    async with running_sandbox() as zoho:
        zoho.sandbox.tokens.expire_access_tokens()
        assert (await zoho.call("GET", "/contacts")).outcome == (401, 57)
        zoho.token = (await zoho.refresh()).body["access_token"]
        assert (await zoho.call("GET", "/contacts")).status == 200


async def test_the_eleventh_access_token_kills_the_oldest() -> None:
    async with running_sandbox() as zoho:
        oldest = zoho.token
        for _ in range(9):
            await zoho.refresh()
        assert (await zoho.call("GET", "/contacts")).status == 200
        zoho.clock.advance(600)
        await zoho.refresh()
        zoho.token = oldest
        assert (await zoho.call("GET", "/contacts")).outcome == (401, 57)


@pytest.mark.parametrize("status", [200, 400])
async def test_the_eleventh_token_request_of_ten_minutes_is_denied_to_their_end(status: Any) -> None:
    async with running_sandbox(quirks=ZohoQuirks(token_throttle_status=status)) as zoho:
        for _ in range(9):
            assert "access_token" in (await zoho.refresh()).body
        zoho.clock.advance(599)
        denied = await zoho.refresh()
        assert (denied.status, denied.body["error"]) == (status, "Access Denied")
        zoho.clock.advance(1)
        assert "access_token" in (await zoho.refresh()).body


async def test_the_twenty_first_refresh_token_kills_the_oldest() -> None:
    async with running_sandbox() as zoho:
        for _ in range(19):
            await exchange(zoho, (await consent(zoho)).query["code"])
        assert "access_token" in (await zoho.refresh()).body
        await exchange(zoho, (await consent(zoho)).query["code"])
        assert (await zoho.refresh()).body == {"error": "invalid_code"}


async def test_a_revoked_refresh_token_takes_its_access_tokens_along() -> None:
    async with running_sandbox() as zoho:
        token = {"token": zoho.sandbox.credentials.refresh_token}
        assert (await zoho.accounts("POST", "/oauth/v2/revoke/token", token)).status == 200
        assert (await zoho.refresh()).body == {"error": "invalid_code"}
        assert (await zoho.call("GET", "/contacts")).outcome == (401, 57)
        assert "error" in (await zoho.accounts("POST", "/oauth/v2/revoke/token", token)).body


async def test_serverinfo_names_the_data_centre() -> None:
    async with running_sandbox(location="in") as zoho:
        answer = await zoho.accounts("GET", "/oauth/serverinfo", {})
        assert answer.body == {"result": "success", "locations": {"in": zoho.sandbox.accounts_url}}


@pytest.mark.parametrize("header", [{}, {"Authorization": "nonsense"}, {"Authorization": "Zoho-oauthtoken"}])
async def test_a_call_without_a_readable_token_is_code_14(header: dict[str, str]) -> None:
    async with running_sandbox() as zoho:
        assert (await zoho.call("GET", "/contacts", headers=header)).outcome == (401, 14)


@pytest.mark.parametrize("code", [57, 14])
async def test_a_token_of_another_data_centre_fails(code: Any) -> None:
    async with running_sandbox(quirks=ZohoQuirks(unknown_token_code=code)) as zoho:
        zoho.token = "1000.of.elsewhere"
        assert (await zoho.call("GET", "/contacts")).outcome == (401, code)


@pytest.mark.parametrize(("bearer", "status"), [("refused", 401), ("accepted", 200)])
async def test_bearer_is_refused_or_accepted(bearer: Any, status: int) -> None:
    async with running_sandbox(quirks=ZohoQuirks(bearer=bearer)) as zoho:
        header = {"Authorization": f"Bearer {zoho.token}"}
        assert (await zoho.call("GET", "/contacts", headers=header)).status == status


async def test_a_missing_scope_looks_like_a_dead_token_and_marking_inactive_needs_create() -> None:
    async with running_sandbox(scopes=("ZohoBooks.contacts.READ", "ZohoBooks.contacts.UPDATE")) as zoho:
        contact = zoho.sandbox.organization.create({"contact_name": "Ada"})
        path = f"/contacts/{contact.contact_id}"
        assert (await zoho.call("GET", path)).status == 200
        assert (await zoho.call("PUT", path, {"notes": "x"})).status == 200
        for method, refused in (
            ("POST", "/contacts"),
            ("POST", f"{path}/inactive"),
            ("POST", f"{path}/active"),
            ("DELETE", path),
            ("GET", "/organizations"),
        ):
            assert (await zoho.call(method, refused, {})).outcome == (401, 57)


@pytest.mark.parametrize("status", [400, 401])
async def test_every_call_but_the_list_of_organizations_names_one(status: Any) -> None:
    async with running_sandbox(quirks=ZohoQuirks(wrong_organization_status=status)) as zoho:
        for organization_id in (None, "10234695"):
            assert (await zoho.call("GET", "/contacts", organization_id=organization_id)).status == status
        answer = await zoho.call("GET", "/organizations", organization_id=None)
        (organization,) = answer.body["organizations"]
        assert organization["organization_id"] == zoho.sandbox.organization_id
        assert organization["time_zone"] == "America/New_York"


async def test_call_101_of_a_minute_is_code_44_and_is_not_counted() -> None:
    async with running_sandbox() as zoho:
        for _ in range(100):
            assert (await zoho.call("GET", "/organizations")).status == 200
        for _ in range(5):
            refused = await zoho.call("POST", "/contacts", {"contact_name": "Ada"})
            assert refused.outcome == (429, 44)
            assert "Retry-After" not in refused.headers
        assert refused.headers["X-Rate-Limit-Remaining"] == "4900"
        assert not zoho.sandbox.organization.contacts
        zoho.clock.advance(60)
        assert (await zoho.call("GET", "/contacts")).status == 200


async def test_or_an_overrun_blocks_the_organization_for_an_hour() -> None:
    quirks = ZohoQuirks(minute_overrun="blocked for an hour")
    async with running_sandbox(quirks=quirks, limits=Limits(per_minute=2, burst=4)) as zoho:
        for _ in range(4):
            assert (await zoho.call("GET", "/contacts")).status == 200
        refused = await zoho.call("GET", "/contacts")
        assert (refused.outcome, refused.headers["Retry-After"]) == ((429, 43), "3600")
        zoho.clock.advance(3599)
        refused = await zoho.call("GET", "/contacts")
        assert (refused.outcome, refused.headers["Retry-After"]) == ((429, 43), "1")
        zoho.clock.advance(1)
        zoho.token = (await zoho.refresh()).body["access_token"]
        assert (await zoho.call("GET", "/contacts")).status == 200


async def test_the_daily_budget_ends_with_code_45_until_midnight_of_the_organization() -> None:
    async with running_sandbox(limits=Limits(per_day=10)) as zoho:
        assert (await zoho.control("POST", "limits", {"used_today": 8})).status == 200
        headers = (await zoho.call("GET", "/contacts")).headers
        assert (headers["X-Rate-Limit-Limit"], headers["X-Rate-Limit-Remaining"]) == ("10", "1")
        assert headers["X-Rate-Limit-Reset"] == str(12 * 3600)
        assert (await zoho.call("GET", "/contacts")).status == 200
        assert (await zoho.call("GET", "/contacts")).outcome == (429, 45)
        zoho.clock.advance(12 * 3600)
        zoho.token = (await zoho.refresh()).body["access_token"]
        assert (await zoho.call("GET", "/contacts")).headers["X-Rate-Limit-Remaining"] == "9"


async def test_rate_headers_may_be_absent() -> None:
    async with running_sandbox(quirks=ZohoQuirks(rate_headers="absent")) as zoho:
        headers = (await zoho.call("GET", "/contacts")).headers
        assert not [name for name in headers if name.lower().startswith("x-rate-limit")]


async def test_a_sixth_call_in_flight_is_code_1070() -> None:
    async with running_sandbox() as zoho:
        for _ in range(5):
            zoho.sandbox.ledger.enter()
        assert (await zoho.call("GET", "/contacts")).outcome == (429, 1070)
        zoho.sandbox.ledger.leave()
        assert (await zoho.call("GET", "/contacts")).status == 200


async def test_limits_can_be_changed_while_it_runs() -> None:
    async with running_sandbox() as zoho:
        changed = await zoho.control("POST", "limits", {"per_minute": 1, "latency_s": 0.001})
        assert (changed.body["per_minute"], changed.body["in_flight"]) == (1, 5)
        assert (await zoho.call("GET", "/contacts")).status == 200
        assert (await zoho.call("GET", "/contacts")).outcome == (429, 44)
        for wrong in ({"per_hour": 1}, {"per_minute": -1}, {"per_minute": "9"}, [1]):
            assert (await zoho.control("POST", "limits", wrong)).status == 400
