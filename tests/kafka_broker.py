"""The fixture `kafka`: the address of one real broker, shared by all tests of a pytest worker."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.kafka.embedded import EmbeddedKafka


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port. Tests share it, so each names its own topics and groups."""
    yield from running(tmp_path_factory.mktemp("kafka"))


def running(folder: Path) -> Iterator[str]:
    """host:port of a broker on this folder, which ends with the iterator."""
    broker = EmbeddedKafka(folder)
    with asyncio.Runner() as runner:  # a loop of its own, which the tests' loops come and go beside
        runner.run(broker.start())
        try:
            yield broker.bootstrap
        finally:
            runner.run(broker.stop())
