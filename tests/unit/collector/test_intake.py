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
MORE = """
meters:
  - {id: pv, measures: solar_generation, unit: kWh}
  - {id: grid, measures: grid_import, unit: kWh}
  - {id: flat, measures: electricity, flat: A01, unit: kWh}
  - {id: room, measures: pellet_stock, unit: kg}
devices:
  - {id: roof, profile: opendtu.inverter, link: "mqtt:solar/1141", every: 10s, feeds: {pv_energy: pv}}
  - {id: manager, profile: evcc.grid, link: "mqtt:evcc", every: 10s, feeds: {electric_energy_import: grid}}
  - {id: plug, profile: zigbee2mqtt.plug, link: "mqtt:zigbee2mqtt/flat A01/washer", feeds: {energy: flat}}
  - {id: phases, profile: shelly.em, link: "mqtt:shelly-1"}
  - id: lora
    profile: chirpstack.em310
    link: "mqtt:application/1/device/24e1"
    feeds: {fuel_stock: room}
    silo: {sensor_mm: "3000", sections: [{height_mm: "3000", bottom_m2: "4", top_m2: "4"}]}
  - {id: things, profile: ttn.em310, link: "mqtt:v3/house@ttn/devices/silo"}
"""


@pytest.fixture
def community() -> Community:
    return parse_community(TEXT).community


@pytest.fixture
def wider() -> Community:
    return parse_community(
        TEXT[: TEXT.index("meters:")] + MORE + TEXT[TEXT.index("sharing:") : TEXT.index("devices:")]
    ).community


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


def on(device: Intake, topic: str, payload: object, at: datetime = NOW, **flags: bool) -> Delivery:
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return device.from_message(Message(topic, content, at, **flags), at)


def test_every_topic_of_a_device_is_followed_and_its_availability_too(wider: Community) -> None:
    router = Router(wider, [intake(wider, "roof"), intake(wider, "plug"), intake(wider, "phases")], native=False)
    assert router.filters == (
        "shelly-1/events/rpc",
        "shelly-1/online",
        "solar/1141/0/frequency",
        "solar/1141/0/power",
        "solar/1141/0/yieldtotal",
        "solar/1141/status/producing",
        "solar/1141/status/reachable",
        "zigbee2mqtt/flat A01/washer",
        "zigbee2mqtt/flat A01/washer/availability",
    )
    found = router.route(Message("solar/1141/0/yieldtotal", b"123.456", NOW), NOW)
    assert (found.readings, found.dead_letters) == ((("pv", NOW, Decimal("123.456")),), ())
    found = router.route(Message("solar/1141/0/power", b"218.6", NOW), NOW)
    assert [(m.point, m.value) for m in found.measurements] == [("power", Decimal("218.6"))]
    assert router.route(Message("solar/1141/ac/yieldtotal", b"5", NOW), NOW).dead_letters


def test_a_total_that_dips_while_the_inverter_is_away_is_no_reading(wider: Community) -> None:
    roof = intake(wider, "roof")
    assert on(roof, "solar/1141/0/yieldtotal", b"123.456").readings
    assert on(roof, "solar/1141/0/yieldtotal", b"0.000", NOW + timedelta(seconds=30)).readings == ()
    away = on(roof, "solar/1141/status/reachable", b"0", NOW + timedelta(seconds=40))
    assert [(note.heard, note.error) for note in away.health] == [(False, "it has told the broker that it is offline")]
    assert on(roof, "solar/1141/0/yieldtotal", b"101.000", NOW + timedelta(seconds=50)).empty
    assert on(roof, "solar/1141/status/reachable", b"1", NOW + timedelta(minutes=1)).empty
    back = on(roof, "solar/1141/0/yieldtotal", b"123.460", NOW + timedelta(minutes=2))
    assert back.readings == (("pv", NOW + timedelta(minutes=2), Decimal("123.460")),)


def test_only_the_words_of_the_profile_say_that_a_device_is_away(wider: Community) -> None:
    roof = intake(wider, "roof")
    for word in (b"", b"offline", b"\xff\x00", b"[" * 100_000, b"2"):
        assert on(roof, "solar/1141/status/reachable", word).empty
    assert on(roof, "solar/1141/0/yieldtotal", b"1.5").readings
    assert on(roof, "solar/1141/status/reachable", b" 0 ", retained=True).health[0].heard is False


def test_a_device_with_times_of_its_own_is_believed_also_while_it_is_away(wider: Community) -> None:
    plug = intake(wider, "plug")
    topic = "zigbee2mqtt/flat A01/washer"
    assert on(plug, f"{topic}/availability", {"state": "offline"}).health[0].heard is False
    cached = {"energy": 31.02, "power": 0, "voltage": 236, "current": 0, "last_seen": "2025-12-31T10:00:00+01:00"}
    (reading,) = on(plug, topic, cached, retained=True).readings
    assert reading == ("flat", datetime(2025, 12, 31, 9, tzinfo=UTC), Decimal("31.02"))
    assert on(plug, f"{topic}/availability", b"offline").empty


