"""`rosterbook vault rotate`: a new key, everything sealed anew with it, and the old keys taken away once nothing needs
them. The new key is on the disk before it is used, and an old one goes only after the log itself was looked at.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agents.cli.console import print_error, print_json, say
from stream.errors import RosterbookError, SettingsError, UsageError

if TYPE_CHECKING:
    from stream.live_secrets import LiveRecords
    from stream.settings import Settings
    from stream.vault import Vault

REST_S = 60.0
"""Seconds after which what was being sealed when the ring got its newest key is on the log, or never will be: an append
may take 5, and a command that saves settings 20 before that."""


async def rotate(
    *, retire: Annotated[bool, Parameter(negative=())] = False, to: Path | None = None, json: bool = False
) -> int:
    """Seal all stored secrets anew with a new key; the old keys stay, so that everything still opens.

    Parameters
    ----------
    retire
        Make no new key: seal anew what the newest did not seal, and take away the keys that nothing needs any more.
    to
        Write the changed keys to this new file and leave the present ones alone: for keys that come from a variable, or
        that several machines have copies of.
    json
        Print JSON.
    """
    from agents.cli.acceptance import refuse_other_vault
    from agents.cli.surroundings import bootstrap_servers, command_settings, worker_url
    from stream.vault import load_vault
    from stream.vault.key_ring import with_new_key
    from stream.vault.keyfile import ring_file, ring_text

    settings = command_settings()
    vault = load_vault(settings)
    if to is None and settings.vault_keys is not None:
        again = "rosterbook vault rotate --retire" if retire else "rosterbook vault rotate"
        raise SettingsError(
            f"The vault keys come from ROSTERBOOK_VAULT_KEYS, which no command can change: run `{again} --to FILE`, "
            "then give every process the text of that file instead."
        )
    if to is not None and not retire:
        _write(to, with_new_key(ring_text(settings)))
        _tell_of_file(to, json=json)
        return 0
    bootstrap = bootstrap_servers(settings)
    if not retire:
        ring_file(settings).change(with_new_key)
    await refuse_other_vault(vault.newest, worker_url(settings))
    live = await _sealed_anew(bootstrap, vault)
    problems, removed = _left(live, vault), list[str]()
    if retire and not problems:
        removed = sorted((vault.key_ids | vault.lost_ids) - live.keys - {vault.newest})
        if removed:
            _take_away(settings, removed, to)
    if json:
        print_json({"newest": vault.newest, "in_use": sorted(live.keys), "removed": removed, "problems": problems})
    elif not problems:
        say(_told(vault.newest, removed, to, retire=retire))
    for problem in problems:
        print_error(problem)
    return 1 if problems else 0


async def _sealed_anew(bootstrap: str, vault: Vault) -> LiveRecords:
    from agents.cli.surroundings import who
    from stream.clock import SystemClock
    from stream.kafka.event_log import EventLog
    from stream.resealing import Resealing

    log = EventLog(bootstrap)
    await log.start()
    try:
        return await Resealing(bootstrap, log, vault, SystemClock(), who()).run()
    finally:
        await log.stop()


def _left(live: LiveRecords, vault: Vault) -> list[str]:
    """What keeps an old key in use, a sentence each."""
    remedy = "see that a worker serves it, and run `rosterbook vault rotate --retire`."
    return [
        *live.unreadable,
        *(
            f"Connection {one.connection}: {one.purpose} is still sealed with vault key {one.key}: "
            f"{one.problem or remedy}"
            for one in live.secrets(vault)
            if one.key != vault.newest and one.key in vault.key_ids
        ),
    ]


def _take_away(settings: Settings, keys: list[str], to: Path | None) -> None:
    from stream.clock import SystemClock
    from stream.vault.key_ring import without
    from stream.vault.keyfile import ring_file, ring_text

    if settings.vault_keys is None:
        age = SystemClock().now().timestamp() - ring_file(settings).path.stat().st_mtime
        if age < REST_S:
            raise RosterbookError(
                "Everything is sealed with the newest key, which is so new that an older one may still be in use: run "
                f"this again in {REST_S - max(0.0, age):.0f} s."
            )
    if to is None:
        ring_file(settings).change(lambda text: without(text, keys))
    else:
        _write(to, without(ring_text(settings), keys))


def _write(to: Path, ring: str) -> None:
    from stream.vault.ring_file import RingFile

    if not RingFile(to, "").make(ring):
        raise UsageError(f"There is a file {to}, which is never written over: name a new one.")


def _tell_of_file(to: Path, *, json: bool) -> None:
    from stream.vault.key_ring import parse

    newest = parse(to.read_text(), str(to)).newest
    if json:
        print_json({"newest": newest, "file": to})
        return
    say(f"The keys, with {newest} as the newest, are in {to}; nothing else was changed.")
    say(
        "Give that file, or its text as ROSTERBOOK_VAULT_KEYS, to every gateway, worker and command instead of the old."
    )
    say("Start those again that have it from the variable. Then run `rosterbook vault rotate --retire`.")


def _told(newest: str, removed: list[str], to: Path | None, *, retire: bool) -> str:
    told = f"All stored secrets are sealed with vault key {newest}."
    if not retire:
        return f"{told} Keep a copy of the key file; `rosterbook vault rotate --retire` takes the old keys away."
    if not removed:
        return f"{told} There is no other key to take away."
    if to is not None:
        return f"{told} The keys without {', '.join(removed)} are in {to}: put them in place of the present ones."
    return f"{told} Taken away: {', '.join(removed)}."
