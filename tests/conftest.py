"""Fixtures that every test may ask for."""

from __future__ import annotations

from tests.kafka_broker import kafka

__all__ = ["kafka"]
