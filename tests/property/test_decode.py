"""Decoding never fails, never invents, and never rounds."""

from __future__ import annotations

import base64
import json
import struct
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from collector.catalogue import load, published
from collector.decode import Decoded, decode
from collector.intake import Intake
from collector.profile import Messages, Profile
from collector.quantities import reported
from collector.raw import Document, Message, Raw, Registers, dump, parse
from collector.registers import number
from collector.telegram import checksum
from core.community import Device, Silo, SiloSection
from core.communityfile import parse as parse_community
from core.errors import BadInput

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
PROFILES = [load(name) for name in published()]
SILO = Silo(
    sensor_mm=Decimal(3000),
    sections=(SiloSection(height_mm=Decimal(3000), bottom_m2=Decimal(0), top_m2=Decimal(6)),),
)
EMPTY = parse_community(
    """
community: small
name: Small
timezone: Europe/Amsterdam
owner: owner
flats: [{id: A01}]
households: []
meters: [{id: el, measures: electricity, flat: A01, unit: kWh}]
sharing: [{from: 2025-01-01, key: equal}]
tariffs: [{from: 2025-01-01, solar_eur_per_kwh: "0.18", vat_percent: {electricity: "21"}}]
"""
).community
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
    ["1e999999", "-0", "1" * 400, "nan", "2026-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "0" * 5000, "1e-99", ""]
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), odd_texts)
FIELDS = ["timestamp", "electricity_delivered_1", "electricity_delivered_2", "total_energy_consumption_kwh", "status"]
FIELDS += ["ENERGY", "Total", "Power", "pe1", "L_temp_act", "val", "factor", "params", "ts", "em:0", "data"]
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6)),
    max_leaves=12,
)
names = st.sampled_from(["eta", "value", "error", "x:value"])
texts = st.one_of(odd_texts, st.text("<>&;é \x00abc123.", max_size=8), st.integers().map(str))
xml = st.recursive(
    texts,
    lambda inner: st.builds(
        lambda name, unit, inside: f'<{name} scaleFactor="{unit}" unit="kg">{"".join(inside)}</{name}>',
        names,
        st.sampled_from(["10", "0", "1e9", "", "-1"]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=8,
)
bodies = st.one_of(
    st.binary(max_size=60),
    trees.map(lambda tree: json.dumps(tree).encode()),
    xml.map(lambda text: f'<eta scaleFactor="10">{text}</eta>'.encode(errors="replace")),
    st.sampled_from([b"[" * 100_000, b"\xff\xfe", b"", b"NaN", b'"\\ud800"', b'{"timestamp": 1e400}', b"1" * 9000]),
    st.sampled_from(
        [b"<a>" * 9000, b"<!DOCTYPE a><a/>", b"/x\r\n!0000", b"/" * 9000 + b"!" * 9000, b'{"uplink_message":'],
    ),
)
groups = st.sampled_from(
    ["(000004.426*kWh)", "(1*Wh)", "()", "(50)", "(260131120000W)", "(261025023000S)(1.5*GJ)", "(9999*kWh", "(*kWh)"]
)
CODES = ["1-3:0.2.8", "0-0:1.0.0", "0-0:96.1.1", "0-0:96.1.4", "1-0:1.8.1", "1-0:1.8.2", "1-0:2.8.1", "1-0:2.8.2"]
lines = st.builds(lambda code, group: f"{code}{group}", st.sampled_from(CODES), groups | st.text(max_size=5))
numbers = st.sampled_from(["673", "1.5", "-894", "0", "2.49865e+07", "nan", ""])
units = st.sampled_from(["kg", "°C"])
times = {
    "rfc3339": st.sampled_from(["2026-01-01T00:00:00.123456789Z", "2026-01-01T00:00:00+01:00", "2026-01-01", ""]),
    "unix_s": st.sampled_from([1767268800, "1767268800.5", 1e300, None]),
}


def telegrams(marks: list[str]) -> st.SearchStrategy[bytes]:
    """Telegrams that begin with these lines."""
    return st.builds(
        lambda found, clock, right: telegram([*marks, *([clock] if clock else []), *found], right=right),
        st.lists(lines, max_size=12),
        st.sampled_from(["0-0:1.0.0(260131120000W)", "0-0:1.0.0(260131120000W)", "0-0:1.0.0(269931120000W)", ""]),
        st.sampled_from([True, True, True, False]),
    )


uplinks = st.lists(
    st.sampled_from(["01755C", "03824408", "0382FFFF", "040001", "0400", "AA01", "20CE000000000100"]), max_size=4
).map("".join)


def telegram(found: list[str], *, right: bool) -> bytes:
    body = "\r\n".join(["/x", "", *found, "!"]).encode(errors="replace")
    return body + f"{checksum(body) ^ (not right):04X}\r\n".encode()


def pointers(profile: Profile) -> list[str]:
    """Every place of a document where a profile looks for values."""
    places = [place for item in profile.points for place in (item.path, item.scale_from, item.divide_from) if place]
    return places + list(profile.messages.dedupe if profile.messages is not None else ())


@st.composite
def aimed(draw, profile: Profile) -> bytes:
    """A document that has what the profile looks for, mostly: so that decoding gets far."""
    tree: dict[str, Any] = {}
    usual = st.sampled_from(["1.5", 7, 0, -1, [8.15, 0]])
    for pointer in pointers(profile):
        if draw(st.integers(0, 9)):
            place(tree, pointer, draw(st.one_of(usual, usual, scalars)))
    rule = profile.messages
    if rule is not None and rule.binary is not None:
        content = bytes.fromhex(draw(uplinks))
        place(tree, rule.binary.path, base64.b64encode(content).decode())
    if rule is not None and rule.time is not None:
        place(tree, rule.time, draw(times[rule.time_format]))
    for mark in profile.identify:
        # A device that is only told by what it is not has nothing there that it expects.
        place(tree, mark.path or "/", draw(st.sampled_from([*mark.equals, *mark.starts_with, *mark.not_equals])))
    return json.dumps(tree).encode()


def place(tree: dict[str, Any], pointer: str, value: object) -> None:
    *path, last = pointer.split("/")[1:]
    for part in path:
        inner = tree.get(part)
        if not isinstance(inner, dict):
            inner = tree[part] = {}
        tree = inner
    tree[last] = value


def contents(profile: Profile) -> st.SearchStrategy[bytes]:
    """Payloads for a profile: two of three are what it expects, or nearly so."""
    if profile.link.transport == "dsmr":
        marks = [f"{mark.obis}({(*mark.equals, *mark.starts_with)[0]})" for mark in profile.identify]
        aim = telegrams(marks)
    elif profile.link.transport == "http-xml":
        aim = st.builds(
            lambda unit, text: f'<eta><value unit="{unit}" scaleFactor="10">{text}</value></eta>'.encode(),
            units,
            numbers,
        )
    elif any(point.scalar for point in profile.points):
        aim = numbers.map(str.encode)
    else:
        aim = aimed(profile)
    return st.one_of(aim, aim, bodies)


def topics(profile: Profile) -> st.SearchStrategy[str]:
    return st.sampled_from(["t", *(f"x/{topic}" for topic in profile.topics)])


def printed(found: Decoded) -> str:
    return json.dumps([item.line() for item in (*found.values, *found.refused)])


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.id)
def test_every_profile_has_documents_aimed_at_it(profile: Profile) -> None:
    @settings(max_examples=2, phases=[Phase.generate], database=None)
    @given(aimed(profile))
    def looks(content: bytes) -> None:
        assert isinstance(json.loads(content), dict)

    looks()


@given(st.sampled_from(PROFILES), st.data())
def test_no_input_makes_the_decoder_fail(profile, data):
    contents_of = st.lists(contents(profile), max_size=2)
    raw = Raw(
        AT,
        tuple(data.draw(st.lists(runs, max_size=6))) if profile.blocks or profile.sunspec else (),
        tuple(
            Message(data.draw(topics(profile)), content, AT, retained=data.draw(st.booleans()))
            for content in data.draw(contents_of)
        ),
        tuple(
            Document(data.draw(st.sampled_from(["/", *profile.link.requests])), content)
            for content in data.draw(contents_of)
        ),
        silo=data.draw(st.sampled_from([None, SILO])),
    )
    found = decode(raw, profile)
    assert printed(found)
    points = {point.id for point in profile.points if not point.internal}
    seen = {value.point for value in found.values} | {refusal.point for refusal in found.refused}
    assert seen == points or (seen < points and len(profile.topics) > 1)
    assert all(value.time.tzinfo is not None for value in found.values)
    for value in found.values:
        counter = next(point for point in profile.points if point.id == value.point).kind == "counter"
        assert value.value is None or value.value.is_finite()
        assert not counter or value.value is None or value.value >= 0


@given(st.sampled_from(["full", "delta"]), st.sampled_from(["", "/list", None]), st.data())
def test_no_list_or_delta_makes_the_decoder_fail(merge, each, data):
    rule = Messages(merge=merge, each=each, time=data.draw(st.sampled_from([None, "/t"])), time_format="unix_s")
    profile = next(item for item in PROFILES if item.id == "homewizard.p1")
    profile = profile.model_copy(
        update={"messages": rule, "link": profile.link.model_copy(update={"transport": "mqtt"})}
    )
    entry = st.dictionaries(st.sampled_from(["total_power_import_kwh", "active_power_w", "t"]), scalars)
    entries = data.draw(st.lists(entry | scalars, max_size=4))
    whole = data.draw(st.sampled_from([entries, {"list": entries, "t": 1767268800}, *entries]))
    found = decode(Raw(AT, messages=(Message("t", json.dumps(whole).encode(), AT),)), profile)
    assert printed(found)
    assert all(refusal.code != "unchanged" or merge == "delta" for refusal in found.refused)


@given(st.sampled_from([item for item in PROFILES if item.link.transport in ("mqtt", "dsmr")]), st.data())
def test_no_message_makes_the_intake_fail(profile, data):
    """Whatever comes on any of its topics, also on that of its availability, is taken, told or kept."""
    device = Device(id="d", profile=profile.id, link="mqtt:x", silo=SILO)
    intake = Intake(device, EMPTY)
    availability = profile.messages.availability.topic if profile.messages and profile.messages.availability else "t"
    for _ in range(data.draw(st.integers(1, 4))):
        topic = data.draw(st.one_of(topics(profile), st.just(f"x/{availability}")))
        content = data.draw(st.one_of(contents(profile), st.sampled_from([b"online", b"0", b'{"state":"offline"}'])))
        flags = {name: data.draw(st.booleans()) for name in ("retained", "duplicate")}
        delivery = intake.from_message(Message(topic, content, AT, **flags), AT)
        assert delivery.readings == ()
        assert all(letter.payload == content for letter in delivery.dead_letters)
        assert all(measurement.time.tzinfo is not None for measurement in delivery.measurements)


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
