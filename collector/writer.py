"""The one thread that writes: deliveries in, transactions out, acknowledgements after the commit.

While the database is away nothing is acknowledged and nothing is forgotten: the batch in hand is tried again with
back-off, and the queue behind it fills up to its bound. Then whoever can wait (a broker that keeps messages) waits,
and whoever cannot (a poll, a message without a time) is told so.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import Final, Protocol

import structlog

from collector import metrics
from collector.delivery import DeadLetter, Delivery
from core.db.readings import Inserted
from core.errors import BadInput, Unavailable

_log = structlog.get_logger("collector.writer")

BOUND: Final = 5000
"""Deliveries that wait at most; with a database away, about this many messages are held in memory."""
_BATCH: Final = 1000
_GATHER_SECONDS: Final = 0.1
_LONGEST_PAUSE: Final = 30.0  # [s] between attempts while the database is away


class Sink(Protocol):
    """Where batches go; `collector.store.Store` is one."""

    def write(self, deliveries: list[Delivery]) -> Inserted:
        """Store all or nothing; see `Store.write`."""

    def close(self) -> None:
        """Let go of the connection."""


class Writer:
    """Stores deliveries in the order they were given.

    Parameters
    ----------
    sink
        Used by the writer's thread only.
    clock
        Tells the time, for the measured lag.
    bound
        Deliveries that may wait.
    """

    def __init__(self, sink: Sink, clock: Callable[[], datetime], bound: int = BOUND) -> None:
        self._sink, self._clock = sink, clock
        self._bound = bound
        self._queue: queue.Queue[Delivery] = queue.Queue(bound)
        self._stopping = threading.Event()
        self._flushed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._full = False

    def start(self) -> None:
        """Start writing."""
        self._thread.start()

    def stop(self, seconds: float) -> bool:
        """Write what waits, within a time, and stop; False if something was left unwritten (and unacknowledged)."""
        self._stopping.set()
        self._thread.join(seconds)
        return self._flushed.is_set()

    def put(self, delivery: Delivery) -> bool:
        """Hand over a delivery, waiting while the queue is full; False if the writer stopped meanwhile."""
        while not self._stopping.is_set():
            try:
                self._queue.put(delivery, timeout=0.2)
            except queue.Full:
                self._say_full()
                continue
            return True
        return False

    def offer(self, delivery: Delivery) -> bool:
        """Hand over a delivery that cannot wait; False, counted and logged, if the queue is full."""
        try:
            self._queue.put_nowait(delivery)
        except queue.Full:
            self._say_full()
            metrics.DROPPED.inc(max(len(delivery.readings), 1))
            return False
        return True

    def _say_full(self) -> None:
        if not self._full:
            self._full = True
            _log.error("storing is behind: nothing is acknowledged, polled values are given up", waiting=self._bound)

    def _run(self) -> None:
        while not (self._stopping.is_set() and self._queue.empty()):
            batch = self._gather()
            if batch and not self._store(batch):
                break
        else:
            self._flushed.set()
        self._sink.close()

    def _gather(self) -> list[Delivery]:
        """Wait for a delivery and take what comes within the next moment."""
        batch: list[Delivery] = []
        until = monotonic() + _GATHER_SECONDS
        while len(batch) < _BATCH:
            rest = until - monotonic()
            try:
                batch.append(self._queue.get(timeout=rest) if rest > 0 else self._queue.get_nowait())
            except queue.Empty:
                break
        metrics.QUEUE.set(self._queue.qsize())
        return batch

    def _store(self, batch: list[Delivery]) -> bool:
        """Store a batch however long it takes; False if told to stop while that is not possible."""
        pause, failures = 0.2, 0
        while True:
            try:
                self._write(batch)
            except Exception as error:  # noqa: BLE001 - this thread must outlive any fault: nothing else stores
                failures += 1
                metrics.STORE_FAILURES.inc()
                fault = None if isinstance(error, Unavailable) else error
                _log.error("cannot store; trying again", reason=str(error), pause_seconds=pause, exc_info=fault)
                if self._stopping.wait(pause):
                    return False
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                if failures:
                    _log.info("storing again", attempts=failures + 1)
                if self._full and self._queue.qsize() < self._bound // 2:
                    self._full = False
                return True

    def _write(self, batch: list[Delivery]) -> None:
        """Store a batch; halve it until what the database cannot hold stands alone, and keep that as a dead letter."""
        try:
            inserted = self._sink.write(batch)
        except BadInput as error:
            if len(batch) > 1:
                half = len(batch) // 2
                self._write(batch[:half])
                self._write(batch[half:])
                return
            batch = [_as_dead_letter(batch[0], str(error))]
            inserted = self._sink.write(batch)
        self._committed(batch, inserted)

    def _committed(self, batch: list[Delivery], inserted: Inserted) -> None:
        for delivery in batch:
            if delivery.acknowledge is not None:
                delivery.acknowledge()
        now = self._clock()
        for delivery in batch:
            metrics.LAG.observe(max(0.0, (now - delivery.received_at).total_seconds()))
            for note in delivery.health:
                if note.heard:
                    metrics.LAST_SEEN.labels(note.device).set(delivery.received_at.timestamp())
                    metrics.AGES.seen(note.device, delivery.received_at)
        metrics.READINGS.labels("new").inc(inserted.new)
        metrics.READINGS.labels("duplicate").inc(inserted.duplicate)
        metrics.READINGS.labels("conflicting").inc(inserted.conflicting)
        metrics.DEAD_LETTERS.inc(sum(len(delivery.dead_letters) for delivery in batch))


def _as_dead_letter(delivery: Delivery, reason: str) -> Delivery:
    """Keep what the database refuses as text, so that the flow goes on and a person can look at it."""
    content = repr((delivery.readings, delivery.measurements)).encode(errors="replace")
    letter = DeadLetter(delivery.source, content, reason)
    return replace(delivery, readings=(), measurements=(), health=(), dead_letters=(*delivery.dead_letters, letter))
