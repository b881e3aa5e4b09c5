"""The peer of the gateway, as a process: a bare aiohttp handler that checks the same HMAC and awaits the same produce.

`POST /` reads the raw body, compares the signature, appends the bytes that the gateway would append and answers 200.
`POST /nothing` only answers 200, which shows how much the load generator can give. Told by one line of JSON on standard
input; prints its port; ends when standard input does.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import sys

from aiohttp import web
from aiokafka import AIOKafkaProducer


async def main() -> None:
    loop = asyncio.get_running_loop()
    told = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    key, topic, partition = told["key"].encode(), told["topic"], told["partition"]
    record, record_key = base64.b64decode(told["record"]), told["record_key"].encode()
    producer = AIOKafkaProducer(
        bootstrap_servers=told["bootstrap"],
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        max_request_size=told["max_request_size"],
    )
    await producer.start()

    async def keep(request: web.Request) -> web.Response:
        body = await request.read()
        timestamp = request.headers["X-BambooHR-Timestamp"].encode()
        right = hmac.new(key, body + timestamp, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right, request.headers["X-BambooHR-Signature"]):
            return web.Response(status=401)
        await producer.send_and_wait(topic, record, record_key, partition)
        return web.Response(status=200)

    async def nothing(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=200)

    app = web.Application()
    app.router.add_post("/", keep)
    app.router.add_post("/nothing", nothing)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        sys.stdout.write(f"{runner.addresses[0][1]}\n")
        sys.stdout.flush()
        await loop.run_in_executor(None, sys.stdin.read)
    finally:
        await runner.cleanup()
        await producer.stop()


if __name__ == "__main__":
    asyncio.run(main())
