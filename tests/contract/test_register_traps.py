"""Devices that fool those who read them carelessly, one by one."""

from __future__ import annotations

from decimal import Decimal

import pytest

from collector.catalogue import load
from collector.decode import Decoded, decode
from tests.support.registermap import answered, itself, text_words, words_of

Place = tuple[str, int]


def read(name: str, given: dict[Place, list[int]]) -> Decoded:
    """Decode what a device of this profile answers; zeros where nothing is given."""
    profile = load(name)
    return decode(answered(profile, itself(profile) | given), profile)


def value(found: Decoded, point: str) -> Decimal | str | None:
    """Return what a point says, or None if it was refused."""
    item = next((item for item in found.values if item.point == point), None)
    return None if item is None else item.text if item.value is None else item.value


def reason(found: Decoded, point: str) -> str | None:
    """Return why a point was refused."""
    return next((refusal.reason for refusal in found.refused if refusal.point == point), None)


@pytest.mark.parametrize(
    ("name", "block", "at", "order"),
    [
        ("sungrow.sg", "energy", 5003, "little"),
        ("sungrow.sh", "running", 13002, "little"),
        ("gavazzi.em24", "energy", 0x3E, "little"),
        ("gavazzi.em24_e1", "import", 0x34, "little"),
        ("goodwe.et", "running", 35191, "big"),
        ("growatt.min", "running", 55, "big"),
        ("huawei.sun2000", "energy", 32106, "big"),
        ("victron.grid", "energy", 2634, "big"),
    ],
)
def test_the_two_words_of_a_number_are_put_together_in_the_maker_s_order(
    name: str, block: str, at: int, order: str
) -> None:
    counter = load(name).points[0].id
    unit = load(name).points[0].scale / (load(name).points[0].divide or 1)
    marks = {("application", 0xA000): [7]} if name == "gavazzi.em24_e1" else {}
    assert value(read(name, marks | {(block, at): words_of(0x00012345, 2, order)}), counter) == 0x12345 * unit


def test_a_goodwe_without_a_lifetime_counter_keeps_its_643_watts() -> None:
    found = read("goodwe.dt", {("running", 30127): [0, 643], ("running", 30145): [0xFFFF, 0xFFFF]})
    assert value(found, "power") == 643
    assert reason(found, "pv") == "not implemented value 0xFFFFFFFF"


def test_the_grid_counters_of_a_goodwe_that_does_not_hear_its_meter_or_keeps_them_elsewhere_are_not_zero() -> None:
    unheard = read("goodwe.et", {("meter", 36004): [0], ("meter", 36017): [0x4A46, 0xA2F9]})
    assert reason(unheard, "grid-import") == "the device marks this value as bad (status 0)"
    newer = read("goodwe.et", {("meter", 36004): [1], ("meter-64", 36004): [1], ("meter-64", 36123): [15]})
    assert reason(newer, "grid-import") == "zero, which this device shows when it has no value"
    assert value(newer, "grid-import-64") == Decimal("0.15")


def test_minus_one_of_a_froeling_is_a_register_it_does_not_have() -> None:
    found = read("froeling.lambdatronic", {("boiler", 0): [142], ("heat", 170): [0xFFFF], ("outdoor", 1000): [0xFFFE]})
    assert reason(found, "heat") == "not implemented value 0xFFFF"
    assert value(found, "boiler") == 71
    assert value(found, "outdoor") == -1  # raw -2, in halves: a cold day, and no sign for anything


@pytest.mark.parametrize(
    ("given", "point"),
    [
        ({("running", 32080): [0x7FFF, 0xFFFF]}, "power"),
        ({("energy", 32106): [0xFFFF, 0xFFFF]}, "pv"),
        ({("running", 32089): [0xFFFF]}, "status"),
        ({("meter", 37119): [0x7FFF, 0xFFFF]}, "grid-export"),
    ],
)
def test_the_signs_of_a_huawei_for_no_value_are_no_values(given: dict[Place, list[int]], point: str) -> None:
    found = read("huawei.sun2000", {("meter", 37100): [1]} | given)
    assert value(found, point) is None
    assert str(reason(found, point)).startswith("not implemented value 0x")


def test_what_a_huawei_exported_counts_up_although_it_comes_below_zero() -> None:
    later = [
        value(
            read("huawei.sun2000", {("meter", 37100): [1], ("meter", 37119): words_of(raw % 2**32, 2, "big")}),
            "grid-export",
        )
        for raw in (-100, -101, 102)
    ]
    assert later == [Decimal("1.00"), Decimal("1.01"), Decimal("1.02")]


