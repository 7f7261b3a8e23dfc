"""``demo --once``: a live minute and a settled month, compared with the simulators' own truth, figure by figure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from core.community import Community
from core.db.connection import connect
from core.time import Month, from_microseconds, microseconds
from core.units import convert_exactly
from settlement import run, store
from simulators.truth import compare, live_truth, settlement_truth

MODBUS_LAG = timedelta(seconds=3)
"""A polled register was refreshed at most this long before the reading's time."""


@dataclass(frozen=True)
class Row:
    """One thing compared: how many figures, how many agree, and the first that does not."""

    what: str
    figures: int
    agree: int
    example: str = ""

    @property
    def holds(self) -> bool:
        """Whether all figures agree, and there was at least one."""
        return self.figures > 0 and self.agree == self.figures


def live(url: str, community: Community, seed: int, since: datetime, until: datetime) -> Iterator[Row]:
    """Compare every register reading of the live minute with the truth at its time.

    A reading with a time of its own must equal the truth at that time; a polled one must lie between the truth at
    its time and `MODBUS_LAG` earlier, because the device refreshed the register in between.
    """
    polled = {
        meter for device in community.devices if device.link.startswith("modbus") for meter in device.feeds.values()
    }
    connection = connect(url)
    try:
        for meter in community.meters:
            if meter.measures == "pellet_stock":
                continue
            known = store.readings_between(
                connection, community.community, meter.id, *map(microseconds, (since, until))
            )
            rows = (
                [
                    (time, value)
                    for time, value in zip(known.times, known.values, strict=True)
                    if microseconds(since) <= time <= microseconds(until)
                ]
                if known
                else []
            )
            agree, example = 0, ""
            for time, value in rows:
                instant = from_microseconds(time)
                kwh = convert_exactly(value, meter.unit, "kWh")
                newest = live_truth(seed, meter.id, instant)
                oldest = live_truth(seed, meter.id, instant - MODBUS_LAG) if meter.id in polled else newest
                if kwh is not None and oldest <= kwh <= newest:
                    agree += 1
                elif not example:
                    example = f"{instant:%H:%M:%S} read {kwh}, truth {newest}"
            yield Row(f"live {meter.id}", len(rows), agree, example)
    finally:
        connection.close()


def month(url: str, slug: str, seed: int, last: Month, now: datetime) -> Iterator[Row]:
    """Settle the last full month and compare every kWh, kilogram and cent with the truth."""
    connection = connect(url)
    try:
        statement: dict[str, Any] = json.loads(run.settle(connection, slug, last, now).document)
    finally:
        connection.close()
    groups: dict[str, list[tuple[bool, str]]] = {}
    for figure in compare(settlement_truth(seed, last, now), statement):
        kind = "cents" if figure.what.endswith("_eur") else "kg" if figure.what.endswith("_kg") else "kWh"
        groups.setdefault(kind, []).append((figure.agrees, f"{figure.what}: {figure.found}, truth {figure.truth}"))
    for kind, figures in groups.items():
        wrong = [text for agrees, text in figures if not agrees]
        yield Row(f"{last} {kind}", len(figures), len(figures) - len(wrong), wrong[0] if wrong else "")
    checks = statement["checks"]
    yield Row(f"{last} conservation checks", len(checks), sum(check["holds"] for check in checks))


def show(rows: list[Row]) -> bool:
    """Print the comparison; True if everything agrees."""
    table = Table("compared with the truth", "figures", "agree", "", "first difference")
    for row in rows:
        table.add_row(row.what, str(row.figures), str(row.agree), "ok" if row.holds else "NO", row.example)
    Console(highlight=False).print(table)
    return all(row.holds for row in rows)
