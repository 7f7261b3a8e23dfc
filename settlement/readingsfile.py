"""The readings file: CSV with ``time,meter,value`` (registers) or ``start,meter,value`` (quantities per interval)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from core.community import Community
from core.errors import BadInput
from core.time import from_microseconds, local_day, microseconds, midnight, parse_time, rfc3339
from core.wire import plain_decimal
from settlement.model import MeterReadings, Readings
from settlement.selection import plain

Kind = Literal["register", "interval"]


class CsvReader(Protocol):
    """What `csv.reader` returns."""

    line_num: int

    def __next__(self) -> list[str]: ...


class Row(NamedTuple):
    """A row of the file: its line number, meter, instant [microseconds] and value in the meter's unit."""

    line: int
    meter: str
    time: int
    value: Decimal


def read(path: Path, community: Community) -> Readings:
    """Read a readings file; rows in any order, each counted once.

    Raises
    ------
    BadInput
        If the file is wrong anywhere; the message names the line (both lines where two disagree) and the remedy.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            kind, rows = parse(file, path.name, community)
            return group(kind, rows, path.name)
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file; give the path of a readings file.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}: this is not UTF-8 text; save the file as CSV in UTF-8.") from None
    except OSError as error:
        raise BadInput(f"{path}: the file cannot be read: {error.strerror}.") from None


def parse(lines: Iterable[str], name: str, community: Community) -> tuple[Kind, Iterator[Row]]:
    """Check the header and return what kind of file it is, and its rows as they are checked one by one."""
    reader = csv.reader(lines)
    try:
        header = [field.strip() for field in next(reader, [])]
    except csv.Error as error:
        raise BadInput(f"{name}:1: this is not CSV: {error}.") from None
    if header not in (["time", "meter", "value"], ["start", "meter", "value"]):
        raise BadInput(f"{name}:1: the first line must be 'time,meter,value' or 'start,meter,value'.")
    kind: Kind = "register" if header[0] == "time" else "interval"
    return kind, _rows(reader, name, community, kind)


def group(kind: Kind, rows: Iterable[Row], name: str) -> Readings:
    """Gather rows by meter, sorted by time; the same row twice counts once.

    Raises
    ------
    BadInput
        If two rows of one meter and time differ; names both lines.
    """
    found: dict[str, dict[int, Row]] = {}
    for row in rows:
        earlier = found.setdefault(row.meter, {}).setdefault(row.time, row)
        if earlier.value != row.value:
            instant = rfc3339(from_microseconds(row.time))
            raise BadInput(
                f"{name}:{row.line}: meter {row.meter} has {plain(row.value)} at {instant},"
                f" but line {earlier.line} says {plain(earlier.value)}; keep the right one."
            )
    readings = {}
    for meter, by_time in found.items():
        times = sorted(by_time)
        readings[meter] = MeterReadings(kind, times, [by_time[time].value for time in times])
    return readings


def text(readings: Readings) -> str:
    """Print readings as a file that `read` reads back to the same values; sorted by meter and time."""
    kinds = {one.kind for one in readings.values()}
    rows = ["start,meter,value" if kinds == {"interval"} else "time,meter,value"]
    for meter in sorted(readings):
        one = readings[meter]
        rows += [
            f"{rfc3339(from_microseconds(time))},{meter},{plain(value)}"
            for time, value in zip(one.times, one.values, strict=True)
        ]
    return "\n".join(rows) + "\n"


def _rows(reader: CsvReader, name: str, community: Community, kind: Kind) -> Iterator[Row]:
    meters = {meter.id for meter in community.meters}

    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise BadInput(f"{name}:{reader.line_num}: this is not CSV: {error}.") from None
        if fields is None:
            return
        line = reader.line_num

        if not fields or not any(fields):
            continue
        if len(fields) != len(("time", "meter", "value")):
            raise BadInput(f"{name}:{line}: expected three values, found {len(fields)}.")
        time, meter, value = (field.strip() for field in fields)
        if meter not in meters:
            raise BadInput(f"{name}:{line}: the community file knows no meter '{meter}'; add it or correct the name.")
        try:
            instant = parse_time(time)
        except ValueError as error:
            raise BadInput(f"{name}:{line}: '{time}' is {error}.") from None
        try:
            number = plain_decimal(value)
        except ValueError as error:
            raise BadInput(f"{name}:{line}: '{value}' is {error}; write it like 1234.567.") from None
        if kind == "interval":
            _aligned(instant, community, f"{name}:{line}")
            if number < 0:
                raise BadInput(f"{name}:{line}: '{value}' is negative; a quantity used must be 0 or more.")
        yield Row(line, meter, microseconds(instant), number)


def _aligned(instant: datetime, community: Community, place: str) -> None:
    day = midnight(local_day(instant, community.zone), community.zone)
    if (instant - day) % community.interval:
        minutes = community.interval // timedelta(minutes=1)
        raise BadInput(
            f"{place}: {rfc3339(instant)} is not the start of a settlement interval;"
            f" they start every {minutes} minutes."
        )
