"""What the owner of a connection can be asked to do, by the name of the command."""

from __future__ import annotations

from datetime import datetime

from agents import backfill
from agents.applying import APPLY, ApplyCommand
from agents.completeness import REPORT, Completeness
from agents.operations import Done, Handler
from agents.own_secrets import OwnSecrets
from agents.plan_orders import PLAN, PlanCommand
from agents.reconciling import RECONCILE
from agents.removal import remove
from agents.sweeping import Sweeping
from agents.upkeep import Upkeep
from stream.bamboohr.client import BambooHr
from stream.checklist import checklist
from stream.comparison import compared
from stream.core import schemas
from stream.core.mapping import fields_to_read
from stream.core.rows import Asked
from stream.errors import RecordRefused
from stream.records import Connection, Mapping
from stream.resealing import RESEAL
from stream.zoho.client import ZohoBooks

JOINED = (backfill.NAME, RECONCILE)
"""Commands that whoever asks for them meanwhile joins."""
WAITING = (backfill.NAME, RECONCILE, REPORT, APPLY)
"""Commands that stay owed while their connection is paused, and go on afterwards."""
NOT_PAUSED = (*WAITING, PLAN)
"""Commands that nobody is to wait for while their connection is paused. A plan is refused then, and not put off: nobody
but who waits for it now could open it.
"""


def handlers(
    record: Connection,
    hr: BambooHr,
    books: ZohoBooks,
    own: OwnSecrets,
    upkeep: Upkeep | None,
    completeness: Completeness,
    sweeping: Sweeping,
    plan: PlanCommand,
    apply: ApplyCommand,
) -> dict[str, Handler]:
    """Command -> what carries it out, with the clients of the connection."""

    fields = [name for name in fields_to_read(record.mapping) if name not in schemas.UNLISTED]

    async def test(_: Asked) -> Done:
        checks = await checklist(hr, books, record.zoho.organization_id, fields)
        failed = sum(check.state == "failed" for check in checks)
        says = f"{failed} of {len(checks)} checks failed." if failed else f"All {len(checks)} checks passed."
        return Done(says, {"checks": [check.model_dump() for check in checks]})

    async def reseal(_: Asked) -> Done:
        count = await own.seal_anew(record.connection)
        if upkeep is not None:
            await upkeep.seal_anew()
        return Done(f"{count} records are sealed anew." if count else "All was sealed with the newest key already.")

    async def rotate_webhook(asked: Asked) -> Done:
        if upkeep is None or record.webhook_key is not None:
            raise RecordRefused(
                "The connection's webhook is kept by hand: make another in BambooHR and add the connection with its "
                "key, or leave webhook_key out of the file, so that Rosterbook registers one."
            )
        await upkeep.rotate(datetime.fromisoformat(asked.arguments["before"]))
        return Done("The webhook has a new key, and the former webhook is deleted.")

    async def check_mapping(asked: Asked) -> Done:
        mapping = Mapping.model_validate_json(asked.arguments["mapping"])
        found = await compared(mapping, hr, books)
        return Done(found.says, {"faults": [fault.model_dump(mode="json") for fault in found.faults]})

    async def take_away(asked: Asked) -> Done:
        return await remove(record, books, own, upkeep, force=asked.arguments.get("force") == "yes")

    return {
        "test": test,
        RESEAL: reseal,
        "rotate webhook": rotate_webhook,
        "check mapping": check_mapping,
        "remove": take_away,
        RECONCILE: sweeping.reconcile,
        REPORT: completeness.carry_out,
        backfill.NAME: sweeping.load,
        PLAN: plan,
        APPLY: apply,
    }
