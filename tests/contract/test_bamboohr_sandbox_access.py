"""Who gets into the BambooHR sandbox: API keys, OAuth, scopes, and the lock after bad keys."""

from __future__ import annotations

import base64

import pytest
from yarl import URL

from stream.sandbox.bamboohr import BambooHrQuirks, Company, RateLimit, User
from tests.contract.bamboohr_caller import Answer, BambooCaller, HandClock, serving

REDIRECT = "https://rosterbook.example/oauth/bamboohr/callback"


async def consent(caller: BambooCaller, **changes: str) -> Answer:
    asked = {
        "request": "authorize",
        "state": "s+1",
        "response_type": "code",
        "scope": "employee field offline_access openid",
        "client_id": caller.sandbox.credentials.client_id,
        "redirect_uri": REDIRECT,
    }
    return await caller.call("GET", "//authorize.php", params=asked | changes)


async def test_no_credentials_and_bad_ones_are_401_with_an_empty_body() -> None:
    async with serving() as caller:
        unknown = base64.b64encode(b"nobody:x").decode()
        for header in ("", f"Basic {unknown}", "Basic %%%", "Bearer at-unknown", "Digest x"):
            refused = await caller.get("/employees/1", headers={"Authorization": header})
            assert (refused.status, refused.body) == (401, "")
            assert "WWW-Authenticate" in refused.headers
    async with serving(quirks=BambooHrQuirks(www_authenticate="absent")) as caller:
        assert "WWW-Authenticate" not in (await caller.get("/employees/1", headers={"Authorization": ""})).headers


async def test_unknown_keys_lock_the_api_for_a_while() -> None:
    clock = HandClock()
    company = Company.seeded("acme", employees=1, clock=clock)
    async with serving(company=company, clock=clock, rate_limit=RateLimit(bad_keys=3, lock_s=30)) as caller:
        for _ in range(3):
            assert (await caller.get("/employees/1", key="0" * 40)).status == 401
        assert (await caller.get("/employees/1")).status == 403
        clock.advance(seconds=31)
        assert (await caller.get("/employees/1")).status == 200


async def test_a_deactivated_users_key_is_dead() -> None:
    async with serving() as caller:
        user = User("2")
        key = caller.sandbox.accounts.new_key(user)
        assert (await caller.get("/employees/1", key=key)).status == 200
        user.active = False
        assert (await caller.get("/employees/1", key=key)).status == 401


async def test_the_authorization_code_flow() -> None:
    clock = HandClock()
    company = Company.seeded("acme", employees=1, clock=clock)
    async with serving(company=company, clock=clock) as caller:
        sent_back = await consent(caller)
        assert sent_back.status == 302
        back = URL(sent_back.headers["Location"])
        assert (str(back.with_query(None)), back.query["state"]) == (REDIRECT, "s+1")
        code = {"grant_type": "authorization_code", "code": back.query["code"], "redirect_uri": REDIRECT}
        answer = await caller.token(**code)
        assert set(answer.body) == {
            "access_token",
            "expires_in",
            "token_type",
            "scope",
            "refresh_token",
            "id_token",
            "companyDomain",
        }
        assert (answer.body["expires_in"], answer.body["companyDomain"]) == (3600, "acme")
        assert (await caller.token(**code)).body["error"] == "invalid_grant"
        bearer = {"Authorization": f"Bearer {answer.body['access_token']}"}
        assert (await caller.get("/employees/1", headers=bearer)).status == 200
        assert (await caller.get("/webhooks", headers=bearer)).status == 403
        assert (await caller.get("/employees/changed?since=2026-01-01T00:00:00Z", headers=bearer)).status == 403
        clock.advance(seconds=3600)
        assert (await caller.get("/employees/1", headers=bearer)).status == 401


async def test_consent_refuses_foreign_addresses_and_unregistered_scopes() -> None:
    async with serving() as caller:
        for wrong in (
            {"redirect_uri": REDIRECT + "/"},
            {"redirect_uri": "http://127.0.0.1:1/cb"},
            {"client_id": "other"},
            {"request": "x"},
        ):
            assert (await consent(caller, **wrong)).status == 400
        for scope in ("employee payroll", ""):
            back = URL((await consent(caller, scope=scope)).headers["Location"])
            assert (back.query["error"], back.query["state"]) == ("invalid_scope", "s+1")
        local = "http://127.0.0.1:1/cb"
        await caller.call("POST", "//_sandbox/app", json={"redirect_uris": [local]})
        assert (await consent(caller, redirect_uri=local)).status == 400
    async with serving(quirks=BambooHrQuirks(allow_http_redirects=True)) as caller:
        await caller.call("POST", "//_sandbox/app", json={"redirect_uris": [local]})
        assert (await consent(caller, redirect_uri=local)).status == 302


async def test_a_token_request_must_say_so_in_the_query_or_the_body_and_may_be_a_form() -> None:
    async with serving() as caller:
        issued = caller.sandbox.credentials
        fields = {
            "client_id": issued.client_id,
            "client_secret": issued.client_secret,
            "grant_type": "refresh_token",
            "refresh_token": issued.refresh_token,
        }
        token = "//token.php"
        assert (await caller.call("POST", token, json=fields)).body["error"] == "invalid_request"
        assert (await caller.call("POST", token, data=fields | {"request": "token"})).status == 200
        assert (await caller.call("POST", token + "?request=token", data=fields)).status == 200
        wrong = await caller.call("POST", token + "?request=token", json=fields | {"client_secret": "x"})
        assert (wrong.status, wrong.body["error"]) == (401, "invalid_client")
        odd = await caller.token(grant_type="password")
        assert odd.body["error"] == "unsupported_grant_type"


async def test_without_offline_access_there_is_no_refresh_token() -> None:
    async with serving() as caller:
        back = URL((await consent(caller, scope="employee")).headers["Location"])
        code = back.query["code"]
        answer = await caller.token(grant_type="authorization_code", code=code, redirect_uri=REDIRECT)
        assert "refresh_token" not in answer.body
        assert "id_token" not in answer.body


@pytest.mark.parametrize("switch", ["kept", "repeated", "rotated"])
async def test_refresh_tokens(switch: str) -> None:
    quirks = BambooHrQuirks(refresh_token=switch)  # type: ignore[arg-type]  # parametrized over the switch
    async with serving(quirks=quirks) as caller:
        first = caller.sandbox.credentials.refresh_token
        answer = await caller.token(grant_type="refresh_token", refresh_token=first)
        again = await caller.token(grant_type="refresh_token", refresh_token=first)
        told = answer.body.get("refresh_token")
        assert {"kept": told is None, "repeated": told == first, "rotated": told not in (None, first)}[switch]
        assert again.status == (400 if switch == "rotated" else 200)


async def test_a_finer_scope_shows_its_fields_only() -> None:
    async with serving() as caller:
        caller.sandbox.accounts.app.scopes |= {"employee:job", "employee:name"}
        back = URL((await consent(caller, scope="employee:job")).headers["Location"])
        code = back.query["code"]
        answer = await caller.token(grant_type="authorization_code", code=code, redirect_uri=REDIRECT)
        bearer = {"Authorization": f"Bearer {answer.body['access_token']}"}
        read = await caller.get("/employees/1?fields=firstName,department", headers=bearer)
        assert set(read.body) == {"id", "department"}
        listed = await caller.get("/employees", headers=bearer)
        assert listed.body["data"][0]["_restrictedFields"] == ["firstName", "lastName", "preferredName"]
