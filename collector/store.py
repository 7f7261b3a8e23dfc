"""The collector's side of the database: one transaction per batch of deliveries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import psycopg

from collector.delivery import Delivery, Health
from core.db.connection import Connection, connect, place
from core.db.readings import Inserted, insert_readings
from core.errors import BadInput, Unavailable

_SOURCE = "collector"


class Store:
    """A connection to the database, made when needed and made anew after a failure.

    Parameters
    ----------
    url
        Of the database.
    community
        Leads every key.
    """

    def __init__(self, url: str, community: str) -> None:
        self._url, self._community = url, community
        self._connection: Connection | None = None

    def write(self, deliveries: Sequence[Delivery]) -> Inserted:
        """Store deliveries in one transaction; when this returns, they are committed.

        Raises
        ------
        Unavailable
            If the database is away or not ready. Nothing is stored; trying again is safe.
        BadInput
            If the database cannot hold something in them. Nothing is stored; trying again is useless.
        """
        try:
            connection = self._open()
            with connection.transaction():
                inserted = insert_readings(
                    connection,
                    self._community,
                    [reading for delivery in deliveries for reading in delivery.readings],
                    _SOURCE,
                )
                self._write_measurements(connection, deliveries)
                self._write_dead_letters(connection, deliveries)
                self._write_health(connection, deliveries)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise BadInput(f"The database cannot hold this: {_first_line(error)}.") from error
        except psycopg.Error as error:
            self.close()
            raise Unavailable(f"The database at {place(self._url)} did not store: {_first_line(error)}.") from error
        return inserted

    def last_tries(self) -> dict[str, datetime]:
        """Return when each device was asked last, also by an earlier process.

        Raises
        ------
        Unavailable
            If the database is away.
        """
        try:
            found = self._open().execute(
                "SELECT device, last_try FROM device_health WHERE community = %s AND last_try IS NOT NULL",
                (self._community,),
            )
            return dict(found.fetchall())
        except psycopg.Error as error:
            self.close()
            raise Unavailable(f"The database at {place(self._url)} cannot be read: {_first_line(error)}.") from error

    def close(self) -> None:
        """Close the connection; the next write makes a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._url, autocommit=True)
        return self._connection

    def _write_measurements(self, connection: Connection, deliveries: Iterable[Delivery]) -> None:
        rows = [
            (self._community, m.device, m.point, m.time, m.quantity, m.value, m.text)
            for delivery in deliveries
            for m in delivery.measurements
        ]
        self._many(
            connection,
            "INSERT INTO measurement (community, device, point, time, quantity, value, text)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            rows,
        )

    def _write_dead_letters(self, connection: Connection, deliveries: Iterable[Delivery]) -> None:
        rows = [
            (self._community, delivery.received_at, _clean(letter.source), letter.payload, _clean(letter.reason))
            for delivery in deliveries
            for letter in delivery.dead_letters
        ]
        self._many(
            connection,
            "INSERT INTO dead_letter (community, received_at, source, payload, reason) VALUES (%s, %s, %s, %s, %s)",
            rows,
        )

    def _write_health(self, connection: Connection, deliveries: Iterable[Delivery]) -> None:
        notes: defaultdict[str, list[tuple[datetime, Health, int]]] = defaultdict(list)
        for delivery in deliveries:
            for note in delivery.health:
                notes[note.device].append((delivery.received_at, note, len(delivery.readings)))
        rows = []
        for device, found in sorted(notes.items()):
            heard = [at for at, note, _ in found if note.heard]
            errors = [note.error for _, note, _ in found if note.error is not None]
            last = found[-1][1].error
            rows.append(
                (
                    self._community,
                    device,
                    max(heard, default=None),
                    found[-1][0],
                    None if last is None else _clean(last),
                    len(errors),
                    sum(readings for _, _, readings in found),
                )
            )
        self._many(
            connection,
            "INSERT INTO device_health AS d (community, device, last_seen, last_try, last_error, errors, readings)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (community, device) DO UPDATE SET last_seen = coalesce(EXCLUDED.last_seen, d.last_seen),"
            " last_try = EXCLUDED.last_try, last_error = EXCLUDED.last_error,"
            " errors = d.errors + EXCLUDED.errors, readings = d.readings + EXCLUDED.readings",
            rows,
        )

    @staticmethod
    def _many(connection: Connection, statement: str, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            with connection.cursor() as cursor:
                cursor.executemany(statement, rows)


def _clean(text: str) -> str:
    """Make any text storable: PostgreSQL takes no NUL, UTF-8 no lone surrogate."""
    return text.replace("\0", "?").encode(errors="replace").decode()


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else "no reason given"
