"""``wijkenergie gaps``: when which meter was not heard, so that a loss is known before a month is settled."""

from __future__ import annotations

from typing import Annotated

import typer

from core.db import config
from core.db.connection import Connection
from core.db.gaps import gaps
from core.settings import load_settings
from core.time import Month, rfc3339, utc_now
from wijkenergie.wiring import session, slug_of


def show(month: Annotated[str, typer.Argument(metavar="MONTH", help="YYYY-MM, local time")]) -> None:
    """Name the stretches of a month in which readings of a meter are missing."""
    wanted = Month.parse(month)
    with session(load_settings()) as connection:
        lines = report(connection, slug_of(connection, load_settings()), wanted)
    for line in lines or [f"No reading is missing in {wanted}."]:
        print(line)


def report(connection: Connection, slug: str, month: Month) -> list[str]:
    """Return a line per gap: a meter is expected as often as its ``every`` says, else once a settlement interval."""
    community = config.load(connection, slug).community
    since, end = month.bounds(community.zone)
    until = min(end, utc_now())
    if until <= since:
        return []
    return [
        f"{meter.id}: {gap.missing} missing between {rfc3339(gap.after)} and {rfc3339(gap.before)}"
        for meter in community.meters
        for gap in gaps(connection, slug, meter.id, meter.every or community.interval, since, until)
    ]
