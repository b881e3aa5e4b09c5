"""What a worker says of itself at `/healthz` and `/readyz` while it recovers, serves, and has lost its brokers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agents.faust_recovery import CompleteRecovery
from stream.kafka.lookout import Lookout
from tests.e2e.waiting import until
from tests.integration.harness import Desk


async def asked(data: Path, path: str) -> tuple[int, dict[str, Any]]:
    address = (data / "worker" / "address").read_text()
    async with aiohttp.ClientSession() as http, http.get(f"http://{address}{path}") as answer:
        return answer.status, await answer.json()


async def test_a_worker_is_alive_and_not_ready_while_it_recovers_and_ready_after_that(
    bootstrap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, may_go_on = asyncio.Event(), asyncio.Event()
    build_offsets = CompleteRecovery._build_offsets

    async def held(self: CompleteRecovery, *args: Any) -> None:
        reached.set()
        await may_go_on.wait()
        await build_offsets(self, *args)

    monkeypatch.setattr(CompleteRecovery, "_build_offsets", held)
    one = Desk(bootstrap, tmp_path)
    await one.start()
    try:
        async with asyncio.timeout(40):
            await reached.wait()
        assert (await asked(tmp_path, "/healthz"))[1]["alive"] is True
        assert await asked(tmp_path, "/readyz") == (
            503,
            {"ready": False, "reason": "recovering tables", "warnings": []},
        )
        _, of_acme = await asked(tmp_path, "/connections/acme")
        assert of_acme["serving"] is False
        may_go_on.set()
        await one.ready()

        async def ready() -> bool:
            return await asked(tmp_path, "/readyz") == (200, {"ready": True, "reason": None, "warnings": []})

        await until("it says that it is ready", ready, 20)

        async def away(*_: Any) -> None:
            raise TimeoutError

        with monkeypatch.context() as patched:
            patched.setattr(Lookout, "_look", away)

            async def unready() -> bool:
                return await asked(tmp_path, "/readyz") == (
                    503,
                    {"ready": False, "reason": "Kafka does not answer", "warnings": []},
                )

            await until("it says that Kafka is away", unready, 20)
            assert (await asked(tmp_path, "/healthz"))[0] == 200
        await until("it is ready again", ready, 20)
    finally:
        may_go_on.set()
        await one.stop()
