"""Connection files: every fault is named by its place in one go, no secret is ever shown, an id is bound for life."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from stream.binding import Binding, refuse_conflicts
from stream.codec import canonical, decode
from stream.connection_file import ConnectionFile, load_connection, load_mapping, seal
from stream.errors import ConnectionFileError
from stream.records import Connection, ConnectionId, LeaverGuard, Mapping, QuietHours, Reconciling
from stream.topics import CONNECTIONS
from stream.vault import Vault
from stream.vault.vault import new_keyset

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
KEY, WEBHOOK, REFRESH = "bamboo-5f1d", "0123456789abcdef0123456789abcdef", "1000.aa11.bb22"
FILE = """
id   = "acme"
mode = "live"                      # live | preview | paused

[bamboohr]
subdomain = "acme"
api_key   = { env = "ACME_BAMBOO_KEY" }
webhook_key = "0123456789abcdef0123456789abcdef"

[zoho]
region = "eu"
organization_id = "10234695"
calls_per_minute = 90
oauth = { client_id = "1000.CLIENT", client_secret = "c11e47", refresh_token = { file = "refresh.token" } }

[mapping]
contact_type = "customer"
"""


@pytest.fixture(scope="module")
def vault() -> Vault:
    return Vault(new_keyset(), source="the test's keys")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ACME_BAMBOO_KEY", KEY)
    (tmp_path / "refresh.token").write_text(f"{REFRESH}\n")
    return tmp_path


def load(folder: Path, text: str | bytes = FILE) -> ConnectionFile:
    path = folder / "acme.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_connection(path)


def refusal(folder: Path, text: str | bytes) -> str:
    with pytest.raises(ConnectionFileError) as refused:
        load(folder, text)
    assert "\n" not in refused.value.message
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    return refused.value.message


def test_a_file_gives_a_sealed_record_that_opens_to_its_secrets(folder: Path, vault: Vault) -> None:
    file = load(folder)
    record = seal(file, vault, NOW)
    acme = ConnectionId("acme")
    assert (record.connection, record.mode, record.saved_at) == ("acme", "live", NOW)
    assert (record.zoho.calls_per_minute, record.zoho.calls_in_flight) == (90, 5)
    assert record.mapping.contact_type == "customer"
    assert vault.open(record.bamboohr.api_key, connection=acme, purpose="bamboohr.api_key").reveal == KEY
    assert record.webhook_key is not None
    assert vault.open(record.webhook_key, connection=acme, purpose="bamboohr.webhook_key").reveal == WEBHOOK
    assert vault.open(record.zoho.client_id, connection=acme, purpose="zoho.client_id").reveal == "1000.CLIENT"
    assert vault.open(record.zoho.client_secret, connection=acme, purpose="zoho.client_secret").reveal == "c11e47"
    assert vault.open(record.zoho.refresh_token, connection=acme, purpose="zoho.refresh_token").reveal == REFRESH
    assert decode(CONNECTIONS, canonical(record)) == record
    for secret in (KEY, WEBHOOK, REFRESH, "1000.CLIENT", "c11e47"):
        assert secret not in repr(file)
        assert secret.encode() not in canonical(record)


def test_the_mapping_and_the_limits_may_be_left_out(folder: Path) -> None:
    file = load(folder, FILE.partition("[mapping]")[0].replace("calls_per_minute = 90\n", ""))
    assert file.mapping.contact_type == "vendor"
    assert (file.zoho.calls_per_minute, file.zoho.calls_in_flight, file.zoho.calls_per_day) == (100, 5, None)


def test_the_calls_of_a_day_may_be_given(folder: Path, vault: Vault) -> None:
    text = FILE.replace("calls_per_minute = 90", "calls_per_day = 2000")
    assert seal(load(folder, text), vault, NOW).zoho.calls_per_day == 2000
    for wrong, sentence in (("0", "must be at least 1"), ('"many"', "must be a whole number")):
        assert f"zoho.calls_per_day: {sentence}" in refusal(folder, text.replace("2000", wrong))


def test_windows_line_ends_and_a_byte_order_mark_are_read(folder: Path) -> None:
    assert load(folder, b"\xef\xbb\xbf" + FILE.replace("\n", "\r\n").encode()).id == "acme"


def test_all_faults_are_named_at_once_by_their_place(folder: Path) -> None:
    text = FILE.replace('"live"', '"on"').replace('"10234695"', "10234695").replace("90", '"many"').replace("eu", "uk")
    message = refusal(folder, text + '\n[bamboo]\nsubdomain = "acme"\n')
    for fault in (
        "mode: must be 'live', 'preview' or 'paused'",
        "zoho.region: must be 'us', 'eu'",
        "zoho.organization_id: must be text in quotes",
        "zoho.calls_per_minute: must be a whole number",
        "bamboo: is not known here",
    ):
        assert fault in message


@pytest.mark.parametrize("slug", ["", "Acme", "-acme", "a" * 41, "acme corp", "acme|settings", "acme\\n", "äcme"])
def test_an_id_that_is_no_slug_is_refused(folder: Path, slug: str) -> None:
    assert "id: must be 1-40 of" in refusal(folder, FILE.replace('"acme"', f'"{slug}"', 1))


@pytest.mark.parametrize("slug", ["a", "7-eleven", "a" * 40])
def test_an_id_that_is_a_slug_is_accepted(folder: Path, slug: str) -> None:
    assert load(folder, FILE.replace('"acme"', f'"{slug}"', 1)).id == slug


@pytest.mark.parametrize("subdomain", ["acme.bamboohr.com", "", "-acme", "acme-", "Acme", "a/b", "x@evil", "a" * 64])
def test_a_subdomain_that_is_not_one_label_is_refused(folder: Path, subdomain: str) -> None:
    message = refusal(folder, FILE.replace('subdomain = "acme"', f'subdomain = "{subdomain}"'))
    assert "bamboohr.subdomain: must be the first part of your address" in message


def test_zero_calls_are_refused(folder: Path) -> None:
    assert "zoho.calls_per_minute: must be at least 1" in refusal(folder, FILE.replace("90", "0"))


def test_the_webhook_key_may_be_left_out_and_may_not_be_empty(folder: Path, vault: Vault) -> None:
    assert seal(load(folder, FILE.replace(f'webhook_key = "{WEBHOOK}"', "")), vault, NOW).webhook_key is None
    assert "bamboohr.webhook_key: is empty" in refusal(folder, FILE.replace(WEBHOOK, ""))


OAUTH = 'oauth = { client_id = "bamboo-id", client_secret = "bamboo-secret", refresh_token = "rt-1" }'


def test_bamboohr_oauth_stands_in_place_of_the_api_key(folder: Path, vault: Vault) -> None:
    record = seal(load(folder, FILE.replace('api_key   = { env = "ACME_BAMBOO_KEY" }', OAUTH)), vault, NOW)
    acme, oauth = ConnectionId("acme"), record.bamboohr.oauth
    assert record.bamboohr.api_key is None
    assert oauth is not None
    assert vault.open(oauth.client_id, connection=acme, purpose="bamboohr.client_id").reveal == "bamboo-id"
    assert vault.open(oauth.client_secret, connection=acme, purpose="bamboohr.client_secret").reveal == "bamboo-secret"
    assert vault.open(oauth.refresh_token, connection=acme, purpose="bamboohr.refresh_token").reveal == "rt-1"
    written = canonical(record)
    assert decode(CONNECTIONS, written) == record
    assert not any(text in written for text in (b"bamboo-id", b"bamboo-secret", b"rt-1"))


@pytest.mark.parametrize("ways", ["", f'api_key = "k"\n{OAUTH}'])
def test_bamboohr_has_one_way_in(folder: Path, ways: str) -> None:
    message = refusal(folder, FILE.replace('api_key   = { env = "ACME_BAMBOO_KEY" }', ways))
    assert "bamboohr: must hold either api_key or oauth" in message
    assert "bamboo-secret" not in message


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ('""', "is empty"),
        ('"  "', "is empty"),
        ('"a\\nb"', "holds a line break or a control character"),
        ("5", "must be text in quotes"),
        ('["x"]', "must be text in quotes"),
        ("{}", "must be text in quotes"),
        ('{ env = "A", file = "b" }', "must be text in quotes"),
        ("{ env = 5 }", "must be text in quotes"),
        ('{ env = "NOT_SET_ANYWHERE" }', "the environment variable NOT_SET_ANYWHERE is not set"),
        ('{ env = "EMPTY_ONE" }', "the environment variable EMPTY_ONE is empty"),
        ('{ env = "5f1d-a-key-by-mistake" }', "the environment variable it names is not set"),
        ('{ file = "5f1d-a-key-by-mistake" }', "the file it names does not exist"),
        ('{ file = "." }', "the file it names cannot be read (Is a directory)"),
        ('{ file = "a\\u0000b" }', "the file it names cannot be read (no valid path)"),
        ('{ file = "empty" }', "is empty"),
        ('{ file = "binary" }', "the file it names is not UTF-8 text"),
        ('{ file = "huge" }', "the file it names is over 64 KiB"),
    ],
)
def test_a_secret_that_cannot_be_had_is_named_but_not_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch, value: str, fault: str
) -> None:
    monkeypatch.setenv("EMPTY_ONE", " ")
    (folder / "empty").write_text("\n")
    (folder / "binary").write_bytes(b"\xff\xfe")
    (folder / "huge").write_bytes(b"x" * (64 * 1024 + 1))
    message = refusal(folder, FILE.replace('{ env = "ACME_BAMBOO_KEY" }', value))
    assert f"bamboohr.api_key: {fault}" in message
    assert "5f1d" not in message


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (FILE.replace('"live"', '"live'), "is not TOML at line 3"),
        (FILE + '\nsecret = "5f1d', "is not TOML at"),
        (FILE.replace("90", "9" * 5000), "is not TOML"),
        ("a = " + "[" * 100_000, "is not TOML"),
        (FILE.encode() + b"\n# \xff", "is not UTF-8 at line 19"),
        (b"#" * (1024 * 1024 + 1), "is over 1 MiB"),
        ("", "id: is missing; mode: is missing; bamboohr: is missing; zoho: is missing"),
        ("bamboohr = 5", "bamboohr: must be a table"),
    ],
    ids=["quote", "end", "number", "depth", "utf-8", "size", "empty", "no table"],
)
def test_a_file_of_another_kind_says_where_it_goes_wrong(folder: Path, content: str | bytes, fault: str) -> None:
    message = refusal(folder, content)
    assert fault in message
    assert "5f1d" not in message


def test_a_file_that_is_not_there_or_not_readable_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConnectionFileError, match="There is no file"):
        load_connection(tmp_path / "missing.toml")
    with pytest.raises(ConnectionFileError, match="cannot be read"):
        load_connection(tmp_path)


def test_a_file_full_of_faults_names_the_first_and_counts_the_rest(folder: Path) -> None:
    message = refusal(folder, FILE.replace("id   =", "\n".join(f"x{n} = 1" for n in range(30)) + "\nid   ="))
    assert message.endswith("; and 10 more.")


@pytest.fixture
def acme(folder: Path, vault: Vault) -> Connection:
    return seal(load(folder), vault, NOW)


def test_the_same_binding_again_is_an_update(acme: Connection) -> None:
    refuse_conflicts(acme.connection, Binding.of(acme), [acme])


@pytest.mark.parametrize(
    "other", [Binding("globex", "eu", "10234695"), Binding("acme", "us", "10234695"), Binding("acme", "eu", "7")]
)
def test_an_id_is_bound_for_life(acme: Connection, other: Binding) -> None:
    with pytest.raises(ConnectionFileError, match="bound for life to subdomain acme, region eu, organization 10234695"):
        refuse_conflicts(acme.connection, other, [acme])


def test_an_organization_belongs_to_one_connection(acme: Connection) -> None:
    with pytest.raises(ConnectionFileError, match="Connection acme has organization 10234695"):
        refuse_conflicts(ConnectionId("globex"), Binding("globex", "eu", "10234695"), [acme])
    refuse_conflicts(ConnectionId("globex"), Binding("globex", "eu", "10234696"), [acme])
    refuse_conflicts(ConnectionId("globex"), Binding("globex", "us", "10234695"), [acme])


def test_an_empty_name_of_a_field_is_refused(folder: Path) -> None:
    assert "mapping: state_field is empty" in refusal(folder, FILE + 'state_field = ""')


@pytest.mark.parametrize(
    ("instead", "fault"),
    [
        ("", "zoho.oauth: must hold one of refresh_token, redirect_uri and code"),
        ('code = "c", refresh_token = "r"', "zoho.oauth: must hold one of refresh_token, redirect_uri and code"),
        ('redirect_uri = "http://evil.test/oauth/zoho/callback"', "zoho.oauth.redirect_uri: must be the public https"),
        (
            'redirect_uri = "https://a@evil.test/oauth/zoho/callback"',
            "zoho.oauth.redirect_uri: must be the public https",
        ),
        ('redirect_uri = "https://rosterbook.example/"', "zoho.oauth.redirect_uri: must be the public https"),
    ],
)
def test_a_client_has_one_way_to_its_tokens(folder: Path, instead: str, fault: str) -> None:
    held = 'refresh_token = { file = "refresh.token" }'
    assert fault in refusal(folder, FILE.replace(held, instead).replace(",  }", " }"))


def test_a_code_is_for_zoho_alone(folder: Path) -> None:
    text = FILE.replace('api_key   = { env = "ACME_BAMBOO_KEY" }', OAUTH.replace("refresh_token", "code"))
    assert "bamboohr: takes no code" in refusal(folder, text)


def test_people_are_asked_for_every_quarter_of_an_hour_unless_the_file_says_otherwise(
    folder: Path, vault: Vault
) -> None:
    assert seal(load(folder), vault, NOW).reconcile == Reconciling(every=900)
    other = FILE + '[reconcile]\ncron = "0 7 * * 1-5"\nquiet = ["22:00-06:30"]\ntime_zone = "Europe/Berlin"\n'
    assert seal(load(folder, other), vault, NOW).reconcile == Reconciling(
        every=None, cron="0 7 * * 1-5", quiet=(QuietHours(begin=22 * 60, end=390),), time_zone="Europe/Berlin"
    )
    off = load(folder, FILE + '[reconcile]\nevery = "off"\n').reconcile.plan
    assert (off.every, off.cron) == (None, None)
    assert load(folder, FILE + '[reconcile]\nevery = "2h"\n').reconcile.plan.every == 7200


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ('every = "30s"', 'reconcile.every: must be a time from "1m" to "24h"'),
        ('every = "25h"', 'reconcile.every: must be a time from "1m" to "24h"'),
        ("every = 15", "reconcile.every: must be text in quotes"),
        ('cron = "0 7 * *"', "reconcile.cron: must be a cron expression that comes true"),
        ('cron = "0 7 30 2 *"', "reconcile.cron: must be a cron expression that comes true"),
        ('cron = "* * * * * *"', "reconcile.cron: must be a cron expression that comes true"),
        ('every = "1h"\ncron = "0 7 * * *"', "reconcile: must hold either every or cron"),
        ('time_zone = "Europe/Atlantis"', "reconcile.time_zone: must be the name of a time zone"),
        ('time_zone = "Europe"', "reconcile.time_zone: must be the name of a time zone"),
        ('time_zone = "../UTC"', "reconcile.time_zone: must be the name of a time zone"),
        ('quiet = ["22-6"]', 'reconcile.quiet.0: must be hours such as "22:00-06:00"'),
        ('quiet = ["06:00-06:00"]', "reconcile.quiet.0: must be hours such as"),
        ('quiet = ["06:00-18:00", "17:00-06:00"]', "reconcile: is quiet all day"),
        ("nightly = true", "reconcile.nightly: is not known here"),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_refused_in_a_sentence(folder: Path, table: str, fault: str) -> None:
    assert fault in refusal(folder, f"{FILE}[reconcile]\n{table}\n")


def test_when_everybody_is_read_and_what_becomes_of_drift_is_said(folder: Path) -> None:
    usual = load(folder).reconcile.plan
    assert (usual.sweep, usual.drift) == ("30 2 * * *", "put back")
    told = load(folder, FILE + '[reconcile]\nsweep = "0 4 * * 0"\ndrift = "leave"').reconcile.plan
    assert (told.sweep, told.drift) == ("0 4 * * 0", "leave")
    assert load(folder, FILE + '[reconcile]\nsweep = "off"').reconcile.plan.sweep is None
    assert "reconcile.sweep" in refusal(folder, FILE + '[reconcile]\nsweep = "sometimes"')


def test_how_many_may_leave_is_said_in_a_table_of_its_own(folder: Path) -> None:
    assert load(folder).guard == LeaverGuard(people=10, percent=20, hours=24)
    few = load(folder, FILE + "[guard]\npeople = 1\nhours = 48")
    assert few.guard == LeaverGuard(people=1, percent=20, hours=48)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("percent = 101", "guard.percent: must be at most 100"),
        ("people = -1", "guard.people: must be at least 0"),
        ("hours = 0", "guard.hours: must be at least 1"),
        ("days = 1", "guard.days: is not known here"),
    ],
)
def test_a_guard_that_makes_no_sense_is_refused(folder: Path, line: str, fault: str) -> None:
    assert fault in refusal(folder, f"{FILE}[guard]\n{line}")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("colour = 1", "mapping.colour: is not known here (line 18)"),
        ("contact_tipe = 'vendor'", "mapping.contact_tipe: is not known here (line 18)"),
        ("name = 3", "mapping.name: must be text in quotes (line 18)"),
        ("scope = 3", "mapping.scope: must be a list in brackets (line 18)"),
        ("scope = ['city = 1']", "mapping.scope.0: the expression is wrong at character 6"),
        ("leavers = 'deleted'", "mapping.leavers: must be 'inactive' or 'leave' (line 18)"),
        ("fields.phone = false", "mapping.fields.phone: false is for first_name, last_name, designation, department"),
        ("fields.email = false", "mapping.fields.email: false is for first_name"),
        ("fields.department = true", "mapping.fields.department: must be a BambooHR field in quotes, or a table"),
        ("fields.cf_a = 3", "text (line 18)"),
        ("fields.cf_a = { field = 'a', value = 'b' }", "mapping.fields.cf_a: must hold one of field, value and text"),
        ("fields.cf_a = { field = 'a', change = ['shout'] }", "(line 18)"),
        ("fields.cf_a = { field = 'a', change = [{ melt = 1 }] }", "or a table with cut, date or table (line 18)"),
        (
            "fields.cf_a = { field = 'a', change = [{ cut = 0 }] }",
            "mapping.fields.cf_a.change.0.cut: must be at least 1 (line 18)",
        ),
        ("\nfields.jobtitle = 'jobTitle'", "mapping.fields.jobtitle: is no field of a Zoho Books contact"),
        ("fields.cf_a = 'a'\nfields.cf_a = 'b'", "says something twice at line 19"),
    ],
)
def test_a_fault_of_the_mapping_is_told_with_its_line(folder: Path, line: str, told: str) -> None:
    assert told in refusal(folder, FILE + line)


def test_a_usual_target_may_be_left_alone(folder: Path) -> None:
    mapping = load(folder, FILE + "fields.department = false\nfields.phone = 'workPhone'").mapping
    assert (mapping.unmapped, list(mapping.fields)) == (("department",), ["phone"])
    assert Mapping.model_validate_json(canonical(mapping)) == mapping


@pytest.mark.parametrize("unmapped", ["5", '"department"', '["first_name", 5]', "[{}]"])
def test_targets_left_alone_that_are_no_list_of_texts_are_a_fault(folder: Path, unmapped: str) -> None:
    message = refusal(folder, FILE + f"unmapped = {unmapped}\nfields.department = false")
    assert "mapping.unmapped" in message


def test_more_than_fifty_expressions_are_refused(folder: Path) -> None:
    message = refusal(folder, FILE + f"scope = {['true'] * 51}")
    assert "mapping.scope: " in message


def test_faults_of_the_mapping_are_told_beside_all_others(folder: Path) -> None:
    message = refusal(folder, FILE.replace('"live"', '"on"') + "state_field = 'cf_a'\n[mapping.fields]\ncf_a = 'a'")
    assert "mode: must be 'live', 'preview' or 'paused' (line 3)" in message
    assert "mapping.fields.cf_a: is set by state_field already: leave one of them out (line 20)" in message


def test_the_mapping_is_read_without_the_secrets(folder: Path) -> None:
    path = folder / "acme.toml"
    path.write_text(FILE.replace("ACME_BAMBOO_KEY", "NOBODY_SETS_THIS") + "fields.phone = 'workPhone'")
    found, _ = load_mapping(path)
    assert (found.id, found.mapping.fields["phone"].field) == ("acme", "workPhone")
    path.write_text(FILE + "colour = 1")
    with pytest.raises(ConnectionFileError, match=r"mapping\.colour: is not known here"):
        load_mapping(path)
