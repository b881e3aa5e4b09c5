"""What a broker of ours is told: the server properties as a pure function of a frozen `BrokerConfig`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stream.topics import MAX_RECORD_BYTES

HOST = "127.0.0.1"
BATCH_OVERHEAD = 64 * 1024
"""Bytes that a batch may add to the largest record."""
LOG_DIR = "log"
"""Relative to the folder, where the broker is started: a path may hold what a property may not."""
TEN_YEARS_MIN = 10 * 365 * 24 * 60


@dataclass(frozen=True)
class BrokerConfig:
    """A combined node (broker and controller) on loopback.

    folder: everything of this node. port, controller_port: 0 = a free one, chosen at start.
    voters: (node id, controller port) of every node of a cluster; empty = this one alone.
    replication: copies of Kafka's own topics, and the default of others. cluster_id: one for all nodes of a cluster;
    None = a new one at the first start.
    """

    folder: Path
    port: int = 0
    controller_port: int = 0
    node_id: int = 1
    voters: tuple[tuple[int, int], ...] = ()
    replication: int = 1
    cluster_id: str | None = None

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def log_dir(self) -> Path:
        return self.folder / LOG_DIR


def server_properties(config: BrokerConfig) -> str:
    """The text of server.properties. Sizes suit one company's machine: half the memory of Kafka's defaults."""
    voters = config.voters or ((config.node_id, config.controller_port),)
    min_insync = max(1, config.replication - 1)
    largest = MAX_RECORD_BYTES + BATCH_OVERHEAD
    entries: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": config.node_id,
        "controller.quorum.voters": ",".join(f"{node}@{HOST}:{port}" for node, port in voters),
        "listeners": f"PLAINTEXT://{config.bootstrap},CONTROLLER://{HOST}:{config.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{config.bootstrap}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": LOG_DIR,
        # nothing appears or disappears by itself
        "auto.create.topics.enable": "false",
        "unclean.leader.election.enable": "false",
        "log.retention.ms": -1,
        "offsets.retention.minutes": TEN_YEARS_MIN,
        # copies
        "default.replication.factor": config.replication,
        "min.insync.replicas": min_insync,
        "offsets.topic.replication.factor": config.replication,
        "transaction.state.log.replication.factor": config.replication,
        "transaction.state.log.min.isr": min_insync,
        "share.coordinator.state.topic.replication.factor": config.replication,
        "share.coordinator.state.topic.min.isr": min_insync,
        # sizes
        "message.max.bytes": largest,
        "replica.fetch.max.bytes": largest,
        "socket.request.max.bytes": 8 * largest,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.num.partitions": 4,
        "log.cleaner.dedupe.buffer.size": 4 * 1024 * 1024,  # the default is an array of 128 MB
        "num.network.threads": 2,
        "num.io.threads": 4,
        # a broker that was killed is taken back when its session ends: 9 s by default, at each such start
        "broker.heartbeat.interval.ms": 500,
        "broker.session.timeout.ms": 3000,
        # groups
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1000,
    }
    return "".join(f"{key}={value}\n" for key, value in entries.items())


LOG4J_PROPERTIES = """\
status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = ${sys:rosterbook.log}
appender.file.filePattern = ${sys:rosterbook.log}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{ISO8601_OFFSET_DATE_TIME_HHCMM} %p %c{1} %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
logger.config.name = org.apache.kafka.common.config.AbstractConfig
logger.config.level = warn
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
"""
"""The broker's log, kept to some 30 MB; without the list of all settings, which each start would repeat."""
