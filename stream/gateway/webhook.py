"""One delivery, from the request to the answer: `POST /webhooks/bamboohr/{connection}`.

The signature is checked over the raw bytes, then the delivery is understood and appended, and only a confirmed append
is answered 200. What is signed but cannot be understood is kept as a dead letter, since a refusal would lose it for
good. A 404 or 401 is given only when the connections, read to their end after the request came, still call for it:
somebody may just have added the connection or changed its key. Nor is a 401 given while a webhook may be there whose
key the worker that registers it has not told yet.
"""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode
from datetime import datetime, timedelta
from typing import NamedTuple

from aiohttp import hdrs, web
from prometheus_client import Counter

from stream.bamboohr.payloads import Notice, understand
from stream.bamboohr.signature import SIGNATURE, TIMESTAMP, instant, is_of_our_time, is_signed
from stream.clock import Clock
from stream.clocks import Clocks
from stream.codec import Written, written_event
from stream.errors import LogUnavailable, RecordRefused
from stream.gateway import answers
from stream.gateway.answers import Answer
from stream.gateway.appends import Appends
from stream.gateway.body import BodyIncomplete, BodyTooLarge, read_body
from stream.gateway.keys import Keys
from stream.kafka.event_log import EventLog
from stream.kafka.view import CompactedView
from stream.records import Connection, ConnectionId, DeadLetter, WebhookRegistration
from stream.telemetry import DEAD_LETTERED, WEBHOOKS, log

logger = log("gateway")

APPEND_S = 4.0
READ_TO_END_S = 3.0
CONTENT_TYPE, CONTENT_ENCODING = str(hdrs.CONTENT_TYPE), str(hdrs.CONTENT_ENCODING)  # plain text, for the record
KEPT_HEADERS = (SIGNATURE, TIMESTAMP, CONTENT_TYPE, CONTENT_ENCODING)


class Delivery(NamedTuple):
    """A request as far as it matters. headers: of KEPT_HEADERS those that came, as text that can be kept. sent_at: as
    its timestamp says, None where it says nothing that can be read.
    """

    body: bytes
    headers: dict[str, str]
    received_at: datetime
    sent_at: datetime | None


