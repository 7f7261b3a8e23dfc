"""What one message or one poll brings to the writer: stored whole in one transaction, then acknowledged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from core.wire import Reading


@dataclass(frozen=True)
class Measurement:
    """A value that feeds no meter: power, temperature, state; in the unit its quantity is reported in."""

    device: str
    point: str
    time: datetime
    quantity: str
    value: Decimal | None
    text: str | None


@dataclass(frozen=True)
class DeadLetter:
    """Something that could not be read, kept as it came, for a person to look at."""

    source: str
    payload: bytes
    reason: str


@dataclass(frozen=True)
class Health:
    """One attempt to hear a device, and what was wrong with it, if anything; ``clock`` is the wrong time it gave."""

    device: str
    heard: bool
    error: str | None
    clock: datetime | None = None


@dataclass(frozen=True)
class Delivery:
    """What belongs together.

    Attributes
    ----------
    received_at
        When it arrived here.
    source
        Device or topic it came from.
    acknowledge
        Called once the transaction is committed, never before; None where nobody waits for it.
    """

    received_at: datetime
    source: str
    readings: tuple[Reading, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()
    health: tuple[Health, ...] = ()
    acknowledge: Callable[[], None] | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to store."""
        return not (self.readings or self.measurements or self.dead_letters or self.health)
