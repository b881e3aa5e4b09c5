"""The bytes of a delivery as lists, dictionaries and text: JSON or form-encoded, compressed or not, in any charset.

Only the syntax is read here, and nothing in a body can make it cost more than its size: what inflates beyond the limit,
nests too deeply or is no such format is refused as a whole.
"""

from __future__ import annotations

import json
import re
import zlib
from typing import Any
from urllib.parse import parse_qsl

import orjson

from stream.errors import UndecodableRecord

MAX_BODY_BYTES = 1024 * 1024
"""Of a delivery, compressed or not."""
GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
DEEPEST = 8
"""Levels of a form's names that are read; the deepest that BambooHR sends has five."""

_CHARSET = re.compile(r'charset\s*=\s*"?([\w.:-]+)', re.IGNORECASE)
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")


def parsed(body: bytes, content_type: str | None, content_encoding: str | None) -> Any:
    """The content. No content type means JSON. Raises UndecodableRecord."""
    if content_encoding:
        body = _unpacked(body, content_encoding.strip().lower())
    if content_type == "application/json":
        return _json(body, "")
    media, _, parameters = (content_type or "application/json").partition(";")
    media = media.strip().lower()
    if media in ("application/json", "text/json") or media.endswith("+json"):
        return _json(body, parameters)
    if media == "application/x-www-form-urlencoded":
        return _form(_text(body, parameters))
    raise UndecodableRecord("The delivery is neither JSON nor form-encoded.")


def _unpacked(body: bytes, coding: str) -> bytes:
    if coding == "identity":
        return body
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise UndecodableRecord("The delivery is compressed in a way that is not known.")
    unpacker = zlib.decompressobj(GZIP_OR_ZLIB)
    try:
        unpacked = unpacker.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error:
        raise UndecodableRecord("The delivery is not compressed as it says.") from None
    if not unpacker.eof or len(unpacked) > MAX_BODY_BYTES:
        raise UndecodableRecord("The delivery is over 1 MiB when unpacked, or cut off.")
    return unpacked


def _json(body: bytes, parameters: str) -> Any:
    """orjson, and a tolerant reader where that is too strict: charsets, half surrogate pairs, byte order marks."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            return json.loads(_text(body, parameters))
        except (ValueError, RecursionError):
            raise UndecodableRecord("The delivery is no JSON.") from None


def _text(body: bytes, parameters: str) -> str:
    named = _CHARSET.search(parameters)
    try:
        return body.decode(named[1] if named else "utf-8", "replace").removeprefix("\ufeff")
    except (LookupError, ValueError):  # no charset that is known, or no charset
        return body.decode("utf-8", "replace")


def _form(text: str) -> dict[str, Any]:
    """A form as PHP writes nested values: `data[changedFields][0]=department`. Lists become dictionaries by index."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head = name.partition("[")[0]
        node, step = tree, head
        for deeper in _BRACKETS.findall(name[len(head) :])[:DEEPEST]:
            child = node.get(step)
            if not isinstance(child, dict):
                child = node[step] = {}
            node, step = child, deeper or str(len(child))
        node[step] = value
    if not tree:
        raise UndecodableRecord("The delivery is an empty form.")
    return tree
