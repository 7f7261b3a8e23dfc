"""Storing a batch whatever is in it: one transaction, and where the database refuses, the culprit found by halving."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from collector import metrics
from collector.delivery import DeadLetter, Delivery
from core.db.readings import Inserted
from core.errors import BadInput, Unavailable


class Sink(Protocol):
    """Where batches go; `collector.store.Store` is one."""

    def write(self, deliveries: list[Delivery], seconds: float) -> Inserted:
        """Store all or nothing within so many seconds; see `Store.write`."""

    def cut(self) -> None:
        """Make a write that another thread waits for fail now."""

    def close(self) -> None:
        """Let go of the connection."""


class Unstored(Exception):  # noqa: N818 - the name says what happened
    """Some of a batch could not be stored; the reason is the cause.

    Attributes
    ----------
    rest
        The deliveries that are not in the database, or perhaps not.
    """

    def __init__(self, rest: list[Delivery]) -> None:
        super().__init__(f"{len(rest)} deliveries were not stored")
        self.rest = rest


def store(
    sink: Sink,
    batch: list[Delivery],
    patience: float,
    stored: Callable[[list[Delivery], Inserted], None],
    *,
    blame: bool = False,
) -> None:
    """Store a batch; what the database cannot hold becomes a dead letter, so that the flow goes on.

    Parameters
    ----------
    sink, patience
        Where to, and how long one transaction may take.
    batch
        What to store; empty asks only whether the database answers.
    stored
        Told after each commit what it held.
    blame
        Whether a fault of this program is laid on what is in the batch, as a refusal of the database always is.

    Raises
    ------
    Unstored
        If the database did not take all of it.
    """
    parts = deque([batch])
    while parts:
        try:
            inserted = sink.write(parts[0], patience)
        except Exception as error:
            refused = isinstance(error, BadInput) or (blame and not isinstance(error, Unavailable))
            smaller = _smaller(parts[0], str(error) or repr(error)) if refused else []
            if not smaller:
                raise Unstored([delivery for part in parts for delivery in part]) from error
            parts.popleft()
            parts.extendleft(reversed(smaller))
        else:
            stored(parts.popleft(), inserted)


def count(batch: list[Delivery], inserted: Inserted, now: datetime) -> None:
    """Tell the metrics what was committed; the lag is that of the delivery that waited longest."""
    if batch:
        metrics.LAG.observe(max(0.0, (now - min(delivery.received_at for delivery in batch)).total_seconds()))
    metrics.READINGS.labels("new").inc(inserted.new)
    metrics.READINGS.labels("duplicate").inc(inserted.duplicate)
    metrics.READINGS.labels("conflicting").inc(inserted.conflicting)
    metrics.DEAD_LETTERS.inc(sum(len(delivery.dead_letters) for delivery in batch))


def _smaller(batch: list[Delivery], reason: str) -> list[list[Delivery]]:
    """Return what to try instead of a refused batch: its halves, or its one delivery as a dead letter."""
    if len(batch) > 1:
        half = len(batch) // 2
        return [batch[:half], batch[half:]]
    return [[_as_dead_letter(delivery, reason)] for delivery in batch if delivery.readings or delivery.measurements]


def _as_dead_letter(delivery: Delivery, reason: str) -> Delivery:
    """Keep what the database refuses as text, so that a person can look at it."""
    content = repr((delivery.readings, delivery.measurements)).encode(errors="replace")
    letter = DeadLetter(delivery.source, content, reason)
    return replace(delivery, readings=(), measurements=(), health=(), dead_letters=(*delivery.dead_letters, letter))
