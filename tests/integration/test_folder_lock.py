"""The folder's lock, between real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stream.errors import BrokerFailed
from stream.kafka.folder_lock import FolderLock, is_held

OWNER = """
import asyncio, subprocess, sys
from pathlib import Path
from stream.kafka.folder_lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
asyncio.run(lock.acquire())
child = subprocess.Popen(["/bin/sleep", "120"], pass_fds=[lock.fd])
print(child.pid, flush=True)
sys.stdin.read()
"""


def owner_with_a_child(file: Path) -> tuple[subprocess.Popen[str], int]:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    return owner, int(owner.stdout.readline())


async def test_living_owner_is_refused_at_once_and_one_whose_child_still_ends_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    owner, child = owner_with_a_child(file)
    with owner:
        try:
            with pytest.raises(BrokerFailed, match=f"in use by process {owner.pid}"):
                await FolderLock(file).acquire()
            os.kill(owner.pid, signal.SIGKILL)  # nobody reaps it yet: a zombie counts as ended
            os.waitid(os.P_PID, owner.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222  # it was just killed
            assert is_held(file)
            with pytest.raises(BrokerFailed, match="does not end"):
                await FolderLock(file).acquire(wait=0.2)
            lock = FolderLock(file)
            waiting = asyncio.create_task(lock.acquire())
            await asyncio.sleep(0)
            assert not waiting.done()
        finally:
            os.kill(child, signal.SIGKILL)
            owner.kill()
    await asyncio.wait_for(waiting, 10)
    lock.release()
    assert not is_held(file)


async def test_owner_that_says_it_is_ending_is_waited_for(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path / "lock"), FolderLock(tmp_path / "lock")
    await first.acquire()
    with pytest.raises(BrokerFailed, match="in use"):
        await second.acquire()
    first.mark_ending()
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(0)
    assert not waiting.done()
    first.release()
    await asyncio.wait_for(waiting, 10)
    second.release()


async def test_later_process_with_the_owners_id_is_not_the_owner(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    first = FolderLock(file)
    await first.acquire()
    assert first.fd is not None
    os.pwrite(first.fd, f"{os.getpid()} 1 running\n".encode(), 0)
    os.ftruncate(first.fd, len(f"{os.getpid()} 1 running\n"))
    with pytest.raises(BrokerFailed, match="does not end"):
        await FolderLock(file).acquire(wait=0)
    first.release()
