"""Where secrets are in records: none is overlooked, each opens in its place alone, and sealing anew changes no more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from stream.errors import VaultLocked
from stream.records import (
    AnyRecord,
    BambooHrSettings,
    Connection,
    ConnectionId,
    OAuthClient,
    RegisteredWebhook,
    Sealed,
    Tokens,
    WebhookRegistration,
    ZohoSettings,
)
from stream.telemetry import Masked
from stream.vault import Vault
from stream.vault.fitting import refuse_loss, refuse_other_keys
from stream.vault.key_ring import new_ring, with_new_key
from stream.vault.places import (
    OF_SETTINGS,
    OF_TOKENS,
    OF_WEBHOOKS,
    is_same_but_sealed_anew,
    keys_of,
    resealed,
    secrets_of,
)

NOW = datetime(2026, 3, 4, 9, 15, tzinfo=UTC)
RING = new_ring()


@pytest.fixture
def vault() -> Vault:
    return Vault(RING, source="the ring")


def settings(vault: Vault, name: str = "acme") -> Connection:
    connection = ConnectionId(name)

    def seal(purpose: Any) -> Sealed:
        return vault.seal(Masked(f"the {purpose} of {name}"), connection=connection, purpose=purpose)

    return Connection(
        connection=connection,
        mode="live",
        bamboohr=BambooHrSettings(subdomain=name, api_key=seal("bamboohr.api_key")),
        webhook_key=seal("bamboohr.webhook_key"),
        zoho=ZohoSettings(
            region="eu",
            organization_id="1",
            client_id=seal("zoho.client_id"),
            client_secret=seal("zoho.client_secret"),
            refresh_token=seal("zoho.refresh_token"),
        ),
        saved_at=NOW,
    )


def with_oauth(vault: Vault) -> Connection:
    """The same company, reached with OAuth."""
    acme = ConnectionId("acme")
    parts = {
        part: vault.seal(Masked(f"the bamboohr.{part} of acme"), connection=acme, purpose=purpose)
        for part, purpose in (
            ("client_id", OF_SETTINGS["bamboohr.oauth.client_id"]),
            ("client_secret", OF_SETTINGS["bamboohr.oauth.client_secret"]),
            ("refresh_token", OF_SETTINGS["bamboohr.oauth.refresh_token"]),
        )
    }
    bamboohr = BambooHrSettings(subdomain="acme", oauth=OAuthClient(**parts))
    return settings(vault).model_copy(update={"bamboohr": bamboohr})


def opened(vault: Vault, record: AnyRecord) -> dict[str, str]:
    return {
        purpose: vault.open(sealed, connection=record.connection, purpose=purpose).reveal
        for purpose, sealed in secrets_of(record)
    }


def sealed_fields(model: type[BaseModel], place: str = "") -> Iterator[str]:
    """Every field that may hold a secret, by its type."""
    for name, about in model.model_fields.items():
        kinds = [about.annotation, *get_args(about.annotation)]
        if Sealed in kinds:
            yield place + name
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not Sealed:
                yield from sealed_fields(kind, f"{place}{name}.")


def test_every_field_that_can_hold_a_secret_is_known_by_what_is_sealed_there() -> None:
    assert set(sealed_fields(Connection)) == set(OF_SETTINGS)
    assert set(sealed_fields(Tokens)) == {place for _, place in OF_TOKENS}
    assert set(sealed_fields(WebhookRegistration)) == set(OF_WEBHOOKS)
    others = [record for record in get_args(AnyRecord) if record not in (Connection, Tokens, WebhookRegistration)]
    assert not [place for record in others for place in sealed_fields(record)]


def test_all_secrets_of_a_record_are_opened_in_their_places(vault: Vault) -> None:
    found = opened(vault, settings(vault)) | opened(vault, with_oauth(vault))
    assert found == {purpose: f"the {purpose} of acme" for purpose in OF_SETTINGS.values()}


@pytest.mark.parametrize("oauth", [False, True])
def test_sealed_anew_a_record_needs_the_newest_key_alone_and_says_the_same(vault: Vault, oauth: bool) -> None:
    before = with_oauth(vault) if oauth else settings(vault)
    both = Vault(with_new_key(RING), source="both")
    after = resealed(before, both)
    assert keys_of(before) == {vault.newest}
    assert keys_of(after) == {both.newest} != keys_of(before)
    assert opened(both, after) == opened(both, before)
    assert is_same_but_sealed_anew(before, after)
    assert after.model_dump(exclude={"bamboohr", "webhook_key", "zoho"}) == before.model_dump(
        exclude={"bamboohr", "webhook_key", "zoho"}
    )


@pytest.mark.parametrize("change", [{"mode": "paused"}, {"saved_at": NOW + timedelta(seconds=1)}])
def test_settings_that_were_saved_again_are_not_taken_for_sealed_anew(vault: Vault, change: dict[str, Any]) -> None:
    before = settings(vault)
    assert not is_same_but_sealed_anew(before, resealed(before, vault).model_copy(update=change))


def test_a_token_is_sealed_anew_for_its_api(vault: Vault) -> None:
    acme = ConnectionId("acme")
    sealed = vault.seal(Masked("1000.access"), connection=acme, purpose="zoho.access_token")
    tokens = Tokens(connection=acme, api="zoho", access_token=sealed, expires_at=NOW)
    both = Vault(with_new_key(RING), source="both")
    assert opened(both, resealed(tokens, both)) == {"zoho.access_token": "1000.access"}


def test_keys_of_registered_webhooks_are_found_and_sealed_anew(vault: Vault) -> None:
    acme = ConnectionId("acme")

    def webhook(number: str) -> RegisteredWebhook:
        key = vault.seal(Masked(f"key {number}"), connection=acme, purpose="bamboohr.webhook_key")
        return RegisteredWebhook(id=number, name="ours", created="", key=key, made_at=NOW)

    before = WebhookRegistration(connection=acme, mark="m", webhooks=(webhook("2"), webhook("1")))
    both = Vault(with_new_key(RING), source="both")
    after = resealed(before, both)
    assert (keys_of(before), keys_of(after)) == ({vault.newest}, {both.newest})
    for record in (before, after):
        found = [both.open(sealed, connection=acme, purpose=purpose).reveal for purpose, sealed in secrets_of(record)]
        assert found == ["key 2", "key 1"]


def test_what_does_not_open_is_not_sealed_anew(vault: Vault) -> None:
    with pytest.raises(VaultLocked, match="needs vault key"):
        resealed(settings(vault), Vault(new_ring(), source="another"))


def test_keys_of_another_log_are_refused_with_the_remedy(vault: Vault) -> None:
    another = Vault(new_ring(), source="/keys/another.json")
    with pytest.raises(VaultLocked) as locked:
        refuse_other_keys([settings(vault), settings(vault, "globex")], another)
    said = locked.value.message
    assert "There are 2 connections on the log, but /keys/another.json opens the secrets of none" in said
    assert f"vault init --lost {vault.newest}" in said
    with pytest.raises(VaultLocked, match="There is 1 connection on the log, but there is no key file data/"):
        refuse_loss([settings(vault)], "data/vault.json")


def test_one_company_whose_key_is_missing_is_its_own_trouble(vault: Vault) -> None:
    another = Vault(new_ring(), source="another")
    refuse_other_keys([settings(vault), settings(another, "globex")], vault)
    refuse_other_keys([], vault)
    refuse_loss([], "data/vault.json")


def test_secrets_that_are_known_to_be_lost_keep_nothing_from_starting(vault: Vault) -> None:
    refuse_other_keys([settings(vault)], Vault(new_ring(lost=vault.key_ids), source="new"))
