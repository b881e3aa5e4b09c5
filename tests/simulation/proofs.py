"""For each protection the trouble against which it stands, and a seed from which on a run fails without it soon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.simulation import protections
from tests.simulation.protections import Patch
from tests.simulation.script import FaultKind, Script, drawn
from tests.simulation.vendors import TROUBLES, Trouble

CHANGES = 200
SEEDS = 40
"""Seeds that are tried at most: what goes wrong without a protection goes wrong only sometimes."""


@dataclass(frozen=True)
class Proof:
    faults: Mapping[FaultKind, int]
    troubles: tuple[Trouble, ...] = TROUBLES
    first: int = 1

    def script(self, seed: int) -> Script:
        return drawn(seed, CHANGES, self.faults, self.troubles)


LATE: tuple[Trouble, ...] = ("applied and lost", "applied late", "late answer")

PROOFS: Mapping[Patch, Proof] = {
    protections.no_settle_time: Proof({"vendor": 1}, ("applied late",)),
    protections.create_without_search: Proof({"vendor": 1}, ("applied and lost",), first=2),
    protections.older_readings_apply: Proof({"freeze": 1}, first=188),
    protections.no_catch_up_gate: Proof({"kill": 1}, first=3),
    protections.no_intent: Proof({"write": 1}, first=103),
    protections.rows_before_their_outputs: Proof({"log": 1}, first=325),
    protections.equal_rows_are_not_written_again: Proof({"kill": 2, "wipe": 2, "log": 1}, first=5),
    protections.ack_before_durable: Proof({"kill": 1}),
    protections.acks_before_rows_are_durable: Proof({"kill": 1, "wipe": 1, "log": 1}, first=17),
    protections.lanes_are_not_fenced: Proof({"hold": 1}, first=96),
    protections.lanes_stay_open_on_revocation: Proof({"freeze": 1, "vendor": 1}, LATE),
    protections.late_rows_of_former_owners_are_recovered: Proof({"freeze": 1}, first=275),
    protections.claims_hold_wherever_they_land: Proof({"freeze": 2, "kill": 1}, first=379),
    protections.calls_of_a_former_owner_are_not_reckoned_with: Proof({"kill": 1}, first=10),
}
