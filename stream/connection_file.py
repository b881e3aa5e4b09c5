"""The connection file: TOML that pairs one BambooHR company with one Zoho Books organization.

`load_connection` reads and checks it and resolves its secrets; every fault is reported at once, by its place in the
file and never with a value. `seal` turns it into the record that goes to the log. Whether the id and the organization
are still free is for `stream/binding.py` to say, which knows the other connections.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from stream.core import targets
from stream.core.schedule import covers_the_day
from stream.records import (
    Api,
    BambooHrSettings,
    Connection,
    ConnectionId,
    Drift,
    LeaverGuard,
    Mapping,
    OAuthClient,
    QuietHours,
    Reconciling,
    ZohoSettings,
)
from stream.secret_source import Secret
from stream.telemetry import Masked
from stream.toml_file import Fault, TomlFile, faults_in, read_toml
from stream.vault import Vault


def _text(pattern: str, sentence: str) -> AfterValidator:
    matches = re.compile(pattern).fullmatch

    def check(value: str) -> str:
        if not matches(value):
            raise PydanticCustomError("text", "{sentence}", {"sentence": sentence})
        return value

    return AfterValidator(check)


_EVERY = re.compile(r"([1-9][0-9]{0,3})(m|h)")
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")
DAY_S = 24 * 60 * 60


def _fault(sentence: str) -> PydanticCustomError:
    return PydanticCustomError("text", "{sentence}", {"sentence": sentence})


def _interval(value: str) -> str:
    if value != "off" and not 60 <= (_seconds(value) or 0) <= DAY_S:
        raise _fault('must be a time from "1m" to "24h", such as "15m", or "off"')
    return value


def _seconds(value: str) -> int | None:
    found = _EVERY.fullmatch(value)
    return None if found is None else int(found[1]) * (60 if found[2] == "m" else 3600)


def _cron(value: str) -> str:
    try:
        comes_true = len(value.split()) == 5 and bool(next(CronSim(value, datetime(2026, 1, 1, tzinfo=UTC))))
    except (CronSimError, StopIteration):
        comes_true = False
    if not comes_true:
        raise _fault('must be a cron expression that comes true, such as "*/30 7-19 * * 1-5"')
    return value


def _sweep(value: str) -> str:
    return value if value == "off" else _cron(value)


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise _fault('must be the name of a time zone, such as "Europe/Berlin"') from None
    return value


def _quiet(value: str) -> str:
    found = _HOURS.fullmatch(value)
    if found is None or found.group(1, 2) == found.group(3, 4):
        raise _fault('must be hours such as "22:00-06:00"')
    return value


def _with_names(mapping: Mapping) -> Mapping:
    if mapping.state_field == "":
        raise PydanticCustomError("text", "state_field is empty: give the custom field's API name, or leave it out")
    return mapping


class Section(BaseModel):
    """Closed and strict: a misspelt key is a fault, not a default."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)


class OAuthSection(Section):
    """A client, and how its refresh token is come by.

    redirect_uri: as registered for the client; a person consents in a browser. code: of a Zoho self client, made in its
    console minutes ago.
    """

    client_id: Secret
    client_secret: Secret
    refresh_token: Secret | None = None
    redirect_uri: (
        Annotated[
            str,
            _text(
                r"(https://[^\s?#@]+|http://(localhost|127\.0\.0\.1)(:[0-9]+)?)/oauth/(zoho|bamboohr)/callback",
                "must be the public https address of your gateway and /oauth/zoho/callback or /oauth/bamboohr/callback",
            ),
        ]
        | None
    ) = None
    code: Secret | None = None

    @model_validator(mode="after")
    def _one_way_to_tokens(self) -> Self:
        if [self.refresh_token, self.redirect_uri, self.code].count(None) != 2:
            raise PydanticCustomError("ways_to_tokens", "must hold one of refresh_token, redirect_uri and code")
        return self


class BambooHrSection(Section):
    subdomain: Annotated[
        str,
        _text(
            r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", 'must be the first part of your address: "acme" of acme.bamboohr.com'
        ),
    ]
    api_key: Secret | None = None
    oauth: OAuthSection | None = None
    webhook_key: Secret | None = None

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.api_key is None) == (self.oauth is None):
            raise PydanticCustomError("ways_in", "must hold either api_key or oauth")
        if self.oauth is not None and self.oauth.code is not None:
            raise PydanticCustomError("no_code", "takes no code: codes are made in the console of Zoho alone")
        return self


class ZohoSection(Section):
    region: Literal["us", "eu", "in", "au", "jp", "ca", "cn", "sa"]
    organization_id: Annotated[
        str, _text(r"[0-9]{1,30}", "must be the digits that Zoho Books shows as your organization id, in quotes")
    ]
    calls_per_minute: int = Field(default=100, ge=1)
    calls_in_flight: int = Field(default=5, ge=1)
    calls_per_day: int | None = Field(default=None, ge=1)
    oauth: OAuthSection


