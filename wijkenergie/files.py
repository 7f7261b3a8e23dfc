"""Files in and out of the database: import with preview and undo, export of a month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from core.db import config
from core.db.connection import Connection
from core.db.readings import insert_readings
from core.errors import BadInput
from core.time import Month, from_microseconds, microseconds
from core.yamltext import Tree
from settlement import batches, readingsfile, run
from settlement.model import Readings
from settlement.replay import write_files


@dataclass(frozen=True)
class Plan:
    """What importing a file would do."""

    community: str
    name: str
    readings: Readings
    rows: int
    new: int
    conflicting: int

    def lines(self) -> list[str]:
        """Describe it."""
        known = self.rows - self.new - self.conflicting
        lines = [
            f"{self.name}: {self.rows} readings of {len(self.readings)} meters;"
            f" {self.new} new, {known} known already, {self.conflicting} in conflict."
        ]
        if self.conflicting:
            lines.append("Conflicting readings change nothing: the known value stays, the other is kept aside.")
        return lines


def preview(connection: Connection, slug: str, path: Path) -> Plan:
    """Check a readings file and compare it with what is known; nothing is written."""
    community = config.load(connection, slug).community
    readings = readingsfile.read(path, community)
    if any(one.kind == "interval" for one in readings.values()):
        raise BadInput(
            f"{path.name}:1: the database takes register readings ('time,meter,value');"
            " quantities per interval can be settled with 'wijkenergie replay'."
        )
    rows = sum(len(one.times) for one in readings.values())
    new, conflicting = batches.compare(connection, slug, readings)
    connection.rollback()
    return Plan(slug, path.name, readings, rows, new, conflicting)


def take_in(connection: Connection, plan: Plan, now: datetime) -> str:
    """Import a file as a batch, whole or not at all."""
    rows = (
        (meter, from_microseconds(time), value)
        for meter, one in plan.readings.items()
        for time, value in zip(one.times, one.values, strict=True)
    )
    with connection.transaction():
        batch = batches.new(connection, plan.community, f"file {plan.name}", now)
        inserted = insert_readings(connection, plan.community, rows, f"file {plan.name}", batch)
    return f"Imported {inserted.new} readings as batch {batch}; 'wijkenergie import --undo {batch}' takes it back."


def undo(connection: Connection, slug: str, batch: int, now: datetime) -> str:
    """Take an imported batch back."""
    with connection.transaction():
        removed = batches.undo(connection, slug, batch, now)
    return f"Batch {batch} was taken back: {removed} readings."


def export(connection: Connection, slug: str, month: Month, out: Path) -> list[Path]:
    """Write what a month is settled from, so that `replay` gives the same bytes as `settle`."""
    file, readings = run.exported(connection, slug, month)
    start, end = (microseconds(instant) for instant in month.bounds(file.community.zone))
    if not any(start <= time <= end for one in readings.values() for time in one.times):
        raise BadInput(f"There are no readings for {month}; nothing was written.")
    contents = {
        "community.yaml": community_yaml(file.tree).encode(),
        "readings.csv": readingsfile.text(readings).encode(),
    }
    return write_files(out, contents)


def community_yaml(tree: Tree) -> str:
    """Write a community's tree of text as YAML; every scalar quoted, so that it reads back as the same text."""
    yaml = YAML()
    yaml.width = 120
    out = StringIO()
    yaml.dump(_quoted(tree), out)
    return out.getvalue()


def _quoted(value: object) -> object:
    if isinstance(value, dict):
        return {name: _quoted(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_quoted(inner) for inner in value]
    return DoubleQuotedScalarString(str(value))
