"""The line of a fault is the one where a reader finds it, however the file is written."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.toml_file import TomlFile

values = st.sampled_from(
    [
        "1",
        '"a # b"',
        '"""\n[x]\nk1 = 1\n"""',
        "'''\n'''",
        "[\n  1,\n  # two\n  2,\n]",
        "{ a = 1, b = { c = 2 } }",
        '[{ a = "}" }, { a = 2 }]',
        "2026-11-26",
    ]
)
between = st.lists(st.sampled_from(["", "# k1 = 2", "  "]), max_size=2)


@settings(max_examples=200)
@given(st.lists(st.tuples(between, values), min_size=1, max_size=6), st.lists(st.integers(0, 5), max_size=3))
def test_each_statement_is_found_at_its_own_line(statements: list[Any], headers: list[int]) -> None:
    lines: list[str] = []
    wanted: dict[tuple[int | str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, (spaces, value) in enumerate(statements):
        lines += spaces
        if number in headers:
            table = (f"t{number}", "sub")
            lines.append(f"[t{number}.sub]")
            wanted[table] = len("\n".join(lines).split("\n"))
        lines.append(f"k{number} = {value}")
        wanted[(*table, f"k{number}")] = len("\n".join(lines).split("\n")) - value.count("\n")
    text = "\n".join(lines)
    file = TomlFile(Path("a.toml"), text, tomllib.loads(text))
    assert dict(zip(wanted, file.lines_of(list(wanted)), strict=True)) == wanted


def test_what_is_within_a_value_or_missing_is_found_where_its_surroundings_are() -> None:
    text = "\n[mapping]\nfields = { a = [1,\n2] }\n[[many]]\nx = 1\n[[many]]\nx = 2\n"
    file = TomlFile(Path("a.toml"), text, tomllib.loads(text))
    places: list[tuple[int | str, ...]] = [
        ("mapping", "fields", "a", 1),
        ("mapping", "fields", "b"),
        ("mapping", "scope"),
        ("many", 1, "x"),
        ("other",),
    ]
    assert file.lines_of(places) == [4, 3, 2, 8, None]


def test_an_element_of_a_list_over_several_lines_is_found_at_its_own_line() -> None:
    text = 'scope = [\n  "a",\n\n  # why\n  "b]", "c",\n  """\nd""",\n]\n'
    text += "x = { y = [\n  { z = 1 },\n  { z = 2 }] }\nlast = 1\n"
    file = TomlFile(Path("a.toml"), text, tomllib.loads(text))
    assert file.lines_of([("scope", number) for number in range(4)]) == [2, 5, 5, 6]
    assert file.lines_of([("scope",), ("x", "y", 1, "z"), ("x",), ("last",)]) == [1, 11, 9, 12]
