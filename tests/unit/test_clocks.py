"""A clock that is far from those of others is said, with what to do; nothing else follows from it."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from stream.clocks import LATE_IN_A_ROW, Clocks
from tests.fake_clock import START, FakeClock


def after(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


async def test_the_date_of_every_answer_is_compared() -> None:
    dates = ["no date", format_datetime(START + after(3600)), format_datetime(START - after(50))]

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=500, headers={"Date": dates.pop(0)})

    app = web.Application()
    app.router.add_get("/", answer)
    clocks = Clocks(FakeClock(), 60)
    async with TestServer(app) as server, aiohttp.ClientSession(trace_configs=[clocks.of_answers()]) as http:
        said = []
        for _ in range(3):
            async with http.get(server.make_url("/")):
                said.append(clocks.warnings())
    assert said == [
        [],
        [
            "The clock of this machine is 3600 s behind that of 127.0.0.1: set it, since the gateway refuses "
            "webhooks by their age."
        ],
        [],
    ]


def test_the_clock_that_is_farthest_is_named() -> None:
    clocks = Clocks(FakeClock(), 60)
    clocks.shown("zoho", START - after(100))
    clocks.shown("bamboohr", START - after(61))
    (said,) = clocks.warnings()
    assert "100 s ahead of that of zoho" in said


def test_a_webhook_from_the_future_tells_of_a_clock_and_one_that_comes_in_time_takes_that_back() -> None:
    clocks = Clocks(FakeClock(), 60)
    clocks.delivered(START + after(90), START)
    assert "90 s behind that of BambooHR's webhooks" in clocks.warnings()[0]
    clocks.delivered(START - after(2), START)
    assert clocks.warnings() == []


def test_webhooks_that_come_late_may_be_repetitions_unless_all_are_late() -> None:
    clocks = Clocks(FakeClock(), 60)
    for age in (4000, 1, *range(300, 300 + LATE_IN_A_ROW - 1)):
        clocks.delivered(START - after(age), START)
        assert clocks.warnings() == []
    clocks.delivered(START - after(4000), START)
    assert "300 s ahead of that of BambooHR's webhooks" in clocks.warnings()[0]
