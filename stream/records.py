"""Every record that a topic carries. Frozen, versioned, written as canonical JSON (`stream/codec.py`).

Times are aware and in UTC. Positions are offsets of one partition of one topic in one life of it. A record that follows
from another names it as its `cause`.
"""

from __future__ import annotations

import operator
from collections.abc import Sized
from datetime import date
from typing import Annotated, Any, Literal, NewType, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

ConnectionId = NewType("ConnectionId", str)
"""A short slug, bound for life to one subdomain, region and organization."""
EmployeeId = NewType("EmployeeId", str)
"""BambooHR's internal id. Never the employee number, which is another thing and may collide with it."""
ContactKey = NewType("ContactKey", str)
"""Our identity of one Zoho contact, minted by the roster fold."""
ContactId = NewType("ContactId", str)
"""Zoho's id of a contact: 18-19 digits that must stay text (a float would corrupt them)."""
Email = NewType("Email", str)
"""An address as a key: trimmed and lower-cased. What is shown keeps the spelling BambooHR has."""
Api = Literal["bamboohr", "zoho"]
"""Whose API."""

SCHEMA = 1
"""The version this program writes. A record with a greater one is refused, never guessed at."""


ADDED = Field(exclude_if=lambda value: value is None)
"""Of a field that came later: left out while it says nothing, so that a record reads as it did for older versions."""