def test_the_same_sungrow_address_means_other_things_on_a_hybrid_and_is_refused_there() -> None:
    energy = {("energy", 5003): [0xE240, 0x0001]}
    assert value(read("sungrow.sg", energy | {("identity", 4999): [0x2433]}), "pv") == 123456
    hybrid = read("sungrow.sg", energy | {("identity", 4999): [0x0E03]})
    assert not hybrid.values
    assert str(reason(hybrid, "pv")).startswith("this is another device: register 4999 says '3587'")


def test_what_is_a_hybrid_for_the_one_sungrow_profile_is_none_for_the_other() -> None:
    assert load("sungrow.sg").identify[0].not_equals == load("sungrow.sh").identify[0].equals


@pytest.mark.parametrize(("name", "code"), [("gavazzi.em24", 1648), ("gavazzi.em24_e1", 71)])
def test_the_two_maps_of_an_em24_are_never_mixed_up(name: str, code: int) -> None:
    found = read(name, {("identity", 0x0B): [code], ("application", 0xA000): [7]})
    assert not found.values
    assert {refusal.code for refusal in found.refused} == {"identity"}


def test_an_em24_is_not_settled_on_the_counter_that_anyone_can_reset() -> None:
    profile = load("gavazzi.em24")
    assert profile.point("import").at == 0x3E
    assert not profile.point("import").may_reset
    assert profile.point("import-partial").may_reset


def test_a_counter_of_16_bits_goes_round_and_its_profile_says_where() -> None:
    profile = load("victron.solarcharger")
    before, after = (read("victron.solarcharger", {("running", 790): [raw]}) for raw in (65535, 1))
    end = profile.point("pv-fine").wrap
    last, first = value(before, "pv-fine"), value(after, "pv-fine")
    assert isinstance(last, Decimal)
    assert isinstance(first, Decimal)
    assert end is not None
    assert first + end - last == Decimal("0.2")  # two steps of 0.1 kWh, over the edge


def test_a_16_bit_counter_of_a_victron_that_overflows_at_655_kwh_is_not_read() -> None:
    profile = load("victron.pvinverter")
    asked = {at for block in profile.blocks for at in range(block.start, block.end)}
    assert not asked & {1030, 1034, 1038}
    assert value(read("victron.pvinverter", {("energy", 1046): words_of(65536, 2, "big")}), "pv") == Decimal("655.36")


@pytest.mark.parametrize(
    ("name", "block", "at", "words", "step"),
    [
        ("janitza.umg604", "import", 9851, [0x4B80, 0x0001], "2"),  # 16 777 218 Wh
        ("janitza.umg96rm", "import", 19068, [0x4B7F, 0xFFFF], "1"),  # 16 777 215 Wh
        ("eastron.sdm630", "energy", 0x48, [0x47C3, 0x5000], "0.0078125"),  # 100 000 kWh
        ("eastron.sdm120", "energy", 0x48, [0x449A, 0x5000], "0.0001220703125"),  # 1234.5 kWh
    ],
)
def test_a_counter_in_a_float_says_how_coarse_it_is(
    name: str, block: str, at: int, words: list[int], step: str
) -> None:
    found = read(name, {(block, at): words})
    item = next(item for item in found.values if item.point == "import")
    assert item.resolution == Decimal(step)


def test_a_dongle_that_answers_in_the_place_of_its_inverter_is_not_believed() -> None:
    found = read("huawei.sun2000", {("identity", 30000): text_words("SDongleA-05", 15), ("energy", 32106): [0, 5]})
    assert not found.values
    assert str(reason(found, "pv")).endswith("register 30000 says 'SDongleA-05', expected SUN2000...")


def test_what_a_victron_does_not_have_looks_like_zero_and_is_refused() -> None:
    found = read("victron.grid", {("energy", 2634): [0, 100]})
    assert value(found, "import") == 1
    assert reason(found, "export") == "zero, which this device shows when it has no value"


def test_devices_are_asked_with_the_manners_they_need() -> None:
    for name in ("solaredge.inverter", "sunspec.inverter", "huawei.sun2000", "sungrow.sh", "goodwe.et"):
        assert load(name).link.exclusive
    huawei = load("huawei.sun2000").link
    assert huawei.connect_delay is not None
    assert huawei.connect_delay.total_seconds() >= 1
    assert (huawei.max_registers, load("froeling.lambdatronic").link.max_registers) == (64, 122)
    assert (load("growatt.min").link.max_registers, load("eastron.sdm120").link.max_registers) == (100, 80)
