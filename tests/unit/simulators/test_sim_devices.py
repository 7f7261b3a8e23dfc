"""Registers and messages say the truth in their makers' words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core.wire import native_readings
from simulators import inverter, kwb
from simulators.messages import topics
from simulators.registers import s16, s32, string, u16, u32
from simulators.truth import live_truth

NOON = datetime(2026, 6, 21, 11, 37, 5, tzinfo=UTC)
NIGHT = datetime(2026, 11, 23, 0, 12, 40, tzinfo=UTC)
SAY = {topic.name: topic for topic in topics(3)}


def payload(name: str, instant: datetime) -> str:
    text = SAY[name].say(instant, ())
    assert text is not None
    return text


def words(image: dict[int, list[int]] | None, start: int, address: int, count: int) -> list[int]:
    assert image is not None
    return image[start][address - start : address - start + count]


def test_the_inverter_is_laid_out_as_sunspec_asks():
    image = inverter.image(3, NOON)
    assert image is not None
    run = image[40000]
    assert len(run) == inverter.BLOCKS[40000] == 124
    assert bytes(byte for word in run[:2] for byte in divmod(word, 256)) == b"SunS"
    assert run[2:4] == [1, 66]
    assert run[70:72] == [103, 50]
    assert run[122:124] == [0xFFFF, 0]


def test_the_inverters_lifetime_energy_is_the_truth_in_watt_hours():
    high, low = words(inverter.image(3, NOON), 40000, 40070 + 24, 2)
    assert Decimal(high * 65536 + low).scaleb(-3) == live_truth(3, "pv", NOON)


def test_the_inverter_works_by_day_and_sleeps_at_night():
    assert words(inverter.image(3, NOON), 40000, 40070 + 14, 1)[0] > 500
    assert words(inverter.image(3, NOON), 40000, 40070 + 38, 1) == [4]
    assert words(inverter.image(3, NIGHT), 40000, 40070 + 14, 1) == [0]
    assert words(inverter.image(3, NIGHT), 40000, 40070 + 38, 1) == [2]


def test_the_boilers_heat_meter_is_the_truth_in_kilowatt_hours():
    high, low = words(kwb.image(3, NIGHT), 9517, 9661, 2)
    assert Decimal(high * 65536 + low) == live_truth(3, "boiler-heat", NIGHT)
    assert {start: len(run) for start, run in (kwb.image(3, NIGHT) or {}).items()} == kwb.BLOCKS


def test_the_boiler_counts_pellets_and_marks_its_sensors_well():
    before, after = (words(kwb.image(3, at), 8192, 8233, 2) for at in (NOON, NIGHT))
    burnt = (after[0] - before[0]) * 65536 + after[1] - before[1]
    assert 1500 < burnt < 6000
    assert words(kwb.image(3, NIGHT), 8192, 8198, 1) == [2]


def test_a_smart_meters_two_tariffs_add_up_to_the_truth():
    document = json.loads(payload("flats/B03/dsmr/json", NIGHT))
    total = Decimal(document["electricity_delivered_1"]) + Decimal(document["electricity_delivered_2"])
    assert total == live_truth(3, "el-B03", NIGHT)
    assert document["timestamp"] == "2026-11-23T00:12:40Z"
    assert Decimal(document["electricity_returned_1"]) + Decimal(document["electricity_returned_2"]) == 0


def test_the_grid_meter_speaks_from_the_customers_side():
    document = json.loads(payload("building/grid/dsmr/json", NOON))
    for word, meter in (("delivered", "grid-in"), ("returned", "grid-out")):
        total = sum(Decimal(document[f"electricity_{word}_{tariff}"]) for tariff in (1, 2))
        assert total == live_truth(3, meter, NOON)


@pytest.mark.parametrize("meter", ["heat-A01", "heat-B01", "heat-C04"])
def test_a_heat_meter_says_the_truth_with_its_own_digits(meter):
    document = json.loads(payload(f"wmbusmeters/{meter}", NIGHT), parse_float=Decimal, parse_int=Decimal)
    assert document["total_energy_consumption_kwh"] == live_truth(3, meter, NIGHT)
    assert document["timestamp"] == "2026-11-23T00:12:40Z"


def test_the_common_meter_speaks_natively():
    reading = native_readings("el-common", payload("wijkenergie/de-ster/el-common", NIGHT).encode())[0]
    assert (reading.time, reading.value) == (NIGHT, live_truth(3, "el-common", NIGHT))


def test_the_silo_says_a_bare_number_and_no_time():
    assert Decimal(payload("silo/sensor/pellets", NIGHT)) == live_truth(3, "silo", NIGHT)
    assert [topic.name for topic in SAY.values() if not topic.carries_time] == ["silo/sensor/pellets"]


def test_numbers_fill_registers_high_word_first_and_never_overflow():
    assert u32(0x12345678) == [0x1234, 0x5678]
    assert s16(-2) == [0xFFFE]
    assert s32(-2) == [0xFFFF, 0xFFFE]
    assert u16(65535) == [65535]
    assert string("SunS", 2) == [0x5375, 0x6E53]
    for convert, value in ((u32, 2**32), (s16, 2**15), (u16, 2**16), (s32, 2**31)):
        with pytest.raises(OverflowError):
            convert(value)
