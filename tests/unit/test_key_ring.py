"""The key ring: a new key seals and the old ones open; a file is followed, changed whole and never written over."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import structlog

from stream.errors import VaultLocked
from stream.records import ConnectionId
from stream.settings import Settings
from stream.telemetry import Masked
from stream.vault import Vault, load_vault
from stream.vault.key_ring import new_ring, parse, with_new_key, without
from stream.vault.keyfile import ring_file

ACME = ConnectionId("acme")
SECRET = Masked("1000.8f3a-refresh-token")


def seal(vault: Vault) -> str:
    """The id of the key that seals now."""
    return vault.seal(SECRET, connection=ACME, purpose="zoho.refresh_token").key


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A data folder with a key file."""
    load_vault(Settings(data=tmp_path), create=True)
    return Settings(data=tmp_path)


def test_a_new_key_seals_and_the_older_ones_still_open() -> None:
    first = new_ring()
    old = Vault(first, source="old")
    sealed = old.seal(SECRET, connection=ACME, purpose="zoho.refresh_token")
    both = Vault(with_new_key(first), source="both")
    assert both.key_ids > old.key_ids
    assert both.newest == seal(both) not in old.key_ids
    assert both.open(sealed, connection=ACME, purpose="zoho.refresh_token").reveal == SECRET.reveal


def test_a_key_is_taken_out_but_never_the_newest() -> None:
    ring = with_new_key(with_new_key(new_ring()))
    keys = parse(ring, "it")
    left = parse(without(ring, keys.held), "it")
    assert left.held == {left.newest} == {keys.newest}
    assert parse(without(ring, ()), "it").held == keys.held


def test_what_a_lost_key_sealed_is_told_from_what_needs_another_ring() -> None:
    gone = Vault(new_ring(), source="gone")
    sealed = gone.seal(SECRET, connection=ACME, purpose="zoho.refresh_token")
    vault = Vault(with_new_key(new_ring(lost=gone.key_ids)), source="new")
    assert vault.lost_ids == gone.key_ids
    assert not vault.key_ids & gone.key_ids
    with pytest.raises(VaultLocked, match="which is lost: add the connection again"):
        vault.open(sealed, connection=ACME, purpose="zoho.refresh_token")
    assert parse(without(new_ring(lost=gone.key_ids), gone.key_ids), "it").lost == frozenset()


def test_a_running_process_follows_the_file_for_what_it_opens_and_what_it_seals(settings: Settings) -> None:
    running = load_vault(settings)
    first = seal(running)
    ring_file(settings).change(with_new_key)
    beside = load_vault(settings)
    sealed = beside.seal(SECRET, connection=ACME, purpose="zoho.client_id")
    assert sealed.key != first
    assert running.open(sealed, connection=ACME, purpose="zoho.client_id").reveal == SECRET.reveal
    ring_file(settings).change(with_new_key)
    assert seal(running) == load_vault(settings).newest
    assert len(running.key_ids) == 3


@pytest.mark.parametrize("harm", ["garbled", "open to others", "gone"])
def test_a_file_that_goes_bad_leaves_a_running_process_its_keys_and_is_logged_once(
    settings: Settings, harm: str
) -> None:
    vault, file = load_vault(settings), ring_file(settings).path
    before = seal(vault)
    match harm:
        case "garbled":
            file.write_text("no keys at all")
        case "open to others":
            file.chmod(0o644)
        case _:
            file.unlink()
    with structlog.testing.capture_logs() as said:
        assert seal(vault) == before
        assert seal(vault) == before
    assert [line["event"] for line in said] == ["vault.keys_not_read"]


def test_a_changed_file_keeps_its_mode_and_leaves_nothing_beside_it(settings: Settings) -> None:
    file = ring_file(settings)
    file.path.chmod(0o400)
    text = file.change(with_new_key)
    assert file.path.read_text() == text
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o400
    assert [entry.name for entry in settings.data.iterdir()] == ["vault.json"]


def test_a_change_that_fails_leaves_the_file_as_it_was(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    file = ring_file(settings)
    before = file.path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VaultLocked, match=r"cannot be changed \(No space left on device\)"):
        file.change(with_new_key)
    assert file.path.read_bytes() == before
    assert [entry.name for entry in settings.data.iterdir()] == ["vault.json"]


def test_a_file_behind_a_link_is_changed_where_it_lies(tmp_path: Path) -> None:
    load_vault(Settings(data=tmp_path / "real"), create=True)
    link = tmp_path / "keys.json"
    link.symlink_to(tmp_path / "real" / "vault.json")
    named = Settings(data=tmp_path, vault_key_file=link)
    ring_file(named).change(with_new_key)
    assert link.is_symlink()
    assert len(load_vault(named).key_ids) == 2


def test_of_changes_at_once_none_is_lost(settings: Settings) -> None:
    together = Barrier(4)

    def add(_: int) -> str:
        together.wait(timeout=30)
        return parse(ring_file(settings).change(with_new_key), "it").newest

    with ThreadPoolExecutor(4) as pool:
        added = set(pool.map(add, range(4)))
    assert len(added) == 4
    assert load_vault(settings).key_ids >= added
