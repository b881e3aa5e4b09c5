"""Fixtures of the tests that run the stream processor."""

from __future__ import annotations

from tests.integration.harness import bootstrap, broker

__all__ = ["bootstrap", "broker"]
