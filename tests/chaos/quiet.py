"""What the sandboxes and Kafka's client log in the run's own process is only said when it is an error of ours."""

from __future__ import annotations

import logging
import sys

import structlog


def quiet() -> None:
    """Brokers come and go here: what a client says about that is no news. Standard output is for results alone."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
