"""The collector against a real broker, real Modbus servers and a real database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from collector.commands import decode_file as decode_recording
from collector.commands import read_once, record
from core.communityfile import parse
from core.db.connection import connect
from core.errors import BadInput, Unavailable
from core.time import rfc3339, utc_now
from simulators.description import community_text
from simulators.truth import live_truth
from tests.support.broker import Broker, free_port
from tests.support.collecting import (
    KAMHEAT,
    LETTERS,
    NOW,
    READINGS,
    SERVICE,
    apply_small,
    collecting,
    native,
    publisher,
    rows,
    service,
    small,
    until,
    watching,
)
from tests.support.simulated import simulated

ROOT = Path(__file__).parents[2]


def test_the_simulated_building_arrives_in_the_database_digit_for_digit(database_url, broker):
    with simulated(broker.url, every=2) as ready:
        text = community_text(1, utc_now(), inverter_port=ready.inverter_port, boiler_port=ready.boiler_port)
        community = parse(text).community
        with collecting(community, database_url, broker.url):
            meters = {meter.id for meter in community.meters}
            until(lambda: {row[0] for row in rows(database_url, READINGS)} == meters, 30)
            until(lambda: len(rows(database_url, READINGS)) > 2 * len(meters), 30)
    stored = rows(database_url, READINGS)
    for meter, at, value in stored:
        assert value == live_truth(1, meter, at), (meter, at)
    assert rows(database_url, LETTERS) == []
    health = dict(rows(database_url, "SELECT device, last_error FROM device_health"))
    assert health == {device.id: None for device in community.devices}
    states = rows(database_url, "SELECT text FROM measurement WHERE (device, point) = ('inverter-1', 'St')")
    assert {text for (text,) in states} <= {"running", "sleeping"}


def test_a_native_message_is_stored_once_however_often_it_is_sent(database_url, broker):
    with collecting(small(), database_url, broker.url), publisher(broker) as publish:
        for _ in range(3):
            publish("wijkenergie/small/el-A01", [native(1), native(2)])
        publish("wijkenergie/small/el-A01", native(3, "0.1"))
        until(lambda: len(rows(database_url, READINGS)) == 3)
    assert [row[2] for row in rows(database_url, READINGS)] == [
        Decimal("1001.125"),
        Decimal("1002.125"),
        Decimal("0.1"),
    ]


def test_a_second_value_for_the_same_time_is_kept_aside(database_url, broker):
    with collecting(small(), database_url, broker.url), publisher(broker) as publish:
        publish("wijkenergie/small/el-A01", native(1, "5"))
        publish("wijkenergie/small/el-A01", native(1, "6"))
        until(lambda: rows(database_url, "SELECT value FROM reading_conflict"))
    assert [row[2] for row in rows(database_url, READINGS)] == [5]
    assert rows(database_url, "SELECT value FROM reading_conflict") == [(6,)]


def test_what_cannot_be_read_becomes_a_dead_letter_and_the_flow_goes_on(database_url, broker):
    poison = [
        ("el-A01", b"\x00\xff not json", "the payload is not JSON"),
        ("el-A01", '{"time": "2026-03-01T12:00:00", "value": "1"}', "time is a time without a zone"),
        ("el-A01", '{"time": "2190-03-01T12:00:00Z", "value": "1"}', "the device's clock is in the future"),
        ("el-A01", '{"time": "1970-01-01T00:00:00Z", "value": "1"}', "the device's clock is before the year 2000"),
        ("el-A01", '{"time": "2026-03-01T12:00:00Z", "value": "1e5"}', "value is not a plain decimal number"),
        (
            "el-A01",
            '{"time": "2026-03-01T12:00:00Z", "value": %s}' % ("9" * 400),
            "value is not a plain decimal number",
        ),
        ("el-B99", json.dumps(native(1)), "unknown meter 'el-B99'"),
        ("el-A01", json.dumps([native(1), {"value": "2"}]), "entry 1: expected"),
    ]
    with collecting(small(), database_url, broker.url), publisher(broker) as publish:
        for meter, payload, _ in poison:
            publish(f"wijkenergie/small/{meter}", payload)
        publish("wijkenergie/small/el-A01", native(7))
        until(lambda: rows(database_url, READINGS))
    letters = rows(database_url, LETTERS)
    assert [letter[0] for letter in letters] == [f"wijkenergie/small/{meter}" for meter, _, _ in poison]
    for (_, payload, reason), (_, kept, said) in zip(poison, letters, strict=True):
        assert reason in said
        assert bytes(kept) == (payload if isinstance(payload, bytes) else payload.encode())
    assert len(rows(database_url, READINGS)) == 1


def test_messages_without_a_time_count_when_they_arrive_and_never_from_the_broker_s_memory(database_url, broker):
    silo = (
        '  - {id: silo, profile: esphome.sensor_kg, link: "mqtt:silo/kg/state", every: 1s, feeds: {fuel_stock: silo}}\n'
    )
    with publisher(broker) as publish:
        publish("silo/kg/state", "1111", retain=True)
        with collecting(small(silo), database_url, broker.url):
            time.sleep(0.5)
            before = utc_now()
            publish("silo/kg/state", "2852.5")
            publish("silo/kg/state", "nan")
            until(lambda: rows(database_url, READINGS))
    ((meter, at, value),) = rows(database_url, READINGS)
    assert (meter, value) == ("silo", Decimal("2852.5"))
    assert before <= at <= before + timedelta(seconds=5)
    assert rows(database_url, LETTERS) == []


def test_a_message_of_a_device_that_lost_a_field_is_kept_for_a_person(database_url, broker):
    p1 = '  - {id: p1, profile: dsmr_reader.p1, link: "mqtt:flats/A01", feeds: {electric_energy_import: el-A01}}\n'
    telegram = {"timestamp": rfc3339(NOW), "electricity_delivered_1": "1.5", "electricity_delivered_2": "2.25"}
    with collecting(small(p1), database_url, broker.url), publisher(broker) as publish:
        publish("flats/A01/dsmr/json", {"timestamp": rfc3339(NOW), "electricity_delivered_1": "1.5"})
        publish("flats/A01/dsmr/json", telegram)
        until(lambda: rows(database_url, READINGS))
    assert rows(database_url, READINGS) == [("el-A01", NOW, Decimal("3.75"))]
    ((source, _, reason),) = rows(database_url, LETTERS)
    assert source == "flats/A01/dsmr/json"
    assert reason == "p1: the field /electricity_delivered_2 is missing"
    ((errors, heard),) = rows(
        database_url, "SELECT errors, last_seen IS NOT NULL FROM device_health WHERE device = 'p1'"
    )
    assert (errors, heard) == (1, True)


def test_nothing_is_acknowledged_before_it_is_kept_so_a_killed_collector_loses_nothing(database_url, broker):
    apply_small(database_url)
    with watching(broker) as states, publisher(broker) as publish:
        with connect(database_url) as blocker:
            with service(database_url, broker):
                until(lambda: states[-1:] == ["online"], 30)
                blocker.execute("BEGIN; LOCK TABLE reading IN SHARE MODE")  # nobody can store until this ends
                for index in range(200):
                    publish("wijkenergie/small/el-A01", native(index))
                time.sleep(1)  # the collector has them all in hand
            until(lambda: states[-1:] == ["offline"])  # the last will of the killed process
        assert rows(database_url, READINGS) == []
        with service(database_url, broker):
            until(lambda: len(rows(database_url, READINGS)) == 200, 30)
    expected = [("el-A01", NOW + timedelta(minutes=index), Decimal(f"{1000 + index}.125")) for index in range(200)]
    assert rows(database_url, READINGS) == expected


def test_a_service_told_to_stop_is_gone_within_three_seconds_and_says_goodbye(database_url, broker):
    apply_small(database_url)
    with watching(broker) as states, service(database_url, broker) as process:
        until(lambda: states[-1:] == ["online"], 30)
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert time.monotonic() - started < 3
        until(lambda: states[-1:] == ["offline"])


def test_a_changed_community_is_taken_over_without_a_restart(database_url, broker):
    apply_small(database_url)
    quick = "import collector.service; collector.service._LOOK_SECONDS = 0.2;" + SERVICE
    device = 'devices: [{id: h, profile: wmbusmeters.kamheat, link: "mqtt:w/h", feeds: {energy: heat-A01}}]'
    with service(database_url, broker, quick), watching(broker) as states, publisher(broker) as publish:
        until(lambda: states[-1:] == ["online"], 30)
        apply_small(database_url, device)
        until(lambda: states[-2:] == ["offline", "online"], 30)
        publish("w/h", {**KAMHEAT, "timestamp": rfc3339(NOW), "total_energy_consumption_kwh": 12.5})
        until(lambda: rows(database_url, READINGS))
    assert rows(database_url, READINGS) == [("heat-A01", NOW, Decimal("12.5"))]


def test_a_device_that_was_taken_out_is_not_followed_any_more(database_url, broker):
    device = '  - {id: h, profile: wmbusmeters.kamheat, link: "mqtt:w/h", feeds: {energy: heat-A01}}\n'
    with collecting(small(device), database_url, broker.url):
        pass
    with collecting(small(), database_url, broker.url), publisher(broker) as publish:
        publish("w/h", "1")
        until(lambda: rows(database_url, LETTERS))
        for index in range(5):
            publish("w/h", "2")
            publish("wijkenergie/small/el-A01", native(index))
        until(lambda: len(rows(database_url, READINGS)) == 5)
    assert [bytes(payload) for _, payload, _ in rows(database_url, LETTERS)] == [b"1"]


def test_readings_wait_while_the_database_throws_us_out(database_url, broker):
    with collecting(small(), database_url, broker.url), publisher(broker) as publish:
        publish("wijkenergie/small/el-A01", native(0))
        until(lambda: rows(database_url, READINGS))
        for index in range(1, 40):
            publish("wijkenergie/small/el-A01", native(index))
            if index % 10 == 0:
                with connect(database_url, autocommit=True) as killer:
                    killer.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
        until(lambda: len(rows(database_url, READINGS)) == 40, 30)
    assert rows(database_url, LETTERS) == []


def test_a_broker_that_comes_back_is_used_again_and_its_backlog_is_taken(database_url, broker):
    with collecting(small(), database_url, broker.url) as collector:
        with publisher(broker) as publish:
            publish("wijkenergie/small/el-A01", native(1))
        until(lambda: len(rows(database_url, READINGS)) == 1)
        broker.stop()
        broker.start()
        with publisher(broker) as publish:
            publish("wijkenergie/small/el-A01", native(2))
        assert collector.wait_connected(30)
        until(lambda: len(rows(database_url, READINGS)) == 2)


def test_a_sleeping_inverter_stops_nobody_else_and_is_named_in_the_health(database_url, broker):
    link = f"modbus-tcp://127.0.0.1:{free_port()}/1"
    asleep = f'  - {{id: roof, profile: sunspec.inverter, link: "{link}", every: 1s, feeds: {{pv_energy: pv}}}}\n'
    with collecting(small(asleep), database_url, broker.url), publisher(broker) as publish:
        until(lambda: rows(database_url, "SELECT 1 FROM device_health"))
        publish("wijkenergie/small/el-A01", native(1))
        until(lambda: rows(database_url, READINGS))
        until(lambda: rows(database_url, "SELECT errors FROM device_health")[0][0] >= 2)
    ((seen, error),) = rows(database_url, "SELECT last_seen, last_error FROM device_health WHERE device = 'roof'")
    assert seen is None
    assert error.startswith("no connection to 127.0.0.1:")


def test_a_device_is_read_once_and_recorded_for_later(broker, tmp_path):
    with simulated(broker.url) as ready:
        link = f"modbus-tcp://127.0.0.1:{ready.inverter_port}/1"
        (energy, *_) = read_once("sunspec.inverter", link)
        assert Decimal(energy["value"]) == live_truth(1, "pv", datetime.fromisoformat(energy["time"]))
        out = tmp_path / "roof.json"
        record("sunspec.inverter", link, out)
    recorded = json.loads(out.read_text(encoding="utf-8"))
    lines = decode_recording("sunspec.inverter", out)
    assert [line for line in lines if "refused" not in line] == recorded["expect"]["readings"] != []


def test_a_device_that_is_away_is_one_sentence_and_not_a_traceback():
    with pytest.raises(Unavailable, match=r"^The device could not be read: no connection to 127\.0\.0\.1:\d+\. Check"):
        read_once("kwb.boiler", f"modbus-tcp://127.0.0.1:{free_port()}/1")
    with pytest.raises(BadInput, match="is a link of another kind"):
        read_once("kwb.boiler", "mqtt:flats/A01")


def test_a_broker_that_is_away_is_one_sentence(database_url):
    with (
        pytest.raises(Unavailable, match=r"^The broker at 127\.0\.0\.1:\d+ cannot be reached"),
        collecting(small(), database_url, f"mqtt://127.0.0.1:{free_port()}"),
    ):
        pass


def test_a_broker_that_does_not_know_us_is_one_sentence(database_url, tmp_path):
    strict = Broker(tmp_path, "allow_anonymous false\n")
    strict.start()
    try:
        for url in (strict.url, f"mqtt://who:what@{strict.host}:{strict.port}"):
            with (
                pytest.raises(Unavailable, match=r"does not let us in: Not authori[sz]ed\. Check WIJKENERGIE_MQTT_URL"),
                collecting(small(), database_url, url),
            ):
                pass
    finally:
        strict.stop()


def test_a_broker_that_speaks_only_mqtt_3_is_enough(database_url, tmp_path):
    port = free_port()
    settings = tmp_path / "amqtt.yaml"
    settings.write_text(
        f"listeners:\n  default:\n    type: tcp\n    bind: 127.0.0.1:{port}\n"
        "plugins:\n  amqtt.plugins.authentication.AnonymousAuthPlugin:\n    allow_anonymous: true\n"
    )
    program = Path(sys.executable).with_name("amqtt")
    old = subprocess.Popen(
        [program, "-c", settings], stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONWARNINGS": "ignore"}
    )
    try:
        probe = Broker(tmp_path)
        probe.port = port
        until(probe._answers, 20)
        with collecting(small(), database_url, probe.url), publisher(probe) as publish:
            for index in range(20):
                publish("wijkenergie/small/el-A01", native(index))
            until(lambda: len(rows(database_url, READINGS)) == 20)
    finally:
        old.terminate()
        old.wait(10)
