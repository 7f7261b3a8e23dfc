"""What the collector tells Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from core.time import utc_now


class DeviceAges(Collector):
    """How long ago each device was last heard, reckoned when somebody asks, so that silence shows as it grows."""

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock
        self._seen: dict[str, datetime] = {}

    def watch(self, seen: Mapping[str, datetime]) -> None:
        """Begin with these devices and no others: when each was last heard, or since when it is watched."""
        self._seen = dict(seen)

    def seen(self, device: str, moment: datetime) -> None:
        """Note that a device was heard."""
        self._seen[device] = max(self._seen.get(device, moment), moment)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the ages at this moment."""
        family = GaugeMetricFamily(
            "wijkenergie_device_age_seconds", "Since a device was last heard, or is watched", labels=["device"]
        )
        now = self._clock()
        for device, moment in sorted(self._seen.copy().items()):  # a copy: the writer's thread goes on
            family.add_metric([device], max(0.0, (now - moment).total_seconds()))
        yield family


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
    "From arrival to commit, of the oldest delivery in each batch",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600),
)
SPOOL_WAITING: Final = Gauge("wijkenergie_spool_deliveries", "Deliveries waiting on disk for the database")
SPOOL_BYTES: Final = Gauge("wijkenergie_spool_bytes", "Size of the spool on disk")
SPOOL_BOUND: Final = Gauge("wijkenergie_spool_bound_bytes", "Size the spool may reach")
SPOOL_OLDEST: Final = Gauge(
    "wijkenergie_spool_oldest_seconds", "When the oldest delivery on disk arrived, Unix time; 0 if there is none"
)
SPOOL_FULL: Final = Gauge(
    "wijkenergie_spool_full", "1 while neither database nor disk takes anything, so nothing is acknowledged"
)
SPOOLED: Final = Counter("wijkenergie_spooled", "Deliveries written to the spool")
DRAINED: Final = Counter("wijkenergie_drained", "Deliveries that the database took over from the spool")
SPOOL_FAILURES: Final = Counter(
    "wijkenergie_spool_failures", "Writes to the spool that failed: bound, full disk, fsync"
)
SPOOL_DAMAGED: Final = Counter("wijkenergie_spool_damaged", "Parts of the spool that could not be read and are kept")
STORE_FAILURES: Final = Counter("wijkenergie_store_failures", "Transactions that failed and were tried again")
LAST_SEEN: Final = Gauge("wijkenergie_device_last_seen_seconds", "When a device was last heard, Unix time", ["device"])
AGES: Final = DeviceAges()
REGISTRY.register(AGES)
