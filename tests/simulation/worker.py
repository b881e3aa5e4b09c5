"""A worker: the product's agents, tables, lanes, quota and fence on simulated edges, put together and told of its
partitions as `agents/app.py` does. It lives until it is killed, or fails, and has as many lives as it is given.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

from agents.enrich import enrich
from agents.folding import Folding
from agents.lane_making import LaneMaker
from agents.lanes import Lanes
from agents.mappings import Mappings
from agents.operate import operate
from agents.roster import roster
from agents.settle import settle
from agents.sink import sink
from stream.core.rows import Address, Company, ContactState, Person
from stream.fence import Fence
from stream.quota import QuotaLedger
from stream.settings import Settings
from stream.topics import CONNECTIONS, INPUTS, TABLES, TOKENS, Topic
from stream.vault.vault import Vault
from tests.simulation.broker import Broker, Coordinator, Entry, Place
from tests.simulation.edges import Disk, Life, MemoryEcho, MemoryLog, MemoryReader, MemoryStore, MemoryView

HEARTBEAT_S = 0.5
COMMIT_S = 1.0
BUFFER = 64
"""Records of a topic that are handed out and not folded, at most."""


class Inflow:
    """One agent's stream of one partition, as Faust hands it out, with what is acked."""

    def __init__(self, life: Life, broker: Broker, place: Place) -> None:
        self._life = life
        self._broker = broker
        self._place = place
        self._queue: deque[Any] = deque()
        self._arrived = asyncio.Event()
        self._generation = 0
        self._position: int | None = None
        self._fetching = False
        self._acked: set[int] = set()
        self.committable = 0

    def read_from(self, offset: int, generation: int) -> None:
        self._position, self._generation = offset, generation
        self._acked.clear()
        self.committable = offset
        self.look()

    def pause(self) -> None:
        self._position = None

    def look(self) -> None:
        """There may be more."""
        if self._position is None or self._fetching or len(self._queue) >= BUFFER:
            return
        if self._position < self._broker.end(self._place):
            self._fetching = True
            self._life.loop.outside(self._life.travel(), self._fetch)

    def _fetch(self) -> None:
        self._fetching = False
        if self._position is None:
            return
        log = self._broker.logs[self._place]
        room = BUFFER - len(self._queue)
        topic, partition = self._place
        for offset, (key, value) in enumerate(log[self._position : self._position + room], self._position):
            message = SimpleNamespace(
                topic=topic, partition=partition, offset=offset, key=key, value=value, generation_id=self._generation
            )
            self._queue.append(SimpleNamespace(message=message))
            self._position = offset + 1
        self._arrived.set()
        self.look()

    def noack(self) -> Inflow:
        return self

    async def events(self) -> AsyncIterator[Any]:
        while True:
            while not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
            event = self._queue.popleft()
            if len(self._queue) == BUFFER // 2:
                self.look()
            yield event

    async def ack(self, event: Any) -> None:
        await self._life.step()
        if event.message.generation_id == self._generation:
            self._acked.add(event.message.offset)
            while self.committable in self._acked:
                self._acked.discard(self.committable)
                self.committable += 1


class Member:
    """The worker in its consumer group."""

    def __init__(self, life: Life, broker: Broker, coordinator: Coordinator, fence: Fence) -> None:
        self._life = life
        self._broker = broker
        self._coordinator = coordinator
        self._fence = fence
        self._joins = 0
        self.name = ""
        self.generation = 0
        self.inflows: dict[Place, Inflow] = {}
        self.rebalance = asyncio.Event()
        self.rebalance.set()
        broker.appended.append(self._look)

    def _look(self, place: Place) -> None:
        if not self._life.dead and (inflow := self.inflows.get(place)) is not None:
            inflow.look()

    async def seek(self, positions: Mapping[Place, int]) -> None:
        await self._life.round_trip()
        for place, offset in positions.items():
            self.inflows[place].read_from(offset, self.generation)

    async def confirmed(self) -> None:
        await self._fence.wait_open()

    async def join(self) -> list[int]:
        await self._life.step()
        if not self.name:
            self._joins += 1
            self.name = f"{self._life.name}.{self._joins}"
        self.generation, numbers = await self._coordinator.join(self.name)
        self.rebalance.clear()
        return numbers

    async def beat(self) -> None:
        """Heartbeats, for as long as the worker lives."""
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            await self._life.step()
            if not self.name or self.rebalance.is_set():
                continue
            sent, name, generation = self._fence.now(), self.name, self.generation
            answer = self._life.loop.create_future()
            self._life.loop.outside(self._life.travel(), self._ask, name, generation, answer)
            said = await answer
            if (name, generation) != (self.name, self.generation) or self.rebalance.is_set():
                continue
            if said == "accepted":
                self._fence.accepted(sent)
            else:
                self._fence.refused()
                self.name = "" if said == "unknown" else self.name
                self.rebalance.set()

    def _ask(self, name: str, generation: int, answer: asyncio.Future[str]) -> None:
        said = self._coordinator.heartbeat(name, generation)
        self._life.loop.outside(self._life.travel(), lambda: answer.done() or answer.set_result(said))

    async def commit(self) -> None:
        """One round of commits; some are lost."""
        await self._life.step()
        wanted = {place: inflow.committable for place, inflow in self.inflows.items()}
        if self._life.chance.random() < 0.05:
            return
        self._life.loop.outside(self._life.travel(), self._committed, self.name, self.generation, wanted)
        await self._life.step()

    def _committed(self, name: str, generation: int, wanted: Mapping[Place, int]) -> None:
        if self._coordinator.may_commit(name, generation):
            self._broker.commit(wanted)


