"""Values in JSON documents and in bare texts."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from collector.refusal import NoValue
from core.time import parse_time

_NUMBER: Final = re.compile(r"[+-]?\d{1,30}(\.\d{1,60})?([eE][+-]?\d{1,2})?")
_FINER: Final = re.compile(r"(\.\d{6})\d+")
"""Digits of a second beyond the microsecond, which some servers give and nothing here keeps."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN: Final = 40  # characters of a foreign text in a message
LARGEST: Final = 1_000_000
"""Bytes of a message or an answer that is read at all; the longest known is a boiler's, of some 30 000."""
XML_TEXT: Final = "#text"
"""Key of an element's own text in a tree made of XML."""


def text_of(content: bytes) -> str:
    """Decode a payload.

    Raises
    ------
    NoValue
        If it holds NULs, as no text does (neither UTF-8 nor the ISO-8859-1 that older boilers mix in), or is larger
        than any device's.
    """
    if len(content) > LARGEST:
        raise NoValue("unreadable", f"the payload is larger than {LARGEST} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if "\0" in text:
        raise NoValue("unreadable", "the payload is not text")
    return text


def document_of(text: str) -> Any:
    """Read JSON with every number exact; a line break inside a text, as boilers put in their fault messages, is let be.

    Raises
    ------
    NoValue
        If it is not JSON.
    """
    try:
        return json.loads(text, strict=False, parse_float=_Literal, parse_int=_Literal, parse_constant=_Literal)
    except (ValueError, RecursionError):
        raise NoValue("unreadable", "the payload is not JSON") from None


class _Literal(str):
    """A number as it was written; a type of its own to tell 12 from "12" where that matters."""

    __slots__ = ()


def at_pointer(document: Any, pointer: str) -> Any:
    """Return what a JSON pointer leads to.

    Raises
    ------
    NoValue
        If there is nothing, or null.
    """
    here = document
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(here, dict) and name in here:
            here = here[name]
        elif isinstance(here, list) and name.isdecimal() and int(name[:6]) < len(here):
            here = here[int(name[:6])]
        else:
            raise NoValue("missing", f"the field {pointer} is missing")
    if here is None:
        raise NoValue("no_value", f"the field {pointer} is empty (null)")
    return here


def scalar_text(value: Any, item: int | None = None, accept: Collection[str] = ("number", "text")) -> str:
    """Return a value as text: a number or a text; of an array the item the profile names.

    Raises
    ------
    NoValue
        If it is anything else, or a kind that the profile does not accept.
    """
    if isinstance(value, list) and item is not None:
        if item >= len(value):
            raise NoValue("missing", f"the list has no item {item}")
        value = value[item]
    if isinstance(value, dict):
        value = value.get(XML_TEXT, value)
    if not isinstance(value, str):
        raise NoValue("unreadable", f"expected a number, got {_kind(value)}")
    if ("number" if isinstance(value, _Literal) else "text") not in accept:
        raise NoValue("unreadable", f"expected a {' or a '.join(accept)}, got {shown(value)}")
    return value.strip()


def decimal_of(text: str) -> Decimal:
    """Read a number exactly.

    Raises
    ------
    NoValue
        If it is none.
    """
    if not _NUMBER.fullmatch(text):
        raise NoValue("unreadable", f"{shown(text)} is not a number")
    return Decimal(text)


def instant_of(text: str, form: str, zone: str | None = None) -> datetime:
    """Read the time a payload names.

    Parameters
    ----------
    text
        As it stands in the payload.
    form
        ``rfc3339``; ``unix_s`` or ``unix_ms``, since 1970; ``local`` (2026-01-31T12:00:00) or ``yymmddhhmmss``.
    zone
        Of the last two.

    Raises
    ------
    NoValue
        If it is no time, or an hour that the autumn repeats, so that nobody can tell which of the two it was.
    """
    if form in ("local", "yymmddhhmmss"):
        return _local_instant(text, form, ZoneInfo(zone or "UTC"))
    if form == "rfc3339":
        try:
            return parse_time(_FINER.sub(r"\1", text[:_SHOWN]))
        except ValueError as error:
            raise NoValue("time", f"the time {shown(text)} is {error}") from None
    try:
        factor = 1_000_000 if form == "unix_s" else 1_000
        return _EPOCH + timedelta(microseconds=int(decimal_of(text) * factor))
    except (NoValue, OverflowError):
        raise NoValue("time", f"{shown(text)} is not a time in seconds since 1970") from None


def _local_instant(text: str, form: str, zone: ZoneInfo) -> datetime:
    pattern, digits = ("%y%m%d%H%M%S", 12) if form == "yymmddhhmmss" else ("%Y-%m-%dT%H:%M:%S", 14)
    try:
        if sum(sign.isdecimal() for sign in text[:_SHOWN]) != digits:
            raise ValueError
        naive = datetime.strptime(text.replace(" ", "T"), pattern)  # noqa: DTZ007 - the zone follows
        first, second = (naive.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    except (ValueError, OverflowError):
        raise NoValue("time", f"{shown(text)} is not a local time") from None
    if first != second:
        raise NoValue("time", f"the local time {shown(text)} happens twice or never, because clocks change")
    return first


def shown(text: str) -> str:
    """Quote a foreign text for a message: short, and printable."""
    return f"'{printable(text)}{'...' if len(text) > _SHOWN else ''}'"


def printable(text: str) -> str:
    """Return the start of a foreign text without signs that a terminal or a database chokes on."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:_SHOWN])


def _kind(value: Any) -> str:
    names = {bool: "true or false", dict: "an object", list: "a list"}
    return names.get(type(value), "something else")
