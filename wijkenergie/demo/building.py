"""The demo's building in the database: schema, community, history, people and their sign-in links."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from api.access import new_sign_in_link
from core.communityfile import CommunityFile, parse
from core.db import config
from core.db.connection import Connection, connect
from core.db.migrate import migrate
from core.db.readings import analyse, insert_copy_lines, newest_reading
from core.errors import BadInput
from core.time import Month, local_day, rfc3339
from settlement import derive, run, store
from simulators.building import COMMUNITY
from simulators.cellar import BAG_KG, cellar_at
from simulators.description import community_text
from simulators.grid import ZONE
from simulators.history import history, history_start
from simulators.serve import Ready
from wijkenergie.demo import people

_LINK_VALID = timedelta(hours=12)
_FORGOTTEN = timedelta(days=8)


@dataclass(frozen=True)
class Prepared:
    """The building as the database now knows it."""

    file: CommunityFile
    imported: int
    import_seconds: float


def prepare(url: str, data: Path, seed: int, place: Ready, now: datetime) -> Prepared:
    """Bring the database up to the present: schema, community file, and the history it lacks.

    Raises
    ------
    BadInput
        If the data folder holds another building, or one whose thirteen months have moved on.
    """
    migrate(url)
    text = community_text(seed, now, inverter_port=place.inverter_port, boiler_port=place.boiler_port, host=place.host)
    file = parse(text, "the demo's community file")
    (data / "community.yaml").write_text(text, encoding="utf-8")
    connection = connect(url)
    try:
        _refuse_other(connection, data, seed, now)
        config.apply(connection, file, now, "demo")
        began = time.monotonic()
        imported = _import(connection, seed, now)
        seconds = time.monotonic() - began
        people.enrol(connection, file.community, now)
        _remember_refills(connection, seed, now)
    finally:
        connection.close()
    return Prepared(file, imported, seconds)


def last_month(now: datetime) -> Month:
    """Return the last full month."""
    return Month.of(local_day(now, ZONE)).shift(-1)


def show_present(url: str, now: datetime) -> None:
    """Derive the quarter-hours of the present month and settle the last full month, so that pages have something."""
    connection = connect(url)
    try:
        derive.update(connection, COMMUNITY, now, since=last_month(now).first_day)
        if store.newest_statement(connection, COMMUNITY, str(last_month(now))) is None:
            run.settle(connection, COMMUNITY, last_month(now), now)
    finally:
        connection.close()


def links(url: str, base_url: str, now: datetime) -> list[tuple[str, str]]:
    """Make one sign-in link each for a resident, a volunteer and the corporation."""
    connection = connect(url)
    try:
        with connection.transaction():
            return [
                (role, new_sign_in_link(connection, base_url, COMMUNITY, person, now, _LINK_VALID))
                for role, person in people.SHOWN
            ]
    finally:
        connection.close()


def _refuse_other(connection: Connection, data: Path, seed: int, now: datetime) -> None:
    known = config.communities(connection)
    connection.rollback()
    if known not in ([], [COMMUNITY]):
        raise BadInput(f"{data} holds the community {known[0]}; choose another folder for the demo with --data.")
    made = f"seed {seed}, {Month.of(local_day(now, ZONE))}"
    note = data / "demo.txt"
    if not known:
        note.write_text(made, encoding="utf-8")
    elif not note.exists() or note.read_text(encoding="utf-8") != made:
        raise BadInput(
            f"The building in {data} was made in another month or with another seed; remove the folder"
            " or choose another with --data."
        )


def _remember_refills(connection: Connection, seed: int, now: datetime) -> None:
    """Write down who filled the hopper, but not lately: the first thing a visitor sees is that it must be filled."""
    with connection.transaction():
        for refill in cellar_at(seed, now).refills:
            if history_start(now) <= refill.at < now - _FORGOTTEN:
                body = {"at": rfc3339(refill.at), "bags": str(refill.bags), "bag_kg": str(BAG_KG)}
                config.add_event(connection, COMMUNITY, "bags", f"refill {body['at']}", body, now, "demo")


def _import(connection: Connection, seed: int, now: datetime) -> int:
    """Import what the meters said since the newest reading, all meters alike, through the one way in."""
    newest = newest_reading(connection, COMMUNITY)
    start = newest or history_start(now)
    with connection.transaction():
        inserted = insert_copy_lines(connection, COMMUNITY, history(seed, start, now), "history")
    if newest is None:
        connection.commit()
        analyse(connection)
    return inserted.new
