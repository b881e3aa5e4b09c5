"""The `state` of a consent, and how what the browser brings back gets from the gateway to the command that waits.

The state is sealed by the vault, so the gateway knows by itself that a command of ours made it, for which vendor and
connection and until when; nobody else can make one, and nothing need be registered. What comes back goes over the log,
sealed as well, under a word that is inside the sealed state alone: only the command that made it knows what to wait
for. Neither opens anywhere else.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

from stream.errors import VaultLocked
from stream.records import Api, Command, ConnectionId, Sealed
from stream.telemetry import Masked
from stream.vault.vault import Purpose, Vault

COMMAND = "consent"
"""Name of the record; it is on record only, no worker has anything to do with it."""
LIVES = timedelta(minutes=10)
KEPT = ("code", "error", "location", "accounts-server")
"""Of what comes back: all that anybody needs."""

_STATES: dict[Api, Purpose] = {"bamboohr": "bamboohr.consent_state", "zoho": "zoho.consent_state"}
_ANSWERS: dict[Api, Purpose] = {"bamboohr": "bamboohr.consent_answer", "zoho": "zoho.consent_answer"}


@dataclass(frozen=True)
class ConsentState:
    """word: random, known to who made the state and who opens it. until: when it counts for nothing any more."""

    connection: ConnectionId
    api: Api
    word: str
    until: datetime


def new_state(connection: ConnectionId, api: Api, now: datetime) -> ConsentState:
    return ConsentState(connection, api, secrets.token_urlsafe(16), now + LIVES)


def written(state: ConsentState, vault: Vault) -> str:
    """As it goes through the browser: connection, key and box, none of which has a dot or needs escaping."""
    inside = orjson.dumps([state.word, state.until.timestamp()]).decode()
    sealed = vault.seal(Masked(inside), connection=state.connection, purpose=_STATES[state.api])
    box = base64.urlsafe_b64encode(base64.b64decode(sealed.box)).decode().rstrip("=")
    return f"{state.connection}.{sealed.key}.{box}"


def read(text: str, api: Api, vault: Vault, now: datetime) -> ConsentState | None:
    """None for what we did not write, for another vendor, or whose time is over."""
    parts = text.split(".")
    if len(parts) != 3 or not text.isascii():
        return None
    connection, key, box = parts
    try:
        raw = base64.b64decode(box + "=" * (-len(box) % 4), altchars=b"-_", validate=True)
        sealed = Sealed(key=key, box=base64.b64encode(raw).decode())
        inside = vault.open(sealed, connection=ConnectionId(connection), purpose=_STATES[api])
    except (binascii.Error, VaultLocked):
        return None
    word, until = orjson.loads(inside.reveal)
    state = ConsentState(ConnectionId(connection), api, word, datetime.fromtimestamp(until, now.tzinfo))
    return state if now < state.until <= now + LIVES else None


def answer(state: ConsentState, fields: Mapping[str, str], vault: Vault, now: datetime) -> Command:
    """The record that carries what came back."""
    inside = orjson.dumps({name: fields[name] for name in KEPT if name in fields}).decode()
    sealed = vault.seal(Masked(inside), connection=state.connection, purpose=_ANSWERS[state.api])
    arguments = {"api": state.api, "word": state.word, "key": sealed.key, "box": sealed.box}
    return Command(connection=state.connection, command=COMMAND, asked_by="gateway", arguments=arguments, at=now)


def answered(state: ConsentState, command: Command, vault: Vault) -> dict[str, str] | None:
    """The fields that came back for this state; None when the record is another, or does not open."""
    said = command.arguments
    if command.command != COMMAND or not secrets.compare_digest(said.get("word", ""), state.word):
        return None
    sealed = Sealed(key=said.get("key", ""), box=said.get("box", ""))
    try:
        inside = vault.open(sealed, connection=state.connection, purpose=_ANSWERS[state.api])
    except VaultLocked:
        return None
    fields: dict[str, str] = orjson.loads(inside.reveal)
    return fields
