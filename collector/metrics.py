"""What the collector tells Prometheus."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

READINGS: Final = Counter("wijkenergie_readings", "Readings by what became of them", ["outcome"])
DEAD_LETTERS: Final = Counter("wijkenergie_dead_letters", "Messages that could not be read")
REFUSALS: Final = Counter("wijkenergie_refusals", "Values that were not taken, by reason", ["reason"])
POLLS: Final = Counter("wijkenergie_polls", "Polls of devices, by result", ["result"])
POLL_LATE: Final = Histogram(
    "wijkenergie_poll_late_seconds",
    "How long after its due time a poll began",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
)
POLLS_MISSED: Final = Counter("wijkenergie_polls_missed", "Polls left out because an earlier one took too long")
CONNECTIONS: Final = Counter("wijkenergie_connections", "Connections made, by kind", ["kind"])
DROPPED: Final = Counter(
    "wijkenergie_dropped", "Values of polled or timeless sources given up while storing was behind"
)
QUEUE: Final = Gauge("wijkenergie_queue_depth", "Deliveries waiting to be stored")
LAG: Final = Histogram(
    "wijkenergie_store_lag_seconds",
    "From arrival to commit",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600),
)
STORE_FAILURES: Final = Counter("wijkenergie_store_failures", "Transactions that failed and were tried again")
LAST_SEEN: Final = Gauge("wijkenergie_device_last_seen_seconds", "When a device was last heard, Unix time", ["device"])
