"""What is done to a run. Each family has a file; `FAULTS` is all of them, and `plan` draws from it."""

from __future__ import annotations

from tests.chaos.faults import answers, brokers, clocks, deliveries, membership, network, processes, records
from tests.chaos.faults.fault import Fault

FAULTS: tuple[Fault, ...] = (
    *processes.FAULTS,
    *brokers.FAULTS,
    *network.FAULTS,
    *answers.FAULTS,
    *deliveries.FAULTS,
    *records.FAULTS,
    *membership.FAULTS,
    *clocks.FAULTS,
)
KINDS = {fault.kind: fault for fault in FAULTS}
