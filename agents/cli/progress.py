"""Bars for long work, on standard error."""

from __future__ import annotations

import sys
from contextlib import nullcontext


def bars() -> Progress | nullcontext[None]:
    """Where somebody looks at them."""
    return Progress() if sys.stderr.isatty() else nullcontext()


class Progress:
    """A bar for each kind of work, on standard error, shown from the first report on."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars.tasks:
            self._bars.stop()

    def report(self, what: str, done: int, total: int, note: str = "") -> None:
        """note: stands behind the bar."""
        self._bars.start()  # not before there is a bar: rich ends with an empty line
        found = next((task.id for task in self._bars.tasks if task.description == what), None)
        bar = self._bars.add_task(what, total=total, note=note) if found is None else found
        self._bars.update(bar, completed=done, total=total, note=note)
