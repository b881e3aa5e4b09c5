"""Finds the vault keys, and makes them where a single machine has none.

In order: the text in ROSTERBOOK_VAULT_KEYS, the file that ROSTERBOOK_VAULT_KEY_FILE names, `vault.json` in the data
folder. Only the last is ever made by itself, once, by commands that run everything on one machine. A ring in a file is
read again when the file has changed; one in the environment stays what it was at the start.
"""

from __future__ import annotations

from stream.settings import Settings
from stream.telemetry import log
from stream.vault.key_ring import new_ring
from stream.vault.ring_file import RingFile
from stream.vault.vault import Vault

KEY_FILE = "vault.json"
VARIABLE = "ROSTERBOOK_VAULT_KEYS"

logger = log("vault")


def load_vault(settings: Settings, *, create: bool = False) -> Vault:
    """The vault that the settings point at. create: make the data folder's key file when it is missing.

    Raises VaultLocked when there are no keys, they cannot be read, others may read them, or they are garbled.
    """
    if settings.vault_keys is not None:
        return Vault(settings.vault_keys, source=VARIABLE)
    file = ring_file(settings)
    if create and settings.vault_key_file is None and not file.path.exists() and file.make(new_ring()):
        logger.info("vault.key_made", file=str(file.path))
    return Vault(file.read(), source=str(file.path), changed=file.changed)


def ring_file(settings: Settings) -> RingFile:
    """The file that the settings point at, there or not, where no variable holds the keys."""
    if settings.vault_key_file is not None:
        return RingFile(settings.vault_key_file, "put it there, or unset ROSTERBOOK_VAULT_KEY_FILE")
    return RingFile(
        settings.data / KEY_FILE,
        "set ROSTERBOOK_VAULT_KEY_FILE, or make one with `rosterbook vault init` or `rosterbook up`",
    )


def ring_text(settings: Settings) -> str:
    """The ring as it is, with the keys in clear. Raises VaultLocked as `load_vault` does."""
    return ring_file(settings).read() if settings.vault_keys is None else settings.vault_keys


def lacks_ring(settings: Settings) -> bool:
    """Whether `load_vault` would have to make the keys."""
    return settings.vault_keys is None and settings.vault_key_file is None and not (settings.data / KEY_FILE).exists()
