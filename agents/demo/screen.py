"""The live view in the terminal: what happens, what became of it, and the figures below."""

from __future__ import annotations

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from agents.demo.equal import Comparison
from agents.demo.lag import Lag
from agents.demo.stage import Stage
from agents.demo.watch import SHOWN, Watch

STYLES = {"created": "green", "adopted": "green", "updated": "cyan", "activated": "green", "deactivated": "yellow"}
WHO = 20
FIXED = 8 + WHO + 11 + 6 + 12 + 5
"""Of a line of the table: what all but two of its six columns take, and what stands between them."""
AROUND = 12
"""Lines that are not rows of the table, the one below the picture included."""


def screen(
    stage: Stage, watch: Watch, headline: str, now: Comparison, lag: Lag | None, width: int, height: int
) -> Group:
    """One picture of that many columns and lines. `now`: both sides as they are at this moment."""
    wide = max(8, (width - FIXED) // 2)
    rows = max(1, min(SHOWN, height - AROUND))
    installation = stage.installation
    top = Text.assemble(
        ("Rosterbook demo", "bold"),
        f"   gateway http://{installation.address('gateway')}   Kafka {installation.kafka}\n",
        (
            f"data {stage.data}\nZoho's limit raised to {stage.vendors.calls_per_minute} calls a minute (really 100)\n",
            "dim",
        ),
        ("\nNow: ", "bold"),
        (headline, "bold magenta"),
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column, style, width in (
        ("UTC", "dim", 8),
        ("who", "", WHO),
        ("BambooHR says", "", wide),
        ("Zoho Books", "", 11),
        ("fields", "dim", wide),
        ("ms", "", 6),
    ):
        table.add_column(column, style=style, width=width, no_wrap=True, justify="right" if column == "ms" else "left")
    for seen in list(watch.latest)[-rows:]:
        person = stage.vendors.bamboohr.company.people.get(seen.employee)
        name = f"{person.values.get('firstName')} {person.values.get('lastName')}" if person else "(deleted)"
        table.add_row(
            f"{seen.at:%H:%M:%S}",
            name,
            seen.event,
            Text(seen.action, STYLES.get(seen.action, "dim")),
            "" if seen.action == "created" else seen.changed,
            f"{seen.latency_ms:.0f}",
        )
    latency = watch.percentiles(last=rows)
    open_ = now.missing + now.wrong
    figures = Text.assemble(
        (f"{now.employees}", "bold"),
        " people   ",
        (f"{now.contacts}", "bold"),
        " contacts   ",
        (f"{watch.events}", "bold"),
        " events   ",
        (f"{stage.vendors.zoho_calls}", "bold"),
        " Zoho calls   ",
        ("in step" if not open_ else f"{open_} still differ", "bold green" if not open_ else "bold yellow"),
    )
    behind = "not known yet" if lag is None else f"{lag.to_read} to read, {lag.to_write} to write"
    figures.append(f"\nLag: {behind}")
    if latency["p50"] is not None:
        figures.append(f"   latency of these: p50 {latency['p50']:.0f} ms, p99 {latency['p99']:.0f} ms")
    return Group(top, table, figures, Text("Ctrl-C ends the demo.", "dim"))
