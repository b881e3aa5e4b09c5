"""One or three brokers from the embedded jars, each reached by every process of the run on a path of its own.

A broker has one listener for each process, advertised under the port of a proxy, and two that no proxy stands in front
of: `DIRECT`, for the other brokers and for the run's own eyes, and the controllers'. So a single process can be cut off
from Kafka while all others, and the brokers among themselves, go on.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from stream.kafka.broker_config import HOST, LOG4J_PROPERTIES, BrokerConfig, server_properties
from stream.kafka.format import format_folder, new_id
from stream.kafka.jars import cache_folder, class_path_soon
from stream.kafka.java import ENVIRONMENT, ahead_of_time, aot_cache, java
from tests.chaos.proxy import Proxy
from tests.e2e.waiting import until
from tests.ports import quiet_port

READY_S = 60.0
ENDS_S = 15.0


class Broker:
    """One combined node; folder and ports are for life. paths: name of a process -> the proxy before its listener."""

    def __init__(self, config: BrokerConfig, processes: Sequence[str]) -> None:
        self.config = config
        self.paths = {name: Proxy(quiet_port()) for name in processes}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it and do not wait for it."""
        config, cache = self.config, cache_folder()
        jars = await class_path_soon(cache)
        made = ahead_of_time(cache, jars)
        shutil.rmtree(config.folder / "tmp", ignore_errors=True)
        (config.folder / "tmp").mkdir(parents=True)
        (config.folder / "log4j2.properties").write_text(LOG4J_PROPERTIES)
        (config.folder / "server.properties").write_text(server_properties(config) + self._listeners())
        await format_folder(config, jars, made)
        flags = (f"-XX:AOTCache={aot_cache(made)}",) if aot_cache(made).exists() else ()
        with (config.folder / "broker.log").open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *java(jars, config.folder, "kafka.Kafka", "server.properties", flags=flags),
                cwd=config.folder,
                env=ENVIRONMENT,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _listeners(self) -> str:
        """What differs from a broker alone; of two lines for one property the last counts."""
        config, names = self.config, [name.replace("-", "").upper() for name in self.paths]
        proxies = list(self.paths.values())
        own = [f"DIRECT://{config.bootstrap}", f"CONTROLLER://{HOST}:{config.controller_port}"]
        entries = {
            "listeners": [*own, *(f"{n}://{HOST}:{p.target}" for n, p in zip(names, proxies, strict=True))],
            "advertised.listeners": [own[0], *(f"{n}://{p.address}" for n, p in zip(names, proxies, strict=True))],
            "listener.security.protocol.map": [f"{name}:PLAINTEXT" for name in ("DIRECT", "CONTROLLER", *names)],
            "inter.broker.listener.name": ["DIRECT"],
            "num.network.threads": ["1"],
        }
        return "".join(f"{key}={','.join(values)}\n" for key, values in entries.items())

    def send(self, number: signal.Signals) -> None:
        """A signal, if it lives."""
        if self.runs and self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it; one that was told to and takes too long is killed, as a service manager does."""
        if self._process is None:
            return
        self.send(number)
        try:
            async with asyncio.timeout(ENDS_S):
                await self._process.wait()
        except TimeoutError:
            self.send(signal.SIGKILL)
            await self._process.wait()

    async def answers(self) -> bool:
        """Whether it says of itself that it is there."""
        if not self.runs:
            return False
        client = AIOKafkaClient(bootstrap_servers=self.config.bootstrap, request_timeout_ms=5000)
        try:
            await client.bootstrap()
            return any(found.nodeId == self.config.node_id for found in client.cluster.brokers())
        except (KafkaError, OSError):
            return False
        finally:
            await client.close()


class Cluster:
    """All brokers of a run."""

    def __init__(self, folder: Path, size: int, processes: Sequence[str]) -> None:
        """processes: names of those that will connect, each by its own path."""
        voters = tuple((node, quiet_port()) for node in range(1, size + 1))
        cluster_id = new_id()
        self.replication = size
        self.brokers = [
            Broker(
                BrokerConfig(
                    folder / f"kafka-{node}",
                    quiet_port(),
                    controller_port,
                    node,
                    voters=voters,
                    replication=size,
                    cluster_id=cluster_id,
                ),
                processes,
            )
            for node, controller_port in voters
        ]
        self.one_at_a_time = asyncio.Lock()
        """Held by whoever takes a broker away."""

    @property
    def direct(self) -> str:
        """Bootstrap servers past every proxy."""
        return ",".join(broker.config.bootstrap for broker in self.brokers)

    def bootstrap(self, process: str) -> str:
        return ",".join(broker.paths[process].address for broker in self.brokers)

    def paths(self, process: str) -> list[Proxy]:
        return [broker.paths[process] for broker in self.brokers]

    async def start(self) -> None:
        """Return once every broker answers."""
        for broker in self.brokers:
            for path in broker.paths.values():
                await path.start()
        for broker in self.brokers:
            await broker.start()
        await self.answer()

    async def answer(self) -> None:
        for broker in self.brokers:
            await until(f"broker {broker.config.node_id} answers", broker.answers, READY_S)

    async def stop(self) -> None:
        await asyncio.gather(*(broker.end() for broker in self.brokers))
        await asyncio.gather(*(path.stop() for broker in self.brokers for path in broker.paths.values()))
