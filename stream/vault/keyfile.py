"""Finds the vault keys, and makes them where a single machine has none.

In order: the text in ROSTERBOOK_VAULT_KEYS, the file that ROSTERBOOK_VAULT_KEY_FILE names, `vault.json` in the data
folder. Only the last is ever made, once, by commands that run everything on one machine; a key file is never
overwritten, since every secret in the log depends on it.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from stream.errors import VaultLocked
from stream.settings import Settings
from stream.telemetry import log
from stream.vault.vault import Vault, new_keyset

KEY_FILE = "vault.json"
OTHERS = stat.S_IRWXG | stat.S_IRWXO

logger = log("vault")


def load_vault(settings: Settings, *, create: bool = False) -> Vault:
    """The vault that the settings point at. create: make the data folder's key file when it is missing.

    Raises VaultLocked when there are no keys, they cannot be read, others may read them, or they are garbled.
    """
    if settings.vault_keys is not None:
        return Vault(settings.vault_keys, source="ROSTERBOOK_VAULT_KEYS")
    if settings.vault_key_file is not None:
        path, missing = settings.vault_key_file, "put it there, or unset ROSTERBOOK_VAULT_KEY_FILE"
    else:
        path, missing = settings.data / KEY_FILE, "set ROSTERBOOK_VAULT_KEY_FILE, or let `rosterbook up` make one"
        if create and not path.exists():
            _make(path)
    return Vault(_read(path, missing), source=str(path))


def _read(path: Path, missing: str) -> str:
    try:
        with path.open(encoding="ascii") as file:
            if os.fstat(file.fileno()).st_mode & OTHERS:
                raise VaultLocked(f"The vault key file {path} is open to other users: run `chmod 600 {path}`.")
            return file.read()
    except FileNotFoundError:
        raise VaultLocked(f"There is no vault key file {path}: {missing}.") from None
    except OSError as error:
        raise VaultLocked(f"The vault key file {path} cannot be read ({error.strerror}): make it readable.") from None
    except UnicodeDecodeError:
        raise VaultLocked(f"{path} does not hold vault keys: put back the file that Rosterbook made.") from None


def _make(path: Path) -> None:
    """Write a new key to a file beside and link it into place: whole or absent, and the first of two makers wins."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(new_keyset())
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                path.hardlink_to(part)
                logger.info("vault.key_made", file=str(path))
        finally:
            part.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise VaultLocked(
            f"No vault key file can be made in {path.parent} ({error.strerror}): make the folder writable."
        ) from None
