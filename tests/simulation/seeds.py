"""The seeds of `make test`: each kind of fault alone with the changes, and all of them together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tests.simulation.script import FaultKind
from tests.simulation.tally import Tally, result_of

CHANGES = 400


def assert_kept(seeds: Iterable[int], faults: Mapping[FaultKind, int]) -> None:
    """Every promise is kept in these seeds, and each of these kinds of fault happened."""
    tally = Tally()
    for seed in seeds:
        result = result_of(seed, CHANGES, faults)
        assert result.violations == (), f"make simulate SEEDS=1 FIRST={seed} CHANGES={CHANGES}"
        tally.add(result)
    assert tally.changes == CHANGES * len(tally.seeds)
    assert all(tally.faults[kind] for kind in faults)
