"""First contact: whatever a device truly says, in whatever order and unit, that reading is never turned away."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from collector.catalogue import parse
from collector.evidence import Building, Fed
from collector.probe import check
from collector.raw import Raw, Registers
from collector.variants import FACTORS, Order
from tests.support.fielddevice import Words, f32, whole

NOON = datetime(2026, 5, 13, 12, tzinfo=UTC)
PROFILE = """
schema: 1
id: test.device
revision: 1
kind: {kind}
match: {{vendor: test, models: [one]}}
maturity: document-only
provenance: [{{source: test}}]
link: {{transport: modbus-tcp}}
blocks:
  - {{id: all, function: 4, start: 0, count: 4}}
points:
  - {{id: energy, quantity: {quantity}, unit: Wh, class: counter, block: all, at: 0, type: {counter}}}
  - {{id: power, quantity: active_power, unit: W, class: gauge, block: all, at: 2, type: {power}}}
"""
CARRIES_W = 250_000
LASTS_WH = 10**10


@dataclass(frozen=True)
class Truth:
    """A device that counts in ``energy`` Wh and ``power`` W a step: what it sends in two looks."""

    order: Order
    energy: Decimal
    power: Decimal
    counter: str
    gauge: str
    counts: tuple[int, int]
    watts: tuple[int, int]
    seconds: int

    def looks(self) -> Iterator[Raw]:
        for count, watts, after in zip(self.counts, self.watts, (0, self.seconds), strict=True):
            words = self.sent(count, self.counter) + self.sent(watts, self.gauge)
            yield Raw(NOON + timedelta(seconds=after), (Registers(4, 0, tuple(words)),))

    def sent(self, value: int, kind: str) -> Words:
        words = f32(value) if kind == "float32" else whole(value, 2)
        words = words if self.order.word == "big" else words[::-1]
        return words if self.order.byte == "big" else [int.from_bytes(word.to_bytes(2, "little")) for word in words]

    def kilowatt_hours(self) -> tuple[Decimal, ...]:
        return tuple(self.carried(count, self.counter) * self.energy / 1000 for count in self.counts)

    def shown_watts(self) -> tuple[Decimal, ...]:
        return tuple(self.carried(watts, self.gauge) * self.power for watts in self.watts)

    def carried(self, value: int, kind: str) -> Decimal:
        """What is left of a number in a register of a kind."""
        return Decimal(struct.unpack(">f", struct.pack(">f", value))[0]) if kind == "float32" else Decimal(value)


@st.composite
def truths(draw: st.DrawFn) -> Truth:
    sides: tuple[Literal["big", "little"], ...] = ("big", "little")
    order = Order(draw(st.sampled_from(sides)), draw(st.sampled_from(sides)))
    energy, power = draw(st.sampled_from(FACTORS)), draw(st.sampled_from(FACTORS))
    counter, gauge = draw(st.sampled_from(["uint32", "int32", "float32"])), draw(st.sampled_from(["int32", "float32"]))
    seconds = draw(st.integers(2, 600))
    most = min(int(CARRIES_W / power), 2**31 - 1)
    first = draw(st.integers(-most, most))
    later = int(first * draw(st.floats(0.5, 1)))
    mean_w = abs(first + later) / 2 * float(power)
    steps = mean_w * seconds / 3600 / float(energy)
    largest = min(int(LASTS_WH / energy), 2**31 - 1)
    assume(steps + 2 < largest)
    count = draw(st.integers(1, largest - int(steps) - 2))
    grown = count + int(steps + draw(st.floats(0, 0.999)))
    return Truth(order, energy, power, counter, gauge, (count, grown), (first, later), seconds)


kinds = st.sampled_from([("inverter", "pv_energy"), ("electricity_meter", "electric_energy_import")])


@settings(max_examples=60)
@given(truths(), kinds, st.sampled_from([None, 0, 1, 40]))
def test_the_true_order_and_scale_always_fit_and_so_no_wrong_one_can_fit_in_their_place(truth, kind, days):
    profile = parse(
        PROFILE.format(kind=kind[0], quantity=kind[1], counter=truth.counter, power=truth.gauge), "test.yaml"
    )
    looks = list(truth.looks())
    assume(len({word for look in looks for run in look.registers for word in run.values}) > 1)
    stored = Building()
    if days is not None:
        before = max(truth.kilowatt_hours()[0] - Decimal(days * 24), Decimal(0))
        stored = Building(fed=(Fed("energy", "m", "electricity", before, NOON - timedelta(days=days)),))
    found = check(profile, looks, stored)
    right = [
        one
        for one in (found.written, *found.others)
        if (one.heard["energy"].amounts, one.heard["power"].amounts) == (truth.kilowatt_hours(), truth.shown_watts())
    ]
    assert right
    assert right[0].verdict == "fits", right[0].reasons
    assert any(one.verdict == "fits" for one in (found.written, *found.suggested))


@settings(max_examples=60)
@given(truths(), kinds)
def test_a_profile_that_is_right_is_never_said_to_be_wrong(truth, kind):
    text = PROFILE.format(kind=kind[0], quantity=kind[1], counter=truth.counter, power=truth.gauge)
    order = f"{{transport: modbus-tcp, word_order: {truth.order.word}, byte_order: {truth.order.byte}}}"
    text = text.replace("{transport: modbus-tcp}", order)
    text = text.replace("at: 0,", f'at: 0, scale: "{truth.energy}",').replace(
        "at: 2,", f'at: 2, scale: "{truth.power}",'
    )
    looks = list(truth.looks())
    assume(len({word for look in looks for run in look.registers for word in run.values}) > 1)
    found = check(parse(text, "test.yaml"), looks)
    assert found.verdict == "fits"
    assert (found.written.changes, found.written.heard["energy"].amounts) == (0, truth.kilowatt_hours())


@settings(max_examples=60)
@given(st.lists(st.lists(st.integers(0, 0xFFFF), max_size=4), min_size=1, max_size=3), kinds)
def test_any_registers_get_an_answer_with_a_sentence(contents, kind):
    profile = parse(PROFILE.format(kind=kind[0], quantity=kind[1], counter="float32", power="int32"), "test.yaml")
    looks = [Raw(NOON + timedelta(seconds=i), (Registers(4, 0, tuple(words)),)) for i, words in enumerate(contents)]
    found = check(profile, looks)
    assert found.headline()[-1] in ".?:"
    assert all(one.verdict == "fits" and one.changes > 0 for one in found.suggested)
    assert found.tree()["verdict"] == found.verdict
