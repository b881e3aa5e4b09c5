"""Give a new folder its identity, as Kafka's format tool does; an old one is left alone.

A formatted folder holds two files: meta.properties (cluster, directory and node) and bootstrap.checkpoint (the features
a new cluster starts with, the same for all). With the second made ahead of time, no Java is needed for the first.
"""

from __future__ import annotations

import asyncio
import base64
import uuid
from pathlib import Path

from stream.errors import BrokerFailed
from stream.kafka.broker_config import BrokerConfig
from stream.kafka.java import ENVIRONMENT, bootstrap_checkpoint, java


def new_id() -> str:
    """An id as Kafka writes it: 128 bits in 22 letters, never starting with a dash (tools take that for an option)."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text


async def format_folder(config: BrokerConfig, class_path: list[Path], made: Path) -> None:
    """Make `config.log_dir` ready for a first start, unless it is. Raises BrokerFailed or OSError."""
    meta = config.log_dir / "meta.properties"
    if meta.exists():
        return
    cluster_id = config.cluster_id or new_id()
    template = bootstrap_checkpoint(made)
    if not template.exists():
        await _format_by_tool(config, class_path, cluster_id)
        return
    config.log_dir.mkdir(exist_ok=True)
    (config.log_dir / "bootstrap.checkpoint").write_bytes(template.read_bytes())
    part = config.folder / "meta.properties"
    part.write_text(f"version=1\ncluster.id={cluster_id}\ndirectory.id={new_id()}\nnode.id={config.node_id}\n")
    part.replace(meta)  # last, and whole: its presence says that the folder is formatted


async def _format_by_tool(config: BrokerConfig, class_path: list[Path], cluster_id: str) -> None:
    tool = ("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", "server.properties")
    with (config.folder / "broker.log").open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *java(class_path, config.folder, *tool),
            cwd=config.folder,
            env=ENVIRONMENT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        status = await process.wait()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if status != 0:
        raise BrokerFailed(f"The folder {config.folder} could not be formatted: its broker.log says why.")
