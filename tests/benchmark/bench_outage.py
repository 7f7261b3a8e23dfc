"""An hour without the database at a thousand messages a second: what it costs in memory, and how long the way back is.

The hour's messages are given to the writer as fast as it takes them, since memory depends on their number and not on
the clock; on the way back a thousand live messages a second go on, and must not be starved. The collector's writing
runs in a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from collector.delivery import Delivery
from collector.spool import Spool
from collector.store import Store
from collector.writer import Writer
from core.db.connection import connect
from core.db.migrate import migrate
from core.db.server import embedded
from core.time import utc_now
from core.wire import Reading

_RATE = 1000  # [1/s]
_HOUR = 3600 * _RATE
_METERS = 50
_BOUND = 1_000_000_000
_STEP = 0.02  # [s] between handfuls of live messages
_NOBODY = "postgresql://nobody@127.0.0.1:9/none"


def message(number: int) -> Delivery:
    """Return the message with this number; each brings one new reading."""
    now = utc_now()
    at = now.replace(year=2024, month=1, day=1) + timedelta(milliseconds=number)
    return Delivery(now, "live", (Reading(f"el-{number % _METERS:02d}", at, Decimal(number) / 8),))


def memory() -> float:
    """Most memory this process has had [MB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def collect(pipe: Pipe, folder: Path) -> None:
    """Live through the outage, say what memory it took, then come back on the database whose address is sent."""
    with closing(Spool(folder, _BOUND)) as spool:
        writer = Writer(Store(_NOBODY, "small"), Store(_NOBODY, "small"), spool, utc_now)
        writer.start()
        for number in range(_HOUR):
            writer.put(message(number))
        writer.stop(30)
        pipe.send((memory(), spool.waiting))
        url = pipe.recv()
        writer = Writer(Store(url, "small"), Store(url, "small"), spool, utc_now)
        writer.start()
        began = time.perf_counter()
        slowest = live(writer, spool)
        pipe.send((time.perf_counter() - began, slowest, memory()))
        writer.stop(30)


def live(writer: Writer, spool: Spool) -> float:
    """Give live messages until the spool is empty; returns the longest any of them waited for its commit [s]."""
    waited: list[float] = []
    lock = threading.Lock()

    def due() -> Iterator[int]:
        number, next_at = _HOUR, time.perf_counter()
        while spool.waiting:
            next_at += _STEP
            time.sleep(max(0.0, next_at - time.perf_counter()))
            for _ in range(int(_RATE * _STEP)):
                yield number
                number += 1

    for number in due():
        given = time.perf_counter()

        def stored(given: float = given) -> None:
            with lock:
                waited.append(time.perf_counter() - given)

        one = message(number)
        writer.put(Delivery(one.received_at, one.source, one.readings, acknowledge=stored))
    with lock:
        return max(waited, default=0.0)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        mine, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=collect, args=(theirs, folder / "spool"))
        process.start()
        most, waiting = mine.recv()
        assert waiting == _HOUR, waiting
        print(f"outage_memory {most:.0f} MB", flush=True)
        size = sum(file.stat().st_size for file in (folder / "spool").iterdir())
        print(f"outage_disk {size / 1_000_000:.0f} MB", flush=True)
        with embedded(folder) as server:
            migrate(server.url)
            mine.send(server.url)
            seconds, slowest, most = mine.recv()
            process.join()
            print(f"outage_drained {seconds / 60:.1f} min", flush=True)
            print(f"outage_live_slowest {slowest:.2f} s", flush=True)
            print(f"outage_memory_back {most:.0f} MB", flush=True)
            with connect(server.url) as connection:
                row = connection.execute("SELECT count(*) FROM reading WHERE value < %s", (_HOUR // 8,)).fetchone()
                assert row == (_HOUR,), row


if __name__ == "__main__":
    main()
