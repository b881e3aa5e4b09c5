"""Any answer to any call of the clients: it ends in a value of the promised kind or in an error that the lane knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, cast
from unittest import mock

import orjson
from hypothesis import given
from hypothesis import strategies as st

from stream.bamboohr.client import BambooHr
from stream.core.contact import ActualContact
from stream.errors import AnswerLost, ConnectionTrouble, RecordRefused, Retriable, RosterbookError, Unavailable
from stream.http import Answer
from stream.records import ContactId, EmployeeId
from stream.settings import Settings as ProcessSettings
from stream.telemetry import Masked
from stream.tokens import AccessTokens, HeldTokens
from stream.zoho.client import ZohoBooks
from stream.zoho.oauth import ZohoAccounts
from tests.property.test_vendor_answers import NOW, SECRET, values
from tests.unit.vendor import Door, HandClock

FIELDS = ("firstName", "workEmail", "status", "hireDate")
ADA = ContactId("4600000000000260491")

NAMES = ("contact", "contacts", "contact_id", "contact_persons", "organizations", "organization_id", "code", "message")
MORE = ("id", "_restrictedFields", "access_token", "expires_in", "error", "page_context", "email", "custom_fields")
shapes = st.recursive(
    values | st.just(SECRET) | st.just(ADA) | st.just(0),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES + MORE), inner, max_size=5),
    max_leaves=12,
)
bodies = st.binary(max_size=60) | shapes.map(orjson.dumps)
header_names = st.sampled_from(["retry-after", "x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset"])
answers = st.builds(
    Answer,
    st.integers(200, 299) | st.integers(400, 599),
    st.dictionaries(header_names, st.text() | st.integers().map(str), max_size=3),
    bodies,
)


class Tokens(AccessTokens):
    """Always one that is alive."""

    def __init__(self) -> None: ...

    async def token(self) -> str:
        return "1000.alive"

    def refused(self, token: str) -> bool:
        return False


def ended(client: str, given: Answer, call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """What the call returns, or the error of the tree that it ends in, when every request gets this answer."""

    async def answer(*_: Any, **__: Any) -> Answer:
        return given

    with mock.patch(f"{client}.call", answer):
        try:
            found = asyncio.run(call())
        except RosterbookError as error:
            found = error
    if isinstance(found, RosterbookError):
        assert isinstance(found, Retriable | RecordRefused | ConnectionTrouble)
        assert SECRET not in found.message + repr(found.context)
        assert not isinstance(found, Retriable) or found.retry_after is None or found.retry_after >= 0
    return found


@given(answers)
def test_a_person_is_read_or_the_lane_is_told_why_not(answer: Answer) -> None:
    client = BambooHr(cast(Any, None), "http://x", Masked("k"), admit=Door().admit, deadline=1.0, clock=HandClock())
    found = ended("stream.bamboohr.client", answer, lambda: client.employee(EmployeeId("42"), FIELDS))
    if not isinstance(found, RosterbookError):
        assert answer.status == 200
        assert set(found) <= set(FIELDS)
        assert all(isinstance(value, str) for value in found.values())


@given(answers, st.sampled_from(["find", "newest", "contact", "create", "update", "activate", "deactivate"]))
def test_every_call_to_zoho_ends_in_what_it_promises_or_the_lane_is_told_why_not(answer: Answer, which: str) -> None:
    client = ZohoBooks(
        cast(Any, None),
        "http://x/books/v3",
        "1",
        Tokens(),
        admit=Door().admit,
        deadline=1.0,
        clock=HandClock(),
    )
    calls: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
        "find": lambda: client.find_by_email("ada@example.test"),
        "newest": lambda: client.newest(NOW, email="ada@example.test"),
        "contact": lambda: client.contact(ADA),
        "create": lambda: client.create({}),
        "update": lambda: client.update(ADA, {}),
        "activate": lambda: client.mark_active(ADA),
        "deactivate": lambda: client.mark_inactive(ADA),
    }
    found = ended("stream.zoho.client", answer, calls[which])
    reads = which in ("find", "newest", "contact")
    if isinstance(found, RosterbookError):
        # A write that was sent and answered by something unknown may have been applied; a read never was.
        assert not isinstance(found, AnswerLost if reads else Unavailable)
    elif which in ("contact", "update"):
        assert isinstance(found, ActualContact)
        assert found.contact_id == ADA
    elif which in ("find", "newest"):
        assert isinstance(found, list)


@given(answers)
def test_a_token_is_taken_or_the_lane_is_told_why_not_and_it_is_never_alive_for_long(answer: Answer) -> None:
    saved: list[HeldTokens] = []

    async def save(token: HeldTokens) -> None:
        saved.append(token)

    tokens = AccessTokens(
        cast(Any, None),
        ZohoAccounts(Masked("i"), Masked("s"), ProcessSettings(), "eu"),
        refresh_token=Masked("r"),
        held=None,
        save=save,
        admit=Door().admit,
        deadline=1.0,
        clock=HandClock(),
    )
    found = ended("stream.tokens", answer, tokens.token)
    assert (len(saved) == 1) == isinstance(found, str)
    if saved:
        assert answer.status == 200
        assert found == saved[0].access_token.reveal
        assert (saved[0].expires_at - datetime(2026, 3, 4, 9, 15, tzinfo=UTC)).total_seconds() <= 3600
    assert not isinstance(found, AnswerLost), "asking for a token twice does no harm"
