"""Fixtures that every test may ask for."""

from __future__ import annotations

from hypothesis import settings

from tests.kafka_broker import kafka

__all__ = ["kafka"]

settings.register_profile("beside others", deadline=None)  # an example waits for whatever else the machine does
settings.load_profile("beside others")
