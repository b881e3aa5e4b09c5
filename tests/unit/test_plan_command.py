"""`rosterbook plan` as it answers whoever asks for it; the owner's part is played with a small world."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import agents.cli.asked
import agents.cli.connection
import agents.cli.plan
import agents.cli.plan_desk
import agents.plan_orders
from agents.cli import run
from agents.cli.plan_desk import loaded
from agents.plan_orders import PlanCommand
from stream.core import folds
from stream.core.forecast import Limits
from stream.core.rows import Company
from stream.errors import RecordRefused, RosterbookError, UsageError
from stream.records import Command, CommandOutcome
from stream.vault.once import AnswerKey, name_of, sealed_for
from tests.fake_clock import START
from tests.planned_world import planner_of
from tests.small_world import ACME, COMMANDS, SmallWorld, at, person

LANE = cast(Any, SimpleNamespace(ledger=SimpleNamespace(limits=Limits(per_minute=100, left_today=900, per_day=1000))))


class Owner:
    """Carries the command out. told: all that was put on the log."""

    def __init__(self, world: SmallWorld) -> None:
        self.world = world
        self.told: list[CommandOutcome] = []

    async def carried_out(
        self, name: str, command: str, arguments: Mapping[str, str], on_the_way: Callable[[CommandOutcome], None]
    ) -> CommandOutcome:
        asked = Command(connection=ACME, command=command, asked_by="me", work=True, arguments=dict(arguments), at=START)
        company = folds.ask(Company(), asked, at(COMMANDS, 1))

        async def append(outcome: CommandOutcome) -> None:
            self.told.append(outcome)
            on_the_way(outcome)

        carry_out = PlanCommand(
            ACME, planner_of(self.world), LANE, company=lambda: company, append=append, clock=self.world.clock
        )
        end: dict[str, Any]
        try:
            done = await carry_out(company.asked[command])
            end = {"state": "done", "says": done.says, "result": dict(done.result)}
        except RosterbookError as error:
            end = {"state": "failed", "says": error.message}
        return CommandOutcome(connection=ACME, command=command, cause=at(COMMANDS, 1), at=START, **end)


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch) -> Owner:
    world = SmallWorld()
    world.hire("1", person())
    world.settle()
    world.truth["1"] = person(jobTitle="Lead")  # type: ignore[index]
    world.truth["2"] = person("bo@acme.test", firstName="Bo [b]")  # type: ignore[index]
    found = Owner(world)

    async def only() -> str:
        return "acme"

    monkeypatch.setattr(agents.cli.plan_desk, "carried_out", found.carried_out)

    async def known() -> dict[str, Any]:
        return {"acme": None, "1": None}

    monkeypatch.setattr(agents.cli.connection, "only_connection", only)
    monkeypatch.setattr(agents.cli.connection, "known_connections", known)
    return found


def test_counts_changes_calls_and_minutes_are_shown(owner: Owner, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan"]) == 0
    out = capsys.readouterr().out
    said = [" ".join(line.split()) for line in out.splitlines()]
    assert "create 1" in said
    assert "1 change designation Engineer Lead" in said
    assert "2 create first_name Bo [b]" in said
    assert said[-1] == "4 calls to Zoho Books, about 0 minutes; 900 calls are left today."


def test_contacts_that_others_doubled_are_named(owner: Owner, capsys: pytest.CaptureFixture[str]) -> None:
    owner.world.zoho.add("ada@acme.test")
    assert run(["plan"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "more than one contact with the address of employees 1: merge them there." in said


def test_a_long_plan_says_how_much_is_not_shown(owner: Owner, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3, 20):
        owner.world.truth[str(number)] = person(f"p{number}@acme.test")  # type: ignore[index]
    assert run(["plan"]) == 0
    assert "… and " in capsys.readouterr().out
    assert run(["plan", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["lines"]) == 19


def test_the_same_inputs_give_the_same_bytes_in_a_file_that_only_its_owner_may_read(
    owner: Owner, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "plan.json"
    assert run(["plan", "acme", "--out", str(file)]) == 0
    assert "holds the plan and personal data" in capsys.readouterr().out
    first = file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    assert run(["plan", "acme", "--out", str(file), "--json"]) == 0
    assert file.read_bytes() == first
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    told = json.loads(capsys.readouterr().out)
    assert told["digest"] == json.loads(first)["digest"] == loaded(file).digest
    assert list(tmp_path.iterdir()) == [file]


def test_nothing_of_a_person_is_on_the_log_in_clear(owner: Owner) -> None:
    assert run(["plan"]) == 0
    told = " ".join(outcome.model_dump_json() for outcome in owner.told)
    assert "sealed" in told
    for word in ("Moreno", "ada@acme.test", "Lead", "Bo [b]"):
        assert word not in told


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["acme", "ada"], "'ada' is no employee id"),
        (["acme", ""], "'' is no employee id"),
        (["acme", "1", "--where", 'department == "Sales"'], "not both"),
        (["acme", "--where", "department =="], "The filter is wrong at character"),
        (["acme", *map(str, range(1, 502))], "At most 500"),
        (["acme", "--out", "."], "is a folder"),
        (["acme", "--out", "/nowhere/plan.json"], "cannot be written"),
    ],
)
def test_wrong_usage_exits_2_with_a_sentence(
    owner: Owner, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_an_employee_whom_nobody_knows_is_said_to_be_none(owner: Owner, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "77"]) == 1
    assert "BambooHR has no employee 77" in capsys.readouterr().err


def test_an_answer_to_somebody_else_is_not_taken_for_ours(
    owner: Owner, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def of_another(name: str, command: str, arguments: Mapping[str, str], on_the_way: Any) -> CommandOutcome:
        return await owner.carried_out(name, command, {**arguments, "key": AnswerKey().public}, on_the_way)

    monkeypatch.setattr(agents.cli.plan_desk, "carried_out", of_another)
    assert run(["plan"]) == 1
    assert "in the same moment: ask again" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda text: text.replace(b"Lead", b"Head"), "was altered"),
        (lambda text: text[: len(text) // 2], "is no plan, or not a whole one"),
        (lambda text: text.replace(b'"format": 2', b'"format": 1'), "another version of Rosterbook"),
        (lambda text: b"[1]", "is no plan: make one"),
        (lambda text: text.replace(b'"people"', b'"peoples"'), "is no plan as Rosterbook makes it"),
        (lambda text: b"\xff\xfe", "is no plan, or not a whole one"),
    ],
)
def test_a_file_that_is_not_as_it_was_made_is_refused(
    owner: Owner, tmp_path: Path, harm: Callable[[bytes], bytes], says: str
) -> None:
    file = tmp_path / "plan.json"
    assert run(["plan", "--out", str(file)]) == 0
    file.write_bytes(harm(file.read_bytes()))
    with pytest.raises(UsageError, match=says):
        loaded(file)


def test_files_that_are_missing_or_huge_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        loaded(tmp_path / "none.json")
    huge = tmp_path / "huge.json"
    with huge.open("wb") as file:
        file.truncate(300 * 1024 * 1024)
    with pytest.raises(UsageError, match="too large"):
        loaded(huge)


def test_a_sealed_part_opens_for_its_key_at_its_place_alone() -> None:
    key, other = AnswerKey(), AnswerKey()
    sealed = sealed_for(key.public, b"plan", "acme plan 1/2")
    assert key.opened(sealed, "acme plan 1/2") == b"plan"
    assert name_of(key.public) != name_of(other.public)
    for opener, text, place in (
        (key, sealed, "acme plan 2/2"),
        (other, sealed, "acme plan 1/2"),
        (key, "no base64!", "acme plan 1/2"),
        (key, sealed[:-8], "acme plan 1/2"),
    ):
        with pytest.raises(RecordRefused, match="ask again"):
            opener.opened(text, place)
    for public in ("", "{}", "nonsense"):
        with pytest.raises(RecordRefused, match="no key"):
            sealed_for(public, b"plan", "acme plan 1/2")


async def test_a_number_that_comes_first_is_a_connection_where_there_is_one_of_that_id(owner: Owner) -> None:
    named = agents.cli.plan._named
    assert await named(("1", "2")) == ("1", ("2",))
    assert await named(("2", "1")) == ("acme", ("2", "1"))
    assert await named(("bolt", "1")) == ("bolt", ("1",))
    assert await named(()) == ("acme", ())


async def test_who_waits_is_told_how_far_it_is(owner: Owner) -> None:
    pages = asyncio.Event()

    class Slow:
        async def page(self, *_: Any) -> None:
            await pages.wait()

    planner = planner_of(owner.world, cast(Any, Slow()))
    said: list[CommandOutcome] = []
    asked = Command(connection=ACME, command="plan", asked_by="me", work=True, at=START)
    company = folds.ask(Company(), asked, at(COMMANDS, 1))
    heard = asyncio.Event()

    async def append(outcome: CommandOutcome) -> None:
        said.append(outcome)
        heard.set()

    carry_out = PlanCommand(ACME, planner, LANE, company=lambda: company, append=append, clock=owner.world.clock)
    task = asyncio.create_task(carry_out(company.asked["plan"]))
    await asyncio.wait_for(heard.wait(), 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert said[0].says == "People and contacts are being read."


def test_a_plan_of_many_parts_comes_together(
    owner: Owner, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(agents.plan_orders, "PART_BYTES", 64)
    assert run(["plan", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["lines"]) == 2
    parts = [outcome for outcome in owner.told if "sealed" in outcome.result]
    assert len(parts) > 3
