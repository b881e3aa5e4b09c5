"""One owner a folder: a lock that lives as long as any process that holds it, and says whether its owner still does.

The lock is the kernel's (`flock`), on a file descriptor that the owner may hand to a child: it is free only when both
have ended. The file names the owner, so that whoever finds it locked can tell an owner that lives (refused at once)
from one that is ending or whose child is (waited for).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path
from typing import NoReturn

from stream.clock import SystemClock
from stream.errors import BrokerFailed

POLL_S = 0.05
RUNNING, ENDING = "running", "ending"


def _started(pid: int) -> str | None:
    """When the process started, in the kernel's ticks: tells it from a later one with its id. None = it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def _try_lock(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class FolderLock:
    """`fd` is the descriptor to hand to a child that must count as an owner too."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.fd: int | None = None

    async def acquire(self, wait: float = 30.0) -> None:
        """Take the lock, waiting up to `wait` seconds for an owner that is ending.

        Raises BrokerFailed at once when the owner lives, or when the wait was not enough.
        """
        clock = SystemClock()
        deadline = clock.monotonic() + wait
        fd = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not _try_lock(fd, fcntl.LOCK_EX):
                self._refuse_living(fd)
                if clock.monotonic() >= deadline:
                    self._refuse("is still used by a broker that does not end: end it and start again")
                await asyncio.sleep(POLL_S)
        except BaseException:
            os.close(fd)
            raise
        self.fd = fd
        self._write(RUNNING)

    def _refuse_living(self, fd: int) -> None:
        owner = os.pread(fd, 100, 0).decode(errors="replace").split()
        if len(owner) != 3 or not owner[0].isdigit():  # it has the lock, and is about to write its name
            return
        pid, started, state = owner
        if state == RUNNING and _started(int(pid)) == started:
            self._refuse(f"is in use by process {pid}: stop it, or set ROSTERBOOK_DATA to another folder")

    def _refuse(self, why: str) -> NoReturn:
        raise BrokerFailed(f"{self._file.parent} {why}.")

    def mark_ending(self) -> None:
        """From now on, whoever wants the folder waits instead of being refused."""
        if self.fd is not None:
            self._write(ENDING)

    def _write(self, state: str) -> None:
        assert self.fd is not None
        owner = f"{os.getpid()} {_started(os.getpid())} {state}\n".encode()
        os.pwrite(self.fd, owner, 0)
        os.ftruncate(self.fd, len(owner))

    def release(self) -> None:
        """Give up this process's share of the lock; a child that has the descriptor keeps its own."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


def is_held(file: Path) -> bool:
    """Whether anybody has the lock."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _try_lock(fd, fcntl.LOCK_SH)
    finally:
        os.close(fd)
