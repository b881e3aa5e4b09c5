"""What the owner of a connection can be asked to do, by the name of the command."""

from __future__ import annotations

from agents.operations import Done, Handler
from agents.own_secrets import OwnSecrets
from stream.bamboohr.client import BambooHr
from stream.checklist import checklist
from stream.core.rows import Asked
from stream.records import Connection
from stream.resealing import RESEAL
from stream.zoho.client import ZohoBooks


def handlers(record: Connection, hr: BambooHr, books: ZohoBooks, own: OwnSecrets) -> dict[str, Handler]:
    """Command -> what carries it out, with the clients of the connection."""

    async def test(_: Asked) -> Done:
        checks = await checklist(hr, books, record.zoho.organization_id)
        failed = sum(check.state == "failed" for check in checks)
        says = f"{failed} of {len(checks)} checks failed." if failed else f"All {len(checks)} checks passed."
        return Done(says, {"checks": [check.model_dump() for check in checks]})

    async def reseal(_: Asked) -> Done:
        count = await own.seal_anew(record.connection)
        return Done(f"{count} records are sealed anew." if count else "All was sealed with the newest key already.")

    return {"test": test, RESEAL: reseal}
