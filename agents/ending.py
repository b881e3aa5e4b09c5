"""How a worker ends that must not go on: at once, with one sentence that says why and what to do.

Nothing is flushed and no connection is closed in order, since another worker may own its partitions already. The exit
code is 1 where starting it again may help, and 2 where only a person can help.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from faust.exceptions import ConsistencyError

from stream.errors import ActionNeeded, LogUnavailable, NewerRecord, RosterbookError
from stream.telemetry import log

logger = log("worker")

AGAIN, BY_HAND = 1, 2
FULL = ("No space left on device", "Disk quota exceeded")
"""RocksDB tells what the system said, and no number."""
TOO_LARGE = "File too large"
LONGEST = 500


def end_at_once(error: BaseException, data: Path) -> NoReturn:
    """Log why and end the process. data: the state folder."""
    kind = "fatal" if isinstance(error, LogUnavailable) else "crashed"
    code = (
        BY_HAND
        if any(isinstance(one, ActionNeeded | NewerRecord | ConsistencyError) for one in _chain(error))
        else AGAIN
    )
    logger.critical(
        f"worker.{kind}", error=type(error).__name__, exc_info=error, reason=sentence(error, data)[:LONGEST]
    )
    leave(code)


def leave(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def sentence(error: BaseException, data: Path) -> str:
    """What a person is told."""
    for one in _chain(error):
        if isinstance(one, RosterbookError):
            return one.message
        if isinstance(one, ConsistencyError):
            return (
                f"The tables in {data / 'worker'} are ahead of their changelogs, which have lost records: end every "
                "worker and fold the log anew with `rosterbook tables rebuild`."
            )
        if (of_the_disk := no_room(one, data)) is not None:
            return of_the_disk
    return f"An error that the worker does not know ended it ({type(error).__name__}): its log shows where."


def no_room(error: BaseException, data: Path) -> str | None:
    """What a person is told where the error says that the disk takes no more; None where it does not."""
    number, text = getattr(error, "errno", None), str(error)
    if number in (errno.ENOSPC, errno.EDQUOT) or any(sign in text for sign in FULL):
        return f"The disk that holds {data} is full: make room; the worker starts again by itself."
    if number == errno.EFBIG or TOO_LARGE in text:
        return f"The worker may not write more into a file of {data}: raise the file-size limit (ulimit -f)."
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
