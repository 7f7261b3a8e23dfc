"""What a device may feed, and the sentence it gets when it cannot."""

from __future__ import annotations

from decimal import Decimal

import pytest

from collector.catalogue import load
from collector.feeds import feed_faults, feeds_of, meter_value
from core.community import Community, Meter
from core.communityfile import parse as parse_community

HEAD = """
community: small
name: Small
timezone: Europe/Amsterdam
owner: owner
flats: [{id: A01}]
households: []
meters:
  - {id: el, measures: electricity, flat: A01, unit: kWh}
  - {id: heat, measures: heat, flat: A01, unit: kWh}
  - {id: heat-gj, measures: heat, flat: A01, unit: GJ}
  - {id: water, measures: hot_water, flat: A01, unit: m3}
  - {id: pv, measures: solar_generation, unit: MWh}
sharing: [{from: 2025-01-01, key: equal}]
tariffs: [{from: 2025-01-01, solar_eur_per_kwh: "0.18", vat_percent: {electricity: "21"}}]
devices:
"""


FEEDS = ("devices", 0, "feeds")


def community(*devices: str) -> Community:
    return parse_community(HEAD + "".join(f"  - {{{device}}}\n" for device in devices)).community


GOOD = 'id: d, profile: wmbusmeters.kamheat, link: "mqtt:w/d", feeds: {thermal_energy: heat, volume: water}'


def test_quantities_and_points_name_the_same_thing() -> None:
    by_quantity = community(GOOD)
    by_point = community(GOOD.replace("thermal_energy", "energy"))
    profile = load("wmbusmeters.kamheat")
    expected = {"energy": "heat", "volume": "water"}
    for town in (by_quantity, by_point):
        assert {point: meter.id for point, meter in feeds_of(town.devices[0], profile, town).items()} == expected
        assert list(feed_faults(town)) == []


@pytest.mark.parametrize(
    ("device", "path", "sentence"),
    [
        (GOOD.replace("kamheat", "kamhaet"), ("devices", 0, "profile"), "the nearest is 'wmbusmeters.kamheat'"),
        (GOOD.replace("mqtt:w/d", "mqtt:w/#"), ("devices", 0, "link"), "a topic without + and #"),
        (GOOD.replace("mqtt:w/d", "modbus-tcp://h:1/1"), ("devices", 0, "link"), "mqtt; give a link of that kind"),
        (GOOD.replace("mqtt:w/d", "modbus-tcp://h/x"), ("devices", 0, "link"), "write modbus-tcp://host:port/unit"),
        (GOOD.replace("thermal_energy: heat", "heet: heat"), (*FEEDS, "heet"), "has no 'heet'"),
        (GOOD.replace("thermal_energy: heat", "status: heat"), (*FEEDS, "status"), "has no 'status'"),
        (GOOD.replace("volume: water", "volume: el"), (*FEEDS, "volume"), "volume is not electricity"),
        (GOOD.replace("volume: water", "power: el"), (*FEEDS, "power"), "thermal_power is not electricity"),
        (GOOD.replace("thermal_energy: heat", "thermal_energy: water"), (*FEEDS, "thermal_energy"),
         "counts in kWh, which does not turn into m3 exactly"),
        (GOOD.replace("volume: water", "energy: heat"), (*FEEDS, "energy"), "is fed by 'd' already"),
        (GOOD.replace("wmbusmeters.kamheat", "homewizard.p1").replace("thermal_energy: heat, volume: water", ""),
         ("devices", 0, "link"), "http-json; give a link of that kind"),
    ],
)  # fmt: skip
def test_a_wrong_device_is_named_with_its_field(device: str, path: tuple, sentence: str) -> None:
    ((where, text), *_) = feed_faults(community(device))
    assert where == path
    assert sentence in text
    assert not text.endswith(".")