class Model(BaseModel):
    """Frozen, closed, strict."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


def _is_none(value: object) -> bool:
    return value is None


def _is_zero(value: int) -> bool:
    return value == 0


def _is_empty(value: Sized) -> bool:
    return not len(value)


class LogPosition(Model):
    """Where a record lies. Comparable only with positions of the same `topic_id` (the topic's life) and partition."""

    topic: str
    topic_id: str
    partition: int = Field(ge=0)
    offset: int = Field(ge=0)


class Record(Model):
    """What all records have."""

    schema_version: int = Field(default=SCHEMA, alias="schema")
    connection: ConnectionId

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class Decision(Model):
    """Who holds an address that several active people state, as an operator decided: the employee named beside it.

    among: those who stated it as the operator saw it, in order. With anybody else among them the decision is void.
    """

    among: tuple[EmployeeId, ...]


HrEventKind = Literal["webhook", "poll", "sweep", "date", "operator", "redrive"]


class HrEvent(Record):
    """A verified webhook notice, or any other reason to read employees again. The reading decides, not the notice.

    employees: whom it names, in the order of the delivery. types: what BambooHR calls it, such as "employee.created".
    insists: the contact is to be put right even if nothing seems to have changed. decision: about the one employee.
    digest: SHA-256 of the delivery, hex; for the reader, never to drop anything.
    raw: the delivery's body in base64, as received, with the headers that were signed.
    """

    employees: tuple[EmployeeId, ...]
    kind: HrEventKind
    insists: bool = False
    decision: Annotated[Decision | None, ADDED] = None
    types: tuple[str, ...] = ()
    changed_fields: tuple[str, ...] = ()
    occurred_at: AwareDatetime | None = None
    received_at: AwareDatetime
    digest: str | None = None
    raw: str | None = None
    headers: dict[str, str] = {}


class EmployeeSnapshot(Record):
    """The full employee record as read at a moment, or the fact that it is gone, or that it could not be read.

    through: the person's wanted hr-events offset, copied before the request was sent.
    backfill: nobody waits for it: it was asked for by a sweep of everybody or a poll, not by a notice.
    decision: as the events had it that asked for the reading.
    cause: the hr-events record at that offset.
    read_on: the day of `read_at` where the company is; None: as in UTC.
    reason, error: why it could not be read, and the class of that error.
    fields: only what the answer held. A field that is absent was withheld (forbidden, or unknown to BambooHR); one that
        is empty is there with an empty text. The two must never be mixed up.
    """

    employee: EmployeeId
    through: int
    insists: bool = False
    decision: Annotated[Decision | None, ADDED] = None
    backfill: bool = False
    cause: LogPosition
    mapping_version: str
    read_at: AwareDatetime
    read_on: Annotated[date | None, ADDED] = None
    state: Literal["read", "gone", "unreadable"]
    fields: dict[str, str] = {}
    reason: str | None = None
    error: str | None = None

    @property
    def day(self) -> date:
        """On which it was read, as days before a start and after an end are counted."""
        return self.read_at.date() if self.read_on is None else self.read_on


class DesiredContact(Model):
    """What Zoho Books should show for a person, under today's mapping.

    None = not known, hence not ours to touch; an empty text = to be empty. What came later is written only where it is
    known, so that the fingerprints of older wishes hold.
    """

    active: bool | None
    contact_type: Literal["vendor", "customer"]
    first_name: str | None
    last_name: str | None
    email: str | None
    designation: str | None
    department: str | None
    custom_fields: dict[str, str] = {}
    contact_name: str | None = Field(default=None, exclude_if=_is_none)
    phone: str | None = Field(default=None, exclude_if=_is_none)
    mobile: str | None = Field(default=None, exclude_if=_is_none)
    company_name: str | None = Field(default=None, exclude_if=_is_none)
    website: str | None = Field(default=None, exclude_if=_is_none)
    notes: str | None = Field(default=None, exclude_if=_is_none)


class ContactUpsert(Record):
    """The contact that a key should have from now on. Inactive with no contact in Zoho means: create none.

    cause: the employees record that it follows from; its offset is what the contact's row will want.
    chain: the causes before that, newest first, down to the webhook.
    after: a contact that must give up its address first. backfill: as the snapshot says.
    shared: so many active people state the address. Where no contact was begun yet, none is until an upsert without it.
    """

    contact_key: ContactKey
    employee: EmployeeId
    desired: DesiredContact
    insists: bool = False
    backfill: bool = False
    after: ContactKey | None = None
    shared: Annotated[int | None, ADDED] = None
    cause: LogPosition
    chain: tuple[LogPosition, ...] = ()
    mapping_version: str


OutcomeAction = Literal[
    "attempting",
    "created",
    "updated",
    "activated",
    "deactivated",
    "adopted",
    "unchanged",
    "previewed",
    "held",
    "failed",
]


class SyncOutcome(Record):
    """What happened in Zoho for one debt: the audit.

    settles: up to which employees offset the contact's debt is paid; None for a step that pays nothing yet.
    parks: up to which the debt waits for a person or a newer wish, with `reason` and the class of the `error`.
    attempt: None for an attempting outcome; else the offset of the last attempting outcome, which this one ends.
    changes: field -> (before, after).
    fingerprint: of the desired contact that Zoho is now known to show.
    active: whether the contact is known to be active now; None where that is not known anew.
    by_guard: the leaver guard holds the debt, until somebody approves of this very position.
    modified_at: when that contact was changed last, by Zoho's clock, whole seconds; None where it did not say.
    calls: how many API calls this outcome took; `status`: HTTP status of the last.
    """

    kind: Literal["sync"] = "sync"
    contact_key: ContactKey
    employee: EmployeeId
    contact_id: ContactId | None = None
    action: OutcomeAction
    operation: Literal["create", "update", "activate", "deactivate"] | None = None
    settles: int | None = None
    parks: int | None = None
    attempt: int | None = None
    changes: dict[str, tuple[str | None, str | None]] = {}
    fingerprint: str | None = None
    active: Annotated[bool | None, ADDED] = None
    by_guard: Annotated[bool, Field(exclude_if=operator.not_)] = False
    modified_at: Annotated[AwareDatetime | None, ADDED] = None
    reason: str | None = None
    error: str | None = None
    chain: tuple[LogPosition, ...] = ()
    calls: int = 0
    status: int | None = None
    at: AwareDatetime


class LaneOutcome(Record):
    """A lane was suspended by trouble of the whole connection, or goes on. flood: by its flood guard."""

    kind: Literal["lane"] = "lane"
    api: Api
    state: Literal["suspended", "resumed"]
    reason: str | None = None
    flood: bool = False
    at: AwareDatetime


class GuardOutcome(Record):
    """What the leaver guard decided: a window is open, or has been closed to leavers until its end.

    opened_at: when the window opened; that names it. people: who should have had an active contact then.
    leaving: how many of them had left or were about to when this was decided.
    """

    kind: Literal["guard"] = "guard"
    state: Literal["opened", "closed"]
    opened_at: AwareDatetime
    people: int
    leaving: int
    at: AwareDatetime


class CommandOutcome(Record):
    """A command is under way, or has come to its end.

    command: its name. cause: the newest commands record of that name that it answers. says: a sentence for a person.
    result: what was found, for machines; the command says what it holds. Of progress: with what its next owner goes on.
    """

    kind: Literal["command"] = "command"
    command: str
    cause: LogPosition
    state: Literal["progress", "done", "failed"]
    says: str
    result: dict[str, JsonValue] = {}
    at: AwareDatetime


class WebhookOutcome(Record):
    """What was done about the connection's webhook at BambooHR, or found there: the audit; it settles nothing.

    action: uncertain = the answer to a change was lost; reported = a finding that only a person can mend.
    webhook: its id at BambooHR, where known. changes: setting -> (as found, as asked for).
    """

    kind: Literal["webhook"] = "webhook"
    action: Literal["registered", "repaired", "removed", "missing", "uncertain", "reported"]
    webhook: str | None = None
    reason: str
    changes: dict[str, tuple[str, str]] = {}
    at: AwareDatetime


MissedWhy = Literal["not told", "told of earlier ones", "read in that moment", "no time given"]
"""not told: no event about this employee was heard. told of earlier ones: none about this change. read in that moment:
the reading was made while the second of the change was not over yet, so that it may lack another change in it.
"""


DeliveryFate = Literal["not sent", "failed", "accepted", "before the log", "unknown"]
"""Of the notice of a change, by BambooHR's log. failed: it was tried, and not answered with a 2xx. accepted: it was.
before the log: that holds only 200 deliveries, all of them later. unknown: the log was not read.
"""


class MissedChange(Model):
    """A change that BambooHR's change feed names and that made us read the employee again.

    action: Inserted, Updated or Deleted. changed_at: by BambooHR's clock; None where the feed gave no time.
    delivery: what became of its notice.
    """

    employee: EmployeeId
    action: str
    changed_at: AwareDatetime | None
    why: MissedWhy
    delivery: DeliveryFate = "unknown"


class LogReading(Model):
    """How the log of the webhook's deliveries was read. at: by BambooHR's clock.

    whole: it reaches back to the reading before this one, so that nothing in between has left it. problem: why it could
    not be read, None when it was.
    """

    at: AwareDatetime
    lines: int = 0
    whole: bool = False
    problem: str | None = None


class PollOutcome(Record):
    """BambooHR was asked who has changed: the record of one run, or of a part of it where many had been missed.

    since, through: the span of the feed, by BambooHR's clock; from `through`, less an overlap, it is asked next time.
        Only a run's last record moves it: whoever was missed until then has an event on the log that lies before it.
    looked_at: entries of the whole feed. missed: those who had to be read again.
    began_at: by our clock. by: who asked for it.
    """

    kind: Literal["poll"] = "poll"
    by: Literal["schedule", "operator"]
    began_at: AwareDatetime
    since: AwareDatetime
    through: AwareDatetime
    looked_at: int
    missed: tuple[MissedChange, ...] = ()
    log: LogReading | None = None
    at: AwareDatetime


class DriftOutcome(Record):
    """A contact that somebody changed in Zoho Books was looked at, and is left so; what it shows is told.

    fields: names of those that do not show what we wrote, "contact" where it was deleted; empty: all do. settled: up to
    which employees offset its debt was paid then; chain: the causes of that wish. modified_at: of the change, by Zoho's
    clock; None where there is no contact, or Zoho did not say.
    """

    kind: Literal["drift"] = "drift"
    contact_key: ContactKey
    employee: EmployeeId
    fields: tuple[str, ...]
    settled: int
    chain: tuple[LogPosition, ...]
    modified_at: AwareDatetime | None
    at: AwareDatetime


class RepairOutcome(Record):
    """What became of those whom a poll had missed: the record of its end.

    differed: whose reading changed the contact that they should have. repaired: of them, those whose contact shows it;
    unread: who could not be read, or not in time. began_at: of the poll.
    """

    kind: Literal["repair"] = "repair"
    began_at: AwareDatetime
    read: int
    differed: int
    repaired: int
    unread: int
    at: AwareDatetime


Outcome = Annotated[
    SyncOutcome
    | LaneOutcome
    | GuardOutcome
    | CommandOutcome
    | WebhookOutcome
    | PollOutcome
    | DriftOutcome
    | RepairOutcome,
    Field(discriminator="kind"),
]


class DeadLetter(Record):
    """Something that could not be processed, kept whole so that nothing is lost.

    stage: where it failed: "gateway" (a delivery), the topic of a record that could not be decoded, "bamboohr" (a
        person who cannot be read) or "zoho" (a contact that is refused).
    origin: the record it was, or that says so (a snapshot, an outcome); None for a delivery.
    payload: base64 of the bytes; empty when they are too large to be copied.
    """

    stage: str
    error: str
    message: str
    origin: LogPosition | None = None
    payload: str
    headers: dict[str, str] = {}
    at: AwareDatetime


class Sealed(Model):
    """A secret, encrypted. key: id of the vault key that closed it, which tells a wrong key from a wrong place."""

    key: str
    box: str


class OAuthClient(Model):
    """A client that a person consented to, and what came of it."""

    client_id: Sealed
    client_secret: Sealed
    refresh_token: Sealed


class BambooHrSettings(Model):
    """subdomain: one DNS label. Either an API key or OAuth."""

    subdomain: str
    api_key: Sealed | None = None
    oauth: OAuthClient | None = None

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.api_key is None) == (self.oauth is None):
            raise ValueError("exactly one of api_key and oauth")
        return self


