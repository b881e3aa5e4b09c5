"""A row of a former owner that lands in the changelog after the owner's own is overwritten, once."""

from __future__ import annotations

from pathlib import Path

import orjson

from stream.core.rows import Person
from stream.topics import HR_EVENTS, changelog_of, partition_of
from tests.e2e.waiting import until
from tests.integration.harness import Desk, desk, event_log, values
from tests.integration.inputs import ACME, heard, read

PEOPLE = changelog_of("people")
HERE = partition_of(ACME, 2)


async def written(bootstrap: str, key: bytes) -> list[bytes | None]:
    """All values that the changelog holds for a row, oldest first."""
    return [value for _, _, found, value in await values(bootstrap, PEOPLE) if found == key]


async def test_an_older_row_of_a_former_owner_is_overwritten_and_not_recovered(bootstrap: str, tmp_path: Path) -> None:
    async with event_log(bootstrap) as log:
        async with desk(bootstrap, tmp_path / "owner") as owner:
            event = await log.append(heard("1"))
            await log.append(read("1", event, email="ada@acme.test"))
            await owner.folded()
            row = owner.folding.results.tables["people"].raw(HERE, "acme/1")
            older = orjson.dumps(Person().model_dump(mode="json"))

            await log.put(PEOPLE, HERE, [(b"acme/1", older)])

            async def overwritten() -> bool:
                return (await written(bootstrap, b"acme/1"))[-1] == row

            await until("the owner has written its row again", overwritten, 20)
            stranger = [(b"acme/7", older), (b"acme/1", older)]
            await log.put(PEOPLE, HERE, stranger)
            await until("the owner has written its row again", overwritten, 20)
            found = await written(bootstrap, b"acme/1")
            assert found[-4:] == [older, row, older, row], "each row of somebody else is answered once"
            assert (await written(bootstrap, b"acme/7"))[-1] is None, "a row that the owner does not have is taken back"

        async with desk(bootstrap, tmp_path / "next owner") as second:
            assert second.rows("people")["acme/1"]["email"] == "ada@acme.test"
            assert "acme/7" not in second.rows("people")
            again = await written(bootstrap, b"acme/1")
            assert again == found, "the next owner wrote nothing: recovered rows are no echo"


async def test_what_nobody_heard_is_passed_over_by_the_next_owner_and_overwritten(
    bootstrap: str, tmp_path: Path
) -> None:
    async with event_log(bootstrap) as log:
        deaf = Desk(bootstrap, tmp_path / "owner")
        await deaf.start()
        await deaf.ready()
        await deaf.folding.owned._echo.stop()
        event = await log.append(heard("1"))
        await log.append(read("1", event, email="ada@acme.test"))
        await deaf.folded()
        row = deaf.folding.results.tables["people"].raw(HERE, "acme/1")
        late = orjson.dumps(Person(folded={HR_EVENTS.name: 1000}).model_dump(mode="json"))
        await log.put(PEOPLE, HERE, [(b"acme/1", late)])
        await until("all is committed", deaf.all_committed, 20)
        await deaf.stop()
        assert (await written(bootstrap, b"acme/1"))[-1] == late, "compaction would leave this one alone"

        async with desk(bootstrap, tmp_path / "next owner") as second:
            assert second.rows("people")["acme/1"]["email"] == "ada@acme.test"
        assert (await written(bootstrap, b"acme/1"))[-1] == row
