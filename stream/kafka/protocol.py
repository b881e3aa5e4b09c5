"""Kafka requests that aiokafka lacks: topic ids (Metadata v10) and incremental changes of a topic's configuration."""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Array,
    Boolean,
    CompactArray,
    CompactString,
    Int8,
    Int16,
    Int32,
    Int64,
    Schema,
    String,
    TaggedFields,
)

_TEXT = String("utf-8")
_COMPACT = CompactString("utf-8")


class MetadataResponse_v10(Response):  # type: ignore[misc]  # aiokafka is untyped
    """Topics with their ids: a 128-bit number in two halves, since aiokafka has no type for it."""

    API_KEY, API_VERSION = 3, 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(("node", Int32), ("host", _COMPACT), ("port", Int32), ("rack", _COMPACT), ("t", TaggedFields)),
        ),
        ("cluster_id", _COMPACT),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", _COMPACT),
                ("id_high", Int64),
                ("id_low", Int64),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("t", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("t", TaggedFields),
            ),
        ),
        ("cluster_authorized_operations", Int32),
        ("t", TaggedFields),
    )


class MetadataRequest_v10(RequestStruct):  # type: ignore[misc]
    """An empty id asks by name."""

    FLEXIBLE_VERSION = True
    API_KEY, API_VERSION, RESPONSE_TYPE = 3, 10, MetadataResponse_v10
    SCHEMA = Schema(
        ("topics", CompactArray(("id_high", Int64), ("id_low", Int64), ("name", _COMPACT), ("t", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("t", TaggedFields),
    )


class TopicMetadata(Request[MetadataRequest_v10]):  # type: ignore[misc]
    """Ask for topics by name."""

    API_KEY = 3

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def build(self, request_struct_class: Any) -> Any:
        return request_struct_class([(0, 0, name, {}) for name in self._names], False, False, False, {})


class IncrementalAlterConfigsResponse_v0(Response):  # type: ignore[misc]
    API_KEY, API_VERSION = 44, 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "responses",
            Array(("error_code", Int16), ("error_message", _TEXT), ("resource_type", Int8), ("resource_name", _TEXT)),
        ),
    )


class IncrementalAlterConfigsRequest_v0(RequestStruct):  # type: ignore[misc]
    API_KEY, API_VERSION, RESPONSE_TYPE = 44, 0, IncrementalAlterConfigsResponse_v0
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", _TEXT),
                ("configs", Array(("name", _TEXT), ("operation", Int8), ("value", _TEXT))),
            ),
        ),
        ("validate_only", Boolean),
    )


class SetTopicConfigs(Request[IncrementalAlterConfigsRequest_v0]):  # type: ignore[misc]
    """Set single entries and leave the others. (aiokafka's alter_configs replaces all: it would undo compaction.)"""

    API_KEY = 44
    TOPIC, SET = 2, 0

    def __init__(self, configs: dict[str, dict[str, str]]) -> None:
        self._configs = configs

    def build(self, request_struct_class: Any) -> Any:
        resources = [
            (self.TOPIC, topic, [(name, self.SET, value) for name, value in entries.items()])
            for topic, entries in self._configs.items()
        ]
        return request_struct_class(resources, False)


def topic_id(high: int, low: int) -> str:
    """A topic's id, of the two halves in which an answer has it: 32 hex characters."""
    return uuid.UUID(int=((high % 2**64) << 64) | (low % 2**64)).hex


async def ask_any(client: AIOKafkaClient, request: Request) -> Any:
    """The answer of the first broker that gives one; None when none does."""
    for broker in client.cluster.brokers():
        with suppress(KafkaError):
            return await client.send(broker.nodeId, request)
    return None
