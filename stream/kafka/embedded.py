"""Apache Kafka as a child of this process: for one machine, the demo and the tests.

`EmbeddedKafka(data)` keeps everything in `data/kafka`: the log (`log/`), what the broker says (`broker.log`), who owns
the folder (`lock`), and, while it answers, its address (`address`), by which every command finds it. The broker ends
when this process does, however it does. Several of them make a cluster: see `BrokerConfig`.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from stream.errors import BrokerFailed
from stream.kafka import ports
from stream.kafka.broker_config import HOST, LOG4J_PROPERTIES, BrokerConfig, server_properties
from stream.kafka.broker_end import PORT_TAKEN, why, written_since
from stream.kafka.folder_lock import FolderLock, is_held
from stream.kafka.format import format_folder
from stream.kafka.jars import cache_folder, class_path_soon
from stream.kafka.java import ENVIRONMENT, ahead_of_time, aot_cache, java
from stream.telemetry import log

logger = log("kafka")

LOOK_AGAIN_S = 0.03
STOP_S = 3.0
"""How long a stopping broker may take before it is killed. Nothing is lost then: the next start reads more."""
TRIES = 3
"""Starts with freshly chosen ports, when another program was quicker to take one."""


def running_broker(data: Path) -> str | None:
    """Address (host:port) of the broker that runs on this data folder, None when none does."""
    folder = data / "kafka"
    with suppress(FileNotFoundError, NotADirectoryError):
        address = (folder / "address").read_text().strip()
        if address and is_held(folder / "lock"):
            return address
    return None


class EmbeddedKafka:
    """A broker on `data`. port: 0 = the one it had before if that is free, else any.

    Start and stop it on one event loop, whose thread must live as long as the broker should (see `stream/tether.py`).
    """

    def __init__(
        self,
        data: Path | BrokerConfig,
        port: int = 0,
        *,
        cache: Path | None = None,
        java_flags: tuple[str, ...] = (),
    ) -> None:
        """data: the state folder, or all about one node of a cluster. cache: of jars, default `cache_folder()`."""
        config = data if isinstance(data, BrokerConfig) else BrokerConfig(data / "kafka", port)
        self._config = self._wanted = replace(config, folder=config.folder.absolute())
        self._cache = cache or cache_folder()
        self._java_flags = java_flags
        self._lock = FolderLock(self._wanted.folder / "lock")
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._log_start = 0

    @property
    def bootstrap(self) -> str:
        """host:port for clients; known once started."""
        return self._config.bootstrap

    @property
    def pid(self) -> int:
        assert self._process is not None, "the broker was not started"
        return self._process.pid

    async def start(self, timeout: float = 60.0) -> None:
        """Return once the broker answers a metadata request with itself. timeout: seconds, after jars and lock.

        An owner of the folder that is ending is waited for, up to 30 s. Raises BrokerFailed: the folder is in use, a
        jar is missing or altered, the disk is full, or the broker ended or did not answer in time; ActionNeeded: a port
        that was asked for is taken.
        """
        assert self._process is None, "the broker was started already"
        jars = await class_path_soon(self._cache)
        folder = self._wanted.folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            await self._lock.acquire()
            try:
                async with asyncio.timeout(timeout):
                    await self._start(jars)
            except BaseException:
                await self.stop(grace=0)
                raise
        except TimeoutError:
            raise BrokerFailed(
                f"The broker did not answer within {timeout:g} s: {folder / 'broker.log'} says what it does."
            ) from None
        except OSError as error:
            raise BrokerFailed(
                f"The folder {folder} cannot be used ({error.strerror}): make room or make it writable."
            ) from error
        logger.info("kafka.started", address=self.bootstrap, pid=self.pid)

    async def _start(self, jars: list[Path]) -> None:
        self._address.unlink(missing_ok=True)
        self._lay_out()
        for tries_left in reversed(range(TRIES)):
            self._config = ports.with_ports(self._wanted)
            self._folder_file("server.properties").write_text(server_properties(self._config))
            await self._spawn(jars)
            if await self._answers():
                break
            if not tries_left or PORT_TAKEN not in self._written():
                raise BrokerFailed(self.reason())
            ports.forget(self._config.folder)
        ports.remember(self._config)
        part = self._folder_file("address.part")
        part.write_text(f"{self.bootstrap}\n")
        part.replace(self._address)
        self._watch = asyncio.create_task(self._withdraw_address(), name="embedded kafka: address")

    def _lay_out(self) -> None:
        tmp = self._folder_file("tmp")
        shutil.rmtree(tmp, ignore_errors=True)  # native libraries of brokers that were killed
        tmp.mkdir()
        self._folder_file("log4j2.properties").write_text(LOG4J_PROPERTIES)

    async def _spawn(self, jars: list[Path]) -> None:
        config, made = self._config, ahead_of_time(self._cache, jars)
        await format_folder(config, jars, made)
        flags = self._java_flags
        if not flags and aot_cache(made).exists():
            flags = (f"-XX:AOTCache={aot_cache(made)}",)
        assert self._lock.fd is not None
        with self._folder_file("broker.log").open("ab") as output:
            self._log_start = output.tell()
            self._process = await asyncio.create_subprocess_exec(
                *java(jars, config.folder, "kafka.Kafka", "server.properties", flags=flags),
                cwd=config.folder,
                env=ENVIRONMENT,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(self._lock.fd,),
                start_new_session=True,  # a terminal's Ctrl-C is ours to handle
            )

    async def _answers(self) -> bool:
        """True once the broker names itself to a client, False when it ended first."""
        assert self._process is not None
        while self._process.returncode is None:
            if await self._is_open() and await self._names_itself():
                return self._process.returncode is None
            await asyncio.sleep(LOOK_AGAIN_S)
        return False

    async def _is_open(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(HOST, self._config.port)
        except OSError:
            return False
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return True

    async def _names_itself(self) -> bool:
        client = AIOKafkaClient(bootstrap_servers=self.bootstrap, request_timeout_ms=5000)
        try:
            await client.bootstrap()
            return any(
                (b.nodeId, b.port) == (self._config.node_id, self._config.port) for b in client.cluster.brokers()
            )
        except KafkaError:
            return False
        finally:
            await client.close()

    async def _withdraw_address(self) -> None:
        assert self._process is not None
        status = await self._process.wait()
        self._address.unlink(missing_ok=True)
        logger.info("kafka.ended", status=status)

    async def wait(self) -> int:
        """The exit code, once the broker has ended for whatever reason; negative for a signal."""
        assert self._process is not None, "the broker was not started"
        return await self._process.wait()

    def reason(self) -> str:
        """Why the broker ended, in a sentence for a person."""
        status = self._process.returncode if self._process is not None else None
        return why(self._config.folder, self._written(), status)

    def mark_ending(self) -> None:
        """Tell another start on this folder to wait instead of being refused, while what comes before `stop` ends."""
        self._lock.mark_ending()

    async def stop(self, grace: float = STOP_S) -> None:
        """End the broker, killing it after `grace` seconds, and give up the folder. May be called again."""
        if self._lock.fd is None:  # the folder is not ours
            return
        self.mark_ending()
        self._address.unlink(missing_ok=True)
        try:
            if self._process is not None and self._process.returncode is None:
                await self._end(self._process, grace)
            if self._watch is not None:
                await self._watch
        finally:
            self._lock.release()
            self._process, self._watch = None, None

    async def _end(self, process: asyncio.subprocess.Process, grace: float) -> None:
        try:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM if grace else signal.SIGKILL)
            async with asyncio.timeout(grace or None):
                await process.wait()
        except TimeoutError:
            logger.warning("kafka.killed", after_s=grace)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    @property
    def _address(self) -> Path:
        return self._folder_file("address")

    def _folder_file(self, name: str) -> Path:
        return self._wanted.folder / name

    def _written(self) -> str:
        return written_since(self._folder_file("broker.log"), self._log_start)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
