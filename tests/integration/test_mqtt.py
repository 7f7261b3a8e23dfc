"""How much the MQTT source has in hand, and what a broken line or a restarted broker costs: nothing."""

from __future__ import annotations

import socket
import threading
import time

from paho.mqtt.enums import MQTTProtocolVersion

from collector.sources import mqtt as source
from collector.sources.broker import Broker as Address
from core.db.connection import connect
from tests.support import mqttload
from tests.support.broker import Broker
from tests.support.loaded import METERS, collecting, expected, publish, stored, until
from tests.support.mqttload import Load


def test_no_more_is_in_hand_than_the_window_and_the_line_holds_while_nothing_is_read(
    database_url, quick_broker, monkeypatch, capfd
):
    monkeypatch.setattr(source, "WINDOW", 40)
    monkeypatch.setattr(source, "KEEP_ALIVE_SECONDS", 1)
    load = Load(3000, METERS)
    most = 0
    with collecting(database_url, quick_broker) as collector, connect(database_url) as blocker:
        (line,) = collector._mqtt
        blocker.execute("BEGIN; LOCK TABLE reading IN SHARE MODE")  # nobody can store until this ends
        publish(load, quick_broker)
        until(lambda: len(line._pending) == 40)
        deadline = time.monotonic() + 4  # four times the keep-alive
        while time.monotonic() < deadline:
            most = max(most, len(line._pending))
            time.sleep(0.01)
        blocker.execute("ROLLBACK")
        until(lambda: len(stored(database_url)) == load.messages)
        until(lambda: len(line._pending) == 0)
    assert most == 40
    assert stored(database_url) == expected(load)
    assert "connection lost" not in capfd.readouterr().out


def test_the_broker_keeps_nothing_of_what_was_stored(database_url, quick_broker):
    load = Load(500, METERS)
    with collecting(database_url, quick_broker):
        publish(load, quick_broker)
        until(lambda: len(stored(database_url)) == load.messages)
    with connect(database_url) as connection:
        connection.execute("TRUNCATE reading")
    with collecting(database_url, quick_broker):
        time.sleep(1)
    assert stored(database_url) == []


def test_a_session_of_mqtt_3_is_kept_and_acknowledged_as_well(database_url, quick_broker, monkeypatch):
    monkeypatch.setattr(Address, "version", lambda _: MQTTProtocolVersion.MQTTv311)
    load = Load(300, METERS)
    with collecting(database_url, quick_broker):
        pass
    publish(load, quick_broker)
    for _ in range(2):
        with collecting(database_url, quick_broker) as collector:
            until(lambda: len(stored(database_url)) == load.messages)
            until(lambda: len(collector._mqtt[0]._pending) == 0)
    with connect(database_url) as connection:
        connection.execute("TRUNCATE reading")
    with collecting(database_url, quick_broker):
        time.sleep(1)
    assert stored(database_url) == []


def test_a_line_that_breaks_in_the_middle_of_a_batch_costs_nothing(database_url, quick_broker):
    load = Load(4000, METERS, rate=2000)
    with collecting(database_url, quick_broker) as collector:
        publishing = threading.Thread(target=publish, args=(load, quick_broker))
        publishing.start()
        (line,) = collector._mqtt
        for _ in range(4):
            time.sleep(0.3)
            assert line.connected.wait(10)
            sock = line._client.socket()
            if sock is not None:
                sock._line.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]  # as the network would
            until(lambda: not line.connected.is_set())
        publishing.join()
        until(lambda: len(stored(database_url)) == load.messages)
    assert stored(database_url) == expected(load)


def test_a_broker_that_is_restarted_under_load_loses_nothing_it_acknowledged(database_url, broker):
    load = Load(2500, METERS)
    sent = 0
    with collecting(database_url, broker) as collector:
        for _ in range(2):
            taken: list[int] = []
            publishing = threading.Thread(target=lambda at=sent, into=taken: into.append(until_cut(load, broker, at)))
            publishing.start()
            time.sleep(0.3)
            broker.stop()
            publishing.join()
            broker.start()
            sent += taken[0]
            assert 0 < sent < load.messages, "the broker was to be stopped in the middle"
        assert collector.wait_connected(30)
        assert sent + until_cut(load, broker, sent) == load.messages
        until(lambda: len(stored(database_url)) == load.messages)
    assert stored(database_url) == expected(load)


def until_cut(load: Load, broker: Broker, first: int) -> int:
    """Publish from a message on until the end or until the line is cut; how many the broker acknowledged."""
    acknowledged = 0
    with mqttload.connected(broker.host, broker.port, "mqttload") as line:
        try:
            for index in range(first, load.messages):
                line.sendall(load.packet(index))
                answer = b""
                while len(answer) < 4:
                    part = line.recv(4 - len(answer))
                    if not part:
                        return acknowledged
                    answer += part
                acknowledged += 1
        except OSError:
            return acknowledged
    return acknowledged
