"""What the broker's persistence costs and what a power cut takes: the figures of docs/crash-tests.md.

    .venv/bin/python -m tests.crash.broker_experiment

For every setting and queues of several lengths: messages a second that a sender gets acknowledged while the collector
is away, how many of the acknowledged ones are gone after ``kill -9``, and messages a second that leave the queue again.
"""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.broker import Broker

ALWAYS = "allow_anonymous true\nmax_queued_messages 500000\nmax_queued_bytes 1000000000\nmax_inflight_messages 100\n"
SETTINGS = {
    "saved every half hour (the broker's default)": "persistence true\n",
    "saved every second": "persistence true\nautosave_interval 1\n",
    "saved every 1000 changes": "persistence true\nautosave_on_changes true\nautosave_interval 1000\n",
    "saved every 100 changes (ours)": "persistence true\nautosave_on_changes true\nautosave_interval 100\n",
    "saved at every change": "persistence true\nautosave_on_changes true\nautosave_interval 1\n",
}
COUNT = 2950
QUEUES = (0, 30_000, 100_000)
_ON_THE_WAY = 100
_TOPIC = "experiment"
_PAYLOAD = '{{"time": "2026-01-01T00:00:00Z", "value": "{}.125"}}'


def send(broker: Broker, count: int) -> float:
    """Publish so many messages, 100 of them on the way at a time; return the seconds until all are acknowledged."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="sender")
    client.max_inflight_messages_set(_ON_THE_WAY)
    room = threading.Semaphore(_ON_THE_WAY)
    client.on_publish = lambda *_: room.release()
    client.connect(broker.host, broker.port)
    client.loop_start()
    begun = time.perf_counter()
    for number in range(count):
        assert room.acquire(timeout=60)
        client.publish(_TOPIC, _PAYLOAD.format(number), qos=1)
    for _ in range(_ON_THE_WAY):
        assert room.acquire(timeout=60)
    seconds = time.perf_counter() - begun
    client.disconnect()
    client.loop_stop()
    return seconds


def receive(broker: Broker, calm: float = 3.0) -> tuple[int, float]:
    """Take everything the broker holds for the absent collector; return how much it was, and how much a second."""
    received, begun = 0, time.monotonic()
    last = begun

    def on_message(*_: object) -> None:
        nonlocal received, last
        received, last = received + 1, time.monotonic()

    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="absent", clean_session=False)
    client.on_message = on_message
    client.connect(broker.host, broker.port)
    client.subscribe(_TOPIC, qos=1)
    client.loop_start()
    while time.monotonic() - last < calm:
        time.sleep(0.05)
    client.disconnect()
    client.loop_stop()
    return received, received / max(last - begun, 0.001)


def measure(config: str, backlog: int) -> tuple[float, int, float]:
    """Return messages a second in, how many acknowledged ones a kill takes, and messages a second out."""
    with tempfile.TemporaryDirectory() as folder:
        before = Broker(Path(folder), f"{ALWAYS}persistence_location {folder}/\npersistence true\n")
        before.start()
        receive(before, 0.2)
        if backlog:
            send(before, backlog)
        before.stop()  # orderly: the session and its queue are saved
        broker = Broker(Path(folder), f"{ALWAYS}persistence_location {folder}/\n{config}")
        broker.start()
        try:
            speed = COUNT / send(broker, COUNT)
            broker.kill()
            broker.start()
            received, out = receive(broker)
            return speed, backlog + COUNT - received, out
        finally:
            broker.stop()


def main() -> None:
    """Print one line per setting and length of the queue."""
    print(f"{COUNT} messages sent; queue before them; acknowledged; lost by kill -9; taken out again")
    for name, config in SETTINGS.items():
        for backlog in QUEUES:
            if backlog and "at every change" in name:
                continue  # it would take an hour to empty
            speed, lost, out = measure(config, backlog)
            print(
                f"{name:46} {backlog:6} in {speed:6.0f} messages/s {lost:5} lost out {out:6.0f} messages/s", flush=True
            )


if __name__ == "__main__":
    main()
