"""The golden table: what every month of the real year came to.

Written anew with ``python -m tests.realyear.golden FOLDER`` (the folder of real data) after a change that is meant to
change results; the difference of the table then tells, month by month, what it changed.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pvlib

from core.time import Month, microseconds
from settlement.month import Settled
from settlement.replay import replay, write
from tests.realyear.building import community_yaml
from tests.realyear.converter import Year, convert, readings_csv
from tests.realyear.source import HOUR

TABLE = Path(__file__).with_name("golden.json")
MONTHS = tuple(Month(2016, number) for number in range(1, 13))
ZONE = ZoneInfo("Europe/Brussels")
DAY = 24


@dataclass(frozen=True)
class SettledMonth:
    """One month of the year: the files it came from and what became of it."""

    month: Month
    community: Path
    readings: Path
    settled: Settled
    document: bytes

    @property
    def statement(self) -> dict[str, Any]:
        """The ``statement.json``."""
        result: dict[str, Any] = json.loads(self.document)
        return result


def hours(year: Year, month: Month) -> tuple[int, int]:
    """Position of the first hour of a month, and of the first after it."""
    first, end = (microseconds(instant) for instant in month.bounds(ZONE))
    return (first - year.starts[0]) // HOUR, (end - year.starts[0]) // HOUR


def settle_year(year: Year, folder: Path) -> Iterator[SettledMonth]:
    """Write the files of every month, with a day of look-back and look-ahead, and settle them."""
    community = folder / "community.yaml"
    community.write_text(community_yaml(year), encoding="utf-8")
    for month in MONTHS:
        first, end = hours(year, month)
        readings = folder / f"readings-{month}.csv"
        readings.write_text(readings_csv(year, first - DAY, end + DAY), encoding="utf-8")
        settled, document = replay(community, readings, month)
        write(folder / str(month), settled, document)
        yield SettledMonth(month, community, readings, settled, document)


def row(one: SettledMonth) -> dict[str, Any]:
    """Return one month's line of the table: hashes, energy, fuel and money."""
    statement = one.statement
    codes: dict[str, Decimal] = {}
    for entry in statement["statements"]:
        for line in entry["lines"]:
            codes[line["code"]] = codes.get(line["code"], Decimal(0)) + Decimal(line["amount_eur"])
    return {
        "month": str(one.month),
        "files_sha256": hashlib.sha256(one.community.read_bytes() + one.readings.read_bytes()).hexdigest(),
        "input_sha256": statement["input_sha256"],
        "result_sha256": statement["result_sha256"],
        "energy": statement["energy"],
        "pellets": statement["pellets"],
        "amounts_eur": {code: str(codes[code]) for code in sorted(codes)},
        "total_eur": str(sum(codes.values(), Decimal(0))),
        "findings": sorted(finding["code"] for finding in statement["findings"]),
    }


def table(months: Mapping[Month, SettledMonth]) -> dict[str, Any]:
    """Return the whole table; ``pvlib`` tells which version computed the sun."""
    return {"pvlib": pvlib.__version__, "months": [row(months[month]) for month in sorted(months)]}


def _main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        months = {one.month: one for one in settle_year(convert(folder), Path(scratch))}
        TABLE.write_text(json.dumps(table(months), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
