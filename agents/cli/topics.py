"""`rosterbook topics`: create the topics that the product needs, and say where a cluster differs from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cyclopts

from agents.cli.console import print_json, print_table, say

if TYPE_CHECKING:
    from stream.kafka.admin import Difference


def register(app: cyclopts.App) -> None:
    """Add the group."""
    group = cyclopts.App(name="topics", help="The topics of the log.", version_flags=[])
    group.command(apply)
    group.command(check)
    app.command(group)


async def apply(*, json: bool = False) -> None:
    """Create missing topics and set what differs; safe to repeat.

    Parameters
    ----------
    json
        Print JSON: what was mended.
    """
    from agents.cli.surroundings import bootstrap_servers, command_settings
    from stream.kafka import admin

    settings = command_settings()
    async with admin.admin(bootstrap_servers(settings)) as client:
        partitions = await admin.partition_count(client, settings)
        mended = await admin.apply(client, partitions, settings.replicas, settings.min_insync)
    _print(mended, json=json, title="mended", none="All topics were as they should be.")


async def check(*, json: bool = False) -> int:
    """Compare the topics with what they should be; exit code 1 when they differ.

    Parameters
    ----------
    json
        Print JSON: the differences.
    """
    from agents.cli.surroundings import bootstrap_servers, command_settings
    from stream.kafka import admin

    settings = command_settings()
    async with admin.admin(bootstrap_servers(settings)) as client:
        differences = await admin.check(client, await admin.partition_count(client, settings), settings.min_insync)
    _print(differences, json=json, title="difference", none="All topics are as they should be.")
    return 1 if differences else 0


def _print(found: Sequence[Difference], *, json: bool, title: str, none: str) -> None:
    if json:
        print_json([{"topic": each.topic, "what": each.what, "mendable": each.mendable} for each in found])
    elif found:
        rows = [(each.topic, each.what, "yes" if each.mendable else "no") for each in found]
        print_table(["topic", title, "mendable"], rows)
    else:
        say(none)
