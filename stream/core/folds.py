"""The folds that touch one row: an event, a wish, an outcome, a suspended lane, a command, a run of the poll."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from stream.core.debt import NOTHING, Debt
from stream.core.rows import Asked, Attempt, Company, ContactState, Drifted, Leave, Person, Polled, Suspension, Window
from stream.core.targets import is_custom
from stream.records import (
    Command,
    CommandOutcome,
    ContactUpsert,
    DesiredContact,
    DriftOutcome,
    EmployeeId,
    GuardOutcome,
    HrEvent,
    LaneOutcome,
    LogPosition,
    PollOutcome,
    SyncOutcome,
)
from stream.topics import EMPLOYEES

PATIENT = ("sweep", "poll")
"""Kinds of events that nobody waits for."""
MOST_AHEAD = timedelta(minutes=5)
"""A time of BambooHR's that lies further ahead of when we heard of it is wrong, and must not hide later changes."""
SWEEP = "backfill"
"""The command by which everybody is read."""
PAGES = "sweep"
"""Names the part of its progress that tells how far the list was read (`Sweep` in `stream/bamboohr/everybody.py`)."""
SEALED = "sealed"
"""Names the part of an answer that is for whoever asked alone: it is no progress, and no row keeps it."""
APPROVE, REJECT, RELEASE = "approve holds", "reject holds", "release previews"
"""What the commands are called that decide about contacts; each names the very ones."""


def hear(person: Person, event: HrEvent, position: LogPosition) -> Person:
    """A reading of this employee is wanted up to the event."""
    told = [] if event.occurred_at is None else [min(event.occurred_at, event.received_at + MOST_AHEAD)]
    return person.model_copy(
        update={
            "debt": person.debt.want(position.offset),
            "live": person.live if event.kind in PATIENT else max(person.live, position.offset),
            "insisted": max(person.insisted, position.offset) if event.insists else person.insisted,
            **_decision(person, event, position),
            "asked_at": event.received_at if position.offset >= person.debt.wanted else person.asked_at,
            "heard_of": max([*told, *filter(None, [person.heard_of])], default=None),
            "folded": person.folded_with(position),
        }
    )


def _decision(person: Person, event: HrEvent, position: LogPosition) -> dict[str, object]:
    if event.decision is None or event.employees[1:] or position.offset < person.decided:
        return {}
    return {"decision": event.decision, "decided": position.offset}


def is_outdated(person: Person, version: str, *, changed: bool) -> bool:
    """Whether the last reading was made under another mapping than this version, so that another one is owed.

    changed: the mapping has just changed. A reading under the former one may be on the log then and in no row yet:
    whoever is owed one is asked for again, since that one would settle it.
    """
    return person.mapping != version and (person.snapshot > NOTHING or (changed and person.debt.owed))


def wish(state: ContactState | None, upsert: ContactUpsert, position: LogPosition) -> ContactState:
    """The contact is to be as the upsert says, unless something newer is wanted already, or just this is.

    An upsert may be repeated at its own cause: the row means the same after it, its first place in the log included.
    """
    if state is None:
        state = ContactState(employee=upsert.employee, desired=upsert.desired)
    folded = state.folded_with(position)
    cause = upsert.cause.offset
    same = (state.desired, state.after, state.chain[1:2]) == (upsert.desired, upsert.after, (upsert.cause,))
    repeated = cause == state.debt.wanted and same
    if cause < state.debt.wanted or repeated:
        return state.model_copy(update={"folded": folded})
    return state.model_copy(
        update={
            "employee": upsert.employee,
            "desired": upsert.desired,
            "debt": _debt(state, upsert),
            "live": state.live if upsert.backfill else max(state.live, cause),
            "insisted": max(state.insisted, cause) if upsert.insists else state.insisted,
            "after": upsert.after,
            "chain": (position, upsert.cause, *upsert.chain),
            "folded": folded,
        }
    )


def _debt(state: ContactState, upsert: ContactUpsert) -> Debt:
    cause = upsert.cause.offset
    debt = state.debt.want(cause)
    if upsert.shared is None:
        return debt
    return (debt.begin() if state.may_exist else debt).share(cause)


