"""What the worker does by the clock: quarter-hours, tasks, messages, provisional months and what is kept no longer.

Each job calls one function of another room and can be repeated at any time. A lock in the database keeps two
workers from doing the same job at once and ends with the connection, so that a worker that dies holds up nobody;
whatever it left half done is rolled back, and the next turn does it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from datetime import time as clock_time
from typing import Any, Final
from zoneinfo import ZoneInfo

import procrastinate
import structlog
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Status

from core.db import config
from core.db.connection import Connection, connect, place
from core.errors import Unavailable, WijkError
from core.settings import Settings
from core.time import Month, local_day, rfc3339, utc_now
from core.wire import alert_topic
from settlement import derive, run
from settlement.final import issue, openings
from settlement.final import store as final_store
from settlement.tasks import messages, rounds, store
from settlement.watch import look, silence

Publish = Callable[[str, str], None]
"""Sends a text to an MQTT topic; passed in by the front door, which knows the broker."""

_NIGHT: Final = clock_time(2, 30)
_DAYS_UNTIL_SETTLED: Final = 5
"""Readings still come in after a month's end; until this day the month before is settled again every night."""
_MONTHS_LOOKED_AT: Final = 13
"""A correction of an older month is found when somebody asks for it."""
_GRACE_SECONDS: Final = 3.0
_LONGEST_PAUSE_SECONDS: Final = 30.0
_log = structlog.get_logger()


@dataclass
class Work:
    """What every job needs, and which connections are busy, so that a stop can end their queries."""

    database_url: str
    settings: Settings
    slug: str
    publish: Publish | None = None
    quiet_hours: bool = True
    clock: Callable[[], datetime] = utc_now
    busy: set[Connection] = field(default_factory=set)
    interrupted: bool = False

    @contextlib.contextmanager
    def alone(self, name: str) -> Iterator[Connection | None]:
        """Open a connection that holds a job's lock; None when another worker has it."""
        connection = connect(self.database_url, autocommit=True)
        self.busy.add(connection)
        try:
            yield connection if store.try_lock(connection, self.slug, name) else None
        except Exception:
            if connection.broken:
                raise Unavailable(f"The database at {place(self.database_url)} went away in the middle.") from None
            raise
        finally:
            self.busy.discard(connection)
            connection.close()

    def interrupt(self) -> None:
        """End the queries that run at this moment; their transactions are rolled back."""
        self.interrupted = True
        for connection in list(self.busy):
            connection.cancel()


def update_quarters(work: Work, connection: Connection, now: datetime) -> None:
    """Work new readings into the quarter-hours."""
    derive.update(connection, work.slug, now)


def check_tasks(work: Work, connection: Connection, now: datetime) -> None:
    """Open what is due, tell the broker, and send the messages that ask for help."""
    community = config.load(connection, work.slug).community
    alerts = rounds.check(connection, community, work.settings.base_url, now)
    send_messages(work, connection, now)
    _publish(work, alerts)


def _publish(work: Work, alerts: Iterable[rounds.Alert]) -> None:
    for alert in alerts:
        _log.info("alert", kind=alert.kind, text=alert.text)
        if work.publish is not None:
            payload = {"kind": alert.kind, "text": alert.text, "time": rfc3339(alert.at)}
            work.publish(alert_topic(work.slug, alert.kind), json.dumps(payload, ensure_ascii=False))


def look_at_readings(work: Work, connection: Connection, now: datetime) -> None:
    """Look at new readings for what is odd."""
    look.look(connection, work.slug, now)


def look_around(work: Work, connection: Connection, now: datetime) -> None:
    """Look for what shows by comparison, and at every open finding again."""
    look.look_around(connection, work.slug, now)


def check_devices(work: Work, connection: Connection, now: datetime) -> None:
    """Tell of devices that fell silent or are back."""
    community = config.load(connection, work.slug).community
    _publish(work, silence.check(connection, community, work.settings.base_url, now))
    send_messages(work, connection, now)


def send_messages(work: Work, connection: Connection, now: datetime) -> None:
    """Send the messages that are due."""
    zone = config.load(connection, work.slug).community.zone
    messages.deliver(connection, work.settings, work.slug, zone, now, quiet_hours=work.quiet_hours)