def test_a_quantity_with_several_points_must_name_one(tmp_path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(
        "schema: 1\nid: a.two\nrevision: 1\nkind: electricity_meter\nmatch: {vendor: A, models: [B]}\n"
        "maturity: document-only\nprovenance: [{source: s}]\nlink: {transport: mqtt}\nmessages: {}\npoints:\n"
        "  - {id: one, quantity: electric_energy_import, unit: kWh, class: counter, path: /1}\n"
        "  - {id: two, quantity: electric_energy_import, unit: kWh, class: counter, path: /2}\n",
        encoding="utf-8",
    )
    device = f'id: d, profile: "{file}", link: "mqtt:a", feeds: {{NAME: el}}'
    ((_, sentence),) = feed_faults(community(device.replace("NAME", "electric_energy_import")))
    assert "several points of electric_energy_import; name one of one, two" in sentence
    assert list(feed_faults(community(device.replace("NAME", "two")))) == []


@pytest.mark.parametrize(
    ("value", "unit", "meter_unit", "stored"),
    [
        ("6057339", "Wh", "kWh", "6057.339"),
        ("6057339", "Wh", "MWh", "6.057339"),
        ("1.5", "MWh", "kWh", "1500"),
        ("12.345", "GJ", "MJ", "12345"),
        ("1.10000002384185791015625", "kWh", "kWh", "1.100000023842"),
        ("0.30000000000000004", "kWh", "kWh", "0.3"),
        ("123456789012345.123456789012", "kWh", "kWh", "123456789012345.123456789012"),
    ],
)
def test_a_value_reaches_its_meter_in_the_meter_s_unit(value: str, unit: str, meter_unit: str, stored: str) -> None:
    meter = Meter.model_validate({"id": "m", "measures": "electricity", "unit": meter_unit})
    converted = meter_value(Decimal(value), unit, meter)
    assert converted == Decimal(stored)
    assert len(format(converted, "f").partition(".")[2]) <= 12


def test_a_meter_in_kwh_cannot_be_fed_in_gigajoules_but_the_other_way_round_it_can(tmp_path) -> None:
    file = tmp_path / "joule.yaml"
    file.write_text(
        "schema: 1\nid: a.joule\nrevision: 1\nkind: heat_meter\nmatch: {vendor: A, models: [B]}\n"
        "maturity: document-only\nprovenance: [{source: s}]\nlink: {transport: mqtt}\nmessages: {}\npoints:\n"
        "  - {id: joule, quantity: thermal_energy, unit: GJ, class: counter, path: /1}\n",
        encoding="utf-8",
    )
    device = f'id: d, profile: "{file}", link: "mqtt:a", feeds: {{joule: NAME}}'
    ((_, sentence),) = feed_faults(community(device.replace("NAME", "heat")))
    assert sentence.endswith("does not turn into kWh exactly; give meter 'heat' the unit GJ")
    assert list(feed_faults(community(device.replace("NAME", "heat-gj")))) == []
    assert list(feed_faults(community(GOOD.replace(": heat,", ": heat-gj,")))) == []


@pytest.mark.parametrize(
    "link",
    ["modbus-tcp://10.0.0.2/1", "rtu-over-tcp://10.0.0.2:4196/1", "modbus-rtu:/dev/ttyUSB0#1"],
)
def test_a_modbus_device_is_the_same_on_any_modbus_line(link: str) -> None:
    assert list(feed_faults(community(f'id: d, profile: eastron.sdm630, link: "{link}", feeds: {{import: el}}'))) == []


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        ("modbus-rtu:/dev/ttyUSB0?baud=9600#1", "modbus-rtu:/dev/ttyUSB0?baud=9600#2", None),
        ("modbus-tcp://10.0.0.2/1", "modbus-tcp://10.0.0.2:502/2", None),
        (
            "modbus-rtu:/dev/ttyUSB0?baud=9600#1",
            "modbus-rtu:/dev/ttyUSB0?baud=19200#2",
            "/dev/ttyUSB0 is used in another way by 'a'; one port has one setting",
        ),
        (
            "modbus-tcp://10.0.0.2:4196/1",
            "rtu-over-tcp://10.0.0.2:4196/2",
            "10.0.0.2:4196 is used in another way by 'a'; one port has one setting",
        ),
    ],
)
def test_one_port_is_used_in_one_way(first: str, second: str, sentence: str | None) -> None:
    town = community(
        f'id: a, profile: eastron.sdm630, link: "{first}"', f'id: b, profile: schneider.iem3155, link: "{second}"'
    )
    expected = [] if sentence is None else [(("devices", 1, "link"), sentence)]
    assert list(feed_faults(town)) == expected


def test_a_link_with_a_place_for_a_secret_must_name_one() -> None:
    device = 'id: d, profile: homewizard.p1, link: "http://10.0.0.2/{secret}SECRET"'
    ((where, text),) = feed_faults(community(device.replace("SECRET", "")))
    assert where == ("devices", 0, "link")
    assert text == "'homewizard.p1' wants a password or token; name its file with ?secret=name at the end"
    assert list(feed_faults(community(device.replace("SECRET", "?secret=p1")))) == []
