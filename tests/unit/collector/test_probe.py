"""First contact: failures that real installations had, and what the check says to each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from collector.catalogue import FOLDER, load, parse, published
from collector.evidence import Balance, Building, Fed, Sun, amount_text
from collector.probe import Check, check
from collector.profile import Profile
from collector.raw import Document, Message, Raw, Registers
from collector.raw import load as load_raw
from tests.support.fielddevice import Words, f32, swapped, whole

NOON = datetime(2026, 5, 13, 12, tzinfo=UTC)
SECONDS = 10

HEAD = """
schema: 1
id: test.device
revision: 1
kind: {kind}
match: {{vendor: test, models: [one]}}
maturity: document-only
provenance: [{{source: test}}]
link: {{transport: modbus-tcp{link}}}
blocks:
  - {{id: all, function: 4, start: 0, count: {count}}}
points:
"""
COUNTER = (
    "  - {id: energy, quantity: %s, unit: %s, class: counter, block: all, at: 0, type: %s, scale: '%s'}\n"
    "  - {id: power, quantity: active_power, unit: W, class: gauge, block: all, at: %d, type: %s}\n"
)


def profile(
    counter: str = "uint32",
    power: str = "int32",
    *,
    unit: str = "Wh",
    scale: str = "1",
    quantity: str = "electric_energy_import",
    kind: str = "electricity_meter",
    link: str = "",
    more: str = "",
    count: int = 12,
) -> Profile:
    words = int(counter[-2:]) // 16
    text = HEAD.format(kind=kind, link=link, count=count) + COUNTER % (quantity, unit, counter, scale, words, power)
    return parse(text + more, "test.yaml")


def look(words: Words, seconds: float = 0, at: datetime = NOON) -> Raw:
    return Raw(at + timedelta(seconds=seconds), (Registers(4, 0, tuple(words + [0] * (12 - len(words)))),))


def meant(found: Check) -> list[str]:
    return [one.what() for one in found.suggested]


def because(found: Check, point: str) -> str:
    return next(why for name, _, why in found.written.lines() if name == point)


def test_swapped_words_of_an_inverter_are_found_from_the_counter_and_the_power() -> None:
    """Kostal: word order swapped."""
    looks = [look(swapped(whole(6_057_339 + wh, 2)) + swapped(whole(8310, 2)), wh) for wh in (0, 23)]
    found = check(profile(quantity="pv_energy", kind="inverter"), looks)
    assert (found.verdict, meant(found)) == ("does not fit", ["word order little"])
    assert found.suggested[0].values() == "6,057.362 kWh, 8,310 W"
    assert found.headline() == "The profile as written does not fit."


def test_a_float_meter_read_with_the_wrong_word_order_shows_numbers_that_cannot_be() -> None:
    """Eastron SDM: word order swapped; one look is enough."""
    registers = (Registers(4, 0x34, tuple(swapped(f32(831)))), Registers(4, 0x48, (*swapped(f32(6144)), 0, 0)))
    found = check(load("eastron.sdm630"), [Raw(NOON, registers)])
    assert because(found, "import") == "so small a number is bits in the wrong order"
    assert (found.verdict, meant(found)) == ("does not fit", ["word order little"])
    assert found.suggested[0].values() == "6,144 kWh, 0 kWh, 831 W"


def test_watt_hours_read_as_kilowatt_hours_rise_a_thousand_times_too_fast() -> None:
    looks = [look(whole(6_057_339 + wh, 2) + whole(831, 2), 10 * wh / 2.3) for wh in (0, 23)]
    found = check(profile(unit="kWh"), looks)
    assert "rose by 23 kWh in 100 seconds" in because(found, "energy")
    assert meant(found) == ["energy x 0.001 (Wh taken for kWh?)"]


def test_kilowatt_hours_read_as_watt_hours_rise_too_slowly() -> None:
    looks = [look(whole(605_733 + steps, 2) + whole(8310, 2), 4.33 * steps) for steps in (0, 10)]
    found = check(profile(unit="Wh", scale="0.01"), looks)
    assert because(found, "energy") == "rose by 0.1 Wh in 43 seconds, but 8,310 W makes 99.951 Wh in that time"
    assert meant(found) == ["power x 0.001", "energy x 1000 (kWh taken for Wh?)"]
    assert "Several changes would fit; the display of the device tells which is right." in found.advice()


def test_the_map_of_a_sibling_model_is_found_by_the_meter_s_stored_value() -> None:
    """Sungrow: SG counts whole kWh where SH counts tenths at the same address."""
    sh = profile(quantity="pv_energy", kind="inverter", unit="kWh", scale="0.1", link=", word_order: little")
    looks = [look(swapped(whole(6057, 2)) + swapped(whole(831, 2)), second) for second in (0, SECONDS)]
    alone = check(sh, looks)
    assert (alone.verdict, alone.unproven) == ("fits", ("energy", "power"))
    assert "compare with the display" in " ".join(alone.advice()).lower()
    pv = Fed("energy", "pv", "solar_generation", Decimal(6041), NOON - timedelta(days=1))
    found = check(sh, looks, Building(fed=(pv,)))
    assert (found.verdict, meant(found)) == ("does not fit", ["energy x 10"])
    assert because(found, "energy") == "less than 6,041 kWh, which meter pv showed on 2026-05-12 12:00 UTC"
    assert found.suggested[0].values() == "6,057 kWh, 831 W"


def test_the_map_of_a_sibling_model_shows_a_counter_that_falls() -> None:
    """EM24 and EM24_E1: at the address of one's counter stands the other's demand, which goes up and down."""
    em24 = profile("int32", "int32", unit="kWh", scale="0.1", link=", word_order: little")
    looks = [look(swapped(whole(value, 2)) + swapped(whole(831, 2)), at) for value, at in ((4120, 0), (3995, 10))]
    found = check(em24, looks)
    assert found.verdict == "does not fit"
    assert because(found, "energy") == "fell by 12.5 kWh in 10 seconds; a counter never falls"
    assert "as written" not in meant(found)


def test_a_device_that_is_connected_and_says_nothing_is_told_apart_from_a_quiet_one() -> None:
    found = check(profile(), [look([0] * 12), look([0] * 12, SECONDS)])
    assert (found.verdict, found.suggested) == ("does not fit", ())
    assert found.headline() == ("The profile does not fit: the device answers, but every register it gives is zero.")
    filled = [look([0xFFFF] * 12), look([0xFFFF] * 12, SECONDS)]
    assert "every register it gives is the same (0xFFFF)" in check(profile(), filled).headline()
    quiet = [look(whole(6_057_339, 2) + whole(0, 2), second) for second in (0, SECONDS)]
    assert check(profile(), quiet).verdict == "fits"


def test_a_device_that_refuses_every_register_gives_nothing() -> None:
    refused = Raw(NOON, (Registers(4, 0, (), "illegal data address (exception 2)", 12),))
    found = check(profile(), [refused])
    assert found.headline().endswith("the device answers, but gives nothing that was asked for.")
    assert "illegal data address" in because(found, "energy")
    other = Raw(NOON, messages=(Message("t/SENSOR", b'{"Time": "x", "SML": {}}', NOON),))
    assert check(load("tasmota.energy"), [other]).headline() == found.headline()


def test_a_spike_of_a_counter_between_two_looks_is_no_energy() -> None:
    """Growatt and SolarEdge: a lifetime counter jumps for one poll."""
    looks = [look(whole(6_057_339, 2) + whole(831, 2)), look(whole(9_057_339, 2) + whole(831, 2), SECONDS)]
    found = check(profile(), looks)
    assert found.verdict == "does not fit"
    assert because(found, "energy") == "rose by 3,000 kWh in 10 seconds, faster than anything here can"
    assert found.only_the_rise_is_against  # so the command looks once more before it says no


def test_a_negative_power_read_without_a_sign_is_found() -> None:
    looks = [look(whole(6_057_339, 2) + whole(-536, 2), second) for second in (0, SECONDS)]
    found = check(profile(power="uint32"), looks)
    assert (found.verdict, meant(found)) == ("does not fit", ["power read as signed numbers"])
    assert found.suggested[0].values() == "6,057.339 kWh, -536 W"


PHASES = "".join(
    f"  - {{id: power-l{phase}, quantity: active_power, unit: W, class: gauge, block: all, at: {2 + 2 * phase},"
    " type: float32}\n"
    for phase in (1, 2, 3)
)


def test_three_phases_add_up_to_the_total_or_the_profile_is_wrong() -> None:
    three = profile("float32", "float32", unit="kWh", more=PHASES)
    right = f32(6057.5) + f32(831) + f32(277) + f32(300) + f32(254)
    found = check(three, [look(right)])
    assert because(found, "power") == "the phases add up to 831 W"
    wrong = f32(6057.5) + f32(831) + f32(2770) + f32(300) + f32(254)
    found = check(three, [look(wrong)])
    assert (found.verdict, because(found, "power")) == (
        "does not fit",
        "the phases add up to 3,324 W, which is not this",
    )


def test_a_new_reading_cannot_be_far_above_the_stored_one() -> None:
    fed = Fed("energy", "el-A01", "electricity", Decimal("605.7"), NOON - timedelta(minutes=15))
    found = check(profile(), [look(whole(6_057_339, 2))], Building(fed=(fed,)))
    assert found.verdict == "does not fit"
    assert because(found, "energy").startswith("more than can have been added to 605.7 kWh, which meter el-A01 showed")
    assert meant(found) == ["energy x 0.1"]


def test_a_reading_that_follows_on_the_stored_one_proves_order_and_scale() -> None:
    fed = Fed("energy", "el-A01", "electricity", Decimal("6057.1"), NOON - timedelta(minutes=15))
    found = check(profile(), [look(whole(6_057_339, 2))], Building(fed=(fed,)))
    assert (found.verdict, found.suggested) == ("fits", ())
    assert because(found, "energy") == "follows on 6,057.1 kWh, which meter el-A01 showed on 2026-05-13 11:45 UTC"


def test_no_panel_works_in_the_dark() -> None:
    night = Building(sun=Sun(Decimal(-20), Decimal(0)))
    inverter = profile(quantity="pv_energy", kind="inverter")
    shining = check(inverter, [look(whole(6_057_339, 2) + whole(1200, 2))], night)
    assert shining.verdict == "does not fit"
    assert "20 degrees below the horizon" in because(shining, "power")
    assert check(inverter, [look(whole(6_057_339, 2) + whole(12, 2))], night).verdict == "fits"
    at_home = check(profile(), [look(whole(6_057_339, 2) + whole(1200, 2))], night)
    assert at_home.verdict == "fits"  # a meter of a flat works at night


def test_panels_give_no_more_than_the_sun_and_the_roof_s_best_quarter_hour_allow() -> None:
    inverter = profile(quantity="pv_energy", kind="inverter", power="int32")
    low = Building(sun=Sun(Decimal(8), Decimal("0.3")), peak_w=Decimal(13_000))
    found = check(inverter, [look(whole(6_057_339, 2) + whole(8310, 2))], low)
    assert because(found, "power") == "the sun stands 8 degrees high, for at most about 5,910 W here"
    assert found.verdict == "does not fit"
    assert meant(found)[0].startswith("power x 0.1")


def test_a_hybrid_inverter_is_not_blamed_for_its_battery() -> None:
    night = Building(sun=Sun(Decimal(-20), Decimal(0)))
    raw = load_raw(FOLDER / "fixtures" / "goodwe.et.json")
    assert check(load("goodwe.et"), [raw], night).verdict == "fits"


def test_a_flat_cannot_use_far_more_than_the_building_takes_in() -> None:
    house = Building(
        fed=(Fed("energy", "el-A01", "electricity"),), electricity=Balance(Decimal(5200), Decimal(4600), 60)
    )
    kilowatts = check(profile(power="uint16"), [look([*whole(6_057_339, 2), 41_500])], house)
    assert kilowatts.verdict == "does not fit"
    assert because(kilowatts, "power") == (
        "the building took in 5,200 W on average over the last 60 minutes, of which its other meters leave 600 W"
    )
    assert check(profile(power="uint16"), [look([*whole(6_057_339, 2), 4150])], house).verdict == "fits"


def test_a_counter_that_moves_in_jumps_of_a_hundred_is_understood() -> None:
    """Fronius: some total energies move in steps of 100 Wh."""
    looks = [look(whole(6_057_300, 2) + whole(2000, 2)), look(whole(6_057_400, 2) + whole(2000, 2), SECONDS)]
    assert check(profile(), looks).verdict == "fits"


def test_a_payload_of_text_is_judged_by_its_scale_only() -> None:
    def message(wh: int, second: float) -> Raw:
        at = NOON + timedelta(seconds=second)
        payload = f'{{"ENERGY": {{"Total": {wh}, "Power": 831}}}}'.encode()
        return Raw(at, messages=(Message("t/SENSOR", payload, at),))

    found = check(load("tasmota.energy"), [message(6_057_339, 0), message(6_057_362, 100)])
    assert meant(found) == ["energy x 0.001 (Wh taken for kWh?)"]


def test_where_nothing_fits_the_values_of_every_order_are_shown() -> None:
    words = [*swapped(whole(6_057_339, 2)), 0x7FFF, 0x7FFF]
    found = check(profile(unit="MWh"), [look(words), look([*words[:2], 0x7FFF, 0x7FFE], SECONDS)])
    assert (
        found.headline() == "Nothing fits, in whatever word order and on whatever scale: wrong profile or wrong unit?"
    )
    assert [one.what() for one in found.tried] == [
        "word order little",
        "byte order little",
        "word order little and byte order little",
    ]


def test_what_is_said_for_machines_names_the_numbers_to_write_down() -> None:
    looks = [look(swapped(whole(6_057_339 + wh, 2)) + swapped(whole(8310, 2)), wh) for wh in (0, 23)]
    tree = check(profile(unit="kWh", link=", byte_order: big"), looks).tree()
    assert tree["verdict"] == "does not fit"
    (first, *_) = tree["would_fit"]
    assert (first["word_order"], first["byte_order"], first["scale"]) == ("little", "big", {"energy": "0.001"})
    assert first["points"][0]["says"] == "6,057.362 kWh"


@pytest.mark.parametrize("name", published())
def test_every_recording_of_a_real_or_documented_device_fits_its_own_profile(name: str) -> None:
    found = check(load(name), [load_raw(Path(FOLDER) / "fixtures" / f"{name}.json")])
    assert found.verdict == "fits", list(found.written.lines())


@pytest.mark.parametrize(
    "raw",
    [
        Raw(NOON),
        Raw(NOON, (Registers(4, 0, (1,)),)),
        Raw(None, (Registers(4, 0, (1, 2, 3, 4)),)),
        Raw(NOON, documents=(Document("/", b"{}"),)),
    ],
)
def test_data_of_another_kind_is_no_fault_of_ours(raw: Raw) -> None:
    assert check(profile(), [raw, raw]).verdict in ("cannot tell", "does not fit")


@pytest.mark.parametrize(
    ("amount", "unit", "text"),
    [
        ("6057.339", "kWh", "6,057.339 kWh"),
        ("0.0023", "kWh", "2.3 Wh"),
        ("12", "1", "12"),
        ("2.4e-41", "kWh", "2e-41 kWh"),
        ("0", "W", "0 W"),
        ("-536.0", "W", "-536 W"),
        ("1000", "W", "1,000 W"),
    ],
)
def test_amounts_are_printed_for_people(amount: str, unit: str, text: str) -> None:
    assert amount_text(Decimal(amount), unit) == text
