"""`rosterbook vault` where no log is needed: making a key file, and keys that no command can change where they are."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from agents.cli import run
from stream.settings import Settings
from stream.vault import Vault, load_vault
from stream.vault.key_ring import new_ring, parse


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of the commands, with nothing in it."""
    monkeypatch.setenv("ROSTERBOOK_DATA", str(tmp_path))
    monkeypatch.setattr(
        "agents.cli.surroundings.configure_logging", lambda *_, **__: None
    )  # it is of the whole process
    return tmp_path


def test_a_key_file_is_made_for_its_owner_alone_and_never_written_over(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["vault", "init", "--json"]) == 0
    file = data / "vault.json"
    told = json.loads(capsys.readouterr().out)
    assert told == {"file": str(file), "newest": load_vault(Settings(data=data)).newest, "lost": []}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    assert run(["vault", "init", "--lost", "0a1b2c3d"]) == 2
    assert "is never written over" in capsys.readouterr().err
    assert file.read_bytes() == before


def test_lost_keys_are_named_by_their_ids(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["vault", "init", "--lost", "the old one"]) == 2
    assert "'the old one' is no id of a vault key" in capsys.readouterr().err
    assert list(data.iterdir()) == []
    assert run(["vault", "init", "--lost", "0a1b2c3d", "--lost", "ffffffff"]) == 0
    assert load_vault(Settings(data=data)).lost_ids == {"0a1b2c3d", "ffffffff"}


@pytest.mark.parametrize("retire", [[], ["--retire"]])
def test_keys_from_a_variable_are_left_and_what_to_do_is_said(
    data: Path, retire: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROSTERBOOK_VAULT_KEYS", ring := new_ring())
    assert run(["vault", "rotate", *retire]) == 2
    said = capsys.readouterr()
    assert " ".join(["rosterbook vault rotate", *retire, "--to FILE"]) in said.err
    assert json.loads(ring)["key"][0]["keyData"]["value"] not in said.err + said.out
    assert run(["vault", "init"]) == 2
    assert list(data.iterdir()) == []


def test_a_new_key_is_written_to_a_file_beside_for_every_process_to_be_given(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ring = new_ring()
    monkeypatch.setenv("ROSTERBOOK_VAULT_KEYS", ring)
    to = data / "next.json"
    assert run(["vault", "rotate", "--to", str(to)]) == 0
    said = capsys.readouterr().out
    before, after = Vault(ring, source="before"), parse(to.read_text(), "after")
    assert after.held > before.key_ids
    assert after.newest not in before.key_ids
    assert after.newest in said
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    assert run(["vault", "rotate", "--to", str(to)]) == 2
    assert "is never written over" in capsys.readouterr().err
    assert parse(to.read_text(), "after").newest == after.newest


def test_without_keys_nothing_is_rotated_and_none_are_made(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["rotate"], ["rotate", "--retire"], ["check"]):
        assert run(["vault", *command]) == 2
        assert "There is no vault key file" in capsys.readouterr().err
    assert list(data.iterdir()) == []
