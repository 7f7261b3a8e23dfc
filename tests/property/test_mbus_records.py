"""M-Bus: every number exact, equal to an independent reading, and no bytes that make it fail."""

from __future__ import annotations

import struct
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction

import meterbus
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.mbus import telegram_of
from collector.refusal import NoValue
from tests.support.mbusframes import bcd, frame, record

KINDS = {
    **{0x00 + n: ("energy_wh", Fraction(10) ** (n - 3)) for n in range(8)},
    **{0x10 + n: ("volume", Fraction(10) ** (n - 6)) for n in range(8)},
    **{0x28 + n: ("power", Fraction(10) ** (n - 3)) for n in range(8)},
    **{0x38 + n: ("volume_flow", Fraction(10) ** (n - 6)) for n in range(8)},
    **{0x58 + n: ("flow_temperature", Fraction(10) ** (n - 3)) for n in range(4)},
    **{0x5C + n: ("return_temperature", Fraction(10) ** (n - 3)) for n in range(4)},
}
SIZES = {1: 1, 2: 2, 3: 3, 4: 4, 6: 6, 7: 8}
DIGITS = {9: 2, 10: 4, 11: 6, 12: 8, 14: 12}


@st.composite
def records(draw):
    """A record's bytes, and what it says: kind, function, storage, tariff, subunit and the exact value."""
    vif = draw(st.sampled_from(sorted(KINDS)))
    kind, factor = KINDS[vif]
    code = draw(st.sampled_from([*SIZES, *DIGITS]))
    if code in SIZES:
        bits = 8 * SIZES[code]
        number = draw(st.integers(-(2 ** (bits - 1)) + 1, 2 ** (bits - 1) - 1))
        data = number.to_bytes(SIZES[code], "little", signed=True)
    else:
        number = draw(st.integers(0, 10 ** DIGITS[code] - 1))
        data = bcd(number, DIGITS[code])
    function = draw(st.integers(0, 3))
    place = {"storage": draw(st.integers(0, 40)), "tariff": draw(st.integers(0, 3)), "subunit": draw(st.integers(0, 1))}
    said = (kind, ("instantaneous", "maximum", "minimum", "error")[function], *place.values(), number * factor)
    return record(code | function << 4, vif, data, **place), said


@settings(max_examples=100)
@given(st.lists(records(), max_size=6))
def test_every_record_is_read_exactly_and_as_an_independent_reader_reads_it(made):
    content = frame(b"".join(part for part, _ in made))
    found = telegram_of([content]).records
    assert [
        (item.kind, item.function, item.storage, item.tariff, item.subunit, Fraction(item.value)) for item in found
    ] == [said for _, said in made]
    independent = meterbus.TelegramLong.parse(list(content)).records
    assert len(independent) == len(found)
    for ours, theirs, (_, said) in zip(found, independent, made, strict=True):
        assert ours.storage == theirs.interpreted["storage_number"]
        assert float(theirs.parsed_value) == pytest.approx(float(said[-1]), rel=1e-9)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_is_exact_and_carries_its_resolution(number):
    ((found),) = telegram_of([frame(record(5, 0x2B, struct.pack("<f", number)))]).records
    assert found.value == Decimal(number)
    assert found.resolution is not None
    assert found.resolution > 0


@given(st.binary(max_size=120))
def test_no_data_makes_the_reader_fail(data):
    for item in telegram_of([frame(data)]).records:
        assert item.value is None or item.value.is_finite()


@given(st.binary(max_size=80))
def test_any_bytes_are_a_frame_or_refused(content):
    with suppress(NoValue):
        assert telegram_of([content]).identity
