"""Start a process that cannot outlive the one that starts it, not even when that one is killed.

`tethered` wraps a command; the wrapper (this same file, run alone) asks the kernel for a signal at the parent's death
and then becomes the command, so that process id, open files and exit code are the command's own. Linux only: the
kernel's name for it is PR_SET_PDEATHSIG. The kernel watches the *thread* that starts the process, so start it from a
thread that lives as long as the program, which is the one that runs the event loop; never from a worker thread.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def tethered(argv: list[str], sig: signal.Signals = signal.SIGKILL) -> list[str]:
    """The command to start instead of `argv`, from this very process; it gets `sig` when this process ends.

    argv[0] is a path. SIGKILL is certain; with another signal the command must end by itself.
    """
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(sig)), *argv]


def _become(parent: int, sig: int, argv: list[str]) -> None:
    """Ask for the signal, make sure that it was not too late, and turn into the command."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, sig, 0, 0, 0) != 0:
        sys.exit(f"cannot be tied to its parent: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:  # it ended before the kernel was asked: no signal will come
        sys.exit("its parent is gone")
    os.execv(argv[0], argv)  # noqa: S606  # no shell is meant: the command is ours


if __name__ == "__main__":
    _become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