class ReconcileSection(Section):
    """When BambooHR is asked who has changed."""

    every: Annotated[str, AfterValidator(_interval)] | None = None
    cron: Annotated[str, AfterValidator(_cron)] | None = None
    quiet: list[Annotated[str, AfterValidator(_quiet)]] = []
    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    sweep: Annotated[str, AfterValidator(_sweep)] = Reconciling().sweep or ""
    drift: Drift = "put back"

    @model_validator(mode="after")
    def _runs(self) -> Self:
        if self.every is not None and self.cron is not None:
            raise PydanticCustomError("ways_to_run", "must hold either every or cron")
        if covers_the_day(self.plan.quiet):
            raise PydanticCustomError("always_quiet", 'is quiet all day: leave some time, or say every = "off"')
        return self

    @property
    def plan(self) -> Reconciling:
        quiet = [[int(part) for part in re.split("[:-]", hours)] for hours in self.quiet]
        every = Reconciling().every if self.every is None else _seconds(self.every)
        return Reconciling(
            every=None if self.cron is not None else every,
            cron=self.cron,
            quiet=tuple(QuietHours(begin=h * 60 + m, end=to_h * 60 + to_m) for h, m, to_h, to_m in quiet),
            time_zone=self.time_zone,
            sweep=None if self.sweep == "off" else self.sweep,
            drift=self.drift,
        )


S = TypeVar("S", bound=Section)

Slug = Annotated[
    ConnectionId, _text(r"[a-z0-9][a-z0-9-]{0,39}", "must be 1-40 of a-z, 0-9 and -, and start with a letter or digit")
]
"""What a connection may be called."""


class ConnectionFile(Section):
    """A file that was accepted, its secrets in clear but masked: for this process only."""

    id: Slug
    mode: Literal["live", "preview", "paused"]
    bamboohr: BambooHrSection
    zoho: ZohoSection
    mapping: Annotated[Mapping, AfterValidator(_with_names)] = Mapping()
    reconcile: ReconcileSection = ReconcileSection()
    guard: LeaverGuard = LeaverGuard()


class MappingSection(Section):
    """Of a connection file, what `rosterbook mapping` looks at."""

    model_config = ConfigDict(extra="ignore")

    id: Slug
    mapping: Annotated[Mapping, AfterValidator(_with_names)] = Mapping()


def load_connection(path: Path) -> ConnectionFile:
    """Read a connection file. Raises ConnectionFileError naming every fault, without a value of it."""
    return _accepted(read_toml(path), ConnectionFile)


def load_mapping(path: Path) -> tuple[MappingSection, TomlFile]:
    """The id and the mapping of a connection file, whose secrets may be out of reach; and the file, for more faults.

    Raises ConnectionFileError.
    """
    file = read_toml(path)
    return _accepted(file, MappingSection), file


def _accepted(file: TomlFile, section: type[S]) -> S:
    faults: list[Fault] = []
    try:
        found = section.model_validate(file.content, context={"folder": file.path.parent})
    except ValidationError as error:
        faults += faults_in(error)
    faults += _of_mapping(file.content)
    if faults:
        raise file.refusal(faults)
    return found


def _of_mapping(content: dict[str, Any]) -> list[Fault]:
    """The faults of a mapping that is well-formed."""
    try:
        mapping = Mapping.model_validate(content.get("mapping", {}))
    except ValidationError:
        return []
    return [(("mapping", *fault.place), fault.says) for fault in targets.faults(mapping)]


def with_refresh_token(file: ConnectionFile, api: Api, token: Masked) -> ConnectionFile:
    """The file as if it held the token that its code or consent brought."""
    section: BambooHrSection | ZohoSection = getattr(file, api)
    assert section.oauth is not None
    oauth = section.oauth.model_copy(update={"refresh_token": token, "redirect_uri": None, "code": None})
    return file.model_copy(update={api: section.model_copy(update={"oauth": oauth})})


def seal(file: ConnectionFile, vault: Vault, now: datetime) -> Connection:
    """The record of this connection, its secrets sealed. now: aware; when it was saved.

    Its refresh tokens are there: `with_refresh_token` comes first where they were not.
    """
    oauth = file.zoho.oauth
    assert oauth.refresh_token is not None
    return Connection(
        connection=file.id,
        mode=file.mode,
        bamboohr=_bamboohr(file, vault),
        webhook_key=None
        if (key := file.bamboohr.webhook_key) is None
        else vault.seal(key, connection=file.id, purpose="bamboohr.webhook_key"),
        zoho=ZohoSettings(
            region=file.zoho.region,
            organization_id=file.zoho.organization_id,
            calls_per_minute=file.zoho.calls_per_minute,
            calls_in_flight=file.zoho.calls_in_flight,
            calls_per_day=file.zoho.calls_per_day,
            client_id=vault.seal(oauth.client_id, connection=file.id, purpose="zoho.client_id"),
            client_secret=vault.seal(oauth.client_secret, connection=file.id, purpose="zoho.client_secret"),
            refresh_token=vault.seal(oauth.refresh_token, connection=file.id, purpose="zoho.refresh_token"),
        ),
        mapping=file.mapping,
        reconcile=file.reconcile.plan,
        connected_at=now,
        guard=file.guard,
        saved_at=now,
    )


def _bamboohr(file: ConnectionFile, vault: Vault) -> BambooHrSettings:
    section, id_ = file.bamboohr, file.id
    if section.api_key is not None:
        api_key = vault.seal(section.api_key, connection=id_, purpose="bamboohr.api_key")
        return BambooHrSettings(subdomain=section.subdomain, api_key=api_key)
    assert section.oauth is not None
    assert section.oauth.refresh_token is not None
    client = OAuthClient(
        client_id=vault.seal(section.oauth.client_id, connection=id_, purpose="bamboohr.client_id"),
        client_secret=vault.seal(section.oauth.client_secret, connection=id_, purpose="bamboohr.client_secret"),
        refresh_token=vault.seal(section.oauth.refresh_token, connection=id_, purpose="bamboohr.refresh_token"),
    )
    return BambooHrSettings(subdomain=section.subdomain, oauth=client)