def not_wished_yet(employee: EmployeeId) -> ContactState:
    """The row of a contact of which something is folded before the wish that it follows from, as in a rebuild."""
    nothing = DesiredContact(
        active=False,
        contact_type="vendor",
        first_name=None,
        last_name=None,
        email=None,
        designation=None,
        department=None,
    )
    return ContactState(employee=employee, desired=nothing)


def learn(state: ContactState, outcome: SyncOutcome, position: LogPosition) -> ContactState:
    """What happened in Zoho. An attempt opens a question that any later outcome of the same debt answers.

    An outcome that the row has been folded with already changes nothing: an attempt that comes again would open anew
    what was answered since.
    """
    if state.has_folded(position.topic, position.offset):
        return state
    debt: Debt = state.debt
    if outcome.settles is not None:
        debt = debt.settle(outcome.settles)
    if outcome.parks is not None and outcome.action == "previewed":
        debt = debt.preview(outcome.parks)
    elif outcome.parks is not None and outcome.by_guard:
        debt = debt.hold(outcome.parks)
    elif outcome.parks is not None:
        debt = debt.park(outcome.parks, outcome.reason or outcome.action)
    if outcome.action == "attempting" or outcome.contact_id is not None:
        debt = debt.begin()
    unresolved, left, taken, written = state.unresolved, state.left, state.taken, state.written
    if outcome.action == "held" and not outcome.by_guard and outcome.parks is not None:
        taken = max(taken, outcome.parks)
    if outcome.action == "attempting":
        assert outcome.operation is not None
        cause = max((position.offset for position in wish_of(outcome)), default=NOTHING)
        written = max(written, cause)
        if outcome.operation == "deactivate":
            left = Leave(at=outcome.at, offset=cause)
        _, email = outcome.changes.get("email", (None, None))
        identifier = next((told for name, (_, told) in outcome.changes.items() if is_custom(name)), None)
        unresolved = Attempt(
            operation=outcome.operation, offset=position.offset, at=outcome.at, email=email, identifier=identifier
        )
    elif unresolved is not None and outcome.attempt is not None and outcome.attempt >= unresolved.offset:
        unresolved = None
    return state.model_copy(
        update={
            "debt": debt,
            "unresolved": unresolved,
            "contact_id": outcome.contact_id or state.contact_id,
            "active": state.active if outcome.active is None else outcome.active,
            "left": left,
            "written": written,
            "held_at": outcome.at if outcome.by_guard else state.held_at,
            "taken": taken,
            "applied": outcome.fingerprint or (None if _forgets(outcome) else state.applied),
            "drifted": state.drifted if outcome.fingerprint is None else None,
            "modified_at": outcome.modified_at if outcome.fingerprint is not None else state.modified_at,
            "error": outcome.reason if outcome.action in ("failed", "held") else state.error if unresolved else None,
            "folded": state.folded_with(position),
        }
    )


def _forgets(outcome: SyncOutcome) -> bool:
    """Whether what Zoho shows is not known any more: something is attempted, or was settled without a contact, which
    somebody had deleted.
    """
    return outcome.action == "attempting" or outcome.settles is not None


def drift(state: ContactState, outcome: DriftOutcome, position: LogPosition) -> ContactState:
    """Somebody changed the contact; of no interest where it has been written to since."""
    update: dict[str, object] = {"folded": state.folded_with(position)}
    if state.debt.settled == outcome.settled and state.unresolved is None:
        update["drifted"] = Drifted(fields=outcome.fields, modified_at=outcome.modified_at)
    return state.model_copy(update=update)


def wish_of(outcome: SyncOutcome | DriftOutcome) -> tuple[LogPosition, ...]:
    """The reading from which the outcome's wish followed: what it settles is offsets of its topic."""
    return tuple(cause for cause in outcome.chain if cause.topic == EMPLOYEES.name)


def on_employees(chain: Sequence[LogPosition]) -> LogPosition | None:
    """The reading in a chain of causes."""
    return next((cause for cause in chain if cause.topic == EMPLOYEES.name), None)


