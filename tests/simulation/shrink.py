"""A script that fails, made shorter: entries are left out for as long as what is left still fails in the same way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.simulation.script import Script


def shrunk(script: Script, fails: Callable[[Script], bool], tries: int = 300) -> Script:
    """The shortest that is found: without any one of its entries it does not fail, unless the tries run out before.

    Half of the entries are left out at once, then a quarter, and so on down to single ones, which are tried until none
    of them can go.
    """
    size = max(1, len(script.entries) // 2)
    while script.entries:
        before = len(script.entries)
        at = 0
        while at < len(script.entries):
            if tries == 0:
                return script
            tries -= 1
            shorter = replace(script, entries=script.entries[:at] + script.entries[at + size :])
            if fails(shorter):
                script = shorter
            else:
                at += size
        if size == 1 and len(script.entries) == before:
            break
        size = max(1, size // 2)
    return script
