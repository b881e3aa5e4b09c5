"""The log of a connection's webhook, as the sandbox keeps it and as BambooHR's answers may look."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from stream.bamboohr.client import BambooHr
from stream.bamboohr.delivery_log import ReadDeliveryLog
from stream.bamboohr.webhooks import LOG_LINES, LOG_WAIT_S, OthersWebhook, WebhooksApi
from stream.clock import SystemClock
from stream.core.completeness import Delivery, DeliveryLog
from stream.errors import NotFound, RateLimited, RecordRefused, Unavailable
from stream.records import EmployeeId
from stream.telemetry import Masked
from tests.contract.bamboohr_caller import BambooCaller, local, receiving, serving, until
from tests.contract.test_bamboohr_sandbox_webhooks import register
from tests.contract.test_keep_webhook import calls
from tests.unit.vendor import Door, Reply

LINE = {
    "webhookId": "3",
    "url": "https://hooks.example.test/webhooks/bamboohr/acme",
    "lastAttempted": "2026-03-04 09:15:02",
    "lastSuccess": "Webhook Not Found",
    "statusCode": "503",
    "format": "json",
    "employeeIds": ["42", 43],
}
AT = datetime(2026, 3, 4, 9, 15, 2, tzinfo=UTC)
OVER = {"error": {"code": 429, "message": "Over rate limit, please try again in 60 seconds"}}


def log(api: WebhooksApi) -> Any:
    return api.log("3")


async def test_a_line_tells_whom_a_delivery_was_about_and_how_it_ended() -> None:
    taken = {**LINE, "lastSuccess": "2026-03-04 09:15:02", "statusCode": 204}
    found = await calls(Reply([LINE, taken]), log)
    both = EmployeeId("42"), EmployeeId("43")
    assert found == DeliveryLog((Delivery(both, AT, None, accepted=False), Delivery(both, AT, AT, accepted=True)))
    assert (await calls(Reply([LINE] * LOG_LINES), log)).full


async def test_words_and_what_is_missing_stand_for_no_time() -> None:
    found = await calls(Reply([{**LINE, "lastAttempted": "Webhook Not Found"}, {}]), log)
    assert [line.attempted_at for line in found.lines] == [None, None]
    assert found.lines[1] == Delivery((), None, None, accepted=False)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(OVER), RateLimited),
        (Reply({"error": {"code": 500}}), Unavailable),
        (Reply({"lines": []}), Unavailable),
        (Reply([1]), Unavailable),
        (Reply(b"Log search timed out. Try again later.", 503), Unavailable),
        (Reply({"errors": {"error": "no"}}, 403), OthersWebhook),
        (Reply(b"", 404), NotFound),
    ],
)
async def test_an_answer_that_is_no_log_says_why(reply: Reply, error: type[Exception]) -> None:
    with pytest.raises(error) as refused:
        await calls(reply, log)
    if isinstance(refused.value, RateLimited):
        assert refused.value.retry_after == LOG_WAIT_S


def reader(caller: BambooCaller, path: str, registered: Sequence[str] = ()) -> ReadDeliveryLog:
    sandbox = caller.sandbox
    key = Masked(sandbox.credentials.api_key)
    client = BambooHr(caller.session, sandbox.base_url, key, admit=Door().admit, deadline=5.0, clock=SystemClock())
    return ReadDeliveryLog(WebhooksApi(client), lambda: registered, path)


async def test_the_log_of_a_webhook_is_found_by_its_id_or_by_where_it_leads() -> None:
    async with serving(quirks=local()) as caller, receiving(503, 404) as receiver:
        ours = await register(caller, receiver.url)
        caller.sandbox.company.change("1", {"firstName": "Ada-1"})
        await until(lambda: len(caller.sandbox.deliveries) == 1, "the attempt")
        (line,) = (await reader(caller, "/hook").read()).lines
        assert (line.employees, line.accepted, line.succeeded_at) == (("1",), False, None)
        assert line.attempted_at is not None
        assert await reader(caller, "/elsewhere", [ours["id"]]).read() == DeliveryLog((line,))
        with pytest.raises(RecordRefused, match="lists no webhook"):
            await reader(caller, "/elsewhere").read()
