"""The tables' stores on this machine are copies of their changelogs, and worth nothing beside other ones.

A store knows how much of its changelog it holds by offsets alone: beside a changelog that was made again it would mix
what it holds with what it reads. So the folder of the stores says of which changelogs they are.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import orjson

from stream.telemetry import log

logger = log("tables")

OF = "changelogs.json"


def keep_stores_of(changelogs: Mapping[str, str], folder: Path) -> None:
    """Empty the folder if its stores are of other changelogs (name -> topic id): they are filled again from these."""
    known: object = None
    with suppress(FileNotFoundError, orjson.JSONDecodeError):
        known = orjson.loads((folder / OF).read_bytes())
    if known == dict(changelogs):
        return
    if known is not None:
        logger.warning("tables.stores_of_other_changelogs", folder=str(folder))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / OF).write_bytes(orjson.dumps(dict(changelogs)))