def decide(state: ContactState, command: Command, offset: int, position: LogPosition) -> ContactState:
    """A person decided about what the leaver guard holds, or a preview leaves undone, up to an employees offset."""
    debt = state.debt
    if command.command == APPROVE:
        debt = debt.approve(offset)
    elif command.command == REJECT:
        debt = debt.reject(offset)
    elif command.command == RELEASE:
        debt = debt.release(offset)
    return state.model_copy(update={"debt": debt, "folded": state.folded_with(position)})


def watch(company: Company, outcome: GuardOutcome, position: LogPosition) -> Company:
    """The leaver guard's window. One that was closed stays so to its end."""
    before = company.window
    closed = before is not None and before.opened_at == outcome.opened_at and before.closed
    window = Window(opened_at=outcome.opened_at, people=outcome.people, closed=closed or outcome.state == "closed")
    return company.model_copy(update={"window": window, "folded": company.folded_with(position)})


def note(company: Company, outcome: LaneOutcome, position: LogPosition) -> Company:
    """A lane waits for somebody to act, or goes on."""
    suspended = {api: why for api, why in company.suspended.items() if api != outcome.api}
    if outcome.state == "suspended":
        suspended[outcome.api] = Suspension(reason=outcome.reason or "", since=outcome.at, flood=outcome.flood)
    return company.model_copy(update={"suspended": suspended, "folded": company.folded_with(position)})


def ask(company: Company, command: Command, position: LogPosition) -> Company:
    """The command is to be carried out, unless it is on record only. One that is asked again is owed again."""
    asked = dict(company.asked)
    if command.work:
        before = asked.get(command.command) or Asked(cause=position)
        if position.offset >= before.debt.wanted:
            asked[command.command] = Asked(
                debt=before.debt.want(position.offset),
                cause=position,
                arguments=command.arguments,
                progress=before.progress,
            )
    return company.model_copy(update={"asked": asked, "folded": company.folded_with(position)})


def answer(company: Company, outcome: CommandOutcome, position: LogPosition) -> Company:
    """The command has come to its end, or only further. In a rebuild this may be folded before the command itself."""
    asked = dict(company.asked)
    before = asked.get(outcome.command) or Asked(cause=outcome.cause)
    swept_at = company.swept_at
    if outcome.state == "done" and outcome.command == SWEEP:
        swept_at = outcome.at if swept_at is None else max(swept_at, outcome.at)
    if outcome.state != "progress":
        ended = {"debt": before.debt.settle(outcome.cause.offset), "progress": {}}
        asked[outcome.command] = before.model_copy(update=ended)
    elif outcome.cause.offset > before.debt.settled and SEALED not in outcome.result:
        asked[outcome.command] = before.model_copy(update={"progress": outcome.result})
    update = {"asked": asked, "swept_at": swept_at, "folded": company.folded_with(position)}
    return company.model_copy(update=update)


def is_loading(company: Company | None) -> bool:
    """Whether everybody is to be read, and what comes of it to be done."""
    asked = None if company is None else company.asked.get(SWEEP)
    return asked is not None and asked.debt.owed


def reads_everybody(company: Company | None) -> bool:
    """Whether everybody is to be read, and the list was not read to its end yet."""
    if company is None or not is_loading(company):
        return False
    pages = company.asked[SWEEP].progress.get(PAGES)
    return not isinstance(pages, dict) or pages.get("ended") is not True


def poll(company: Company, outcome: PollOutcome, position: LogPosition) -> Company:
    """The change feed was read so far; of two owners that overlap, the one that came further counts."""
    before = company.polled or Polled(through=outcome.through, at=outcome.began_at)
    read = [] if outcome.log is None or outcome.log.problem is not None else [outcome.log.at]
    polled = Polled(
        through=max(before.through, outcome.through),
        at=max(before.at, outcome.began_at),
        log_read_at=max([*read, *filter(None, [before.log_read_at])], default=None),
    )
    return company.model_copy(update={"polled": polled, "folded": company.folded_with(position)})