class ZohoSettings(Model):
    """calls_per_minute: never exceeded, in any 60 seconds. calls_in_flight: at most so many at once.

    calls_per_day: of all the organization's programs; None = as Zoho says.
    """

    region: Literal["us", "eu", "in", "au", "jp", "ca", "cn", "sa"]
    organization_id: str
    calls_per_minute: int = Field(default=100, ge=1)
    calls_in_flight: int = Field(default=5, ge=1)
    calls_per_day: int | None = None
    client_id: Sealed
    client_secret: Sealed
    refresh_token: Sealed


class Cut(Model):
    """At most so many characters."""

    cut: int = Field(ge=1, le=5000)


class DateForm(Model):
    """A date in another form: %Y %y %m %d stand for its parts. A text that is no date counts as not known."""

    date: str


class Lookup(Model):
    """Text -> text. other: for a text that is not in the table and not empty; None = it stays as it is."""

    table: dict[str, str]
    other: str | None = None


CHANGES = {"cut": Cut, "date": DateForm, "table": Lookup}


def _kind_of(change: object) -> str | None:
    if isinstance(change, str):
        return "word"
    if isinstance(change, dict):
        return next((name for name in CHANGES if name in change), None)
    return next((name for name, kind in CHANGES.items() if isinstance(change, kind)), None)


