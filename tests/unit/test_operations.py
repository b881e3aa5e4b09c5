"""Commands as the owner of a connection carries them out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agents.operations import Done, Operations
from agents.telling import progress
from stream.core import folds
from stream.core.rows import Asked, Company
from stream.errors import LogUnavailable, RecordRefused
from stream.records import Command, CommandOutcome
from tests.fake_clock import START, FakeClock
from tests.small_world import ACME, OUTCOMES, at

COMMANDS = "rosterbook.commands"


def asked(company: Company, offset: int, *, command: str = "test", work: bool = True) -> Company:
    said = Command(connection=ACME, command=command, asked_by="me", arguments={"n": str(offset)}, work=work, at=START)
    return folds.ask(company, said, at(COMMANDS, offset))


class Owner:
    """The row and the log of one connection, without Kafka."""

    def __init__(self) -> None:
        self.company = Company()
        self.said: list[CommandOutcome] = []
        self.crashes: list[BaseException] = []
        self.away = False
        self.heard: list[str] = []
        self.begun: list[Asked] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.operations = self.made()

    def made(self, *waiting: str) -> Operations:
        return Operations(
            ACME,
            {"test": self.test, "fail": self.fail},
            waiting=waiting,
            company=lambda: self.company,
            append=self.append,
            crashed=self.crashes.append,
            clock=FakeClock(),
        )

    async def test(self, order: Asked) -> Done:
        self.heard.append(order.arguments["n"])
        self.begun.append(order)
        await self.gate.wait()
        return Done("Tried.", {"n": order.arguments["n"]})

    async def fail(self, _: Asked) -> Done:
        raise RecordRefused("It cannot be done: do something else.")

    async def append(self, outcome: CommandOutcome) -> None:
        if self.away:
            raise LogUnavailable("Kafka is away.")
        self.said.append(outcome)

    def fold(self) -> None:
        for offset, outcome in enumerate(self.said):
            self.company = folds.answer(self.company, outcome, at(OUTCOMES, offset))
        self.operations.notice()

    async def settled(self) -> None:
        while self.operations._running:
            await asyncio.gather(*self.operations._running.values())


@pytest.fixture
async def owner() -> Any:
    one = Owner()
    yield one
    await one.operations.close()


async def test_a_command_is_carried_out_once_and_its_end_pays_the_debt(owner: Owner) -> None:
    owner.company = asked(owner.company, 3)
    owner.operations.open()
    await owner.settled()
    owner.operations.notice()  # the outcome is not folded yet: nothing is repeated
    await owner.settled()
    (said,) = owner.said
    assert (said.state, said.says, said.result, said.cause) == ("done", "Tried.", {"n": "3"}, at(COMMANDS, 3))
    owner.fold()
    assert not owner.company.asked["test"].debt.owed
    assert len(owner.said) == 1


async def test_a_command_that_is_asked_again_meanwhile_is_carried_out_again(owner: Owner) -> None:
    owner.company = asked(owner.company, 3)
    owner.gate.clear()
    owner.operations.open()
    await asyncio.sleep(0)
    owner.company = asked(asked(owner.company, 4), 5)
    owner.operations.notice()
    owner.gate.set()
    await owner.settled()
    assert owner.heard == ["3", "5"]
    owner.fold()
    assert not owner.company.asked["test"].debt.owed


async def test_a_command_that_cannot_be_done_or_is_unknown_ends_with_a_sentence(owner: Owner) -> None:
    owner.company = asked(asked(owner.company, 1, command="fail"), 2, command="dance")
    owner.operations.open()
    await owner.settled()
    assert {one.command: one.state for one in owner.said} == {"fail": "failed", "dance": "failed"}
    assert {one.says for one in owner.said} == {
        "It cannot be done: do something else.",
        "This worker does not know the command: update it.",
    }


async def test_what_is_on_record_only_makes_no_work(owner: Owner) -> None:
    owner.company = asked(owner.company, 1, work=False)
    owner.operations.open()
    await owner.settled()
    assert (owner.said, owner.company.asked) == ([], {})


async def test_a_log_that_is_away_ends_the_worker_and_closing_ends_nothing(owner: Owner) -> None:
    owner.company = asked(owner.company, 1)
    owner.gate.clear()
    owner.operations.open()
    await asyncio.sleep(0)
    await owner.operations.close()
    assert (owner.said, owner.crashes) == ([], [])
    owner.gate.set()
    owner.away = True
    owner.operations.open()
    await owner.settled()
    assert isinstance(owner.crashes[0], LogUnavailable)


async def test_what_waits_stays_owed_with_how_far_it_came_while_others_are_carried_out(owner: Owner) -> None:
    owner.company = asked(owner.company, 1)
    owner.gate.clear()
    owner.operations.open()
    await asyncio.sleep(0)  # the command's task begins
    further = progress(ACME, "test", owner.company, "6000 of 10000.", START, result={"people": 6000})
    owner.company = folds.answer(owner.company, further, at(OUTCOMES, 0))
    await owner.operations.close()
    owner.gate.set()
    owner.operations = owner.made("test")
    owner.company = asked(owner.company, 2, command="fail")
    owner.operations.open()
    await owner.settled()
    owner.fold()
    await owner.settled()
    assert [(one.command, one.state) for one in owner.said] == [("fail", "failed")]
    assert owner.company.asked["test"].debt.owed
    await owner.operations.close()
    owner.operations = owner.made()
    owner.operations.open()
    await owner.settled()
    assert owner.begun[-1].progress == {"people": 6000}
    assert owner.said[-1].state == "done"


def test_an_older_command_or_answer_moves_nothing_back() -> None:
    company = asked(asked(Company(), 5), 3)
    assert company.asked["test"].arguments == {"n": "5"}
    done = CommandOutcome(connection=ACME, command="test", cause=at(COMMANDS, 5), state="done", says="x", at=START)
    early = folds.answer(Company(), done, at(OUTCOMES, 0))
    assert not asked(early, 5).asked["test"].debt.owed
    assert asked(early, 6).asked["test"].debt.owed
    further = done.model_copy(update={"state": "progress"})
    assert folds.answer(company, further, at(OUTCOMES, 1)).asked["test"].debt.owed


async def test_who_asks_for_a_command_that_is_joined_is_answered_by_the_one_under_way(owner: Owner) -> None:
    owner.operations._joined = ("test",)
    owner.company = asked(owner.company, 3)
    owner.gate.clear()
    owner.operations.open()
    await asyncio.sleep(0)
    owner.company = asked(owner.company, 5)
    owner.operations.notice()
    owner.gate.set()
    await owner.settled()
    assert owner.heard == ["3"]
    assert [one.cause for one in owner.said] == [at(COMMANDS, 5)]
    owner.fold()
    await owner.settled()
    assert not owner.company.asked["test"].debt.owed
    assert owner.heard == ["3"]


def test_progress_is_kept_for_the_next_owner_until_the_end_whoever_asks_meanwhile() -> None:
    def said(state: str, cause: int, page: int) -> CommandOutcome:
        return CommandOutcome(
            connection=ACME,
            command="test",
            cause=at(COMMANDS, cause),
            state=state,  # type: ignore[arg-type]
            says="x",
            result={"page": page},
            at=START,
        )

    company = folds.answer(asked(Company(), 3), said("progress", 3, 1), at(OUTCOMES, 0))
    assert asked(company, 5).asked["test"].progress == {"page": 1}
    early = folds.answer(Company(), said("progress", 3, 1), at(OUTCOMES, 0))
    assert asked(early, 3).asked == company.asked, "in a rebuild the outcome may be folded before the command"
    ended = folds.answer(company, said("done", 3, 9), at(OUTCOMES, 1))
    assert ended.asked["test"].progress == {}
    assert folds.answer(ended, said("progress", 3, 1), at(OUTCOMES, 0)).asked["test"].progress == {}
