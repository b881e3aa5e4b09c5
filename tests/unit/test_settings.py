"""Settings: what is refused and how it is said, and that the README knows every one of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stream.errors import SettingsError
from stream.settings import Settings, load_settings

README = Path(__file__).parents[2] / "README.md"
SECRET = "hunter2-and-so-on"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"ROSTERBOOK_{name.upper()}", raising=False)


def test_every_setting_is_in_the_table_of_the_readme() -> None:
    rows = [line for line in README.read_text().splitlines() if line.startswith("| `ROSTERBOOK_")]
    named = {name for row in rows for name in re.findall(r"`ROSTERBOOK_([A-Z_]+)`", row.split("|")[1])}
    missing = {name.upper() for name in Settings.model_fields} - named
    assert not missing


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KAFKA_PORT", "70000"),
        ("PARTITIONS", "0"),
        ("PARTITIONS", SECRET),
        ("SESSION_TIMEOUT", "5"),
        ("SESSION_TIMEOUT", "inf"),
        ("CALL_DEADLINE", "0"),
        ("CALL_DEADLINE", "nan"),
        ("SETTLE_TIME", "inf"),
        ("WEBHOOK_MAX_AGE", "-1"),
        ("WEBHOOK_KEY_AGE", "-1"),
        ("PUBLIC_URL", SECRET),
        ("PUBLIC_URL", "http://books.example.com"),
        ("PUBLIC_URL", f"https://{SECRET}@books.example.com"),
        ("PUBLIC_URL", "https://books.example.com/?a=b"),
        ("LOG_FORMAT", SECRET),
        ("LOG_LEVEL", SECRET),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"ROSTERBOOK_{name}", value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert refused.value.message.startswith(f"Settings are wrong: ROSTERBOOK_{name}: ")
    assert SECRET not in refused.value.message
    assert refused.value.message.endswith(".")


@pytest.mark.parametrize(("session_timeout", "call_deadline"), [("8", "6.1"), ("8", "9"), ("6", "5")])
def test_a_call_that_could_outlast_the_ownership_of_its_partition_is_refused(
    monkeypatch: pytest.MonkeyPatch, session_timeout: str, call_deadline: str
) -> None:
    monkeypatch.setenv("ROSTERBOOK_SESSION_TIMEOUT", session_timeout)
    monkeypatch.setenv("ROSTERBOOK_CALL_DEADLINE", call_deadline)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert refused.value.message == (
        "Settings are wrong: ROSTERBOOK_CALL_DEADLINE must be at least 2 seconds less than ROSTERBOOK_SESSION_TIMEOUT."
    )


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(f"ROSTERBOOK_{name.upper()}", "")
    assert load_settings() == Settings.model_construct()


def test_all_that_is_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROSTERBOOK_PARTITIONS", "many")
    monkeypatch.setenv("ROSTERBOOK_GATEWAY_PORT", "the usual one")
    with pytest.raises(SettingsError, match=r"(?s)ROSTERBOOK_GATEWAY_PORT.*ROSTERBOOK_PARTITIONS"):
        load_settings()


@pytest.mark.parametrize("name", ["bamboohr_url", "zoho_accounts_url", "zoho_api_url"])
@pytest.mark.parametrize(
    "url",
    [
        "https://www.zohoapis.com",
        "http://192.168.1.2:8080",
        "http://localhost.evil.test",
        "http://127.0.0.1.evil.test",
        f"http://{SECRET}@127.0.0.1:8080",
        "http://127.0.0.1@evil.test",
        "ftp://127.0.0.1",
        "127.0.0.1:8080",
    ],
)
def test_stand_ins_for_the_vendors_are_on_this_machine_only(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str
) -> None:
    monkeypatch.setenv(f"ROSTERBOOK_{name.upper()}", url)
    with pytest.raises(
        SettingsError, match=f"ROSTERBOOK_{name.upper()}: must be an http address of this machine"
    ) as refused:
        load_settings()
    assert SECRET not in refused.value.message


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/", "http://localhost:1", "https://[::1]:4443"])
def test_a_stand_in_on_this_machine_is_taken_without_its_last_slash(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("ROSTERBOOK_ZOHO_API_URL", url)
    assert load_settings().zoho_api_url == url.rstrip("/")


def test_vault_keys_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROSTERBOOK_VAULT_KEYS", SECRET)
    assert SECRET not in repr(load_settings())


def test_a_cluster_keeps_three_replicas_and_the_embedded_broker_one() -> None:
    assert (Settings().replicas, Settings().min_insync) == (1, 1)
    cluster = Settings(kafka="broker:9092")
    assert (cluster.replicas, cluster.min_insync) == (3, 2)
    assert Settings(kafka="broker:9092", replication=1).min_insync == 1
