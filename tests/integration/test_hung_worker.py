"""A worker that hangs is ended by its watchdog, its log says where it stood, and the next one does the work."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.vault.vault import new_keyset
from tests.integration.connected import WorkerProcess
from tests.integration.harness import desk, event_log
from tests.integration.inputs import heard


@pytest.mark.parametrize(
    ("how", "sentence", "place"),
    [
        ("blocked", "The loop has not turned for", "never_hears"),
        ("waiting", "The folding of rosterbook.hr-events", "never_writes"),
    ],
)
async def test_a_worker_that_hangs_ends_with_a_dump_and_nothing_is_lost(
    bootstrap: str, tmp_path: Path, how: str, sentence: str, place: str
) -> None:
    hung = WorkerProcess(
        tmp_path / "hung", bootstrap, vault_keys=new_keyset(), watchdog_block="15", watchdog_stall="30"
    )
    async with event_log(bootstrap) as log:
        try:
            await hung.start("tests.integration.hung_worker", how)
            await hung.ready(120)
            for who in ("1", "2", "3"):
                await log.append(heard(who))
            assert await hung.ended(90) == 1
        finally:
            await hung.end()
    (last,) = hung.events("worker.hangs")
    assert last["reason"].startswith(sentence)
    dump = [
        place for line in ("watchdog.thread", "watchdog.tasks") for found in hung.events(line) for place in found["at"]
    ]
    assert any(place in where for where in dump)

    async with desk(bootstrap, tmp_path / "next") as one:
        assert set(one.rows("people")) == {"acme/1", "acme/2", "acme/3"}
