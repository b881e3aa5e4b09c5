"""The floor of the latency: what the same chain costs when every part of it is bare.

As many appends one after the other as a change needs, each awaited until it is durable; three of them also until a
waiting consumer has them, as agents do; and between them one GET to BambooHR and a GET and a PUT to Zoho Books. No
record is understood, no row is kept, nothing is compared.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import BasicAuth
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic

from stream.core.mapping import FIELDS
from stream.kafka.admin import admin
from tests.bench.place import NotedVendors, Place

TOPIC = "bench.floor"
VALUE = b"x" * 900
"""About as long as a record or a row."""
CHAIN = "8 awaited appends (3 of them consumed) and GET, GET, PUT, all bare"


class Chain:
    """One round is one change. appends, hops: milliseconds of each append, and of each that also went to a consumer."""

    def __init__(
        self, vendors: NotedVendors, http: aiohttp.ClientSession, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer
    ) -> None:
        self._vendors = vendors
        self._http = http
        self._producer = producer
        self._consumer = consumer
        self.appends: list[float] = []
        self.hops: list[float] = []
        self._token = ""
        self._contact = next(iter(vendors.zoho.organization.contacts))
        self._employee = next(iter(vendors.bamboohr.company.people))

    @staticmethod
    @asynccontextmanager
    async def of(at: Place) -> AsyncIterator[Chain]:
        bootstrap = at.installation.kafka
        async with admin(bootstrap) as client:
            await client.create_topics([NewTopic(TOPIC, 1, 1)])
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=0)
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="latest")
        await producer.start()
        try:
            await consumer.start()
            try:
                await consumer._client._wait_on_metadata(TOPIC)
                consumer.assign([TopicPartition(TOPIC, 0)])
                await consumer.seek_to_end()
                async with aiohttp.ClientSession() as http:
                    chain = Chain(at.vendors, http, producer, consumer)
                    await chain._sign_in()
                    yield chain
            finally:
                await consumer.stop()
        finally:
            await producer.stop()

    async def round(self) -> float:
        """Milliseconds, without those of the sandboxes' handlers."""
        before, began = self._vendors.handler_s, time.perf_counter()
        await self._consumed()  # hr-events
        await self._append()  # the person's row
        await self._read_employee()
        await self._consumed()  # employees
        await self._append()  # the intent
        await self._consumed()  # contact-upserts
        await self._append()  # the rows of the person and the address
        await self._append()  # the contact's row
        contact = await self._zoho("GET")
        await self._append()  # the attempt
        await self._zoho("PUT", {"contact_name": contact["contact"]["contact_name"]})
        return (time.perf_counter() - began - (self._vendors.handler_s - before)) * 1000

    async def _append(self) -> None:
        began = time.perf_counter()
        await self._producer.send_and_wait(TOPIC, VALUE, partition=0)
        self.appends.append((time.perf_counter() - began) * 1000)

    async def _consumed(self) -> None:
        began = time.perf_counter()
        sent = await self._producer.send_and_wait(TOPIC, VALUE, partition=0)
        while (await self._consumer.getone()).offset < sent.offset:
            pass
        self.hops.append((time.perf_counter() - began) * 1000)

    async def _read_employee(self) -> None:
        bamboohr = self._vendors.bamboohr
        auth = BasicAuth(bamboohr.credentials.api_key, "x")
        url = f"{bamboohr.base_url}/api/v1/employees/{self._employee}"
        async with self._http.get(
            url, params={"fields": ",".join(FIELDS)}, auth=auth, headers={"Accept": "application/json"}
        ) as answer:
            answer.raise_for_status()
            await answer.json()

    async def _sign_in(self) -> None:
        credentials = self._vendors.zoho.credentials
        form = {
            "grant_type": "refresh_token",
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret,
            "refresh_token": credentials.refresh_token,
        }
        async with self._http.post(f"{self._vendors.zoho.accounts_url}/oauth/v2/token", data=form) as answer:
            self._token = (await answer.json())["access_token"]

    async def _zoho(self, method: str, body: dict[str, str] | None = None) -> dict[str, dict[str, str]]:
        zoho = self._vendors.zoho
        async with self._http.request(
            method,
            f"{zoho.api_url}/contacts/{self._contact}",
            params={"organization_id": zoho.organization_id},
            headers={"Authorization": f"Zoho-oauthtoken {self._token}"},
            json=body,
        ) as answer:
            answer.raise_for_status()
            found: dict[str, dict[str, str]] = await answer.json()
            return found
