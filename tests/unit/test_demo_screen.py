"""The live view of the demo, in terminals of several sizes."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import aiohttp
import pytest
from aiohttp import web
from rich.console import Console

from agents.demo.equal import Comparison
from agents.demo.lag import Lag, lag_of
from agents.demo.screen import screen
from agents.demo.stage import Stage
from agents.demo.watch import SHOWN, Seen, Watch

PEOPLE = {"1": SimpleNamespace(values={"firstName": "花子" * 6, "lastName": "Schröder"})}
STAGE = cast(
    "Stage",
    SimpleNamespace(
        installation=SimpleNamespace(address=lambda _: "127.0.0.1:43903", kafka="127.0.0.1:46405"),
        data="rosterbook-demo-qy5t15dq",
        vendors=SimpleNamespace(
            calls_per_minute=6000, zoho_calls=282, bamboohr=SimpleNamespace(company=SimpleNamespace(people=PEOPLE))
        ),
    ),
)


@pytest.mark.parametrize(("width", "height", "rows"), [(80, 24, 12), (120, 40, SHOWN), (200, 60, SHOWN)])
def test_all_of_it_fits_the_terminal_and_times_are_whole(width: int, height: int, rows: int) -> None:
    watch = Watch("")
    for second in range(SHOWN):
        watch.latencies_ms.append(100.0 * second)
        changed = "status, hireDate, employmentHistoryStatus"
        moment = datetime(2026, 3, 4, 9, 15, second, tzinfo=UTC)
        watch.latest.append(Seen(moment, "1", changed, "deactivated", changed, 12345.0))
    console = Console(width=width, height=height, force_terminal=False)
    with console.capture() as printed:
        console.print(screen(STAGE, watch, "A marriage", Comparison(125, 126, 1, 0, 2), Lag(3, 5), width, height))
    lines = printed.get().splitlines()
    assert len(lines) <= height
    assert sum("deactivated" in line and line.rstrip().endswith("12345") for line in lines) == rows
    assert f"09:15:{SHOWN - 1:02}" in lines[-5]
    assert "3 still differ" in lines[-3]
    assert lines[-2].startswith("Lag: 3 to read, 5 to write   latency of these: p50 ")


async def test_lag_is_what_the_workers_metrics_say_and_unknown_while_it_does_not_answer(unused_tcp_port: int) -> None:
    async def metrics(_: web.Request) -> web.Response:
        lines = [
            f'rosterbook_debts{{connection="c{n}",api="{api}"}} {n}' for n in (1, 2) for api in ("bamboohr", "zoho")
        ]
        return web.Response(text="\n".join(["# TYPE rosterbook_debts gauge", *lines, "other 7", ""]))

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        async with aiohttp.ClientSession() as http:
            assert await lag_of(http, f"{host}:{port}") == Lag(3, 3)
            assert await lag_of(http, f"127.0.0.1:{unused_tcp_port}") is None
            assert await lag_of(http, None) is None
    finally:
        await runner.cleanup()
