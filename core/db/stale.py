"""What has to be derived again although no reading came: the worker takes it from here.

Written in the transaction of whatever made it stale, so that neither is there without the other. A row stays until a
run that began after it was written has worked it in.
"""

from __future__ import annotations

from datetime import datetime

from core.db.connection import Connection


def everything(connection: Connection, slug: str) -> None:
    """Ask for all quarter-hours and shares of a community to be derived again."""
    connection.execute("INSERT INTO derive_again (community) VALUES (%s)", (slug,))


def span(connection: Connection, slug: str, meter: str, since: datetime, until: datetime) -> None:
    """Ask for what a meter counted around a span, both ends included, to be derived again."""
    connection.execute(
        "INSERT INTO derive_again (community, meter, since, until) VALUES (%s, %s, %s, %s)", (slug, meter, since, until)
    )


def batch(connection: Connection, slug: str, number: int) -> None:
    """Ask for everything around the readings of an import to be derived again; call before they are removed."""
    connection.execute(
        "INSERT INTO derive_again (community, meter, since, until)"
        " SELECT community, meter, min(time), max(time) FROM reading WHERE (community, batch) = (%s, %s)"
        " GROUP BY community, meter, date_bin('1 day', time, timestamptz '2000-01-01 00:00+00')",
        (slug, number),
    )
