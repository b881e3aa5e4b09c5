"""The live view in the terminal: what happens, what became of it, and the figures below."""

from __future__ import annotations

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from agents.demo.equal import Comparison
from agents.demo.stage import Stage
from agents.demo.watch import SHOWN, Watch

STYLES = {"created": "green", "adopted": "green", "updated": "cyan", "activated": "green", "deactivated": "yellow"}
WIDE = 36


def screen(stage: Stage, watch: Watch, headline: str, now: Comparison) -> Group:
    """One picture. `now`: both sides as they are at this moment."""
    installation = stage.installation
    top = Text.assemble(
        ("Rosterbook demo", "bold"),
        f"   gateway http://{installation.address('gateway')}   Kafka {installation.kafka}\n",
        (
            f"data {stage.data}   Zoho limit raised to {stage.vendors.calls_per_minute} calls a minute (really 100)\n",
            "dim",
        ),
        ("\nNow: ", "bold"),
        (headline, "bold magenta"),
    )
    table = Table(box=box.SIMPLE_HEAD, expand=True, pad_edge=False)
    for column, style, width in (
        ("UTC", "dim", 8),
        ("who", "", 22),
        ("BambooHR says", "", None),
        ("Zoho Books", "", 11),
        ("fields", "dim", None),
        ("ms", "", 5),
    ):
        table.add_column(column, style=style, width=width, no_wrap=True, justify="right" if column == "ms" else "left")
    for seen in watch.latest:
        person = stage.vendors.bamboohr.company.people.get(seen.employee)
        name = f"{person.values.get('firstName')} {person.values.get('lastName')}" if person else "(deleted)"
        table.add_row(
            f"{seen.at:%H:%M:%S}",
            name,
            _cut(seen.event),
            Text(seen.action, STYLES.get(seen.action, "dim")),
            "" if seen.action == "created" else _cut(seen.changed),
            f"{seen.latency_ms:.0f}",
        )
    percentiles = watch.percentiles(last=SHOWN)
    open_ = now.missing + now.wrong
    figures = Text.assemble(
        (f"{now.employees}", "bold"),
        " people   ",
        (f"{now.contacts}", "bold"),
        " contacts   ",
        (f"{watch.events}", "bold"),
        " events   ",
        (f"{stage.vendors.zoho_calls}", "bold"),
        " Zoho calls   latency of these p50 ",
        (f"{percentiles['p50'] or 0:.0f} ms", "bold"),
        ", p99 ",
        (f"{percentiles['p99'] or 0:.0f} ms", "bold"),
        "   ",
        ("in step" if not open_ else f"{open_} still differ", "bold green" if not open_ else "bold yellow"),
    )
    return Group(top, table, figures, Text("Ctrl-C ends the demo.", "dim"))


def _cut(text: str) -> str:
    return text if len(text) <= WIDE else text[: WIDE - 1] + "…"