def test_a_value_that_is_gone_is_no_dead_letter(wider: Community) -> None:
    manager = intake(wider, "manager")
    gone = on(manager, "evcc/site/grid/energy", b"")
    assert (gone.readings, gone.dead_letters) == ((), ())
    assert gone.health[0].error == "the payload is empty, which deletes what the broker kept"
    assert on(manager, "evcc/site/grid/energy", b"15303.334").readings
    wrong = on(manager, "evcc/site/grid/energy", b"unknown", NOW + timedelta(minutes=1))
    assert [letter.reason for letter in wrong.dead_letters] == ["manager: 'unknown' is not a number"]
    assert on(manager, "evcc/site/grid/power", b"unknown").dead_letters


def test_what_has_not_changed_is_no_trouble(wider: Community) -> None:
    phases = intake(wider, "phases")
    found = on(
        phases,
        "shelly-1/events/rpc",
        {"method": "NotifyStatus", "params": {"ts": 1767268800, "em:0": {"total_act_power": 5}}},
    )
    assert [(m.point, m.value) for m in found.measurements] == [("power", 5)]
    assert (found.dead_letters, found.health[0].heard, found.health[0].error) == ((), True, None)
    nothing = on(phases, "shelly-1/events/rpc", {"method": "NotifyEvent", "params": {"ts": 1767268800, "events": []}})
    assert (nothing.dead_letters, nothing.health[0].heard) == ((), True)
    assert on(phases, "shelly-1/events/rpc", {"id": 1, "error": {"code": 404}}).dead_letters


def uplink(key: str, at: datetime = NOW, data: str = "A4JECA==") -> dict[str, object]:
    return {"deduplicationId": key, "time": rfc3339(at), "data": data}


def test_a_repeated_uplink_counts_once_but_one_that_the_broker_sends_again_is_taken_again(wider: Community) -> None:
    lora = intake(wider, "lora")
    topic = "application/1/device/24e1/event/up"
    first = on(lora, topic, uplink("a"))
    assert first.readings == (("room", NOW, Decimal("2298.400")),)  # (3000 - 2116) mm over 4 m2 at 650 kg/m3
    assert on(lora, topic, uplink("a", NOW + timedelta(seconds=2))).empty
    assert on(lora, topic, uplink("a"), duplicate=True).readings == first.readings
    assert on(lora, topic, uplink("b")).readings == first.readings
    assert on(lora, topic, {key: value for key, value in uplink("").items() if key != "deduplicationId"}).readings
    assert on(lora, topic, b"broken").dead_letters
    assert on(lora, topic, b"broken").dead_letters


def test_only_the_newest_keys_are_remembered(wider: Community) -> None:
    lora = intake(wider, "lora")
    topic = "application/1/device/24e1/event/up"
    for number in range(1001):
        on(lora, topic, uplink(str(number)))
    assert on(lora, topic, uplink("1")).empty
    assert on(lora, topic, uplink("0")).readings


def test_a_frame_counter_that_is_left_out_is_zero_and_not_unknown(wider: Community) -> None:
    """The Things Stack leaves out what is zero: the first frame after a join has no counter."""
    things = intake(wider, "things")
    topic = "v3/house@ttn/devices/silo/up"

    def frame(**fields: object) -> dict[str, object]:
        return {"uplink_message": {"received_at": rfc3339(NOW), "frm_payload": "A4JECA==", **fields}}

    def taken(**fields: object) -> bool:
        return not on(things, topic, frame(**fields)).empty

    assert taken(session_key_id="first")
    assert not taken(session_key_id="first")
    assert taken(session_key_id="first", f_cnt=1)
    assert taken(session_key_id="second")
    assert not taken(session_key_id="second")


def test_a_list_of_readings_fills_its_meter_at_every_time(community: Community, tmp_path) -> None:
    file = tmp_path / "list.yaml"
    text = (FOLDER / "dsmr_reader.p1.yaml").read_text(encoding="utf-8")
    file.write_text(text.replace("time: /timestamp", "each: '', time: /timestamp"), encoding="utf-8")
    listed = parse_community(TEXT.replace("profile: dsmr_reader.p1", f'profile: "{file}"')).community
    times = [NOW - timedelta(hours=hour) for hour in (2, 1, 0)]
    found = hear(intake(listed, "p1"), b"[" + b",".join(telegram(at) for at in times) + b"]")
    assert [reading.time for reading in found.readings] == times
