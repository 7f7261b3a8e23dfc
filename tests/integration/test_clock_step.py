"""The collector's own clock jumps by an hour, forwards and back, while it polls and receives."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from collector.collector import Collector
from collector.spool import Spool
from core.community import Community
from core.time import rfc3339, utc_now
from simulators.serve import Ready
from tests.support.broker import Broker
from tests.support.collecting import LETTERS, publisher, rows, small, until

ROOT = Path(__file__).parents[2]
HOUR = timedelta(hours=1)
POLLED = "SELECT 1 FROM reading WHERE meter = 'pv' AND time BETWEEN '{}' AND '{}'"
NATIVE = "SELECT value FROM reading WHERE meter = 'el-A01'"
KEPT = "SELECT 1 FROM dead_letter"


class Clock:
    """The machine's time and a step."""

    step = timedelta(0)

    def __call__(self) -> datetime:
        return utc_now() + self.step


@contextmanager
def roof(broker: Broker) -> Iterator[Community]:
    """A simulated inverter that is asked every second, and a meter that speaks for itself."""
    command = [sys.executable, "-m", "simulators.serve", "--seed", "1", "--mqtt", broker.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as building:
        try:
            assert building.stdout is not None
            link = f"modbus-tcp://127.0.0.1:{Ready.parse(building.stdout.readline()).inverter_port}/1"
            yield small(
                f'  - {{id: roof, profile: sunspec.inverter, link: "{link}", every: 1s, feeds: {{pv_energy: pv}}}}\n'
            )
        finally:
            building.terminate()


@pytest.mark.long
def test_a_clock_that_jumps_stops_no_poll_and_loses_no_message(database_url, broker, tmp_path):
    clock = Clock()
    spool = Spool(tmp_path / "spools" / "small", 1_000_000)
    with closing(spool), roof(broker) as community, publisher(broker) as publish:
        collector = Collector(community, database_url, broker.url, spool, clock)
        collector.start()
        try:
            assert collector.wait_connected(10)
            for number, clock.step in enumerate((timedelta(0), HOUR, timedelta(0), -HOUR, timedelta(0))):
                since = clock()
                polled = POLLED.format(since, since + HOUR / 2)
                until(lambda query=polled: len(rows(database_url, query)) >= 2, 20)
                for value in range(20 * number, 20 * number + 20):
                    publish("wijkenergie/small/el-A01", {"time": rfc3339(utc_now()), "value": f"{value}.5"})
                until(lambda count=value + 1: len(rows(database_url, f"{NATIVE} UNION ALL {KEPT}")) == count)
        finally:
            collector.stop()
    # While our clock is an hour slow, a device's right one looks wrong: its messages are kept whole for a person.
    letters = rows(database_url, LETTERS)
    assert {reason for _, _, reason in letters} == {"the device's clock is in the future"}
    assert [json.loads(bytes(payload))["value"] for _, payload, _ in letters] == [f"{n}.5" for n in range(60, 80)]
    stored = [str(value) for (value,) in rows(database_url, f"{NATIVE} ORDER BY time")]
    assert stored == [f"{number}.5" for number in (*range(60), *range(80, 100))]
