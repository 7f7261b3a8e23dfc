"""Decoding never fails, never invents, and never rounds."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.catalogue import load, published
from collector.decode import Decoded, decode
from collector.quantities import reported
from collector.raw import Document, Message, Raw, Registers, dump, parse
from collector.registers import number
from core.errors import BadInput

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
PROFILES = [load(name) for name in published()]
words = st.integers(0, 0xFFFF)

interesting = st.sampled_from([0, 0xFFFF, 0x8000, 0x7FC0, 0x5375, 0x6E53, 103, 50, 113, 60, 701, 153, 1, 66])
starts = st.sampled_from([0, 40000, 40002, 40069, 8197, 9661, 35100, 3203, 0x48, 65500]) | st.integers(0, 65000)
runs = st.builds(
    Registers,
    st.sampled_from([3, 4]),
    starts,
    st.lists(st.one_of(words, interesting), max_size=30).map(tuple),
    st.none() | st.text(max_size=5),
)
odd_texts = st.sampled_from(
    ["1e999999", "-0", "1" * 400, "nan", "2026-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "0" * 5000]
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), odd_texts)
FIELDS = ["timestamp", "electricity_delivered_1", "electricity_delivered_2", "total_energy_consumption_kwh", "status"]
FIELDS += ["ENERGY", "Total", "Power", "pe1", "L_temp_act", "val", "factor"]
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6)),
    max_leaves=12,
)
bodies = st.one_of(
    st.binary(max_size=60),
    trees.map(lambda tree: json.dumps(tree).encode()),
    st.sampled_from([b"[" * 100_000, b"\xff\xfe", b"", b"NaN", b'"\\ud800"', b'{"timestamp": 1e400}', b"1" * 9000]),
)


def printed(found: Decoded) -> str:
    return json.dumps([item.line() for item in (*found.values, *found.refused)])


@given(st.sampled_from(PROFILES), st.lists(runs, max_size=6), st.lists(bodies, max_size=2))
def test_no_input_makes_the_decoder_fail(profile, registers, contents):
    raw = Raw(
        AT,
        tuple(registers),
        tuple(Message("t", content, AT) for content in contents),
        tuple(Document("/", content) for content in contents),
    )
    found = decode(raw, profile)
    assert printed(found)
    points = {point.id for point in profile.points if not point.internal}
    assert {value.point for value in found.values} | {refusal.point for refusal in found.refused} == points
    assert all(value.time.tzinfo is not None for value in found.values)
    for value in found.values:
        counter = next(point for point in profile.points if point.id == value.point).kind == "counter"
        assert value.value is None or value.value.is_finite()
        assert not counter or value.value is None or value.value >= 0


@given(st.sampled_from(PROFILES), st.text(max_size=200) | bodies.map(lambda body: body.decode("latin-1")))
def test_any_text_is_a_recording_or_one_sentence(profile, text):
    try:
        raw = parse(text, "f.json")
    except BadInput as error:
        sentence = str(error)
        assert sentence.endswith(".")
        assert "\n" not in sentence
    else:
        assert printed(decode(raw, profile))


@given(st.lists(runs, max_size=4))
def test_a_recording_reads_back_as_it_was(registers):
    raw = Raw(AT, tuple(registers), (Message("a/b", b"\xff\x00", AT, retained=True), Message("c", b"1", None)))
    back = parse(json.dumps(dump(raw)), "f.json")
    assert [(run.function, run.start, run.values, run.error) for run in back.registers] == [
        (run.function, run.start, run.values, run.error) for run in raw.registers
    ]
    assert [message.payload for message in back.messages] == [b"\xff\x00", b"1"]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_register_is_exact_and_its_resolution_is_the_distance_to_the_next(value):
    bits = struct.unpack(">HH", struct.pack(">f", value))
    found = number(bits, "float32")
    assert found.value == Decimal(value)
    assert found.resolution is not None
    following = struct.unpack(">f", (found.bits + 1).to_bytes(4, "big"))[0]
    if abs(following) != float("inf"):
        assert Fraction(found.resolution) == abs(Fraction(following) - Fraction(value))


@given(st.sampled_from(["int16", "uint16", "int32", "uint32", "int64", "uint64"]), st.binary(min_size=8, max_size=8))
@pytest.mark.parametrize("byte_order", ["big", "little"])
@pytest.mark.parametrize("word_order", ["big", "little"])
def test_word_and_byte_order_mean_what_they_say(word_order, byte_order, kind, content):
    size = {"16": 2, "32": 4, "64": 8}[kind[-2:]]
    content = content[:size]
    expected = int.from_bytes(content, "big", signed=kind.startswith("int"))
    sent = [content[i : i + 2] for i in range(0, size, 2)]
    sent = [pair if byte_order == "big" else pair[::-1] for pair in sent]
    ordered = sent if word_order == "big" else sent[::-1]
    registers = tuple(int.from_bytes(pair, "big") for pair in ordered)
    assert number(registers, kind, word_order=word_order, byte_order=byte_order).value == expected


@given(
    st.decimals(-(10**14), 10**14, allow_nan=False, allow_infinity=False),
    st.sampled_from(["Wh", "kWh", "MWh", "kW", "t", "l"]),
)
def test_decimal_units_are_converted_without_rounding(value, unit):
    factors = {"Wh": Fraction(1, 1000), "kWh": 1, "MWh": 1000, "kW": 1000, "t": 1000, "l": Fraction(1, 1000)}
    assert Fraction(reported(value, unit)) == Fraction(value) * factors[unit]


@given(st.decimals(0, 10**12, places=3))
def test_a_gigajoule_is_printed_in_kwh_to_the_nearest_milliwatt_hour(value):
    exact = Fraction(value) * 10000 / 36
    shown = reported(value, "GJ")
    assert abs(Fraction(shown) - exact) <= Fraction(1, 2 * 10**6)
    assert shown.as_tuple().exponent == -6
