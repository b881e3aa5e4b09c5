"""Workers that hang are ended by their watchdogs, their logs say where they stood, and the next one does the work."""

from __future__ import annotations

from pathlib import Path

from stream.vault.vault import new_keyset
from tests.e2e.waiting import until
from tests.integration.connected import WorkerProcess
from tests.integration.harness import desk, event_log
from tests.integration.inputs import ACME, OTHER, heard


async def test_workers_that_hang_end_with_a_dump_and_nothing_is_lost(bootstrap: str, tmp_path: Path) -> None:
    """Each hangs in a partition of its own, both at the same time."""
    keys = new_keyset()
    # One that is blocked sends no heartbeat: its session lasts until the other one's watchdog has judged, too.
    blocked = WorkerProcess(tmp_path / "blocked", bootstrap, vault_keys=keys, watchdog_block="5", session_timeout="18")
    waiting = WorkerProcess(tmp_path / "waiting", bootstrap, vault_keys=keys, watchdog_stall="10")
    hung = ((blocked, "The loop has not turned for", "never_hears"), (waiting, "The folding of", "never_writes"))
    async with event_log(bootstrap) as log:
        await blocked.start("tests.integration.hung_worker", "blocked")
        await waiting.start("tests.integration.hung_worker", "waiting")
        try:

            def share() -> bool:
                assert {worker.process.returncode for worker, _, _ in hung} == {None}
                last = [worker.events("worker.ready")[-1:] for worker, _, _ in hung]
                return all(found and found[0]["partitions"] == 1 for found in last)

            await until("each has one of the two partitions", share, 120)
            for connection in (ACME, OTHER):
                for who in ("1", "2", "3"):
                    await log.append(heard(who, connection=connection))
            for worker, _, _ in hung:
                assert await worker.ended(60) == 1
        finally:
            for worker, _, _ in hung:
                await worker.end()
    for worker, sentence, place in hung:
        (last,) = worker.events("worker.hangs")
        assert last["reason"].startswith(sentence)
        dump = [found for line in ("watchdog.thread", "watchdog.tasks") for found in worker.events(line)]
        assert any(place in where for found in dump for where in found["at"])

    async with desk(bootstrap, tmp_path / "next") as one:
        assert set(one.rows("people")) == {f"{connection}/{who}" for connection in (ACME, OTHER) for who in "123"}
