"""How fast deliveries are kept: by the database, by the disk while that is away, and from there back into the database.

One process, the database on the same machine with fsync on, as in a cellar.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from decimal import Decimal
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

_BOUND = 1_000_000_000
_NOBODY = "postgresql://nobody@127.0.0.1:9/none"


class Acknowledged:
    """Counts acknowledgements up to a number."""

    def __init__(self, number: int) -> None:
        self._left = number
        self.all = threading.Event()

    def __call__(self) -> None:
        """Count one; the writer's thread alone does."""
        self._left -= 1
        if self._left == 0:
            self.all.set()


def deliveries(count: int, each: int, since: int, done: Acknowledged) -> Iterator[Delivery]:
    """Yield messages with new readings."""
    now = utc_now()
    for number in range(count):
        first = since + number * each
        readings = tuple(
            Reading("el-A01", now + timedelta(milliseconds=first + place), Decimal(first + place) / 8)
            for place in range(each)
        )
        yield Delivery(now, "wijkenergie/small/el-A01", readings, acknowledge=done)


def rate(writer: Writer, count: int, each: int, since: int) -> float:
    """Return messages acknowledged per second."""
    done = Acknowledged(count)
    ready = list(deliveries(count, each, since, done))
    began = time.perf_counter()
    for delivery in ready:
        writer.put(delivery)
    done.all.wait()
    return count / (time.perf_counter() - began)


@contextmanager
def writing(url: str, spool: Spool) -> Iterator[Writer]:
    """Run a writer."""
    writer = Writer(Store(url, "small"), Store(url, "small"), spool, utc_now)
    writer.start()
    try:
        yield writer
    finally:
        writer.stop(5)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        with embedded(folder) as server, closing(Spool(folder / "spool", _BOUND)) as spool:
            migrate(server.url)
            with writing(server.url, spool) as writer:
                rate(writer, 1000, 1, 0)
                print(f"writer_messages {rate(writer, 40_000, 1, 10_000):.0f} messages/s", flush=True)
                print(f"writer_readings {50 * rate(writer, 4000, 50, 100_000):.0f} readings/s", flush=True)
            count = 100_000
            with writing(_NOBODY, spool) as writer:
                print(f"spool_messages {rate(writer, count, 1, 1_000_000):.0f} messages/s", flush=True)
            assert spool.waiting == count, spool.waiting
        began = time.perf_counter()
        with embedded(folder) as server:
            began = time.perf_counter()
            with closing(Spool(folder / "spool", _BOUND)) as spool:
                print(f"spool_opening {count / (time.perf_counter() - began):.0f} messages/s", flush=True)
                began = time.perf_counter()
                with writing(server.url, spool):
                    while spool.waiting:
                        time.sleep(0.01)
                    print(f"spool_draining {count / (time.perf_counter() - began):.0f} messages/s", flush=True)
            with connect(server.url) as connection:
                row = connection.execute("SELECT count(*) FROM reading").fetchone()
                assert row == (1000 + 40_000 + 4000 * 50 + count,), row


if __name__ == "__main__":
    main()