def settle_months(work: Work, connection: Connection, now: datetime) -> None:
    """Settle the current month, and the one before while it may still change; tell residents of the latter."""
    community = config.load(connection, work.slug).community
    today = local_day(now, community.zone)
    current = Month.of(today)
    previous = current.shift(-1)
    status = store.month_status(connection, work.slug, str(previous))
    unsettled = status is None and store.has_readings(connection, work.slug, *previous.bounds(community.zone))
    if unsettled or (status == "provisional" and today.day <= _DAYS_UNTIL_SETTLED):
        run.settle(connection, work.slug, previous, now)
    messages.statements_ready(connection, community, previous, work.settings.base_url, now)
    send_messages(work, connection, now)
    look_at_final_months(work, connection, now)
    if store.has_readings(connection, work.slug, *current.bounds(community.zone)):
        run.settle(connection, work.slug, current, now)


def look_at_final_months(work: Work, connection: Connection, now: datetime) -> None:
    """Find what the final months of the last year would be corrected by; nothing that is final changes."""
    for month in final_store.final_months(connection, work.slug)[-_MONTHS_LOOKED_AT:]:
        try:
            found = issue.look_again(connection, work.slug, month, now)
        except WijkError as error:  # one month that cannot be settled any more holds up none of the others
            _log.error("a final month could not be looked at", month=str(month), reason=str(error))
            continue
        if found is not None:
            _log.warning("a final month would come out differently", month=str(month), parties=len(found["statements"]))


def settle_at_night(work: Work, connection: Connection, now: datetime) -> None:
    """Settle once a night, also in those when the clock is put forward or back."""
    zone = config.load(connection, work.slug).community.zone
    if passes_night(now, zone):
        settle_months(work, connection, now)


def destroy_openings(work: Work, connection: Connection, now: datetime) -> None:
    """Destroy, once a night, what opens the quarter-hours of months that are kept no longer, each by itself."""
    community = config.load(connection, work.slug).community
    if not passes_night(now, community.zone):
        return
    for month in openings.due(connection, community, now):
        try:
            destroyed = issue.destroy_openings(connection, work.slug, month, now)
        except WijkError as error:  # nobody can tell whether a correction waits, so nothing is taken away
            reason = str(error)
            _log.error("openings are kept, their month could not be looked at", month=str(month), reason=reason)
            continue
        if destroyed is None:
            _log.warning("openings are kept, a correction waits", month=str(month))
        elif destroyed:
            _log.info("openings destroyed", month=str(month), openings=destroyed)


def passes_night(now: datetime, zone: ZoneInfo) -> bool:
    """Tell whether the local clock passed half past two within the last hour."""
    before, after = ((now - timedelta(hours=back)).astimezone(zone).time() for back in (1, 0))
    return before < _NIGHT <= after


Job = Callable[[Work, Connection, datetime], None]
SCHEDULE: Final[dict[str, tuple[str, Job]]] = {
    "quarters": ("* * * * *", update_quarters),
    "tasks": ("*/5 * * * *", check_tasks),
    "messages": ("* * * * *", send_messages),
    "devices": ("* * * * *", check_devices),
    "readings": ("*/5 * * * *", look_at_readings),
    "look around": ("7 * * * *", look_around),
    "months": ("30 * * * *", settle_at_night),
    "openings": ("45 * * * *", destroy_openings),
}
"""Jobs by name: when, in cron's notation and UTC, and what."""
AT_START: Final = "months at start"


def do(work: Work, name: str, job: Job, now: datetime) -> None:
    """Do a job unless another worker is doing it; say in one sentence what went wrong, if anything did."""
    begin = time.monotonic()
    try:
        with work.alone(name.removesuffix(" at start")) as connection:
            if connection is not None:
                job(work, connection, now)
                _log.debug("job done", job=name, seconds=round(time.monotonic() - begin, 3))
    except WijkError as error:
        _log.error("job failed", job=name, reason=str(error))
    except Exception:  # noqa: BLE001 - the next turn of the clock must come, whatever this one ran into
        if work.interrupted:
            _log.info("job interrupted", job=name)
        else:
            _log.exception("job failed", job=name)


