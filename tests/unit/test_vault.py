"""The vault: secrets open only with their key and in their place, and a key file is made once, for its owner alone."""

from __future__ import annotations

import base64
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from stream.errors import VaultLocked
from stream.records import ConnectionId, Sealed
from stream.settings import Settings
from stream.telemetry import Masked
from stream.vault import Vault, load_vault
from stream.vault.vault import new_keyset

ACME, GLOBEX = ConnectionId("acme"), ConnectionId("globex")
SECRET = Masked("1000.refresh-of-acmé")


@pytest.fixture(scope="module")
def keys() -> str:
    return new_keyset()


@pytest.fixture
def vault(keys: str) -> Vault:
    return Vault(keys, source="the test's keys")


def settings(folder: Path, **given: object) -> Settings:
    return Settings(data=folder, **given)  # type: ignore[arg-type]  # any field of Settings


def names_in(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def test_what_is_sealed_opens_again_in_its_place(vault: Vault) -> None:
    sealed = vault.seal(SECRET, connection=ACME, purpose="zoho.refresh_token")
    assert vault.open(sealed, connection=ACME, purpose="zoho.refresh_token").reveal == SECRET.reveal
    assert sealed.key in vault.key_ids
    assert SECRET.reveal.encode() not in base64.b64decode(sealed.box)


def test_sealing_twice_does_not_show_that_two_secrets_are_equal(vault: Vault) -> None:
    first, second = (vault.seal(SECRET, connection=ACME, purpose="zoho.client_id") for _ in range(2))
    assert first.box != second.box


@pytest.mark.parametrize(
    ("connection", "purpose"), [(GLOBEX, "zoho.client_secret"), (ACME, "zoho.client_id"), (ACME, "bamboohr.api_key")]
)
def test_a_secret_moved_to_another_place_does_not_open(vault: Vault, connection: ConnectionId, purpose: str) -> None:
    sealed = vault.seal(SECRET, connection=ACME, purpose="zoho.client_secret")
    with pytest.raises(VaultLocked, match="another place: add the connection again"):
        vault.open(sealed, connection=connection, purpose=purpose)  # type: ignore[arg-type]  # one of the purposes


def test_no_two_places_read_alike_whatever_the_ids_hold(vault: Vault) -> None:
    sealed = vault.seal(SECRET, connection=ConnectionId('a","zoho.client_id'), purpose="zoho.client_id")
    with pytest.raises(VaultLocked):
        vault.open(sealed, connection=ConnectionId("a"), purpose="zoho.client_id")


@pytest.mark.parametrize("at", [0, 3, 5, 20, -1])
def test_an_altered_box_does_not_open(vault: Vault, at: int) -> None:
    sealed = vault.seal(SECRET, connection=ACME, purpose="zoho.client_id")
    box = bytearray(base64.b64decode(sealed.box))
    box[at] ^= 1
    altered = Sealed(key=sealed.key, box=base64.b64encode(box).decode())
    with pytest.raises(VaultLocked, match="altered"):
        vault.open(altered, connection=ACME, purpose="zoho.client_id")


@pytest.mark.parametrize("box", ["", "not base64!", "AAAA"])
def test_a_box_that_is_none_does_not_open(vault: Vault, box: str) -> None:
    (key,) = vault.key_ids
    with pytest.raises(VaultLocked, match="altered"):
        vault.open(Sealed(key=key, box=box), connection=ACME, purpose="zoho.client_id")


def test_a_missing_key_is_named_with_where_to_put_it(vault: Vault) -> None:
    sealed = vault.seal(SECRET, connection=ACME, purpose="zoho.client_id")
    other = Vault(new_keyset(), source="/keys/other.json")
    with pytest.raises(VaultLocked) as locked:
        other.open(sealed, connection=ACME, purpose="zoho.client_id")
    assert sealed.key in locked.value.message
    assert "/keys/other.json" in locked.value.message
    assert "ROSTERBOOK_VAULT_KEY_FILE" in locked.value.message
    assert locked.value.context == {"connection": "acme"}


def test_a_keyset_with_a_newer_key_still_opens_what_the_older_sealed(keys: str, vault: Vault) -> None:
    ring, newer = json.loads(keys), json.loads(new_keyset())
    ring["key"] += newer["key"]
    ring["primaryKeyId"] = newer["primaryKeyId"]
    both = Vault(json.dumps(ring), source="both")
    old = vault.seal(SECRET, connection=ACME, purpose="zoho.client_id")
    new = both.seal(SECRET, connection=ACME, purpose="zoho.client_id")
    assert both.open(old, connection=ACME, purpose="zoho.client_id").reveal == SECRET.reveal
    assert new.key != old.key
    assert new.key == f"{newer['primaryKeyId']:08x}"


@pytest.mark.parametrize(
    "text", ["", "{}", "nonsense", "[]", '{"primaryKeyId": 1, "key": []}', '{"key": "top-secret"}']
)
def test_garbled_keys_are_refused_without_quoting_them(text: str) -> None:
    with pytest.raises(VaultLocked, match="does not hold vault keys") as locked:
        Vault(text, source="ROSTERBOOK_VAULT_KEYS")
    assert "top-secret" not in locked.value.message


def test_keys_without_an_id_are_refused(keys: str) -> None:
    raw = json.loads(keys)
    raw["key"][0]["outputPrefixType"] = "RAW"
    with pytest.raises(VaultLocked, match="without an id"):
        Vault(json.dumps(raw), source="the file")


def test_the_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "deep"
    first = load_vault(settings(folder), create=True)
    file = folder / "vault.json"
    before = file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_vault(settings(folder), create=True).key_ids == first.key_ids
    assert load_vault(settings(folder)).key_ids == first.key_ids
    assert file.read_bytes() == before
    assert names_in(folder) == ["vault.json"]


def test_two_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    together = Barrier(8)

    def start(_: int) -> frozenset[str]:
        together.wait(timeout=30)
        return load_vault(settings(tmp_path), create=True).key_ids

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(start, range(8)))) == 1
    assert names_in(tmp_path) == ["vault.json"]


