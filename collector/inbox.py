"""What sources have handed over and the writer has not taken yet: bounded, taken in batches."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final

from collector.delivery import Delivery

_READINGS: Final = 20_000
"""A batch with this many readings takes no more deliveries; one transaction stores them in well under a second."""


class Inbox:
    """A queue of deliveries.

    Parameters
    ----------
    bound
        Deliveries it holds at most.
    """

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self._waiting: deque[Delivery] = deque()
        self._closed = False
        guard = threading.Lock()
        self._room, self._something = threading.Condition(guard), threading.Condition(guard)

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, delivery: Delivery, seconds: float) -> bool:
        """Hand over a delivery, waiting for room so long; False if there was none, or the inbox is closed."""
        with self._room:
            if len(self._waiting) >= self.bound and seconds > 0:
                self._room.wait_for(lambda: self._closed or len(self._waiting) < self.bound, seconds)
            if self._closed or len(self._waiting) >= self.bound:
                return False
            self._waiting.append(delivery)
            if len(self._waiting) == 1:
                self._something.notify()
            return True

    def take(self, most: int, gather: float) -> list[Delivery]:
        """Wait for a delivery, then ``gather`` seconds for others, and take them; empty once closed and empty."""
        with self._something:
            self._something.wait_for(lambda: self._waiting or self._closed)
        if len(self._waiting) < most and not self._closed:
            time.sleep(gather)  # and not wait for each: waking up a thread costs more than taking a delivery
        batch: list[Delivery] = []
        readings = 0
        with self._room:
            while self._waiting and len(batch) < most and readings < _READINGS:
                batch.append(self._waiting.popleft())
                readings += len(batch[-1].readings)
            self._room.notify_all()
        return batch

    def close(self) -> None:
        """Take nothing more in; what waits can still be taken."""
        with self._room:
            self._closed = True
            self._room.notify_all()
            self._something.notify_all()

    @property
    def closed(self) -> bool:
        """Whether nothing is taken in any more."""
        return self._closed