def run_worker(
    database_url: str,
    settings: Settings,
    slug: str,
    *,
    publish: Publish | None = None,
    quiet_hours: bool = True,
    stop: threading.Event | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> None:
    """Work until told to stop; outlives a database that goes away for a while.

    Parameters
    ----------
    publish
        Sends alerts to the broker; None to send none.
    quiet_hours
        False to write to people at any hour (a demonstration).
    stop
        Ends the work when set, from any thread. Without it SIGTERM and SIGINT do, within five seconds: a
        calculation that lasts longer is abandoned, and its transaction rolled back.
    clock
        Tells jobs the time; when they are due is up to the machine's own clock.

    Raises
    ------
    Unavailable
        If the database cannot be reached at the start.
    BadInput
        If it does not know the community.
    """
    with connect(database_url) as connection:
        config.load(connection, slug)
    if not settings.notify:
        _log.warning("WIJKENERGIE_NOTIFY_URLS is empty, so no message will leave the house")
    for library in ("procrastinate", "psycopg.pool"):
        logging.getLogger(library).setLevel(logging.CRITICAL)  # what goes wrong is said here, once
    work = Work(database_url, settings, slug, publish, quiet_hours, clock)
    stopping = stop or threading.Event()
    if stop is None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
    pause = 1.0
    while not stopping.is_set():
        begin = time.monotonic()
        try:
            connect(database_url).close()
            asyncio.run(_work(work, stopping, may_exit=stop is None))
        except Unavailable as error:
            _log.warning("waiting for the database", reason=str(error))
        except ConnectorException as error:
            _log.warning("the database went away", database=place(database_url), reason=str(error.__cause__ or error))
        except Exception:  # noqa: BLE001 - work that residents rely on starts again, whatever it ran into
            _log.exception("the worker failed and starts again")
        pause = 1.0 if time.monotonic() - begin > _LONGEST_PAUSE_SECONDS else min(2 * pause, _LONGEST_PAUSE_SECONDS)
        stopping.wait(pause)
    _log.info("worker stopped")


async def _work(work: Work, stopping: threading.Event, *, may_exit: bool) -> None:
    app = _app(work)
    async with app.open_async():
        for stalled in await app.job_manager.get_stalled_jobs(queue=work.slug):
            await app.job_manager.finish_job(stalled, Status.FAILED, delete_job=True)
        with contextlib.suppress(AlreadyEnqueued):  # another worker's start has asked for it
            await app.tasks[AT_START].defer_async(timestamp=0)
        worker = asyncio.create_task(
            app.run_worker_async(queues=[work.slug], concurrency=3, install_signal_handlers=False, delete_jobs="always")
        )
        _log.info("worker ready", community=work.slug)
        while not stopping.is_set() and not worker.done():
            await asyncio.wait([worker], timeout=0.2)
        if not worker.done():
            worker.cancel()
            await asyncio.wait([worker], timeout=_GRACE_SECONDS)
            work.interrupt()
            await asyncio.wait([worker], timeout=1)
            if not worker.done() and may_exit:
                _log.warning("a job is abandoned; its transaction is rolled back and the next start repeats it")
                os._exit(0)
        with contextlib.suppress(asyncio.CancelledError):
            await worker


def _app(work: Work) -> procrastinate.App:
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(conninfo=work.database_url, min_size=1, max_size=5, timeout=10)
    )
    for name, (cron, job) in SCHEDULE.items():
        task = _register(app, work, name, job)
        app.periodic(cron=cron, periodic_id=work.slug)(task)
    _register(app, work, AT_START, settle_months)
    return app


def _register(app: procrastinate.App, work: Work, name: str, job: Job) -> Any:
    @functools.wraps(job)
    def turn(timestamp: int) -> None:  # noqa: ARG001 - when it was due; the job looks at the clock itself
        do(work, name, job, work.clock())

    return app.task(name=name, queue=work.slug, queueing_lock=f"{work.slug} {name}")(turn)