class Webhooks:
    """Receives deliveries for all connections."""

    def __init__(
        self,
        log: EventLog,
        connections: CompactedView,
        keys: Keys,
        appends: Appends,
        clock: Clock,
        clocks: Clocks,
        max_age: timedelta,
    ) -> None:
        self._log = log
        self._connections = connections
        self._keys = keys
        self._appends = appends
        self._clock = clock
        self._clocks = clocks
        self._max_age = max_age
        self._counters: dict[tuple[str, str], Counter] = {}

    async def receive(self, connection: ConnectionId, request: web.BaseRequest) -> web.StreamResponse:
        answer = await self._answer(connection, request)
        self._count(connection if self._connection(connection) is not None else "unknown", answer.result)
        return answer.response_to(request)

    def _count(self, connection: str, result: str) -> None:
        counter = self._counters.get((connection, result))
        if counter is None:
            counter = self._counters[connection, result] = WEBHOOKS.labels(connection, result)
        counter.inc()

    async def _answer(self, connection: ConnectionId, request: web.BaseRequest) -> Answer:
        if not self._connections.loaded.is_set():
            return answers.NOT_LOADED
        try:
            body, headers = await read_body(request), _kept(request)
        except BodyTooLarge:
            return answers.TOO_LARGE
        except BodyIncomplete:
            return answers.BODY_INCOMPLETE
        delivery = Delivery(body, headers, self._clock.now(), instant(headers.get(TIMESTAMP, "")))
        if self._refusal(connection, delivery) is not None:
            try:
                async with asyncio.timeout(READ_TO_END_S):
                    await self._connections.read_to_end()
            except TimeoutError:
                return answers.NOT_LOADED
            if (refusal := self._refusal(connection, delivery)) is not None:
                if refusal is answers.NOT_OF_OUR_TIME:
                    self._compare_clocks(delivery)
                    logger.error("gateway.refused_by_age", connection=connection, sent=delivery.headers[TIMESTAMP])
                return refusal
        self._compare_clocks(delivery)
        return await self._keep(connection, delivery)

    def _compare_clocks(self, delivery: Delivery) -> None:
        if delivery.sent_at is not None:
            self._clocks.delivered(delivery.sent_at, delivery.received_at)

    def _connection(self, connection: ConnectionId) -> Connection | None:
        record = self._connections.records.get(_settings_key(connection))
        return record if isinstance(record, Connection) and record.connection == connection else None

    def _refusal(self, connection: ConnectionId, delivery: Delivery) -> Answer | None:
        """Why the delivery is not taken, by the connections as they are known now."""
        outdated = self._connections.outdated
        if outdated and not outdated.isdisjoint((_settings_key(connection), _webhook_key(connection))):
            return answers.NEWER_SETTINGS
        record = self._connection(connection)
        if record is None:
            return answers.UNKNOWN_CONNECTION
        timestamp, signature = delivery.headers.get(TIMESTAMP), delivery.headers.get(SIGNATURE)
        if timestamp is None or signature is None:
            return answers.UNAUTHORIZED
        opened = self._keys.of(record, self._registration(connection))
        if not is_signed(opened.keys, delivery.body, timestamp, signature):
            if not opened.whole:
                return answers.KEY_UNREADABLE
            return answers.NOT_REGISTERED if opened.pending else answers.UNAUTHORIZED
        if not is_of_our_time(delivery.sent_at, delivery.received_at, self._max_age):
            return answers.NOT_OF_OUR_TIME
        return None

    def _registration(self, connection: ConnectionId) -> WebhookRegistration | None:
        record = self._connections.records.get(_webhook_key(connection))
        return record if isinstance(record, WebhookRegistration) else None

    async def _keep(self, connection: ConnectionId, delivery: Delivery) -> Answer:
        try:
            headers = delivery.headers
            notice = understand(delivery.body, headers.get(CONTENT_TYPE), headers.get(CONTENT_ENCODING))
        except RecordRefused as error:
            return await self._append(answers.DEAD_LETTERED, letter=_dead_letter(connection, delivery, error))
        if not notice.employees:
            return answers.IGNORED
        letter = None if notice.refused is None else _dead_letter(connection, delivery, RecordRefused(notice.refused))
        try:
            return await self._append(answers.ACCEPTED, _event(connection, delivery, notice), letter)
        except RecordRefused as error:  # its names of fields are longer than a record may be
            return await self._append(answers.DEAD_LETTERED, letter=_dead_letter(connection, delivery, error))

    async def _append(self, answer: Answer, event: Written | None = None, letter: DeadLetter | None = None) -> Answer:
        began = self._appends.began()
        try:
            if event is not None and letter is None:
                await self._log.append(event, deadline=APPEND_S)
            else:
                await self._log.append_all([one for one in (event, letter) if one is not None], deadline=APPEND_S)
        except LogUnavailable as error:
            self._appends.failed(began, error.message)
            return answers.LOG_UNAVAILABLE
        self._appends.succeeded()
        if letter is not None:
            DEAD_LETTERED.labels("gateway").inc()
            logger.warning("gateway.dead_lettered", connection=letter.connection, reason=letter.message)
        return answer


def _settings_key(connection: ConnectionId) -> str:
    return f"{connection}|settings"


def _webhook_key(connection: ConnectionId) -> str:
    return f"{connection}|webhook"


def _kept(request: web.BaseRequest) -> dict[str, str]:
    """The headers that are kept. Bytes that are no UTF-8 become `?`; no signature that is right has any."""
    return {
        name: value if value.isascii() else value.encode("utf-8", "replace").decode()
        for name in KEPT_HEADERS
        if (value := request.headers.get(name)) is not None
    }


def _event(connection: ConnectionId, delivery: Delivery, notice: Notice) -> Written:
    return written_event(
        {
            "connection": connection,
            "employees": notice.employees,
            "kind": "webhook",
            "types": notice.types,
            "changed_fields": notice.changed_fields,
            "occurred_at": notice.occurred_at,
            "received_at": delivery.received_at,
            "digest": hashlib.sha256(delivery.body).hexdigest(),
            "raw": b64encode(delivery.body).decode("ascii"),
            "headers": delivery.headers,
        }
    )


def _dead_letter(connection: ConnectionId, delivery: Delivery, error: RecordRefused) -> DeadLetter:
    return DeadLetter(
        connection=connection,
        stage="gateway",
        error=type(error).__name__,
        message=error.message,
        payload=b64encode(delivery.body).decode("ascii"),
        headers=delivery.headers,
        at=delivery.received_at,
    )
