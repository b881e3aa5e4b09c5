"""The owner's part of removing a connection: its webhook is deleted, its consent given up, its tokens taken out of the
log. The audit stays. Safe to repeat.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agents.operations import Done
from agents.own_secrets import OwnSecrets
from agents.upkeep import Upkeep
from stream.errors import AnswerLost, LogUnavailable, RosterbookError
from stream.records import Connection
from stream.zoho.client import ZohoBooks


class NotRemoved(RosterbookError):
    """Something at a vendor could not be given up."""


async def remove(record: Connection, books: ZohoBooks, own: OwnSecrets, upkeep: Upkeep | None, *, force: bool) -> Done:
    """force: go on whatever the vendors say. Raises NotRemoved, and then nothing was taken out of the log."""

    async def webhook() -> str:
        if upkeep is None:
            return "Its webhook was made by hand: delete it in BambooHR."
        await upkeep.end()
        return "Its webhook is deleted."

    async def consent() -> str:
        revoked = await books.revoke()
        return "Zoho has forgotten the consent." if revoked else "Remove Rosterbook under Connected Apps of Zoho."

    said = [await _tried(webhook), await _tried(consent)]
    left = [told for told, failed in said if failed]
    if left and not force:
        raise NotRemoved(f"Not removed: {' '.join(left)} Mend that, or say --force and do it by hand.")
    if upkeep is not None:
        await own.log.delete(upkeep.kept)
    await own.give_up(record.connection)
    by_hand = "Delete its key or app in BambooHR yourself."  # neither can be given up by a call
    return Done(" ".join([*(told for told, _ in said), by_hand]))


async def _tried(step: Callable[[], Awaitable[str]]) -> tuple[str, bool]:
    """What to say, and whether it failed."""
    try:
        return await step(), False
    except LogUnavailable:
        raise
    except AnswerLost:
        return "Zoho did not say whether it has forgotten the consent.", True
    except RosterbookError as error:
        return error.message, True
