"""What becomes of a device's message: readings, measurements now and then, dead letters, health."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from collector.catalogue import FOLDER
from collector.delivery import Delivery
from collector.intake import Intake
from collector.raw import Message, Raw, Registers
from collector.raw import load as load_raw
from collector.router import Router
from collector.sources.broker import Broker
from core.community import Community
from core.communityfile import parse as parse_community
from core.errors import BadInput
from core.time import rfc3339

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
TEXT = """
community: small
name: Small
timezone: Europe/Amsterdam
owner: owner
flats: [{id: A01}]
households: []
meters:
  - {id: el, measures: electricity, flat: A01, unit: kWh}
  - {id: heat, measures: heat_produced, unit: kWh}
  - {id: silo, measures: pellet_stock, unit: kg}
sharing: [{from: 2025-01-01, key: equal}]
tariffs: [{from: 2025-01-01, solar_eur_per_kwh: "0.18", vat_percent: {electricity: "21"}}]
devices:
  - {id: p1, profile: dsmr_reader.p1, link: "mqtt:flats/A01", feeds: {electric_energy_import: el}}
  - {id: silo, profile: esphome.sensor_kg, link: "mqtt:silo/state", every: 10s, feeds: {fuel_stock: silo}}
  - {id: boiler, profile: kwb.boiler, link: "modbus-tcp://127.0.0.1:1/1", every: 10s, feeds: {heat: heat}}