def test_without_leave_to_make_one_a_missing_key_file_says_who_makes_it(tmp_path: Path) -> None:
    with pytest.raises(VaultLocked, match="set ROSTERBOOK_VAULT_KEY_FILE, or make one with"):
        load_vault(settings(tmp_path))
    assert names_in(tmp_path) == []


def test_a_named_key_file_that_is_missing_is_never_made(tmp_path: Path) -> None:
    named = tmp_path / "mounted" / "keys.json"
    with pytest.raises(VaultLocked, match="unset ROSTERBOOK_VAULT_KEY_FILE"):
        load_vault(settings(tmp_path, vault_key_file=named), create=True)
    assert names_in(tmp_path) == []


def test_a_key_file_open_to_others_is_refused_with_the_command_that_closes_it(tmp_path: Path, keys: str) -> None:
    file = tmp_path / "vault.json"
    file.write_text(keys)
    file.chmod(0o640)
    with pytest.raises(VaultLocked, match=f"chmod 600 {file}"):
        load_vault(settings(tmp_path))
    file.chmod(0o400)
    assert load_vault(settings(tmp_path)).key_ids


def test_a_garbled_key_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "vault.json"
    file.write_bytes(b"\xff\x00 no key")
    file.chmod(0o600)
    with pytest.raises(VaultLocked, match="does not hold vault keys"):
        load_vault(settings(tmp_path), create=True)
    assert file.read_bytes() == b"\xff\x00 no key"


def test_a_key_file_that_cannot_be_made_or_read_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VaultLocked, match="No vault key file can be made"):
        load_vault(settings(tmp_path / "file"), create=True)
    (tmp_path / "vault.json").mkdir()
    with pytest.raises(VaultLocked, match="cannot be read"):
        load_vault(settings(tmp_path))


def test_keys_in_the_environment_come_first_and_are_not_shown(tmp_path: Path, keys: str) -> None:
    load_vault(settings(tmp_path), create=True)
    given = settings(tmp_path, vault_keys=keys)
    assert load_vault(given).key_ids == Vault(keys, source="the same").key_ids
    assert keys not in repr(given)
