"""Secrets at rest: `Vault` seals and opens them, `load_vault` finds the keys, which nothing else sees."""

from stream.vault.keyfile import load_vault
from stream.vault.vault import Purpose, Vault

__all__ = ["Purpose", "Vault", "load_vault"]
