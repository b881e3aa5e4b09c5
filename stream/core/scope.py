"""Who is in scope: the expressions of the mapping over an employee's fields, in CEL (Common Expression Language).

Every field is a text, and "" where it is empty. CEL has no loops of its own and a budget for what it goes through, and
little may be built on what was built before, so an expression ends soon; one that could not be decided changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from cel_expr_python import cel
from cel_expr_python.ext import ext_strings

LONGEST = 2000
LONGEST_FIELD = 500
"""Characters of a field that an expression looks at: what it builds of one grows with it, and no budget counts that."""
_BUILDS = re.compile(r"\b(all|exists|exists_one|filter|map|replace|split|join|format|quote)\s*\(")
BUILDS = 2
"""So often an expression may name what goes through a list or makes texts longer. Each may multiply what the one before
has made by as much as fits into an expression, and CEL's budget counts neither lengths nor comparisons."""
_MATCHES = re.compile(r"\bmatches\s*\(")
MATCHES = 8
"""Regular expressions, each of which is compiled anew for every person, and for every round of a loop."""
_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*?)(?= \[[A-Z_]+\]$|$)", re.MULTILINE)
_UNDECLARED = re.compile(r"undeclared reference to '([A-Za-z_]\w*)'")


class WrongExpression(ValueError):
    """The expression cannot be used; the message says why, and where in it."""


@dataclass(frozen=True)
class Outside:
    """expression: the first that does not hold."""

    expression: str


@dataclass(frozen=True)
class Undecided:
    """reason: names fields, never a value."""

    reason: str


@dataclass(frozen=True)
class _Expression:
    text: str
    fields: tuple[str, ...]
    environment: cel.Env
    program: cel.Expression


def fields_of(expression: str) -> tuple[str, ...]:
    """The employee fields that it reads. Raises WrongExpression."""
    return _compiled(expression).fields


def check(expression: str) -> None:
    """Raises WrongExpression: not CEL, not true or false, or too much work for people of whom all is empty."""
    compiled = _compiled(expression)
    try:
        _evaluated(compiled, dict.fromkeys(compiled.fields, ""))
    except RuntimeError as error:
        if "budget" in str(error):
            raise WrongExpression("takes too many steps: make its lists shorter") from None
        raise WrongExpression("cannot be evaluated") from None


def standing(expressions: tuple[str, ...], fields: Mapping[str, str]) -> Outside | Undecided | None:
    """None = in scope. A field that was withheld leaves it undecided, unless an expression without it says: outside."""
    undecided: Undecided | None = None
    for expression in expressions:
        compiled = _compiled(expression)
        if withheld := [name for name in compiled.fields if name not in fields]:
            undecided = undecided or Undecided(f"scope cannot be decided: {', '.join(withheld)} is withheld")
            continue
        if long := [name for name in compiled.fields if len(fields[name]) > LONGEST_FIELD]:
            reason = f"scope cannot be decided: {', '.join(long)} is over {LONGEST_FIELD} characters"
            undecided = undecided or Undecided(reason)
            continue
        try:
            value = _evaluated(compiled, fields)
        except RuntimeError:
            value = None
        if value is False:
            return Outside(expression)
        if value is None:
            undecided = undecided or Undecided("scope cannot be decided: an expression cannot be evaluated")
    return undecided


def _evaluated(compiled: _Expression, fields: Mapping[str, str]) -> bool | None:
    """None where this person's fields do not go into it, such as int("") does not. Raises RuntimeError."""
    given = {name: fields[name] for name in compiled.fields}
    value = compiled.program.eval(compiled.environment.Activation(given))
    if value.type() != cel.Type.BOOL:  # an error is a value, and never raised
        return None
    return bool(value.value())


@lru_cache(maxsize=4096)
def _compiled(text: str) -> _Expression:
    if len(text) > LONGEST:
        raise WrongExpression(f"is over {LONGEST} characters")
    if "//" in text and "\n" in text:  # in a comment, which only a line break ends, what is counted here could hide
        raise WrongExpression("has // and several lines: write it without comments, or in one line")
    if len(built := [found[1] for found in _BUILDS.finditer(text)]) > BUILDS:
        raise WrongExpression(
            f"has more than {BUILDS} of {', '.join(dict.fromkeys(built))}, and may take for ever: do with fewer"
        )
    if (patterns := len(_MATCHES.findall(text))) > (0 if built else MATCHES):
        allowed = f"the {MATCHES} that are allowed" if patterns > MATCHES else f"none beside {built[0]}"
        raise WrongExpression(f"has {patterns} matches instead of {allowed}, and may take for ever: do with fewer")
    names: tuple[str, ...] = ()
    while True:
        environment = cel.NewEnv(variables=dict.fromkeys(names, cel.Type.STRING), extensions=[ext_strings.ExtStrings()])
        try:
            program = environment.compile(text)
        except RuntimeError as error:
            faults = [(int(line), int(column), what) for line, column, what in _ERROR.findall(str(error))]
            fields = dict.fromkeys(name for fault in faults if (name := _field(text, *fault)) and name not in names)
            if not fields:
                raise WrongExpression(_told(faults)) from None
            names = (*names, *fields)
            continue
        if program.return_type() != cel.Type.BOOL:
            raise WrongExpression('must be true or false, such as department == "Sales"')
        return _Expression(text, names, environment, program)


def _field(text: str, line: int, column: int, what: str) -> str | None:
    """The name of a field that is not declared yet; an unknown function has its place elsewhere."""
    found = _UNDECLARED.match(what)
    lines = text.split("\n")
    if found is None or line > len(lines) or not lines[line - 1].startswith(found[1], column - 1):
        return None
    return found[1]


def _told(faults: list[tuple[int, int, str]]) -> str:
    if not faults:
        return "is no CEL expression"
    _, column, what = faults[0]
    return f"is wrong at character {column}: {what}"[:300]
