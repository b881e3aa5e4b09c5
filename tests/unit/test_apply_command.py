"""`rosterbook apply` as it answers whoever gives it a file; the worker's part is played here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

import agents.cli.apply
import agents.cli.asked
import agents.cli.connection
from agents.applying import arguments_of, name_of
from agents.cli import run
from agents.cli.plan_desk import written
from stream.core.plan import Plan
from stream.core.plan_line import Basis
from stream.records import CommandOutcome, EmployeeId, Mode
from tests.fake_clock import START
from tests.planned_world import planned
from tests.small_world import ACME, COMMANDS, SmallWorld, at, person
from tests.unit.test_backfill import connection


class Worker:
    """Says what became of each line: moved -> why."""

    def __init__(self, moved: Mapping[str, str]) -> None:
        self.moved = moved
        self.asked: list[dict[str, Any]] = []
        self.fails: str | None = None
        self.of: str | None = None

    async def carried_out(
        self, name: str, command: str, arguments: Mapping[str, str], on_the_way: Callable[[CommandOutcome], None]
    ) -> CommandOutcome:
        lines = orjson.loads(arguments["lines"])
        self.asked.append(lines)
        moved = {who: why for who, why in self.moved.items() if who in lines}
        on_the_way(self.said("progress", through=1, total=len(lines)))
        if self.fails is not None:
            return self.said("failed").model_copy(update={"says": self.fails})
        return self.said("done", done=len(lines) - len(moved), moved=moved, of=self.of or name_of(arguments))

    def said(self, state: Any, **result: Any) -> CommandOutcome:
        return CommandOutcome(
            connection=ACME,
            command="apply",
            cause=at(COMMANDS, 1),
            state=state,
            says="So far.",
            result=result,
            at=START,
        )


@pytest.fixture
def plan() -> Plan:
    world = SmallWorld()
    for number in range(1, 6):
        world.truth[EmployeeId(str(number))] = person(f"p{number}@acme.test", firstName=f"P{number}")
    return planned(world).plan


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Worker]:
    def with_record(mode: Mode = "preview", moved: Mapping[str, str] | None = None, **update: Any) -> Worker:
        worker = Worker(moved or {})

        async def known(name: str) -> Any:
            return connection(mode).model_copy(update=update)

        monkeypatch.setattr(agents.cli.asked, "carried_out", worker.carried_out)
        monkeypatch.setattr(agents.cli.connection, "known_connection", known)
        return worker

    return with_record


def test_all_done_exits_0_and_what_has_moved_1_with_the_reasons(
    plan: Plan, play: Callable[..., Worker], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "plan.json"
    written(plan, file)
    play()
    assert run(["apply", str(file)]) == 0
    assert capsys.readouterr().out == "5 of 5 planned changes are done.\n"
    play(moved={"3": "the contact in Zoho Books changed; it would be changed now"})
    assert run(["apply", str(file)]) == 1
    out = capsys.readouterr().out
    assert "the contact in Zoho Books changed" in out
    assert out.endswith("4 of 5 planned changes are done.\n")
    assert run(["apply", str(file), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["moved"].keys() == {"3"}


def test_many_lines_go_in_several_commands(
    plan: Plan, play: Callable[..., Worker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents.cli.apply, "AT_ONCE", 2)
    written(plan, tmp_path / "plan.json")
    worker = play()
    assert run(["apply", str(tmp_path / "plan.json")]) == 0
    assert [sorted(lines) for lines in worker.asked] == [["1", "2"], ["3", "4"], ["5"]]


def test_the_command_carries_ids_and_digests_and_nothing_of_a_person(plan: Plan) -> None:
    basis = plan.lines[0].basis
    told = arguments_of(plan.mapping, {plan.lines[0].employee: basis}, "ada")
    assert orjson.loads(told["lines"]) == {"1": [basis.reading, basis.contact, basis.decision]}
    assert all(len(digest) == 16 for digest in (basis.reading, basis.contact, basis.decision))
    assert "acme.test" not in str(told)


@pytest.mark.parametrize(
    ("update", "says"),
    [
        ({"mode": "paused"}, "is paused"),
        ({"company": "elsewhere"}, "another company"),
        ({"mapping": "0" * 32}, "another mapping"),
    ],
)
def test_a_plan_that_does_not_belong_here_is_refused_before_anything_is_asked(
    plan: Plan, play: Callable[..., Worker], tmp_path: Path, update: dict[str, str], says: str, capsys: Any
) -> None:
    worker = play(mode="paused" if "mode" in update else "live")
    if "company" in update:
        company = plan.company.model_copy(update={"organization_id": "2"})
        plan = plan.model_copy(update={"company": company})
    if "mapping" in update:
        plan = plan.model_copy(update={"mapping": update["mapping"]})
    written(plan, tmp_path / "plan.json")
    assert run(["apply", str(tmp_path / "plan.json")]) == 2
    assert says in capsys.readouterr().err
    assert not worker.asked


def test_a_worker_that_fails_and_an_answer_to_somebody_else_exit_1(
    plan: Plan, play: Callable[..., Worker], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(plan, tmp_path / "plan.json")
    worker = play()
    worker.fails = "Zoho Books does not accept a fresh token."
    assert run(["apply", str(tmp_path / "plan.json")]) == 1
    assert "does not accept a fresh token" in capsys.readouterr().err
    play().of = "0" * 16
    assert run(["apply", str(tmp_path / "plan.json")]) == 1
    assert "apply this one again" in capsys.readouterr().err


def test_a_plan_without_changes_asks_for_nothing(
    plan: Plan, play: Callable[..., Worker], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worker = play()
    written(plan.model_copy(update={"lines": ()}), tmp_path / "plan.json")
    assert run(["apply", str(tmp_path / "plan.json")]) == 0
    assert capsys.readouterr().out == "The plan holds no change: nothing was done.\n"
    assert not worker.asked


def test_500_lines_fit_into_a_record() -> None:
    lines = {
        EmployeeId(str(10**9 + n)): Basis(reading="f" * 16, contact="f" * 16, decision="f" * 16) for n in range(500)
    }
    assert len(arguments_of("0" * 32, lines, "ada")["lines"]) < 100_000
