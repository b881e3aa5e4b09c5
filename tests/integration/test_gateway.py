"""What each request to the gateway gets, and what is in the log afterwards: real HTTP, real Kafka."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import socket
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stream.bamboohr.signature import SIGNATURE, TIMESTAMP, sign
from stream.codec import canonical
from stream.errors import SettingsError
from stream.gateway import body as body_module
from stream.records import DeadLetter, HrEvent
from stream.telemetry import REGISTRY
from stream.topics import CONNECTIONS, DEAD_LETTERS, HR_EVENTS
from tests.gateway_client import (
    BODY,
    EVENT,
    KEY,
    LOCKED,
    Client,
    connection,
    event_log,
    gateway,
    make_topics,
    registration,
)

MIB = 1024 * 1024
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
async def client(kafka: str, tmp_path: Path) -> AsyncIterator[Client]:
    await make_topics(kafka)
    async with gateway(tmp_path, kafka) as found:
        yield found


@pytest.fixture
async def acme(client: Client, kafka: str, request: pytest.FixtureRequest) -> str:
    """A connection of this test alone."""
    name = f"acme-{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]}"
    async with event_log(kafka) as log:
        await log.append(connection(name))
    return name


def counted(name: str, result: str) -> float:
    return REGISTRY.get_sample_value("rosterbook_webhooks_total", {"connection": name, "result": result}) or 0.0


async def hr_events(client: Client, name: str) -> list[HrEvent]:
    return [record for record in await client.records(HR_EVENTS, name) if isinstance(record, HrEvent)]


async def dead_letters(client: Client, name: str) -> list[DeadLetter]:
    return [record for record in await client.records(DEAD_LETTERS, name) if isinstance(record, DeadLetter)]


async def test_good_delivery_is_in_the_log_as_it_was_sent(client: Client, acme: str) -> None:
    body = json.dumps(EVENT | {"data": {"employeeId": 42, "changedFields": ["jobTitle"]}, "ü": "\\/"}).encode()
    before = datetime.now(UTC)
    response = await client.post(acme, body)
    assert response.status == 200
    (event,) = await hr_events(client, acme)
    assert (event.employees, event.changed_fields, event.kind) == (("42",), ("jobTitle",), "webhook")
    assert event.occurred_at == datetime(2026, 3, 4, 9, 15, tzinfo=UTC)
    assert before <= event.received_at <= datetime.now(UTC)
    assert event.raw is not None
    assert base64.b64decode(event.raw) == body
    assert event.digest == hashlib.sha256(body).hexdigest()
    assert event.headers.keys() == {SIGNATURE, TIMESTAMP, "Content-Type"}


async def test_repeat_of_a_delivery_is_appended_again(client: Client, acme: str) -> None:
    assert [(await client.post(acme, at="1772615700")).status for _ in range(2)] == [401, 401]
    assert [(await client.post(acme)).status for _ in range(2)] == [200, 200]
    assert len(await hr_events(client, acme)) == 2
    assert counted(acme, "accepted") == 2
    assert counted(acme, "not_of_our_time") == 2


async def test_five_thousand_employees_in_a_form(client: Client, acme: str) -> None:
    body = "&".join(
        f"employees[{at}][id]={at + 1}&employees[{at}][fields][A][value]=%F0%9F%A6%9C" for at in range(5000)
    )
    assert (await client.post(acme, body.encode(), Content_Type=FORM)).status == 200
    (event,) = await hr_events(client, acme)
    assert event.employees == tuple(str(number) for number in range(1, 5001))


async def test_one_mebibyte_is_accepted_and_a_byte_more_is_not(client: Client, acme: str) -> None:
    full = BODY + b" " * (MIB - len(BODY))

    async def in_chunks(body: bytes) -> AsyncIterator[bytes]:
        for at in range(0, len(body), 100_000):
            yield body[at : at + 100_000]

    timestamp = str(int(time.time()))
    assert (await client.post(acme, full)).status == 200
    assert (await client.post(acme, full + b" ")).status == 413
    signed = {SIGNATURE: sign(KEY.encode(), full, timestamp)}
    assert (await client.post(acme, in_chunks(full), at=timestamp, **signed)).status == 200
    assert (await client.post(acme, in_chunks(full + b" "), at=timestamp, **signed)).status == 413
    assert len(await hr_events(client, acme)) == 2


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"", "application/json"), (b"\x00{", "application/json"), (BODY, "text/xml"), (b"[" * MIB, "application/json")],
    ids=["empty", "no json", "unknown type", "deep"],
)
async def test_what_cannot_be_understood_is_kept_with_its_raw_bytes(
    client: Client, acme: str, body: bytes, content_type: str
) -> None:
    assert (await client.post(acme, body, Content_Type=content_type)).status == 200
    (letter,) = await dead_letters(client, acme)
    assert base64.b64decode(letter.payload) == body
    assert (letter.stage, letter.headers["Content-Type"]) == ("gateway", content_type)
    assert await hr_events(client, acme) == []


async def test_batch_that_is_understood_in_part_gives_an_event_and_a_dead_letter(client: Client, acme: str) -> None:
    assert (await client.post(acme, b'{"employees":[{"id":"42"},{"id":"../1"}]}')).status == 200
    assert [event.employees for event in await hr_events(client, acme)] == [("42",)]
    assert len(await dead_letters(client, acme)) == 1


async def test_event_that_grows_over_the_size_of_a_record_is_a_dead_letter(client: Client, acme: str) -> None:
    body = b"type=employee.updated&data[employeeId]=42&data[changedFields][]=" + b"\x01" * (MIB - 100)
    assert (await client.post(acme, body, Content_Type=FORM)).status == 200
    assert len(await dead_letters(client, acme)) == 1


async def test_event_that_concerns_nobody_is_counted_and_not_appended(client: Client, acme: str) -> None:
    assert (await client.post(acme, b'{"type":"company.updated","data":{"companyId":"1"}}')).status == 200
    assert await hr_events(client, acme) == []
    assert await dead_letters(client, acme) == []
    assert counted(acme, "ignored") == 1


@pytest.mark.parametrize(
    "sent",
    [
        {SIGNATURE: None},
        {TIMESTAMP: None},
        {SIGNATURE: "0" * 64},
        {SIGNATURE: "é"},
        {"key": "another"},
        {"at": "soon"},
        {"at": -6 * 3600 - 60},
        {"at": 1200},
    ],
    ids=["no signature", "no timestamp", "wrong", "not ascii", "another key", "no time", "too old", "too early"],
)
async def test_what_is_not_signed_in_our_time_is_401_without_a_reason(
    client: Client, acme: str, sent: dict[str, Any]
) -> None:
    """at: a text, or seconds from now."""
    if isinstance(at := sent.get("at"), int):
        sent = {"at": str(int(time.time()) + at)}
    response = await client.post(acme, **sent)
    assert response.status == 401
    assert await response.json() == {"error": "The signature or its timestamp is not accepted."}
    assert await hr_events(client, acme) == []


async def test_first_signature_is_still_good_after_the_last_retry(client: Client, acme: str) -> None:
    assert (await client.post(acme, at=str(int(time.time()) - 155 * 60))).status == 200


async def test_age_zero_accepts_any_age(kafka: str, client: Client, acme: str, tmp_path: Path) -> None:
    async with gateway(tmp_path / "other", kafka, webhook_max_age=0) as other:
        assert (await other.post(acme, at="2001-01-01T00:00:00Z")).status == 200


async def test_connection_added_or_changed_a_moment_ago_is_known(client: Client, kafka: str, acme: str) -> None:
    name = f"{acme}-new"
    assert (await client.post(name)).status == 404
    async with event_log(kafka) as log:
        await log.append(connection(name))
        assert (await client.post(name)).status == 200
        await log.append(connection(name, key="rotated"))
        assert (await client.post(name, key="rotated")).status == 200
        assert (await client.post(name)).status == 401
        await log.append(connection(name, mode="paused"))
        assert (await client.post(name)).status == 200
        await log.delete(connection(name))
    assert (await client.post(f"{name}|settings")).status == 404


async def test_webhook_that_is_being_registered_gets_503_until_its_key_is_known_and_then_both_keys_are_good(
    client: Client, kafka: str, acme: str
) -> None:
    async with event_log(kafka) as log:
        await log.append(connection(acme, key=None))
        assert (await client.post(acme, key="first")).status == 503, "none is registered"
        await log.append(registration(acme, pending=True))
        assert (await client.post(acme, key="first")).status == 503
        await log.append(registration(acme, "first"))
        assert (await client.post(acme, key="first")).status == 200
        assert (await client.post(acme, key="second")).status == 401
        await log.append(registration(acme, "first", pending=True))
        assert (await client.post(acme, key="second")).status == 503
        assert (await client.post(acme, key="first")).status == 200
        await log.append(registration(acme, "second", "first"))
        assert [(await client.post(acme, key=key)).status for key in ("second", "first", "third")] == [200, 200, 401]
        await log.append(connection(acme, key="by hand"))
        assert [(await client.post(acme, key=key)).status for key in ("second", "by hand")] == [200, 200]
    assert counted(acme, "not_registered") == 3


async def test_registered_key_that_does_not_open_is_503_and_the_others_are_good(
    client: Client, kafka: str, acme: str
) -> None:
    async with event_log(kafka) as log:
        await log.append(connection(acme, key=None))
        await log.append(registration(acme, LOCKED, "older"))
        assert [(await client.post(acme, key=key)).status for key in ("older", "newer")] == [200, 503]


async def test_key_that_does_not_open_is_503_until_it_is_replaced(client: Client, kafka: str, acme: str) -> None:
    async with event_log(kafka) as log:
        await log.append(connection(acme, key=LOCKED))
        # the key known before is used until the new record is read, which an answer other than 200 waits for
        assert (await client.post(acme, key="new")).status == 503
        await log.append(connection(acme, key="new"))
        assert (await client.post(acme, key="new")).status == 200


async def test_signature_is_over_the_bytes_as_sent_compressed_or_not(client: Client, acme: str) -> None:
    packed = gzip.compress(BODY)
    assert (await client.post(acme, packed, Content_Encoding="gzip")).status == 200
    (event,) = await hr_events(client, acme)
    assert event.raw is not None
    assert base64.b64decode(event.raw) == packed
    assert (await client.post(acme, gzip.compress(b" " * 200 * MIB), Content_Encoding="gzip")).status == 200
    assert len(await dead_letters(client, acme)) == 1


async def test_body_that_does_not_arrive_is_503(client: Client, acme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_module, "BODY_S", 0.2)
    host, port = client.session._base_url.host, client.session._base_url.port  # type: ignore[union-attr]
    with socket.create_connection((host, port)) as slow:
        slow.setblocking(False)
        loop = asyncio.get_running_loop()
        head = f"POST /webhooks/bamboohr/{acme} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc"
        await loop.sock_sendall(slow, head.encode())
        answer = b""
        while chunk := await loop.sock_recv(slow, 4096):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"Retry-After" in answer


async def test_other_addresses_and_methods(client: Client, acme: str) -> None:
    async with client.session.get(f"/webhooks/bamboohr/{acme}") as response:
        assert (response.status, response.headers["Allow"]) == (405, "POST")
        assert "error" in await response.json()
    for path in ("/", "/webhooks/zoho", "/webhooks/bamboohr", f"/webhooks/bamboohr/{acme}/x"):
        async with client.session.post(path) as response:
            assert response.status == 404
            assert "error" in await response.json()
            assert response.headers["Server"] == "Rosterbook"


async def test_a_delivery_for_settings_of_a_newer_version_is_asked_for_again(client: Client, kafka: str) -> None:
    """By the settings that we know it might be refused for good, and BambooHR never repeats that."""
    saved = connection("newer")
    newer = canonical(saved).replace(b'"schema":1', b'"schema":2')
    async with event_log(kafka) as log:
        await log.put(CONNECTIONS.name, log.partition_of(saved.connection), [(b"newer|settings", newer)])
        assert (await client.post("newer")).status == 503
        await log.append(saved)
        assert (await client.post("newer", key="none of ours")).status == 401


async def test_a_delivery_that_is_refused_by_its_age_alone_is_told_from_a_forged_one(client: Client, acme: str) -> None:
    response = await client.post(acme, at=str(int(time.time()) + 3600))
    assert response.status == 401
    assert counted(acme, "not_of_our_time") == 1
    async with client.session.get("/readyz") as answer:
        (warning,) = (await answer.json())["warnings"]
    assert "behind that of BambooHR's webhooks: set it" in warning


async def test_health_and_metrics(client: Client, acme: str) -> None:
    assert await client.status("/healthz") == 200
    assert await client.status("/readyz") == 200
    await client.post("somebody-elses-guess")
    async with client.session.get("/metrics") as response:
        text = await response.text()
    assert 'rosterbook_webhooks_total{connection="unknown",result="unknown_connection"}' in text
    assert "somebody-elses-guess" not in text


async def test_port_that_is_taken_is_an_error_of_the_settings(client: Client, kafka: str, tmp_path: Path) -> None:
    port = client.session._base_url.port  # type: ignore[union-attr]
    with pytest.raises(SettingsError, match="ROSTERBOOK_GATEWAY_PORT"):
        async with gateway(tmp_path / "other", kafka, gateway_port=port):
            pass
