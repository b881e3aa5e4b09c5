"""Where a connection file takes a secret from: a string, `{ env = NAME }` or `{ file = PATH }`.

`Secret` is a field type for pydantic models; the folder that relative paths start at comes as validation context
(`{"folder": Path}`). Nothing that a user wrote in the place of a secret is quoted in an error, names of variables
apart, because a secret put in the wrong place is still one.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import PlainValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from stream.telemetry import Masked

MAX_BYTES = 64 * 1024
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
"""What is quoted as the name of a variable; keys and tokens of both vendors do not look like it."""


def _secret(value: object, info: ValidationInfo) -> Masked:
    match value:
        case str():
            text = value
        case {"env": str(name), **others} if not others:
            text = _from_environment(name)
        case {"file": str(path), **others} if not others:
            text = _from_file((info.context or {}).get("folder", Path()), path)
        case _:
            raise _refused('must be text in quotes, { env = "NAME" } or { file = "PATH" }')
    text = text.strip()
    if not text:
        raise _refused("is empty")
    if not text.isprintable():
        raise _refused("holds a line break or a control character")
    return Masked(text)


Secret = Annotated[Masked, PlainValidator(_secret)]


def _from_environment(name: str) -> str:
    shown = f" {name}" if VARIABLE.fullmatch(name) else " it names"
    value = os.environ.get(name)
    if value is None:
        raise _refused(f"the environment variable{shown} is not set")
    if not value.strip():
        raise _refused(f"the environment variable{shown} is empty")
    return value


def _from_file(folder: Path, name: str) -> str:
    try:
        with (folder / Path(name).expanduser()).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except RuntimeError:  # pathlib's word for a ~ that leads nowhere
        raise _refused("the file it names lies in the home folder of a user that does not exist") from None
    except FileNotFoundError:
        raise _refused(
            "the file it names does not exist (a relative path starts at the connection file's folder)"
        ) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no valid path"
        raise _refused(f"the file it names cannot be read ({why})") from None
    if len(content) > MAX_BYTES:
        raise _refused(f"the file it names is over {MAX_BYTES // 1024} KiB")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise _refused("the file it names is not UTF-8 text") from None


def _refused(sentence: str) -> PydanticCustomError:
    return PydanticCustomError("secret", "{sentence}", {"sentence": sentence})
