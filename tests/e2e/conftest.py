"""The fixture `world`: a connected installation that the tests of one module share, on one event loop."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
import structlog

from tests.e2e.world import World, connected


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    """The sandboxes log each delivery; here that would only cost time."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    yield
    structlog.reset_defaults()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Each test leaves it in step and in mode live; people that others hired may be there."""
    async with connected(tmp_path_factory.mktemp("e2e") / "data", settle_time="2") as world:
        yield world