Change = Annotated[
    Annotated[Literal["trim", "upper", "lower", "title"], Tag("word")]
    | Annotated[Cut, Tag("cut")]
    | Annotated[DateForm, Tag("date")]
    | Annotated[Lookup, Tag("table")],
    Discriminator(
        _kind_of,
        custom_error_type="change",
        custom_error_message='must be "trim", "upper", "lower", "title", or a table with cut, date or table',
    ),
]


class Source(Model):
    """Where a target's text comes from: one of `field`, `value`, `text`. What is a text alone stands for a field.

    field: a BambooHR field, by alias or id. value: always the same. text: with fields in braces: "{city}, {country}".
    change: what is done to the text, one after the other.
    """

    field: str | None = None
    value: str | None = None
    text: str | None = None
    change: tuple[Change, ...] = Field(default=(), strict=False)

    @model_validator(mode="before")
    @classmethod
    def _field_alone(cls, given: Any) -> Any:
        if not isinstance(given, str | dict | Source):
            raise PydanticCustomError(
                "source", "must be a BambooHR field in quotes, or a table with one of field, value and text"
            )
        return {"field": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if [self.field, self.value, self.text].count(None) != 2:
            raise PydanticCustomError("one_source", "must hold one of field, value and text")
        return self


class Mapping(Model):
    """Which fields go where, who is in scope, what becomes of leavers. `stream/core/targets.py` says what is allowed.

    state_field: api name of a Zoho custom field that also shows active or inactive.
    name: pattern of the contact's display name, such as "{firstName} {lastName}"; None = of the names, as far as nobody
        changed it by hand. fields: target -> source, in place of or beside the usual ones.
    unmapped: usual targets that are left alone; what they show stays. A file says `department = false` in the fields.
    match: "email", or the api name of a unique Zoho custom field that holds BambooHR's id of the employee: by that a
        contact is found.
    leavers: whether their contacts become inactive. missing_email: what stands for a work email that is empty or no
        address; placeholder: its pattern, such as "{id}@people.acme.example".
    days_before_start, days_after_leaving: for how long somebody counts as at work beside their employment.
    scope: CEL expressions over employee fields, all of which must hold.

    What came later is written only where it differs from its default: the fingerprints of older mappings hold.
    """

    contact_type: Literal["vendor", "customer"] = "vendor"
    state_field: str | None = None
    name: str | None = Field(default=None, exclude_if=_is_none)
    fields: dict[str, Source] = Field(default={}, exclude_if=_is_empty)
    unmapped: tuple[str, ...] = Field(default=(), strict=False, exclude_if=_is_empty)
    match: str = Field(default="email", exclude_if=lambda value: value == "email")
    leavers: Literal["inactive", "leave"] = Field(default="inactive", exclude_if=lambda value: value == "inactive")
    missing_email: Literal["skip", "home email", "placeholder"] = Field(
        default="skip", exclude_if=lambda value: value == "skip"
    )
    placeholder: str | None = Field(default=None, exclude_if=_is_none)
    days_before_start: int = Field(default=0, ge=0, le=366, exclude_if=_is_zero)
    days_after_leaving: int = Field(default=0, ge=0, le=366, exclude_if=_is_zero)
    scope: tuple[str, ...] = Field(default=(), max_length=50, strict=False, exclude_if=_is_empty)

    @model_validator(mode="before")
    @classmethod
    def _left_alone(cls, given: Any) -> Any:
        fields = given.get("fields") if isinstance(given, dict) else None
        if not isinstance(fields, dict) or not any(source is False for source in fields.values()):
            return given
        before = given.get("unmapped", ())
        if not isinstance(before, list | tuple) or not all(isinstance(target, str) for target in before):
            return given
        left = {target for target, source in fields.items() if source is False}
        kept = {target: source for target, source in fields.items() if target not in left}
        return {**given, "fields": kept, "unmapped": tuple(sorted({*before, *left}))}

    @field_validator("scope", mode="before")
    @classmethod
    def _one_expression(cls, given: Any) -> Any:
        return (given,) if isinstance(given, str) else given


class MappingVersion(Record):
    """A mapping in full, for the fold of the readings that name it: topic `connections`, part `mapping` + version."""

    version: str
    mapping: Mapping


class QuietHours(Model):
    """In minutes of the day in the connection's time zone; they pass midnight where the end is not after the begin."""

    begin: int = Field(ge=0, lt=24 * 60)
    end: int = Field(ge=0, lt=24 * 60)


Drift = Literal["put back", "report", "leave"]
"""What becomes of a mapped field that somebody changed in Zoho Books. A later change in BambooHR is written anyhow."""


class Reconciling(Model):
    """When BambooHR is asked who has changed: every so many seconds, or by a cron expression; neither: never by itself.

    sweep: cron expression of the run in which everybody is read; None: never by itself. drift: what becomes of a mapped
        field that somebody changed in Zoho Books.
    time_zone: of the expressions, the quiet hours and the days of a mapping, by its IANA name.
    """

    every: Annotated[int, Field(ge=60)] | None = 15 * 60
    cron: str | None = None
    quiet: tuple[QuietHours, ...] = ()
    time_zone: str = "UTC"
    sweep: str | None = "30 2 * * *"
    drift: Drift = "put back"


class LeaverGuard(Model):
    """How many leavers' contacts are made inactive within so many hours before a person is asked.

    As many as `people`, or `percent` of those who should have had an active contact, whichever is more.
    """

    people: int = Field(default=10, ge=0, le=1_000_000)
    percent: int = Field(default=20, ge=0, le=100)
    hours: int = Field(default=24, ge=1, le=24 * 31)


Mode = Literal["live", "preview", "paused"]
"""live: contacts are kept. preview: what would be done is decided and recorded, nothing written. paused: debts wait."""


class Connection(Record):
    """One BambooHR company paired with one Zoho Books organization: topic `connections`, part `settings`.

    paused_from: the mode that it goes back to; None where a file said that it is to be paused.
    webhook_key: of a webhook that a person made; None: Rosterbook registers one itself.
    connected_at: when it was saved for the first time; None where that was before this was noted.
    """

    mode: Mode
    paused_from: Literal["live", "preview"] | None = None
    bamboohr: BambooHrSettings
    webhook_key: Sealed | None = None
    zoho: ZohoSettings
    mapping: Mapping = Mapping()
    reconcile: Reconciling = Reconciling()
    connected_at: AwareDatetime | None = None
    guard: Annotated[LeaverGuard, Field(exclude_if=lambda guard: guard == LeaverGuard())] = LeaverGuard()
    saved_at: AwareDatetime


class RemovedConnection(Record):
    """What stays of a connection that was removed, in the place of its settings: its id is bound for life."""

    subdomain: str
    region: str
    organization_id: str
    removed_at: AwareDatetime


class WebhookConfiguration(Model):
    """What BambooHR is asked for, or shows. events, fields: sorted; fields by their aliases."""

    name: str
    url: str
    format: str
    events: tuple[str, ...]
    fields: tuple[str, ...]


class RegisteredWebhook(Model):
    """A webhook that we made. id, name, created: as BambooHR tells them. made_at: by our clock.

    ended_at: since when it is known to be gone. Its key is accepted for a while longer: deliveries are repeated.
    """

    id: str
    name: str
    created: str
    key: Sealed
    made_at: AwareDatetime
    ended_at: AwareDatetime | None = None


class WebhookRegistration(Record):
    """The webhooks that Rosterbook made for a connection: topic `connections`, part `webhook`; the owning worker's.

    mark: random, and in the name of each of them, so that one whose key was lost is known to be ours.
    made: how many were tried. pending: the last of them may be there, with a key that nobody knows yet.
    webhooks: newest first. asked, shown: of the newest; what was asked for, and how BambooHR showed it after that.
    told: findings that were reported.
    """

    mark: str
    made: int = 0
    pending: bool = False
    webhooks: tuple[RegisteredWebhook, ...] = ()
    asked: WebhookConfiguration | None = None
    shown: WebhookConfiguration | None = None
    told: tuple[str, ...] = ()
    checked_at: AwareDatetime | None = None


class Tokens(Record):
    """The tokens that the owning worker holds: topic `tokens`, key connection + api.

    access_token: None while there is none. requested_at: when tokens were asked for within the last ten minutes (Zoho
    Accounts allows ten in ten minutes). refresh_token: the one the vendor sent last, None while it is the connection's.
    given: the connection's, from which all this descends; with another one it counts for nothing. client: to whom the
    access token was given; with another one that token counts for nothing, the others do. asking: a request was about
    to be sent, and how it ended is not known.
    """

    api: Api
    access_token: Sealed | None
    expires_at: AwareDatetime
    requested_at: tuple[AwareDatetime, ...] = ()
    refresh_token: Sealed | None = None
    given: Sealed | None = None
    client: Annotated[Sealed | None, ADDED] = None
    asking: bool = False


class CallsCounted(Record):
    """How the calls of an organization's day stand: topic `tokens`, written by the owning worker a little ahead.

    calls: of all programs, as far as known, the next few of ours included. limit: of the day, None while nobody told.
    ends: when the count begins anew. closed_until: no call is accepted before.
    """

    api: Api
    organization_id: str
    calls: int
    limit: int | None = None
    ends: AwareDatetime | None = None
    closed_until: AwareDatetime | None = None


class Reference(Record):
    """Observed or agreed names of a list (departments, job titles)."""

    list_name: Literal["department", "jobTitle"]
    names: tuple[str, ...]
    at: AwareDatetime


class HeldContact(Model):
    """A contact that the leaver guard holds, as a person saw it. wish: the reading from which the debt follows."""

    contact_key: ContactKey
    employee: EmployeeId
    wish: LogPosition


class Command(Record):
    """What an operator or a schedule asks for, and who asked.

    work: the owner of the connection has something to do, and answers with a CommandOutcome; else it is on record only.
    holds: about which contacts it decides.
    """

    command: str
    asked_by: str
    arguments: dict[str, str] = {}
    holds: Annotated[tuple[HeldContact, ...], Field(exclude_if=operator.not_)] = ()
    work: bool = False
    at: AwareDatetime


AnyRecord = (
    HrEvent
    | EmployeeSnapshot
    | ContactUpsert
    | SyncOutcome
    | LaneOutcome
    | GuardOutcome
    | CommandOutcome
    | WebhookOutcome
    | PollOutcome
    | DriftOutcome
    | RepairOutcome
    | DeadLetter
    | Connection
    | RemovedConnection
    | MappingVersion
    | WebhookRegistration
    | Tokens
    | CallsCounted
    | Reference
    | Command
)
