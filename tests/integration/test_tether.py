"""A tethered process ends with its parent, and is otherwise the command itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from stream.tether import tethered

PARENT = """
import signal, subprocess, sys
from stream.tether import tethered
child = subprocess.Popen(tethered(["/bin/sleep", "120"], signal.Signals[sys.argv[1]]), start_new_session=True)
print(child.pid, flush=True)
sys.stdin.read()
"""


def test_command_keeps_its_process_id_and_exit_code() -> None:
    with subprocess.Popen(tethered(["/bin/sh", "-c", "echo $$; exit 7"]), stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert int(child.stdout.read()) == child.pid
    assert child.returncode == 7


@pytest.mark.parametrize("sig", ["SIGKILL", "SIGTERM"])
def test_child_ends_when_its_parent_is_killed(sig: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, sig], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
        assert child not in psutil.wait_procs([child], timeout=5)[1]


def test_parent_that_ended_too_early_is_noticed() -> None:
    argv = tethered(["/bin/echo", "started"])
    argv[argv.index(str(os.getpid()))] = "1"  # as if the parent had been replaced by init in between
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "its parent is gone\n")
