"""A person at a terminal, asked on standard error so that standard output stays the answer."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.prompt import Confirm, IntPrompt, Prompt

from stream.errors import UsageError


class _Secret(Prompt):
    prompt_suffix = " "


class _Number(IntPrompt):
    prompt_suffix = " "


class Terminal:
    """Raises UsageError where nobody can be asked."""

    def __init__(self) -> None:
        if not sys.stdin.isatty():
            raise UsageError("--interactive asks questions: run it in a terminal, or name a connection file.")
        self._console = Console(stderr=True, highlight=False)

    def text(self, question: str, default: str | None = None) -> str:
        if default is None:
            return Prompt.ask(question, console=self._console)
        return Prompt.ask(question, console=self._console, default=default)

    def secret(self, question: str) -> str:
        return _Secret.ask(_ended(question), console=self._console, password=True, default="", show_default=False)

    def choice(self, question: str, options: Sequence[str]) -> int:
        for number, option in enumerate(options, 1):
            self._console.print(f"  {number}  {option}", markup=False)
        numbers = [str(number) for number in range(1, len(options) + 1)]
        return _Number.ask(_ended(question), console=self._console, choices=numbers, show_choices=False) - 1

    def agrees(self, question: str) -> bool:
        return Confirm.ask(question, console=self._console, default=False)


def _ended(question: str) -> str:
    return question if question.endswith("?") else f"{question}:"
