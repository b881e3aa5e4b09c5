"""The jars of the embedded broker: which they are, where they are kept, and that each is the one we mean.

`kafka.lock.toml` names every jar with its SHA-256. A jar that is missing is fetched by jgo into a place of its own,
verified, and only then moved to where it is used, so a fetch may be killed at any moment. Every jar is verified before
each start (45 MB, some 50 ms). With all of them there, neither jgo nor the network is touched.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stream.errors import BrokerFailed
from stream.telemetry import log

logger = log("jars")

LOCK_FILE = Path(__file__).with_name("kafka.lock.toml")
AGAIN = "`rosterbook kafka --prepare`"
AT_ONCE = 4
"""Jars fetched at the same time."""
MADE_AT = 1_700_000_000
"""Every jar's modification time. Java's ahead-of-time cache compares it: a jar fetched again must look the same."""

Report = Callable[[str, int, int], None]
"""Progress: what is being done, steps done, steps in all."""


class _Stopped(Exception):
    """The fetch is no longer wanted."""


@dataclass(frozen=True)
class Jar:
    """A jar as the lock names it. sha256: hex."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    def path(self, cache: Path) -> Path:
        return cache / "jars" / self.group / self.name

    def is_in(self, file: Path) -> bool:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == self.sha256


def locked_jars() -> list[Jar]:
    """The lock's content, in the order of the class path."""
    entries: dict[str, str] = tomllib.loads(LOCK_FILE.read_text())["jars"]
    jars = []
    for name, sha256 in entries.items():
        group, artifact, version = name.split(":")
        jars.append(Jar(group, artifact, version, sha256))
    return jars


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where jars are kept for all data folders of a user."""
    if own := environment.get("ROSTERBOOK_CACHE"):
        return Path(own).absolute()
    if (shared := environment.get("XDG_CACHE_HOME")) and Path(shared).is_absolute():
        return Path(shared) / "rosterbook"
    return Path.home() / ".cache" / "rosterbook"


def class_path(cache: Path, report: Report | None = None, stop: threading.Event | None = None) -> list[Path]:
    """Every jar, verified; what is missing is fetched first. Blocks: up to minutes when all are missing.

    stop: when set, the fetch ends early. Raises BrokerFailed: a jar is not the one of the lock (it is removed, so that
    the next start fetches it), the registry cannot be reached, or the cache cannot be written.
    """
    jars = locked_jars()
    try:
        if missing := [jar for jar in jars if not jar.path(cache).exists()]:
            _fetch(cache, missing, report, stop or threading.Event())
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for jar, good in zip(jars, pool.map(lambda jar: jar.is_in(jar.path(cache)), jars), strict=True):
                if not good:
                    jar.path(cache).unlink(missing_ok=True)
                    raise BrokerFailed(f"{jar.name} had been altered and was removed: run {AGAIN} to fetch it again.")
    except OSError as error:
        raise BrokerFailed(
            f"The cache {cache} cannot be used ({error.strerror}): make it writable and run {AGAIN}."
        ) from error
    return [jar.path(cache) for jar in jars]


async def class_path_soon(cache: Path, report: Report | None = None) -> list[Path]:
    """`class_path` in a thread, from which `report` is called; cancelling it ends the fetch."""
    stop = threading.Event()
    try:
        return await asyncio.to_thread(class_path, cache, report, stop)
    finally:
        stop.set()


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """One process at a time fetches into a cache; the others wait and find the jars there."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "fetch.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(cache: Path, missing: list[Jar], report: Report | None, stop: threading.Event) -> None:
    with _alone(cache), ThreadPoolExecutor(AT_ONCE) as pool:
        arriving = cache / "fetching"
        shutil.rmtree(arriving, ignore_errors=True)  # what a killed fetch left
        wanted = [jar for jar in missing if not jar.path(cache).exists()]
        logger.debug("jars.fetching", count=len(wanted))
        futures = [pool.submit(_fetch_one, jar, cache, arriving, stop) for jar in wanted]
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                future.result()
                if report is not None:
                    report("jars", done, len(wanted))
        except _Stopped:
            raise BrokerFailed(f"The fetch of the Kafka jars was stopped: run {AGAIN} to go on.") from None
        finally:
            stop.set()  # one failure ends the others
            pool.shutdown(cancel_futures=True)
            shutil.rmtree(arriving, ignore_errors=True)
        logger.debug("jars.fetched", count=len(wanted))


def _fetch_one(jar: Jar, cache: Path, arriving: Path, stop: threading.Event) -> None:
    from jgo.config import GlobalSettings  # takes 0.7 s to import, and is needed only here
    from jgo.maven import MavenContext, PythonResolver

    @contextmanager
    def watched(_name: str, _size: int) -> Iterator[Callable[[int], None]]:
        def arrived(_count: int) -> None:
            if stop.is_set():
                raise _Stopped

        yield arrived

    if stop.is_set():
        raise _Stopped
    maven = MavenContext(
        repo_cache=arriving,
        remote_repos=GlobalSettings.load().repositories or None,
        resolver=PythonResolver(progress_callback=watched),
    )
    try:
        file: Path = maven.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
    except OSError as error:
        if error.errno is not None:  # of the file; those of the connection have none
            raise
        raise BrokerFailed(
            f"{jar.name} cannot be fetched because the Maven registry cannot be reached: check the network, "
            f"or name a mirror under [repositories] in ~/.config/jgo.conf, and run {AGAIN}."
        ) from error
    except RuntimeError as error:
        raise BrokerFailed(
            f"The Maven registry did not give {jar.name}: run {AGAIN} later, or name another registry under "
            "[repositories] in ~/.config/jgo.conf."
        ) from error
    if not jar.is_in(file):
        raise BrokerFailed(f"The Maven registry gave a {jar.name} that is not the locked one: use another registry.")
    os.utime(file, (MADE_AT, MADE_AT))
    jar.path(cache).parent.mkdir(parents=True, exist_ok=True)
    file.replace(jar.path(cache))
