"""A sender that keeps count: publishes readings with QoS 1 and notes every acknowledgement it gets.

    python -m tests.crash.publisher --port 1883 --log account.log --seed 1 --rate 500

A process of its own that nobody kills. It runs until SIGTERM; then it waits until all it sent is acknowledged. A line
of its log is a letter, a meter's number, a first sequence number and how many there are from it on: ``S`` sent, ``D``
sent once more on purpose, ``A`` acknowledged by the broker. Number n of a meter is its reading n seconds after `START`.
"""

from __future__ import annotations

import argparse
import json
import queue
import random
import signal
import threading
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, TextIO

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from core.time import rfc3339

COMMUNITY = "crash"
METERS = 8
START = datetime(2026, 1, 1, tzinfo=UTC)
_MOST_OUTSTANDING = 2000
_TICK = 0.02  # [s]
_LAST_SECONDS = 120.0


class Span(NamedTuple):
    """Readings of one message."""

    meter: int
    first: int
    count: int


def meter_id(meter: int) -> str:
    """Name of a meter in the community file."""
    return f"m{meter}"


def time_of(number: int) -> datetime:
    """Time of a reading."""
    return START + timedelta(seconds=number)


def value_of(meter: int, number: int) -> Decimal:
    """Value of a reading; no two are alike."""
    return Decimal(f"{1_000_000 * meter + number}.{number % 1000:03}")


def payload(span: Span) -> str:
    """Return what is published: one reading, or an array."""
    items = [
        {"time": rfc3339(time_of(number)), "value": str(value_of(span.meter, number))}
        for number in range(span.first, span.first + span.count)
    ]
    return json.dumps(items[0] if span.count == 1 else items)


class Publisher:
    """Makes messages from a seed, sends them at a pace, and notes what became of them."""

    def __init__(self, port: int, log: TextIO, seed: int, rate: float) -> None:
        self._log, self._rate = log, rate
        self._dice = random.Random(seed)
        self._next = [0] * METERS
        self._recent: deque[Span] = deque(maxlen=500)
        self._outstanding: dict[int, Span] = {}
        self._acknowledged: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="publisher", clean_session=False)
        self._client.max_inflight_messages_set(200)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_publish = lambda _client, _data, mid, _reason, _properties: self._acknowledged.put(mid)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def run(self, stop: threading.Event) -> bool:
        """Publish until told to stop; whether all was acknowledged in the end."""
        begun, made = time.monotonic(), 0
        while not stop.wait(_TICK):
            due = int((time.monotonic() - begun) * self._rate)
            while made < due and len(self._outstanding) < _MOST_OUTSTANDING:
                self._publish()
                made += 1
            made = due  # what could not be sent while the broker was away is not made up for
            self._note()
        until = time.monotonic() + _LAST_SECONDS
        while self._outstanding and time.monotonic() < until:
            time.sleep(_TICK)
            self._note()
        self._client.disconnect()
        self._client.loop_stop()
        return not self._outstanding

    def _publish(self) -> None:
        if self._recent and self._dice.random() < 0.05:
            span = self._dice.choice(self._recent)
            self._write("D", span)
        else:
            meter = self._dice.randrange(METERS)
            count = self._dice.randint(2, 12) if self._dice.random() < 0.1 else 1
            span = Span(meter, self._next[meter], count)
            self._next[meter] += count
            self._recent.append(span)
            self._write("S", span)
        info = self._client.publish(f"wijkenergie/{COMMUNITY}/{meter_id(span.meter)}", payload(span), qos=1)
        self._outstanding[info.mid] = span

    def _note(self) -> None:
        while not self._acknowledged.empty():
            self._write("A", self._outstanding.pop(self._acknowledged.get()))

    def _write(self, letter: str, span: Span) -> None:
        self._log.write(f"{letter} {span.meter} {span.first} {span.count}\n")


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    given = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    with given.log.open("w", encoding="ascii", buffering=1) as log:
        complete = Publisher(given.port, log, given.seed, given.rate).run(stop)
    raise SystemExit(0 if complete else 1)


if __name__ == "__main__":
    main()
