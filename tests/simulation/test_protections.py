"""Without any one of the protections the simulation reports what goes wrong, and with it the same seed goes well."""

from __future__ import annotations

import pytest

from tests.simulation.proofs import PROOFS, SEEDS
from tests.simulation.protections import PROTECTIONS, Patch
from tests.simulation.tally import violations_of


def test_each_protection_has_a_proof() -> None:
    assert set(PROOFS) == set(PROTECTIONS)


@pytest.mark.parametrize("protection", PROTECTIONS, ids=lambda protection: protection.__name__)
def test_without_it_something_goes_wrong(protection: Patch) -> None:
    proof = PROOFS[protection]
    for seed in range(proof.first, proof.first + SEEDS):
        with pytest.MonkeyPatch.context() as patch:
            protection(patch)
            violations, _ = violations_of(proof.script(seed))
        if violations:
            assert violations_of(proof.script(seed))[0] == ()
            return
    pytest.fail(f"{SEEDS} seeds went well without it")
