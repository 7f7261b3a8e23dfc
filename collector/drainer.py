"""The thread that brings the spool back into the database, and finds out when the database answers again.

The rule between live and old: live goes first, and old always goes on. The drainer writes one bounded batch at a time,
on a connection of its own; while live deliveries are waiting, it then rests as long as that batch took, a second at
most. So old data never takes more than half of the time, and however busy the devices are the spool gets its turn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import Final

import structlog

from collector import metrics
from collector.delivery import Delivery
from collector.sink import Sink, Unstored, count, store
from collector.spool import Spool
from core.db.readings import Inserted
from core.errors import Unavailable

_log = structlog.get_logger("collector.drainer")

_BATCH: Final = 1000
_LONGEST_PAUSE: Final = 5.0  # [s] between attempts while the database is away
_LONGEST_PATIENCE: Final = 60.0  # [s] nobody waits for an old batch, so a slow database gets its time
_LONGEST_REST: Final = 1.0  # [s] after a batch, for live deliveries
_LOOK_SECONDS: Final = 1.0
_CUT_SECONDS: Final = 0.2
_MOST_FAILURES: Final = 10  # counted; each one halves the batch and doubles pause and patience
_FAULTS: Final = 5
"""So often the same batch may fail by a fault of ours; then the delivery at fault is taken out as a dead letter."""


class Drainer:
    """Empties a spool into a sink.

    Parameters
    ----------
    sink
        Used by the drainer's thread only, but for `Sink.cut`.
    spool
        Where the old deliveries are.
    clock
        Tells the time, for the measured lag.
    live_waits
        Whether live deliveries are waiting.
    patience
        Seconds one transaction may take before the database counts as away; doubled after each failure.
    """

    def __init__(
        self,
        sink: Sink,
        spool: Spool,
        clock: Callable[[], datetime],
        live_waits: Callable[[], bool],
        patience: float,
    ) -> None:
        self._sink, self._spool, self._clock, self._live_waits = sink, spool, clock, live_waits
        self._patience = patience
        self._failures = 0
        self.answers = threading.Event()
        """Set while the database is believed to answer."""
        self.answers.set()
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="drainer", daemon=True)

    def start(self) -> None:
        """Start draining."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Stop, leaving in the spool what the database has not confirmed."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._sink.cut()
            self._thread.join(_CUT_SECONDS)

    def wake(self) -> None:
        """Say that something was spooled, or that the database seems to be away."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                pause = self._turn()
            except Exception:  # noqa: BLE001 - this thread must outlive any fault, of the disk too
                _log.exception("the spool cannot be drained; trying again")
                pause = _LONGEST_PAUSE
            self._stopping.wait(pause)
        self._sink.close()

    def _turn(self) -> float:
        """Move one batch, or ask whether the database answers; returns how long to rest [s]."""
        self._wake.clear()
        chunk = self._spool.oldest(max(_BATCH >> self._failures, 1))
        metrics.SPOOL_OLDEST.set(chunk.deliveries[0].received_at.timestamp() if chunk.deliveries else 0)
        if not chunk.deliveries and self.answers.is_set():
            self._wake.wait(_LOOK_SECONDS)
            return 0
        started = monotonic()
        patience = min(self._patience * (1 << self._failures), _LONGEST_PATIENCE)
        try:
            store(self._sink, chunk.deliveries, patience, self._stored, blame=self._failures >= _FAULTS)
        except Unstored as unstored:
            self._failed(unstored.__cause__)
            return min(0.1 * (1 << self._failures), _LONGEST_PAUSE)
        self._spool.taken_over(chunk)
        metrics.DRAINED.inc(len(chunk.deliveries))
        self._failures = max(self._failures - 1, 0)
        if not self.answers.is_set():
            self.answers.set()
            _log.info("the database answers again", waiting=self._spool.waiting)
        return min(monotonic() - started, _LONGEST_REST) if self._live_waits() else 0

    def _failed(self, reason: BaseException | None) -> None:
        metrics.STORE_FAILURES.inc()
        self._failures = min(self._failures + 1, _MOST_FAILURES)
        if isinstance(reason, Unavailable):
            self.answers.clear()
            if self._failures < _MOST_FAILURES:  # then it has been said often enough
                _log.warning("the database is away", reason=str(reason), waiting=self._spool.waiting)
        else:
            _log.error("a fault while draining the spool; trying again", exc_info=reason)

    def _stored(self, batch: list[Delivery], inserted: Inserted) -> None:
        count(batch, inserted, self._clock())