class Worker:
    """One life of a worker. http: its clients' session. ended: told when it fails, with why."""

    def __init__(
        self,
        life: Life,
        broker: Broker,
        coordinator: Coordinator,
        http: Any,
        settings: Settings,
        vault: Vault,
        disks: Mapping[str, Disk],
        written: Callable[[Worker, str, int, Sequence[Entry]], None],
        ended: Callable[[Worker, BaseException], None],
        recovered: Callable[[Worker, Sequence[int]], None],
    ) -> None:
        self.life = life
        self._broker = broker
        self._ended = ended
        self._recovered = recovered
        clock = life.loop
        self.fence = Fence(clock, session_timeout=settings.session_timeout, call_deadline=settings.call_deadline)
        self.log = MemoryLog(life, broker)
        self.member = Member(life, broker, coordinator, self.fence)
        self.folding = Folding(
            self.log, self.member, MemoryReader(life, broker), MemoryEcho(life, broker), clock, self.fail
        )
        self.stores = {
            name: MemoryStore(disks[name], lambda number, entries, name=name: written(self, name, number, entries))  # type: ignore[misc]
            for name in TABLES
        }
        people = self.folding.table("people", Person, self.stores["people"])
        addresses = self.folding.table("roster", Address, self.stores["roster"])
        contacts = self.folding.table("contacts", ContactState, self.stores["contacts"])
        companies = self.folding.table("companies", Company, self.stores["companies"])
        self.connections = MemoryView(life, broker, CONNECTIONS)
        tokens = MemoryView(life, broker, TOKENS)
        maker = LaneMaker(
            settings,
            cast(Any, self.log),
            people,
            addresses,
            contacts,
            companies,
            cast(Any, tokens),
            vault,
            http,
            self.fence,
            clock,
            self.fail,
        )
        self.lanes = Lanes(maker, cast(Any, self.connections))
        self.folding.results.row_written = self.lanes.row_written
        self.agents: dict[Topic, Any] = {}
        app = cast(Any, SimpleNamespace(agent=self._agent))
        hr_events, employees, upserts, outcomes, commands = (cast(Any, topic) for topic in INPUTS)
        enrich(app, self.folding, hr_events, people)
        roster(app, self.folding, employees, people, addresses, Mappings(cast(Any, self.connections)).of)
        sink(app, self.folding, upserts, contacts)
        settle(app, self.folding, outcomes, contacts, companies)
        operate(app, self.folding, commands, contacts, companies)
        self._opening: asyncio.Task[None] | None = None

    def _agent(self, topic: Topic, **_: Any) -> Callable[[Any], Any]:
        def register(function: Any) -> Any:
            self.agents[topic] = function
            return function

        return register

    def start(self) -> None:
        self.life.start(self._run())

    def fail(self, error: BaseException) -> None:
        """What ends the process in the product."""
        if not self.life.dead:
            self.life.kill()
            self.life.loop.outside(0, self._ended, self, error)

    def stop(self) -> None:
        """End in order."""
        self.life.start(self._guarded(self._stop))

    async def _stop(self) -> None:
        await self._close(range(self._broker.partitions))
        await self.member.commit()
        self.life.loop.outside(self.life.travel(), self.member._coordinator.leave, self.member.name)
        self.life.kill()
        self.life.loop.outside(0, self.life.killed)
        await asyncio.sleep(0)

    async def _guarded(self, work: Callable[..., Any], *args: Any) -> None:
        try:
            await work(*args)
        except Exception as error:
            self.fail(error)

    async def _run(self) -> None:
        await self._guarded(self._work)

    async def _work(self) -> None:
        await self.connections.read_to_end()
        for work in (self.member.beat, self._commits):
            self._task(work)
        while True:
            numbers = await self.member.join()
            self._opening = self._task(self._open, numbers)
            await self.member.rebalance.wait()
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
            await self._close(numbers)
            await self.member.commit()
            for inflow in self.member.inflows.values():
                inflow.pause()

    def _task(self, work: Callable[..., Any], *args: Any) -> asyncio.Task[None]:
        return asyncio.create_task(self._guarded(work, *args))

    async def _commits(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_S * (0.5 + self.life.chance.random()))
            await self.member.commit()

    async def _open(self, numbers: Sequence[int]) -> None:
        """Recover the tables, let records flow as Faust does before it is told from where, then open."""
        for number in numbers:
            for table, store in self.stores.items():
                await self.life.round_trip()
                changelog = (self.folding.results.tables[table].changelog, number)
                store.recover(number, self._broker.logs[changelog], self._broker.headers[changelog])
            for topic in INPUTS:
                place = (topic.name, number)
                if place not in self.member.inflows:
                    inflow = self.member.inflows[place] = Inflow(self.life, self._broker, place)
                    self._task(self.agents[topic], inflow)
                early = self._broker.committed.get(place, 0)
                self.member.inflows[place].read_from(early, self.member.generation)
        self._recovered(self, numbers)
        partitions = await self.folding.open(numbers)
        await asyncio.gather(*(self.lanes.open(partition) for partition in partitions))

    async def _close(self, numbers: Sequence[int] | range) -> None:
        await self.lanes.close(numbers)
        await self.folding.close(numbers)

    @property
    def idle(self) -> bool:
        """All that is in the inputs of its partitions is folded, and nothing is owed or under way."""
        return all(
            partition.next[topic.name] == self._broker.end((topic.name, number))
            for number, partition in self.folding.owned.partitions.items()
            for topic in INPUTS
        ) and all(lane.idle for served in self.lanes._served.values() for lane in served.lanes)


__all__ = ["BUFFER", "Inflow", "Member", "QuotaLedger", "Worker"]
