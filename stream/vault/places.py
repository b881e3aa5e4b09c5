"""Where the secrets of a record are, whatever the record: to open them all, to seal them anew, to leave them out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from pydantic import BaseModel

from stream.records import AnyRecord, Connection, Record, Sealed, Tokens, WebhookRegistration
from stream.vault.vault import Purpose, Vault

M = TypeVar("M", bound=BaseModel)
R = TypeVar("R", bound=Record)

OF_SETTINGS: dict[str, Purpose] = {
    "bamboohr.api_key": "bamboohr.api_key",
    "bamboohr.oauth.client_id": "bamboohr.client_id",
    "bamboohr.oauth.client_secret": "bamboohr.client_secret",
    "bamboohr.oauth.refresh_token": "bamboohr.refresh_token",
    "webhook_key": "bamboohr.webhook_key",
    "zoho.client_id": "zoho.client_id",
    "zoho.client_secret": "zoho.client_secret",
    "zoho.refresh_token": "zoho.refresh_token",
}
"""Field of a Connection, and within its parts -> what is sealed there."""
OF_TOKENS: dict[tuple[str, str], Purpose] = {
    ("bamboohr", "access_token"): "bamboohr.access_token",
    ("bamboohr", "refresh_token"): "bamboohr.refresh_token",
    ("bamboohr", "given"): "bamboohr.refresh_token",
    ("bamboohr", "client"): "bamboohr.client",
    ("zoho", "access_token"): "zoho.access_token",
    ("zoho", "refresh_token"): "zoho.refresh_token",
    ("zoho", "given"): "zoho.refresh_token",
    ("zoho", "client"): "zoho.client",
}
"""API and field of Tokens -> what is sealed there."""
OF_WEBHOOKS: dict[str, Purpose] = {"webhooks.key": "bamboohr.webhook_key"}
"""Field of each webhook in a WebhookRegistration -> what is sealed there."""
NOTHING = Sealed(key="", box="")


def secrets_of(record: AnyRecord) -> Iterator[tuple[Purpose, Sealed]]:
    """Every sealed secret of a record, with what it was sealed for."""
    for place, sealed in _sealed(record, ""):
        yield _purpose(record, place), sealed


def keys_of(record: AnyRecord) -> frozenset[str]:
    """The vault keys that the record's secrets need."""
    return frozenset(sealed.key for _, sealed in _sealed(record, ""))


def resealed(record: R, vault: Vault) -> R:
    """The same record, each secret sealed with the newest key. Raises VaultLocked when one does not open."""

    def anew(place: str, sealed: Sealed) -> Sealed:
        purpose, connection = _purpose(record, place), record.connection
        return vault.seal(
            vault.open(sealed, connection=connection, purpose=purpose), connection=connection, purpose=purpose
        )

    return _with(record, anew, "")


def is_same_but_sealed_anew(before: Connection, after: Connection) -> bool:
    """Whether these are one saving of the settings: sealing anew leaves `saved_at` as it is, as nothing else does."""
    return _with(before, lambda *_: NOTHING, "") == _with(after, lambda *_: NOTHING, "")


def _purpose(record: Record, place: str) -> Purpose:
    match record:
        case Tokens():
            return OF_TOKENS[record.api, place]
        case WebhookRegistration():
            return OF_WEBHOOKS[place]
        case _:
            return OF_SETTINGS[place]


def _sealed(model: BaseModel, place: str) -> Iterator[tuple[str, Sealed]]:
    for name in type(model).model_fields:
        match getattr(model, name):
            case Sealed() as sealed:
                yield place + name, sealed
            case BaseModel() as part:
                yield from _sealed(part, f"{place}{name}.")
            case tuple() as parts:
                for part in parts:
                    if isinstance(part, BaseModel):
                        yield from _sealed(part, f"{place}{name}.")


def _with(model: M, change: Callable[[str, Sealed], Sealed], place: str) -> M:
    changed: dict[str, object] = {}
    for name in type(model).model_fields:
        match getattr(model, name):
            case Sealed() as sealed:
                changed[name] = change(place + name, sealed)
            case BaseModel() as part:
                changed[name] = _with(part, change, f"{place}{name}.")
            case tuple() as parts:
                changed[name] = tuple(
                    _with(part, change, f"{place}{name}.") if isinstance(part, BaseModel) else part for part in parts
                )
    return model.model_copy(update=changed)
