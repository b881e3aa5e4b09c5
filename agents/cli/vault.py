"""`rosterbook vault`: the keys that seal the stored secrets: make them, and see whether they open all there is."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import cyclopts
from cyclopts import Parameter

from agents.cli.console import print_error, print_json, print_table, say
from agents.cli.rotation import rotate
from stream.errors import SettingsError, UsageError


def register(app: cyclopts.App) -> None:
    """Add the group."""
    group = cyclopts.App(name="vault", help="The keys that seal the stored secrets.", version_flags=[])
    group.command(init)
    group.command(rotate)
    group.command(check)
    app.command(group)


async def init(*, lost: Annotated[list[str] | None, Parameter(negative=())] = None, json: bool = False) -> None:
    """Make the key file; one that is there is never written over.

    Parameters
    ----------
    lost
        A key that is lost for good: what it sealed is given up, and the connections are to be added again.
    json
        Print JSON.
    """
    from agents.cli.surroundings import command_settings
    from stream.vault.key_ring import ID, new_ring, parse
    from stream.vault.keyfile import ring_file

    settings, lost = command_settings(), lost or []
    if settings.vault_keys is not None:
        raise SettingsError("The vault keys come from ROSTERBOOK_VAULT_KEYS: unset it to have them in a file.")
    if wrong := [key for key in lost if not ID.fullmatch(key)]:
        raise UsageError(f"{wrong[0]!r} is no id of a vault key: it has 8 characters, of 0-9 and a-f.")
    file, ring = ring_file(settings), new_ring(lost)
    if not file.make(ring):
        raise UsageError(f"There is a key file {file.path}, which is never written over: move it away first.")
    newest = parse(ring, str(file.path)).newest
    if json:
        print_json({"file": file.path, "newest": newest, "lost": sorted(lost)})
    else:
        say(f"Vault key {newest} is in {file.path}: keep a copy of this file in a safe place.")


async def check(*, json: bool = False) -> int:
    """Try whether every stored secret of every connection opens; exit code 1 when one does not.

    Parameters
    ----------
    json
        Print JSON.
    """
    from agents.cli.surroundings import bootstrap_servers, command_settings
    from stream.kafka.scan import LogScan
    from stream.live_secrets import live_records
    from stream.vault import load_vault

    settings = command_settings()
    vault = load_vault(settings)
    live = await live_records(LogScan(bootstrap_servers(settings)))
    secrets = list(live.secrets(vault))
    problems = [*(secret.problem for secret in secrets if secret.problem is not None), *live.unreadable]
    uses = Counter(secret.key for secret in secrets)
    keys = [(key, key == vault.newest, uses[key]) for key in sorted(vault.key_ids)]
    if json:
        rows = [
            {"connection": one.connection, "secret": one.purpose, "key": one.key, "opens": one.problem is None}
            for one in secrets
        ]
        held = [{"key": key, "newest": newest, "secrets": count} for key, newest, count in keys]
        print_json({"keys": held, "secrets": rows, "problems": problems})
        return 1 if problems else 0
    if secrets:
        print_table(
            ["connection", "secret", "vault key", "opens"],
            [(one.connection, one.purpose, one.key, "yes" if one.problem is None else "no") for one in secrets],
        )
    print_table(
        ["vault key", "seals", "secrets"], [(key, "yes" if newest else "no", count) for key, newest, count in keys]
    )
    for problem in problems:
        print_error(problem)
    return 1 if problems else 0
