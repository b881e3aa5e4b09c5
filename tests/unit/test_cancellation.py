"""Cancellations that aiokafka lets out are not taken for ours, and ours are heard although it swallows some."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import TopicPartition

from stream.errors import LogUnavailable
from stream.kafka import cancellation
from stream.kafka.cancellation import end, only_our_cancellation
from stream.kafka.scan import LogScan


async def test_a_cancellation_that_nobody_asked_for_is_the_log_being_away() -> None:
    with pytest.raises(LogUnavailable), only_our_cancellation():
        raise asyncio.CancelledError


async def test_a_task_that_swallows_its_cancellation_is_cancelled_until_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cancellation, "HEARD_S", 0.01)
    swallowed = 0

    async def goes_on() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 3:
                    raise

    async def fails() -> None:
        raise ValueError

    tasks = [asyncio.create_task(goes_on()), asyncio.create_task(fails())]
    await asyncio.sleep(0)
    await asyncio.wait_for(end(*tasks), 5)
    assert (swallowed, tasks[0].cancelled()) == (3, True)


async def test_ending_nothing_returns() -> None:
    await end()


async def test_a_read_of_the_log_that_aiokafka_cuts_off_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken for a cancellation of ours it would end the command that reads, without a word."""
    stopped = []

    class Cut:
        def __init__(self, **_: object) -> None:
            """As aiokafka's, as far as it comes."""

        async def start(self) -> None:
            raise asyncio.CancelledError

        async def stop(self) -> None:
            stopped.append(self)

    monkeypatch.setattr("stream.kafka.consumer.AIOKafkaConsumer", Cut)
    entries = LogScan("nowhere")._read({TopicPartition("rosterbook.outcomes", 0): "its id"}, {})
    with pytest.raises(LogUnavailable, match="cut off"):
        await anext(entries)
    assert len(stopped) == 1
