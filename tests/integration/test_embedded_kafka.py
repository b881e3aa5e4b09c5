"""The embedded broker, real: its data, its address, its owner, and how it fails and ends."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.errors import ActionNeeded, BrokerFailed
from stream.kafka.broker_config import BrokerConfig
from stream.kafka.embedded import STOP_S, EmbeddedKafka, running_broker
from stream.kafka.format import new_id
from stream.kafka.jars import cache_folder, class_path
from stream.topics import MAX_RECORD_BYTES
from tests.ports import quiet_port

TOPIC = "test"
COMMAND = """
import sys
import cyclopts
from agents.cli.kafka import register
from stream.errors import RosterbookError
app = cyclopts.App()
register(app)
try:
    app(["kafka", *sys.argv[1:]])
except RosterbookError as error:
    sys.exit(error.message)
finally:
    print("jgo" in sys.modules, flush=True)
"""

APPEND_LARGE = """
import asyncio, sys
from tests.integration.test_embedded_kafka import append
asyncio.run(append(sys.argv[1], b"x" * 2 * 1024 * 1024))
"""


@asynccontextmanager
async def running(data: Path | BrokerConfig, port: int = 0) -> AsyncIterator[EmbeddedKafka]:
    broker = EmbeddedKafka(data, port)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


async def create_topic(bootstrap: str, replication: int = 1) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        configs = {"max.message.bytes": str(MAX_RECORD_BYTES + 1024)}
        await admin.create_topics([NewTopic(TOPIC, 1, replication, topic_configs=configs)])
    finally:
        await admin.close()


async def append(bootstrap: str, value: bytes) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, max_request_size=2 * MAX_RECORD_BYTES
    ) as producer:
        await producer.send_and_wait(TOPIC, value)


async def read(bootstrap: str, count: int) -> list[bytes]:
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, max_partition_fetch_bytes=MAX_RECORD_BYTES) as consumer:
        consumer.assign([TopicPartition(TOPIC, 0)])
        await consumer.seek_to_beginning()
        return [(await asyncio.wait_for(consumer.getone(), 20)).value for _ in range(count)]


@contextmanager
def command(data: Path, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """`rosterbook kafka` in a process of its own, killed at the latest when the test is done with it."""
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        env={**os.environ, "ROSTERBOOK_DATA": str(data), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def address_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Kafka answers at "):
            return line.split()[-1]
    raise AssertionError(process.communicate()[1])


async def test_data_and_address_survive_a_stop_and_the_killing_of_the_broker(tmp_path: Path) -> None:
    large = b"x" * MAX_RECORD_BYTES
    async with running(tmp_path) as broker:
        address = broker.bootstrap
        assert running_broker(tmp_path) == address
        assert psutil.Process(broker.pid).net_connections("inet")
        assert {c.laddr.ip.removeprefix("::ffff:") for c in psutil.Process(broker.pid).net_connections("inet")} == {
            "127.0.0.1"
        }
        await create_topic(address)
        await append(address, b"first")
        await append(address, large)
    assert running_broker(tmp_path) is None

    async with running(tmp_path) as broker:
        assert broker.bootstrap == address
        assert await read(address, 2) == [b"first", large]
        await append(address, b"third")
        os.kill(broker.pid, signal.SIGKILL)
        assert await broker.wait() == -signal.SIGKILL
        assert "ended by signal 9" in broker.reason()
        assert running_broker(tmp_path) is None

    async with running(tmp_path) as broker:
        assert broker.bootstrap == address
        assert await read(address, 3) == [b"first", large, b"third"]


async def test_second_start_is_refused_while_the_first_lives_and_waits_while_it_ends(tmp_path: Path) -> None:
    async with running(tmp_path) as first:
        second = EmbeddedKafka(tmp_path)
        with pytest.raises(BrokerFailed, match=f"is in use by process {os.getpid()}"):
            await second.start()
        await second.stop()
        assert running_broker(tmp_path) == first.bootstrap

        first.mark_ending()
        start = asyncio.create_task(second.start())
        await first.stop()
        await start
        assert running_broker(tmp_path) == second.bootstrap
        await second.stop()


async def test_taken_port_is_refused_when_asked_for_and_left_alone_when_not(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port: int = taken.getsockname()[1]
        with pytest.raises(ActionNeeded, match=f"Port {port} is taken"):
            await EmbeddedKafka(tmp_path, port).start()
        (tmp_path / "kafka" / "ports").write_text(f"{port} {port}\n")  # as if it had been this broker's
        async with running(tmp_path) as broker:
            assert broker.bootstrap != f"127.0.0.1:{port}"


async def test_start_without_what_is_made_ahead_of_time(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    class_path(cache_folder())
    cache.mkdir()
    (cache / "jars").symlink_to(cache_folder() / "jars")
    broker = EmbeddedKafka(tmp_path, cache=cache)
    await broker.start()
    await broker.stop()
    assert (tmp_path / "kafka" / "log" / "bootstrap.checkpoint").exists()


async def test_broker_that_may_write_no_more_says_so_when_it_ends(tmp_path: Path) -> None:
    async with running(tmp_path) as broker:
        await create_topic(broker.bootstrap)
        await append(broker.bootstrap, b"fits")
        resource.prlimit(broker.pid, resource.RLIMIT_FSIZE, (1024 * 1024, 1024 * 1024))
        producer = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            APPEND_LARGE,
            broker.bootstrap,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
        )
        try:
            assert await asyncio.wait_for(broker.wait(), 30) != 0
        finally:
            producer.kill()  # it would try for ever
            await producer.wait()
        assert "file-size limit" in broker.reason()


def test_start_on_a_full_disk_fails_with_a_sentence(tmp_path: Path) -> None:
    with command(tmp_path) as process:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1024 * 1024, 1024 * 1024))
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.strip().endswith("raise the file-size limit (ulimit -f) and start again.")
    assert "Traceback" not in errors


async def test_broker_ends_with_its_parent_and_the_next_one_starts(tmp_path: Path) -> None:
    with command(tmp_path) as process:
        address = address_of(process)
        (java,) = psutil.Process(process.pid).children()
        process.kill()
        assert java not in psutil.wait_procs([java], timeout=5)[1]
    assert running_broker(tmp_path) is None
    async with running(tmp_path) as broker:
        assert broker.bootstrap == address


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_command_starts_without_a_registry_or_jgo_and_ends_when_told(tmp_path: Path, sig: signal.Signals) -> None:
    class_path(cache_folder())
    config = tmp_path / "jgo.conf"
    config.write_text("[repositories]\ncentral = http://127.0.0.1:1\n")
    with command(tmp_path, JGO_CONFIG_FILE=str(config)) as process:
        assert address_of(process) == running_broker(tmp_path)
        (java,) = psutil.Process(process.pid).children()
        process.send_signal(sig)
        output, errors = process.communicate(timeout=STOP_S + 7)  # Python ends too, on a busy machine
    assert process.returncode == 0, errors
    assert output.strip().endswith("False")
    assert not java.is_running()
    assert running_broker(tmp_path) is None


def test_prepared_cache_is_prepared_at_once(tmp_path: Path) -> None:
    with command(tmp_path, "--prepare") as process:
        _, errors = process.communicate(timeout=150)
    assert process.returncode == 0, errors
    assert not list(tmp_path.iterdir())
    with command(tmp_path, "--prepare") as process:
        output, _ = process.communicate(timeout=20)
    assert output == "False\n"


async def test_three_brokers_make_a_cluster_that_survives_one(tmp_path: Path) -> None:
    voters = tuple((node, quiet_port()) for node in (1, 2, 3))
    cluster = new_id()
    brokers = [
        EmbeddedKafka(
            BrokerConfig(
                tmp_path / str(node),
                controller_port=port,
                node_id=node,
                voters=voters,
                replication=3,
                cluster_id=cluster,
            )
        )
        for node, port in voters
    ]
    try:
        await asyncio.gather(*(broker.start() for broker in brokers))
        bootstrap = ",".join(broker.bootstrap for broker in brokers)
        await create_topic(bootstrap, replication=3)
        await append(bootstrap, b"first")
        os.kill(brokers[0].pid, signal.SIGKILL)
        await brokers[0].wait()
        await asyncio.wait_for(append(bootstrap, b"second"), 60)
        assert await read(bootstrap, 2) == [b"first", b"second"]
    finally:
        await asyncio.gather(*(broker.stop() for broker in brokers))


def test_shared_broker_of_the_tests_answers(kafka: str) -> None:
    host, _, port = kafka.partition(":")
    socket.create_connection((host, int(port)), timeout=5).close()