"""


@pytest.fixture
def community() -> Community:
    return parse_community(TEXT).community


def intake(community: Community, name: str) -> Intake:
    return Intake(next(device for device in community.devices if device.id == name), community)


def telegram(at: datetime = NOW, **changes: object) -> bytes:
    fields = {"timestamp": rfc3339(at), "electricity_delivered_1": "1.5", "electricity_delivered_2": "2.25"}
    fields |= {"electricity_returned_1": "0", "electricity_returned_2": "0"}
    fields |= {"electricity_currently_delivered": "0.5", "electricity_currently_returned": "0"}
    return json.dumps(fields | changes).encode()


def hear(device: Intake, payload: bytes, at: datetime = NOW, **flags: bool) -> Delivery:
    return device.from_message(Message("t", payload, at, **flags), at)


def test_a_telegram_fills_its_meter_at_its_own_time(community: Community) -> None:
    delivery = hear(intake(community, "p1"), telegram(NOW - timedelta(hours=3)))
    assert delivery.readings == (("el", NOW - timedelta(hours=3), Decimal("3.75")),)
    assert [(m.point, m.value) for m in delivery.measurements] == [("returned", 0), ("power", 500)]
    assert delivery.health[0].error is None


def test_measurements_are_kept_once_a_minute_and_readings_always(community: Community) -> None:
    device = intake(community, "p1")
    heard = [hear(device, telegram(at), at) for at in (NOW + timedelta(seconds=10 * step) for step in range(13))]
    assert sum(len(delivery.readings) for delivery in heard) == 13
    assert [step for step, delivery in enumerate(heard) if delivery.measurements] == [0, 6, 12]


def test_a_change_of_state_is_kept_at_once(community: Community) -> None:
    device = intake(community, "boiler")
    states = [0, 0, 3, 3, 0]
    kept = []
    for step, state in enumerate(states):
        at = NOW + timedelta(seconds=10 * step)
        delivery = device.from_poll(Raw(at, (Registers(4, 8207, (0, state, 0, 1)),)), at)
        kept.append([m.text for m in delivery.measurements if m.point == "state"])
    assert kept == [["off"], [], ["running"], [], ["off"]]


def test_values_without_a_time_are_kept_once_per_period_and_at_each_quarter_hour(community: Community) -> None:
    device = intake(community, "silo")
    heard = [hear(device, b"2852", NOW + timedelta(seconds=step)) for step in range(0, 40, 4)]
    assert [step for step, delivery in enumerate(heard) if delivery.readings] == [0, 3, 5, 8]


def test_a_clock_in_the_future_is_a_dead_letter_and_no_reading(community: Community) -> None:
    delivery = hear(intake(community, "p1"), telegram(NOW + timedelta(minutes=16)))
    assert delivery.readings == ()
    assert [letter.reason for letter in delivery.dead_letters] == ["p1: the device's clock is in the future"]
    assert hear(intake(community, "p1"), telegram(NOW + timedelta(minutes=14))).readings


def test_a_missing_power_is_no_dead_letter_but_a_missing_counter_is(community: Community) -> None:
    device = intake(community, "p1")
    assert hear(device, telegram(electricity_currently_returned=None)).dead_letters == ()
    broken = hear(device, telegram(electricity_delivered_1="??"))
    assert [letter.reason for letter in broken.dead_letters] == ["p1: '??' is not a number"]
    assert broken.readings == ()
    assert broken.dead_letters[0].payload == telegram(electricity_delivered_1="??")


def test_what_the_broker_kept_says_nothing_about_the_device(community: Community) -> None:
    assert hear(intake(community, "silo"), b"2852", retained=True).empty
    assert hear(intake(community, "silo"), b"2852", duplicate=True).empty


def test_a_sensor_without_a_value_is_heard_but_named(community: Community) -> None:
    delivery = hear(intake(community, "silo"), b"nan")
    assert (delivery.readings, delivery.dead_letters) == ((), ())
    assert delivery.health[0].error == "'nan' is the device's sign for no value"


def test_a_poll_that_lacks_the_counter_is_named_in_the_health(community: Community) -> None:
    raw = load_raw(FOLDER / "fixtures" / "kwb.boiler.faults.json")
    delivery = intake(community, "boiler").from_poll(raw, NOW)
    assert delivery.readings == ()
    assert delivery.health[0].error == "register 9661 came in a reply to function 3, not 4"
    assert intake(community, "boiler").silent("asleep", NOW).health[0].heard is False


def test_blocks_that_were_not_asked_for_are_neither_values_nor_faults(community: Community) -> None:
    device = intake(community, "boiler")
    blocks = device.profile.blocks
    (state, *_) = [block for block in blocks if block.start <= 8207 < block.end]
    raw = Raw(NOW, (Registers(4, 8207, (0, 3, 0, 1)),))
    assert device.from_poll(raw, NOW).health[0].error is not None
    resting = frozenset(block.id for block in blocks) - {state.id}
    delivery = device.from_poll(raw, NOW, resting)
    assert (delivery.health[0].error, delivery.health[0].heard) == (None, True)


def test_messages_go_to_whoever_they_belong_to(community: Community) -> None:
    router = Router(community, [intake(community, "p1"), intake(community, "boiler")], native=True)
    assert router.filters == ("wijkenergie/small/+", "flats/A01/dsmr/json")
    assert router.route(Message("flats/A01/dsmr/json", telegram(), NOW), NOW).readings
    native = json.dumps({"time": rfc3339(NOW), "value": "7"}).encode()
    assert router.route(Message("wijkenergie/small/el", native, NOW), NOW).readings == (("el", NOW, 7),)
    assert router.route(Message("wijkenergie/small/status", b"{}", NOW), NOW).empty
    (letter,) = router.route(Message("flats/A02", b"x", NOW), NOW).dead_letters
    assert letter.reason == "no device of the community has this topic"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://host", ("host", 1883, False, None, None)),
        ("mqtts://host", ("host", 8883, True, None, None)),
        ("mqtt://us%40er:pa%2Fss@host:7", ("host", 7, False, "us@er", "pa/ss")),
    ],
)
def test_a_broker_s_address_is_read(url: str, expected: tuple) -> None:
    broker = Broker.parse(url)
    assert (broker.host, broker.port, broker.tls, broker.user, broker.password) == expected
    assert "pa/ss" not in f"{broker} {broker!r}"


@pytest.mark.parametrize("url", ["http://host", "mqtt://", "mqtt://host:x", "mqtt://host:99999"])
def test_another_address_is_refused(url: str) -> None:
    with pytest.raises(BadInput):
        Broker.parse(url)
