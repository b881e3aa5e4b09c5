"""Whatever a connection file holds: it is accepted or refused in a sentence, and its secrets stay unseen."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.codec import canonical
from stream.connection_file import load_connection, seal
from stream.errors import ConnectionFileError
from stream.vault import Vault
from stream.vault.vault import new_keyset

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)

secrets = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["C", "Z"]), min_size=1).map(
    lambda text: f"zq7!{text}"  # long and odd enough not to turn up by chance
)
slugs = st.from_regex(r"[a-z0-9][a-z0-9-]{0,39}", fullmatch=True)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("connections") / "connection.toml"


@pytest.fixture(scope="module")
def vault() -> Vault:
    return Vault(new_keyset(), source="the test's keys")


def quoted(text: str) -> str:
    return '"' + "".join(f"\\U{ord(char):08x}" for char in text) + '"'


def connection(slug: str, five: list[str], mode: str = "live") -> str:
    key, webhook, client, secret, token = map(quoted, five)
    return f"""
        id = {quoted(slug)}
        mode = {quoted(mode)}
        [bamboohr]
        subdomain = "acme"
        api_key = {key}
        webhook_key = {webhook}
        [zoho]
        region = "eu"
        organization_id = "1"
        oauth = {{ client_id = {client}, client_secret = {secret}, refresh_token = {token} }}
    """


@given(slug=slugs, five=st.lists(secrets, min_size=5, max_size=5))
def test_secrets_come_back_from_the_record_and_are_nowhere_in_clear(
    file: Path, vault: Vault, slug: str, five: list[str]
) -> None:
    file.write_text(connection(slug, five))
    loaded = load_connection(file)
    record = seal(loaded, vault, NOW)
    sealed = [
        vault.open(record.bamboohr.api_key, connection=record.connection, purpose="bamboohr.api_key"),
        vault.open(record.webhook_key, connection=record.connection, purpose="bamboohr.webhook_key"),
        vault.open(record.zoho.client_id, connection=record.connection, purpose="zoho.client_id"),
        vault.open(record.zoho.client_secret, connection=record.connection, purpose="zoho.client_secret"),
        vault.open(record.zoho.refresh_token, connection=record.connection, purpose="zoho.refresh_token"),
    ]
    assert [secret.reveal for secret in sealed] == five
    shown = repr(loaded) + str(loaded) + repr(record) + canonical(record).decode()
    assert not any(secret in shown for secret in five)


@given(five=st.lists(secrets, min_size=5, max_size=5), slug=st.text(max_size=50), mode=st.text(max_size=10))
def test_a_refusal_shows_no_secret(file: Path, five: list[str], slug: str, mode: str) -> None:
    file.write_text(connection(slug, five, mode) + f"\n[{quoted(mode)}]\n" + f"api_key = {quoted(five[0])}\n")
    with pytest.raises(ConnectionFileError) as refused:
        load_connection(file)
    assert not any(secret in str(refused.value) for secret in five)
    assert "\n" not in str(refused.value)


@given(content=st.binary(max_size=300))
def test_no_bytes_lead_to_anything_but_a_sentence(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(ConnectionFileError):
        load_connection(file)


@given(section=st.dictionaries(st.sampled_from(["id", "mode", "bamboohr", "zoho", "mapping", "oauth"]), values))
def test_no_shape_leads_to_anything_but_a_sentence(file: Path, section: dict[str, object]) -> None:
    file.write_text("".join(f"{key} = {toml(value)}\n" for key, value in section.items()))
    with pytest.raises(ConnectionFileError):
        load_connection(file)


sources = st.one_of(
    st.fixed_dictionaries({"env": st.text(max_size=20)}),
    st.fixed_dictionaries({"file": st.text(max_size=20) | st.sampled_from(["held", "/", ".", "~", "~nobody-here/x"])}),
    st.fixed_dictionaries({"env": st.just("HOME"), "file": st.just("held")}),
    values,
)


@given(
    source=sources,
    held=st.binary(max_size=200) | secrets.map(str.encode),
    five=st.lists(secrets, min_size=5, max_size=5),
)
def test_a_secret_from_elsewhere_is_read_or_refused_without_showing_what_is_there(
    file: Path, source: object, held: bytes, five: list[str]
) -> None:
    (file.parent / "held").write_bytes(held)
    text = connection("acme", five)
    file.write_text(text.replace(f"api_key = {quoted(five[0])}", f"api_key = {toml(source)}"))
    shown = ""
    try:
        loaded = load_connection(file)
    except ConnectionFileError as refused:
        shown = str(refused)
        assert "\n" not in shown
    else:
        assert loaded.bamboohr.api_key.reveal.isprintable()
        shown = repr(loaded)
    assert not any(secret in shown for secret in five)
    content = held.decode(errors="replace").strip()
    assert len(content) < 5 or content not in shown


def toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return quoted(value)
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return "{" + ", ".join(f"{quoted(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
        case _:
            return "0" if value is None else str(value)
