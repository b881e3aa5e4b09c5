"""The command line: exit codes, one line an error, a quick `--help`, and reasons for a service that never comes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import cyclopts
import pytest
from aiohttp import web

from agents.cli import build, console, run
from agents.cli.acceptance import wait_until_in_service
from agents.cli.standing import standing, tell_why
from agents.cli.surroundings import gateway_url, worker_url
from agents.cli.up import make_state_folder
from stream.bamboohr.signature import is_signed, keyed
from stream.clock import SystemClock
from stream.errors import ActionNeeded, BrokerFailed, CredentialsRefused, Retriable, SettingsError
from stream.records import BambooHrSettings, Connection, ConnectionId, Sealed, ZohoSettings
from stream.settings import Settings
from stream.telemetry import Masked
from stream.vault.key_ring import new_ring

PROGRAM = "import sys; from agents.cli import run; sys.exit(run(sys.argv[1:]))"


def rosterbook(*arguments: str | Path, data: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("ROSTERBOOK_")}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        env={**clean, "ROSTERBOOK_DATA": str(data), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def app_that(command: Callable[[], object]) -> cyclopts.App:
    app = build(())
    app.command(command, name="act")
    return app


def test_help_names_the_commands_and_loads_nothing_slow() -> None:
    script = (
        "import sys; from agents.cli import run; run(['--help']);"
        "print(sorted({'aiokafka', 'faust', 'tink', 'aiohttp', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert "connection" in done.stdout
    assert "topics" in done.stdout
    assert done.stdout.endswith("\n[]\n")


@pytest.mark.parametrize("arguments", [["connection"], ["connection", "--help"], ["--version"], ["topics"]])
def test_asking_what_there_is_ends_well(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments, build()) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nonsense", 'Unknown command "nonsense"'),
        ("connection add", "Name a connection file"),
        (
            "connection show",
            "`rosterbook connection show` needs a value for CONNECTION. `rosterbook connection show --h",
        ),
        ("connection list --jsn", "Did you mean --json? `rosterbook connection list --help` says what it takes."),
        ("topics check x y", "There is more than `rosterbook topics check` takes (x y)."),
        ("sandbox zoho --port x", 'Invalid value for --port: unable to convert "x" into int.'),
    ],
)
def test_wrong_usage_exits_2_and_says_so_in_one_line_on_standard_error(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(line.split(), build()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["zoho", "--port", "65536"], ["zoho", "--port=-1"], ["bamboohr", "--employees=-1"]]
)
def test_a_number_that_a_sandbox_cannot_use_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["sandbox", *arguments], build()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1


def test_a_state_folder_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="ROSTERBOOK_DATA"):
        make_state_folder(tmp_path / "file")


def test_the_state_folder_is_closed_to_other_users(tmp_path: Path) -> None:
    make_state_folder(tmp_path / "state")
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(("result", "code"), [(None, 0), (0, 0), (1, 1), ("text", 0)])
def test_a_command_returns_its_exit_code(result: object, code: int) -> None:
    assert run(["act"], app_that(lambda: result)) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BrokerFailed("Make room\non the disk."), 1),
        (SettingsError("Set it right."), 2),
        (ActionNeeded("Restore it."), 2),
        (CredentialsRefused("Consent again."), 2),
    ],
)
def test_an_error_of_ours_is_one_line(error: Exception, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    async def act() -> None:
        raise error

    assert run(["act"], app_that(act)) == code
    assert capsys.readouterr() == ("", " ".join(str(error).split()) + "\n")


@pytest.mark.parametrize("level", ["info", "debug"])
def test_a_fault_of_ours_is_in_the_log_and_its_traceback_only_shown_for_debugging(tmp_path: Path, level: str) -> None:
    (tmp_path / "logs").mkdir()
    script = (
        "import sys; from agents.cli import build, run, surroundings\n"
        "def act():\n surroundings.command_settings(); raise KeyError('mail of a person')\n"
        "app = build(()); app.command(act); sys.exit(run(['act'], app))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "ROSTERBOOK_DATA": str(tmp_path), "ROSTERBOOK_LOG_LEVEL": level},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("internal error (KeyError at <string>:3), details in the log\n")
    assert (len(done.stderr.splitlines()) == 1) == ("Traceback" not in done.stderr) == (level == "info")
    (line,) = (tmp_path / "logs" / "commands.log").read_text().splitlines()
    logged = json.loads(line)
    assert (logged["event"], logged["error"]) == ("command.failed", "KeyError")
    assert "mail of a person" not in line


def test_an_interrupt_ends_quietly_with_130(tmp_path: Path) -> None:
    script = (
        "import asyncio, signal, sys; from agents.cli import build, run\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background job ignores it
        "async def act():\n print('up', flush=True); await asyncio.sleep(60)\n"
        "app = build(()); app.command(act); sys.exit(run(['act'], app))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == 130


def test_a_reader_that_has_seen_enough_is_no_fault(tmp_path: Path) -> None:
    script = (
        "import sys; from agents.cli import build, run, console\n"
        "app = build(()); app.command(lambda: [console.say('x' * 99) for _ in range(9999)], name='act')\n"
        "sys.exit(run(['act'], app))"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_nothing_runs_says_how_to_start_it(tmp_path: Path) -> None:
    for arguments in (["connection", "list"], ["topics", "check", "--json"]):
        done = rosterbook(*arguments, data=tmp_path / "state")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"Rosterbook is not running in {tmp_path / 'state'}: start it with `rosterbook up`.\n"


def test_a_wrong_connection_file_is_told_before_anything_else(tmp_path: Path) -> None:
    file = tmp_path / "acme.toml"
    file.write_text('id = "acme"\nmode = "on"\n')
    done = rosterbook("connection", "add", file, data=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "mode: must be 'live', 'preview' or 'paused'" in done.stderr


def test_wrong_settings_exit_2_naming_the_variable(tmp_path: Path) -> None:
    done = rosterbook("connection", "list", data=tmp_path, ROSTERBOOK_GATEWAY_PORT="many")
    assert done.returncode == 2
    assert "ROSTERBOOK_GATEWAY_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_tables_are_not_cut_and_nothing_in_them_is_markup(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_table(["id", "value"], [("[red]acme", "x" * 300)])
    out = capsys.readouterr().out
    assert "[red]acme" in out
    assert "x" * 300 in out


def test_events_are_json_lines_or_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    console.emit({"event": "ready", "data": Path("/x")}, "Ready.", json=True)
    console.emit({"event": "ready"}, "Ready.", json=False)
    assert capsys.readouterr().out == '{"event":"ready","data":"/x"}\nReady.\n'


def test_addresses_come_from_the_data_folder_first(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, gateway_port=0, metrics_host="::", metrics_port=18082)
    assert gateway_url(settings) is None
    assert worker_url(settings) == "http://[::1]:18082"
    for part, address in (("gateway", "127.0.0.1:40001\n"), ("worker", "::1:40002")):
        (tmp_path / part).mkdir()
        (tmp_path / part / "address").write_text(address)
    assert gateway_url(settings) == "http://127.0.0.1:40001"
    assert worker_url(settings) == "http://[::1]:40002"


KEY = Masked("0123456789abcdef0123456789abcdef")
SEALED = Sealed(key="00000001", box="")
SAVED = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
ACME = Connection(
    connection=ConnectionId("acme"),
    mode="live",
    bamboohr=BambooHrSettings(subdomain="acme", api_key=SEALED),
    webhook_key=SEALED,
    zoho=ZohoSettings(region="eu", organization_id="1", client_id=SEALED, client_secret=SEALED, refresh_token=SEALED),
    saved_at=SAVED,
)


class Service:
    """Gateway and worker in one; answers what it is told, and notes what it was asked. stalls: after one answer."""

    def __init__(self) -> None:
        self.statuses = [200]
        self.worker: list[object] = [{"serving": True}]
        self.signed: list[bool] = []
        self.bodies: list[dict[str, object]] = []
        self.url = ""
        self.stalls: asyncio.Event | None = None

    async def webhook(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = request.headers
        keys = [keyed(KEY.reveal.encode())]
        self.signed.append(
            is_signed(keys, body, headers["X-BambooHR-Timestamp"], headers["X-BambooHR-Signature"])
            and request.match_info["connection"] == "acme"
        )
        self.bodies.append(json.loads(body))
        if self.stalls is not None and len(self.bodies) > 1:
            await self.stalls.wait()
        return web.Response(status=self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])

    async def connection(self, _: web.Request) -> web.Response:
        return web.json_response(self.worker.pop(0) if len(self.worker) > 1 else self.worker[0])


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    app = web.Application()
    app.router.add_post("/webhooks/bamboohr/{connection}", service.webhook)
    app.router.add_get("/connections/acme", service.connection)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield service
    await runner.cleanup()


async def until_in_service(gateway: str | None, worker: str | None, deadline: float = 20.0) -> None:
    await wait_until_in_service(ACME, lambda: KEY, lambda: gateway, lambda: worker, SystemClock(), deadline=deadline)


async def test_a_connection_is_in_service_once_gateway_and_worker_agree(service: Service) -> None:
    service.statuses = [503, 401, 200]
    service.worker = [
        {"serving": False, "reason": "not read yet"},
        {"serving": True, "saved_at": "2026-11-25T08:59:59+00:00"},
        {"serving": True, "saved_at": "2026-11-25T09:00:00+00:00"},
    ]
    await until_in_service(service.url, service.url)
    assert all(service.signed)
    assert len(service.signed) == 5
    assert len(service.worker) == 1
    assert {body["type"] for body in service.bodies} == {"company.updated"}


async def test_what_the_worker_says_of_a_connection_is_shown_as_far_as_one_answers(service: Service) -> None:
    service.worker = [{"serving": True, "forecast": {"calls_needed": 4}}, ["no worker"]]
    assert await standing(service.url, "acme") == {"serving": True, "forecast": {"calls_needed": 4}}
    assert await standing(service.url, "acme") is None
    assert await standing(service.url, "other") is None
    assert await standing("http://127.0.0.1:1", "acme") is None
    assert await standing(None, "acme") is None


async def test_who_waits_is_told_why_and_each_reason_once(
    service: Service, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.cli.standing.LOOK_EVERY_S", 0.0)
    refused = {"serving": True, "reason": "zoho: it is refused: connect it again."}
    service.worker = [{"serving": True, "reason": "live"}, refused, refused, ["other"]]
    telling = asyncio.create_task(tell_why(lambda: service.url, "acme", "live"))
    said = ""
    async with asyncio.timeout(20):
        while "no worker" not in said:
            await asyncio.sleep(0.01)
            said += capsys.readouterr().err
    telling.cancel()
    assert said.splitlines() == [
        "It waits (zoho: it is refused: connect it again).",
        "It waits (no worker answers: start one).",
    ]


@pytest.mark.parametrize(
    ("status", "worker", "reason"),
    [
        (401, {"serving": True}, "answers 401 to its webhooks"),
        (200, {"serving": False, "reason": "its lane waits for the vault"}, "its lane waits for the vault"),
        (200, {"serving": False}, "no reason given"),
        (200, ["other program"], "no reason given"),
        (200, {"serving": True, "saved_at": "2026-11-25T08:00:00+00:00"}, "as it was saved before"),
    ],
)
async def test_a_service_that_never_comes_is_named_in_the_end(
    service: Service, status: int, worker: object, reason: str
) -> None:
    service.statuses, service.worker = [status], [worker]
    with pytest.raises(Retriable, match="Connection acme is saved, but not in service after") as given_up:
        await until_in_service(service.url, service.url, deadline=1.0)
    assert reason in given_up.value.message
    assert KEY.reveal not in given_up.value.message


async def test_a_gateway_that_never_answers_is_not_waited_for_beyond_the_deadline(service: Service) -> None:
    service.statuses, service.stalls = [401], asyncio.Event()
    began = asyncio.get_running_loop().time()
    with pytest.raises(Retriable, match="answers 401 to its webhooks"):
        await until_in_service(service.url, service.url, deadline=2)
    assert asyncio.get_running_loop().time() - began < 3.6
    service.stalls.set()


async def test_a_connection_whose_webhook_the_worker_registers_is_in_service_once_its_key_is_known(
    service: Service,
) -> None:
    keys = [None, None, KEY]
    service.worker = [{"serving": True, "reason": "webhook: set ROSTERBOOK_PUBLIC_URL"}]

    async def wait(deadline: float) -> None:
        where = lambda: service.url  # noqa: E731
        key = lambda: keys.pop(0) if len(keys) > 1 else keys[0]  # noqa: E731
        await wait_until_in_service(ACME, key, where, where, SystemClock(), deadline=deadline)

    await wait(20.0)
    assert service.signed == [True]
    keys = [None]
    with pytest.raises(Retriable, match=r"not registered in BambooHR yet \(webhook: set ROSTERBOOK_PUBLIC_URL\)"):
        await wait(1.0)


async def test_what_does_not_run_is_named(service: Service, unused_tcp_port: int) -> None:
    nobody = f"http://127.0.0.1:{unused_tcp_port}"
    for gateway, worker, reason in (
        (None, None, "no gateway runs"),
        (nobody, service.url, f"the gateway does not answer at {nobody}"),
        (service.url, None, "no worker runs"),
        (service.url, nobody, f"the worker does not answer at {nobody}"),
    ):
        with pytest.raises(Retriable, match=reason):
            await until_in_service(gateway, worker, deadline=1.0)


@pytest.mark.parametrize("command", ["kafka", "gateway"])
def test_a_port_that_is_taken_ends_with_2_and_a_line_that_names_the_setting(tmp_path: Path, command: str) -> None:
    variable = f"ROSTERBOOK_{command.upper()}_PORT"
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        done = rosterbook(command, data=tmp_path, ROSTERBOOK_VAULT_KEYS=new_ring(), **{variable: port})
    assert (done.returncode, done.stdout) == (2, ""), done
    *logged, last = done.stderr.splitlines()
    assert all(line.startswith("{") for line in logged), "nothing but the log, and no empty line"
    assert f"Port {port}" in last
    assert variable in last
