"""The thread that keeps what comes in: in the database, or else on disk, and acknowledges it only then.

A batch goes to the database. If that does not take it within a few seconds, or is known to be away, the batch goes to
the spool; the drainer (`collector.drainer`) brings it back and finds out when the database answers again. Memory holds
one batch and the inbox, however long the database is away. If the spool does not take the batch either, nothing is
acknowledged any more: whoever can wait (a broker that keeps messages) waits, and whoever cannot (a poll, a message
without a time) is told so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from collector import metrics
from collector.delivery import Delivery
from collector.drainer import Drainer
from collector.inbox import Inbox
from collector.sink import Sink, Unstored, count, store
from collector.spool import Spool
from core.db.readings import Inserted
from core.errors import Unavailable

_log = structlog.get_logger("collector.writer")

BOUND: Final = 5000
"""Deliveries that wait in memory at most, beside the batch in hand."""
PATIENCE_SECONDS: Final = 5.0
"""How long the database may take for a batch before the disk is used instead."""
_BATCH: Final = 1000
_GATHER_SECONDS: Final = 0.05
_AGAIN_SECONDS: Final = 0.5  # between attempts while neither database nor disk takes anything


class Writer:
    """Keeps deliveries, and acknowledges them in the order they were given.

    Parameters
    ----------
    live, old
        The database twice: for the writer's thread and for the drainer's.
    spool
        Used while the database does not take what comes.
    clock
        Tells the time, for the measured lag.
    bound
        Deliveries that may wait in memory.
    patience
        Seconds the database may take for a batch.
    """

    def __init__(
        self,
        live: Sink,
        old: Sink,
        spool: Spool,
        clock: Callable[[], datetime],
        bound: int = BOUND,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._sink, self._spool, self._clock, self._patience = live, spool, clock, patience
        self._inbox = Inbox(bound)
        self._drainer = Drainer(old, spool, clock, lambda: len(self._inbox) > 0, patience)
        self._stopping = threading.Event()
        self._all_kept = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._hurry = threading.Event()
        self._in_hand: list[Delivery] = []
        self._full = self._gave_up = False

    @property
    def database_answers(self) -> bool:
        """Whether the database is believed to take what comes."""
        return self._drainer.answers.is_set()

    def start(self) -> None:
        """Start writing, with what an earlier run left in the spool."""
        self._drainer.start()
        self._thread.start()

    def stop(self, seconds: float) -> bool:
        """Keep what waits, within a time, and stop; False if something was kept nowhere (and not acknowledged)."""
        self._inbox.close()
        self._stopping.set()
        self._thread.join(seconds / 2)
        if self._thread.is_alive():  # the database takes its time, which there is no more: to the spool with the rest
            self._hurry.set()
            self._sink.cut()
            self._thread.join(seconds / 4)
        self._drainer.stop(seconds / 4)
        if self._thread.is_alive():  # still reaching for the database, which nothing can cut short
            return self._to_disk([*self._in_hand, *self._inbox.take(self._inbox.bound, 0)])
        return self._all_kept.is_set()

    def put(self, delivery: Delivery) -> bool:
        """Hand over a delivery, waiting while the inbox is full; False if the writer stopped meanwhile."""
        while not self._inbox.put(delivery, _AGAIN_SECONDS):
            if self._inbox.closed:
                return False
        return True

    def offer(self, delivery: Delivery) -> bool:
        """Hand over a delivery that cannot wait; False, counted and logged, if the inbox is full."""
        if self._inbox.put(delivery, 0):
            self._gave_up = False
            return True
        metrics.DROPPED.inc(max(len(delivery.readings), 1))
        if not self._gave_up:
            _log.error("storing is behind: polled values are given up", waiting=self._inbox.bound)
        self._gave_up = True
        return False

    def _run(self) -> None:
        while batch := self._inbox.take(_BATCH, _GATHER_SECONDS):
            metrics.QUEUE.set(len(self._inbox))
            self._in_hand = batch
            if not self._keep(batch):
                break
        else:
            self._all_kept.set()
        self._sink.close()

    def _keep(self, batch: list[Delivery]) -> bool:
        """Keep a batch however long it takes; False if told to stop while nothing takes it."""
        while batch := self._to_database(batch):
            if self._to_disk(batch):
                return True
            if self._stopping.wait(_AGAIN_SECONDS):
                return False
        self._say_full(None)
        return True

    def _to_database(self, batch: list[Delivery]) -> list[Delivery]:
        """Store a batch; returns what is not stored."""
        if self._hurry.is_set() or not self._drainer.answers.is_set():
            return batch
        try:
            store(self._sink, batch, self._patience, self._stored)
        except Unstored as unstored:
            reason = unstored.__cause__
            metrics.STORE_FAILURES.inc()
            if isinstance(reason, Unavailable):
                self._drainer.answers.clear()
                _log.error("the database does not take readings; they go to the spool", reason=str(reason))
            else:
                _log.error("a fault while storing; this batch goes to the spool", exc_info=reason)
            return unstored.rest
        return []

    def _to_disk(self, batch: list[Delivery]) -> bool:
        """Spool a batch; False if the disk does not take it."""
        try:
            self._spool.append(batch)
        except Exception as error:  # noqa: BLE001 - this thread must outlive any fault: nothing else keeps
            metrics.SPOOL_FAILURES.inc()
            self._say_full(str(error) or repr(error))
            return False
        finally:
            self._drainer.wake()
        self._say_full(None)
        metrics.SPOOLED.inc(len(batch))
        _kept(batch)
        return True

    def _stored(self, batch: list[Delivery], inserted: Inserted) -> None:
        _kept(batch)
        count(batch, inserted, self._clock())

    def _say_full(self, reason: str | None) -> None:
        """Say once that nothing is acknowledged any more, and once that this is over."""
        if self._full == (reason is not None):
            return
        self._full = reason is not None
        metrics.SPOOL_FULL.set(self._full)
        if self._full:
            _log.error("neither database nor disk takes readings: nothing is acknowledged", reason=reason)
        else:
            _log.info("readings are kept and acknowledged again")


def _kept(batch: list[Delivery]) -> None:
    """Acknowledge deliveries, and note which devices were heard; not when old ones are drained: that is no news."""
    for delivery in batch:
        if delivery.acknowledge is not None:
            try:
                delivery.acknowledge()
            except Exception:  # noqa: BLE001 - kept is kept; a fault of the source must not end the writing
                _log.exception("a delivery was kept and could not be acknowledged", source=delivery.source)
    heard = {note.device: delivery.received_at for delivery in batch for note in delivery.health if note.heard}
    for device, at in heard.items():
        metrics.LAST_SEEN.labels(device).set(at.timestamp())
