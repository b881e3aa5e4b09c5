"""Whether the keys that a process was given are those of its log. Told apart from one company's missing key, which is
that company's trouble alone: with keys of another log nothing works, and whatever is sealed makes it worse.
"""

from __future__ import annotations

from collections.abc import Iterable

from stream.errors import VaultLocked
from stream.records import AnyRecord, Connection
from stream.vault.places import keys_of
from stream.vault.vault import Vault

SHOWN = 3


def refuse_other_keys(records: Iterable[AnyRecord], vault: Vault) -> None:
    """Raise VaultLocked when the log has connections and this vault opens the secrets of none. records: settings."""
    needed = [keys_of(record) for record in records if isinstance(record, Connection)]
    known = vault.key_ids | vault.lost_ids
    if needed and not any(keys & known for keys in needed):
        missing = sorted(frozenset().union(*needed))
        raise VaultLocked(
            f"{_count(len(needed))} on the log, but {vault.source} opens the secrets of none: {_remedy(missing)}."
        )


def refuse_loss(records: Iterable[AnyRecord], place: str) -> None:
    """Raise VaultLocked when the log has connections although there are no keys at all. place: where they belong."""
    needed = [keys_of(record) for record in records if isinstance(record, Connection)]
    if needed:
        missing = sorted(frozenset().union(*needed))
        raise VaultLocked(f"{_count(len(needed))} on the log, but there is no key file {place}: {_remedy(missing)}.")


def _count(connections: int) -> str:
    return "There is 1 connection" if connections == 1 else f"There are {connections} connections"


def _remedy(missing: list[str]) -> str:
    named = ", ".join(missing[:SHOWN]) + (f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else "")
    lost = " ".join(f"--lost {key}" for key in missing)
    return (
        f"put back the file with vault key {named}, or point ROSTERBOOK_VAULT_KEY_FILE at it; only if that is lost for "
        f"good, run `rosterbook vault init {lost}`, which makes a new one where there is none, and add every "
        "connection again"
    )
