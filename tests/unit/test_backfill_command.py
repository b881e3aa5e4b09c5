"""`rosterbook backfill` as it answers whoever asks for it; the worker's part is played here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Literal

import pytest

import agents.cli.asked
import agents.cli.backfill
import agents.cli.connection
from agents.cli import run
from stream.records import CommandOutcome
from tests.fake_clock import START
from tests.small_world import ACME, at
from tests.unit.test_backfill import connection


def said(state: Literal["progress", "done", "failed"], says: str, **result: Any) -> CommandOutcome:
    return CommandOutcome(
        connection=ACME,
        command="backfill",
        cause=at("rosterbook.commands", 1),
        state=state,
        says=says,
        result=result,
        at=START,
    )


class Worker:
    """Answers with what a test says."""

    def __init__(self, *answers: CommandOutcome) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str]] = []

    async def carried_out(
        self, connection: str, command: str, arguments: Mapping[str, str], on_the_way: Callable[[CommandOutcome], None]
    ) -> CommandOutcome:
        self.asked.append((connection, command))
        if not self.answers:
            raise asyncio.CancelledError  # as Ctrl-C does
        for answer in self.answers[:-1]:
            on_the_way(answer)
        return self.answers[-1]

    async def only_asked(self, connection: str, command: str, arguments: Mapping[str, str]) -> None:
        self.asked.append((connection, command))


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Worker]:
    def with_answers(*answers: CommandOutcome) -> Worker:
        worker = Worker(*answers)

        async def only_connection() -> str:
            return "acme"

        monkeypatch.setattr(agents.cli.asked, "carried_out", worker.carried_out)
        monkeypatch.setattr(agents.cli.asked, "only_asked", worker.only_asked)
        monkeypatch.setattr(agents.cli.connection, "only_connection", only_connection)
        return worker

    return with_answers


def test_its_end_is_told_and_its_way_there_only_where_somebody_looks(
    play: Callable[..., Worker], capsys: pytest.CaptureFixture[str]
) -> None:
    worker = play(said("progress", "1 of 3 people read.", people=1, total=3), said("done", "3 people were read."))
    assert run(["backfill"]) == 0
    assert capsys.readouterr() == ("3 people were read.\n", "")
    assert worker.asked == [("acme", "backfill")]


def test_a_load_that_failed_exits_1_and_says_why(
    play: Callable[..., Worker], capsys: pytest.CaptureFixture[str]
) -> None:
    play(said("failed", "The list changed each time: run this again later."))
    assert run(["backfill", "acme"]) == 1
    assert capsys.readouterr() == ("", "The list changed each time: run this again later.\n")
    assert run(["backfill", "acme", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["state"] == "failed"


@pytest.mark.parametrize(
    "command", [["backfill", "acme"], ["reconcile", "acme"], ["reconcile", "acme", "--report"], ["plan", "acme"]]
)
def test_while_its_connection_is_paused_nobody_waits_for_a_command(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def known(name: str) -> Any:
        return connection("paused")

    monkeypatch.setattr(agents.cli.connection, "known_connection", known)
    monkeypatch.setenv("ROSTERBOOK_KAFKA", "127.0.0.1:1")
    assert run(command) == 2
    assert "Connection acme is paused: `rosterbook connection resume acme`." in capsys.readouterr().err


def test_without_waiting_it_is_only_asked_for(play: Callable[..., Worker], capsys: pytest.CaptureFixture[str]) -> None:
    worker = play()
    assert run(["backfill", "acme", "--no-wait"]) == 0
    assert "is asked to load connection acme" in capsys.readouterr().out
    assert run(["backfill", "acme", "--no-wait", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"connection": "acme", "state": "asked"}
    assert worker.asked == [("acme", "backfill")] * 2


async def test_who_stops_watching_is_told_that_the_worker_goes_on(
    play: Callable[..., Worker], capsys: pytest.CaptureFixture[str]
) -> None:
    play()
    with pytest.raises(asyncio.CancelledError):
        await agents.cli.backfill.backfill("acme")
    assert capsys.readouterr().err == "The worker goes on; `rosterbook backfill acme` watches it again.\n"


def test_the_bars_show_people_contacts_and_minutes() -> None:
    shown: list[tuple[Any, ...]] = []

    class Bars:
        def report(self, *what: Any) -> None:
            shown.append(what)

    bars: Any = Bars()
    for result in ({"people": 0, "total": None}, {"people": 80, "total": 100, "owed": 30, "minutes": 1.5}):
        agents.cli.backfill._show(said("progress", "", **result), bars)
    assert shown[2:] == [
        ("people read", 80, 100, "about 1.5 minutes in all"),
        ("contacts kept", 50, 100, "30 owed"),
    ]
    assert [one[1:3] for one in shown[:2]] == [(0, 0), (0, 0)]
