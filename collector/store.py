"""The collector's side of the database: one transaction per batch of deliveries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import psycopg

from collector.delivery import Delivery, Health
from collector.watched import Watched
from core.db.connection import Connection, connect, cut, patience, place
from core.db.readings import Inserted, insert_readings
from core.errors import BadInput, Unavailable

_SOURCE: Final = "collector"
_CONNECT_SECONDS: Final = 5
# The server ends what we gave up on, or it would keep its locks, and block the next try, until the network tells it.
_LIMITS: Final = "SET statement_timeout = '60s'; SET idle_in_transaction_session_timeout = '60s'"


class Store:
    """A connection to the database, made when needed and made anew after a failure.

    Parameters
    ----------
    url
        Of the database.
    community
        Leads every key.
    watched
        Devices to introduce before anything is stored, so that one that never speaks is known too.
    """

    def __init__(self, url: str, community: str, watched: Sequence[Watched] = ()) -> None:
        self._url, self._community, self._watched = url, community, watched
        self._introduced = not watched
        self._connection: Connection | None = None

    def write(self, deliveries: Sequence[Delivery], seconds: float) -> Inserted:
        """Store deliveries in one transaction; when this returns, they are committed.

        Raises
        ------
        Unavailable
            If the database is away, not ready, or does not answer within so many seconds. Nothing is stored, or,
            if it went silent over the commit, perhaps all; trying again is safe.
        BadInput
            If the database cannot hold something in them. Nothing is stored; trying again is useless.
        """
        if not self._introduced and deliveries:
            self.introduce(deliveries[0].received_at, seconds)
        try:
            connection = self._open()
            with patience(connection, seconds), connection.transaction():
                inserted = insert_readings(
                    connection,
                    self._community,
                    [reading for delivery in deliveries for reading in delivery.readings],
                    _SOURCE,
                )
                self._write_measurements(connection, deliveries)
                self._write_dead_letters(connection, deliveries)
                self._write_clocks(connection, deliveries)
                self._write_health(connection, deliveries)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise BadInput(f"The database cannot hold this: {_first_line(error)}.") from error
        except psycopg.Error as error:
            self.close()
            raise Unavailable(f"The database at {place(self._url)} did not store: {_first_line(error)}.") from error
        return inserted

    def introduce(self, now: datetime, seconds: float) -> dict[str, datetime]:
        """Write down, within so many seconds, how every device is to be watched.

        One that nobody asked for too long gets its time anew.

        Returns
        -------
        dict
            When each was last heard; since when it is watched, where it never was.

        Raises
        ------
        Unavailable
            If the database is away; `write` does it then, as soon as it is back.
        """
        try:
            connection = self._open()
            rows = [(self._community, *one, now) for one in self._watched]
            with patience(connection, seconds), connection.transaction():
                self._many(
                    connection,
                    "INSERT INTO device_health AS d"
                    " (community, device, kind, silent_after, feeds_settlement, watched_since)"
                    " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (community, device) DO UPDATE SET"
                    " (kind, silent_after, feeds_settlement) = (EXCLUDED.kind, EXCLUDED.silent_after,"
                    " EXCLUDED.feeds_settlement), watched_since = CASE WHEN greatest(d.last_try, d.last_seen)"
                    " >= EXCLUDED.watched_since - EXCLUDED.silent_after THEN d.watched_since"
                    " ELSE EXCLUDED.watched_since END",
                    rows,
                )
                seen = connection.execute(
                    "SELECT device, coalesce(last_seen, watched_since) FROM device_health"
                    " WHERE community = %s AND device = ANY(%s)",
                    (self._community, [one.device for one in self._watched]),
                ).fetchall()
            self._introduced = True
        except psycopg.Error as error:
            self.close()
            raise Unavailable(f"The database at {place(self._url)} did not store: {_first_line(error)}.") from error
        return dict(seen)

    def cut(self) -> None:
        """Make a write that another thread waits for fail now."""
        connection = self._connection
        if connection is not None:
            cut(connection)

    def last_tries(self, seconds: float) -> dict[str, datetime]:
        """Return, within so many seconds, when each device was asked last, also by an earlier process.

        Raises
        ------
        Unavailable
            If the database is away.
        """
        try:
            connection = self._open()
            with patience(connection, seconds):
                found = connection.execute(
                    "SELECT device, last_try FROM device_health WHERE community = %s AND last_try IS NOT NULL",
                    (self._community,),
                ).fetchall()
            return dict(found)
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
            self._connection = connect(self._url, autocommit=True, seconds=_CONNECT_SECONDS)
            with patience(self._connection, _CONNECT_SECONDS):
                self._connection.execute(_LIMITS)
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
            " ON CONFLICT (community, device) DO UPDATE SET last_seen = greatest(d.last_seen, EXCLUDED.last_seen),"
            # What was spooled may come after what is newer.
            " last_error = CASE WHEN EXCLUDED.last_try < d.last_try THEN d.last_error ELSE EXCLUDED.last_error END,"
            " last_try = greatest(d.last_try, EXCLUDED.last_try),"
            " errors = d.errors + EXCLUDED.errors, readings = d.readings + EXCLUDED.readings",
            rows,
        )

    def _write_clocks(self, connection: Connection, deliveries: Iterable[Delivery]) -> None:
        """Note whose clock is wrong, and whose is right again; what was heard before the latest says nothing."""
        said = {
            note.device: (delivery.received_at, note.clock)
            for delivery in deliveries
            for note in delivery.health
            if note.heard
        }
        if said:
            connection.execute(
                "UPDATE device_health d SET clock_said = s.said, clock_wrong_since ="
                " CASE WHEN s.said IS NOT NULL THEN coalesce(d.clock_wrong_since, s.at) END"
                " FROM unnest(%s::text[], %s::timestamptz[], %s::timestamptz[]) s(device, at, said)"
                " WHERE (d.community, d.device) = (%s, s.device) AND (d.last_seen <= s.at OR d.last_seen IS NULL)"
                " AND (d.clock_said IS NOT NULL OR s.said IS NOT NULL)",
                (list(said), [at for at, _ in said.values()], [clock for _, clock in said.values()], self._community),
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
