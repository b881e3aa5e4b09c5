"""Everything the embedded broker needs, made once: jars fetched and verified, and what halves each later start.

Afterwards a broker starts without the network. Repeating it costs next to nothing.
"""

from __future__ import annotations

import asyncio
import fcntl
import shutil
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from stream.errors import BrokerFailed
from stream.kafka.embedded import EmbeddedKafka
from stream.kafka.jars import AGAIN, Report, class_path_soon
from stream.kafka.java import ahead_of_time, aot_cache, bootstrap_checkpoint
from stream.telemetry import log

logger = log("kafka")

WRITE_OUT_S = 120.0
"""How long Java may take to write its cache when the rehearsal ends; 10 s on an idle machine."""
POLL_S = 0.1


async def prepare(cache: Path, report: Report) -> None:
    """Fill `cache`. `report` is called from another thread while jars are fetched. Raises BrokerFailed.

    May be ended at any moment, and run by several processes at once.
    """
    jars = await class_path_soon(cache, report)
    made = ahead_of_time(cache, jars)
    try:
        with (cache / "prepare.lock").open("w") as file:
            while not _locked(file.fileno()):
                await asyncio.sleep(POLL_S)
            if not made.exists():
                report("ahead of time", 0, 1)
                await _make(cache, made)
            report("ahead of time", 1, 1)
    except KafkaError as error:
        raise BrokerFailed(f"The broker did not answer in the rehearsal: run {AGAIN} again.") from error
    except OSError as error:
        raise BrokerFailed(
            f"The cache {cache} cannot be written ({error.strerror}): make room or make it writable."
        ) from error


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _make(cache: Path, made: Path) -> None:
    rehearsal, part = cache / "rehearsal", made.with_suffix(".part")
    for left_over in (rehearsal, part):
        shutil.rmtree(left_over, ignore_errors=True)
    part.mkdir(parents=True)
    rehearsal.mkdir()
    broker = EmbeddedKafka(rehearsal, cache=cache, java_flags=(f"-XX:AOTCacheOutput={aot_cache(part)}",))
    await broker.start(WRITE_OUT_S)
    try:
        await _rehearse(broker.bootstrap)
    finally:
        await broker.stop(WRITE_OUT_S)
    shutil.copyfile(rehearsal / "kafka" / "log" / "bootstrap.checkpoint", bootstrap_checkpoint(part))
    if not aot_cache(part).exists():
        raise BrokerFailed(f"Java wrote no cache: {rehearsal / 'kafka' / 'broker.log'} says why.")
    part.rename(made)
    shutil.rmtree(rehearsal)
    logger.info("kafka.prepared", bytes=aot_cache(made).stat().st_size)


async def _rehearse(bootstrap: str) -> None:
    """Do what the product does with a broker, so that Java meets the classes for it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic("rehearsal", 1, 1, topic_configs={"cleanup.policy": "compact"})])
    finally:
        await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, acks="all") as producer:
        await producer.send_and_wait("rehearsal", b"value", b"key")
    async with AIOKafkaConsumer("rehearsal", bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        await consumer.getone()
