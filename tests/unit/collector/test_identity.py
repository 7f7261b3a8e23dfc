"""A device says who it is before any of its values is believed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from collector.catalogue import parse
from collector.decode import Decoded, decode
from collector.raw import Raw, Registers

METER = """\
schema: 1
id: maker.meter
revision: 1
kind: electricity_meter
match: {{vendor: Maker, models: [One]}}
maturity: document-only
provenance: [{{source: "the maker's list"}}]
link: {{transport: modbus-tcp}}
identify: [{{block: all, at: 100, type: uint16, {mark}}}]
blocks: [{{id: all, function: 3, start: 100, count: 3}}]
points:
  - {{id: import, quantity: electric_energy_import, unit: Wh, class: counter, block: all, at: 101, type: uint32}}
"""
SOLAREDGE = """\
schema: 1
id: maker.roof
revision: 1
kind: inverter
match: {vendor: Maker, models: [One]}
maturity: document-only
provenance: [{source: "the public models"}]
link: {transport: modbus-tcp}
sunspec: {bases: [0]}
identify: [{sunspec: ["1:Mn"], starts_with: [Maker]}]
points:
  - {id: serial, quantity: serial_number, class: text, sunspec: ["1:SN"]}
"""
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def meter(mark: str, code: int) -> Decoded:
    profile = parse(METER.format(mark=mark), "p.yaml")
    return decode(Raw(NOON, (Registers(3, 100, (code, 0, 5)),)), profile)


def words(text: str, length: int) -> list[int]:
    content = text.encode().ljust(2 * length, b"\0")
    return [int.from_bytes(content[at : at + 2], "big") for at in range(0, 2 * length, 2)]


@pytest.mark.parametrize(
    ("mark", "right", "wrong", "expected"),
    [
        ("equals: ['7']", 7, 8, "7"),
        ("equals: ['0x0007', '9']", 9, 8, "0x0007 or 9"),
        ("equals: ['1', '2', '3', '4', '5']", 5, 6, "1 or 2 or 3 or one of 2 more"),
        ("starts_with: ['16']", 1648, 71, "16..."),
        ("not_equals: ['0x0E03', '8']", 7, 0x0E03, "none of the codes of the other kind"),
    ],
)
def test_another_device_is_named_and_none_of_its_values_is_taken(
    mark: str, right: int, wrong: int, expected: str
) -> None:
    assert [value.point for value in meter(mark, right).values] == ["import"]
    found = meter(mark, wrong)
    assert not found.values
    (refusal,) = found.refused
    assert (refusal.code, refusal.reason) == (
        "identity",
        f"this is another device: register 100 says '{wrong}', expected {expected}",
    )


def test_a_mark_that_was_not_answered_is_no_proof() -> None:
    found = decode(Raw(NOON, (Registers(3, 101, (0, 5)),)), parse(METER.format(mark="equals: ['7']"), "p.yaml"))
    assert [(refusal.code, refusal.reason) for refusal in found.refused] == [
        ("missing", "register 100 was not in the reply")
    ]


@pytest.mark.parametrize(
    ("maker", "length", "reason"),
    [
        ("Maker BV", 66, None),
        ("Maker BV", 65, None),
        ("Other", 66, "this is another device: SunSpec 1:Mn says 'Other', expected Maker..."),
        ("", 66, "the text is empty"),
        ("Maker BV", 40, "the device's model 1 ends before SN"),
    ],
)
def test_the_texts_of_the_common_model_are_read(maker: str, length: int, reason: str | None) -> None:
    common = [*words(maker, 16), *words("One", 16), *words("", 16), *words("S-1", 16), 0, 0][:length]
    answer = Registers(3, 0, (0x5375, 0x6E53, 1, length, *common, 0xFFFF, 0))
    found = decode(Raw(NOON, (answer,)), parse(SOLAREDGE, "p.yaml"))
    assert [value.text for value in found.values] == ([] if reason else ["S-1"])
    assert [refusal.reason for refusal in found.refused] == ([reason] if reason else [])
