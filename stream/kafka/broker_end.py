"""Why a broker ended, read from what it wrote: Kafka and Java tell it nowhere else."""

from __future__ import annotations

import shutil
from pathlib import Path

TAIL_BYTES = 1024 * 1024
NO_ROOM_BYTES = 1024 * 1024
PORT_TAKEN = "Address already in use"
_FULL = "The disk that holds {folder} is full: make room and start again."
_CAUSES = (
    ("No space left on device", _FULL),
    ("Disk quota exceeded", _FULL),
    (
        "File too large",
        "The broker may not write more into a file of {folder}: raise the file-size limit (ulimit -f) and start again.",
    ),
    (PORT_TAKEN, "A port of the broker is taken by another program: end it, or set ROSTERBOOK_KAFKA_PORT to another."),
    ("Too many open files", "The broker may not open more files: raise the limit (ulimit -n) and start again."),
    ("OutOfMemoryError", "The broker ran out of memory: start it again, and give the machine more if this repeats."),
    ("insufficient memory", "The machine has too little memory for the broker: free some and start again."),
    ("Read-only file system", "The folder {folder} cannot be written: make it writable and start again."),
    ("Permission denied", "The folder {folder} cannot be written: make it writable and start again."),
)


def written_since(log: Path, start: int) -> str:
    """What the broker's log got after `start` bytes, at most the last MiB; all of it if it was rolled since."""
    try:
        with log.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(start if start <= size else 0, size - TAIL_BYTES))
            return stream.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def why(folder: Path, text: str, status: int | None) -> str:
    """One sentence. text: what was written; status: the exit code, negative for a signal."""
    for sign, sentence in _CAUSES:
        if sign in text:
            return sentence.format(folder=folder)
    if shutil.disk_usage(folder).free < NO_ROOM_BYTES:  # then the log could not say so
        return _FULL.format(folder=folder)
    ended = f"was ended by signal {-status}" if status is not None and status < 0 else f"ended with status {status}"
    return f"The broker {ended}: {folder / 'broker.log'} says why."
