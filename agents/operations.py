"""Carries out what operators ask of one connection. A command whose end is not on the log is carried out again, by us
or by the next owner, so a handler must be safe to repeat. One of a name runs at a time; a newer one waits for it, or
joins it where nothing would be gained by doing it twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from stream.clock import Clock
from stream.core.rows import Asked, Company
from stream.errors import LogUnavailable, RosterbookError
from stream.lane import LaneClosed
from stream.records import CommandOutcome, ConnectionId
from stream.telemetry import log

logger = log("operations")


@dataclass(frozen=True)
class Done:
    """What a handler tells whoever asked. says: one sentence; result: for machines."""

    says: str
    result: Mapping[str, JsonValue] = field(default_factory=dict)


Handler = Callable[[Asked], Awaitable[Done]]
"""Carries one command out. A RosterbookError is the command's end too: it failed, with that sentence."""


class Operations:
    """Of one connection. Looks at its row when it is opened and each time the row was written."""

    def __init__(
        self,
        connection: ConnectionId,
        handlers: Mapping[str, Handler],
        *,
        joined: Collection[str] = (),
        waiting: Collection[str] = (),
        company: Callable[[], Company | None],
        append: Callable[[CommandOutcome], Awaitable[object]],
        crashed: Callable[[BaseException], None],
        clock: Clock,
    ) -> None:
        """joined: commands whose end answers those too who asked for the same meanwhile. waiting: those that are not
        begun here and stay owed, with how far they came.
        """
        self._connection = connection
        self._handlers = handlers
        self._joined = joined
        self._waiting = waiting
        self._company = company
        self._append = append
        self._crashed = crashed
        self._clock = clock
        self._open = False
        self._running: dict[str, asyncio.Task[None]] = {}
        self._answered: dict[str, int] = {}

    def open(self) -> None:
        self._open = True
        self.notice()

    async def close(self) -> None:
        """Cut off what is under way: it is carried out again by the next owner."""
        self._open = False
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def notice(self) -> None:
        """The connection's row may have changed."""
        company = self._company()
        if not self._open or company is None:
            return
        for name, asked in company.asked.items():
            news = asked.debt.wanted > self._answered.get(name, -1)
            if asked.debt.owed and news and name not in self._running and name not in self._waiting:
                self._running[name] = asyncio.create_task(self._run(name, asked), name=f"{self._connection} {name}")

    async def _run(self, name: str, asked: Asked) -> None:
        try:
            outcome = await self._carry_out(name, asked)
            await self._append(outcome)
            self._answered[name] = outcome.cause.offset
        except LaneClosed:
            return
        except Exception as error:  # the log away or a bug must end the worker, not one task
            self._crashed(error)
            return
        finally:
            del self._running[name]
        self.notice()

    async def _carry_out(self, name: str, asked: Asked) -> CommandOutcome:
        try:
            done = await self._handlers.get(name, _unknown)(asked)
        except (LogUnavailable, LaneClosed):
            raise
        except RosterbookError as error:
            logger.warning("operations.failed", connection=self._connection, command=name, reason=error.message)
            return self._outcome(name, asked, "failed", error.message, {})
        logger.info("operations.done", connection=self._connection, command=name)
        return self._outcome(name, asked, "done", done.says, done.result)

    def _outcome(
        self, name: str, asked: Asked, state: Literal["done", "failed"], says: str, result: Mapping[str, JsonValue]
    ) -> CommandOutcome:
        if name in self._joined and (company := self._company()) is not None:
            asked = company.asked[name]
        return CommandOutcome(
            connection=self._connection,
            command=name,
            cause=asked.cause,
            state=state,
            says=says,
            result=dict(result),
            at=self._clock.now(),
        )


async def _unknown(_: Asked) -> Done:
    raise RosterbookError("This worker does not know the command: update it.")
