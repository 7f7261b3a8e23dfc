"""A wrong profile gets one sentence with file, line and field."""

from __future__ import annotations

import pytest

from collector.catalogue import load, parse, published
from core.errors import BadInput

GOOD = """\
schema: 1
id: maker.meter
revision: 1
kind: electricity_meter
match: {vendor: Maker, models: [One]}
maturity: document-only
provenance: [{source: "the maker's list"}]
link: {transport: modbus-tcp}
blocks:
  - {id: all, function: 3, start: 100, count: 6}
points:
  - id: import
    quantity: electric_energy_import
    unit: Wh
    class: counter
    block: all
    at: 100
    type: uint32
  - {id: power, quantity: active_power, unit: kW, class: gauge, block: all, at: 104, type: float32}
"""


def test_a_good_profile_is_read() -> None:
    profile = parse(GOOD, "maker.meter.yaml")
    assert profile.point("power").at == 104
    assert profile.block("all").end == 106


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("revision: 1\n", "", "p.yaml:1: revision: this field is missing; add it."),
        ("kind: electricity_meter", "kind: toaster", "p.yaml:4: kind: 'toaster' is not possible here; choose"),
        ("    unit: Wh", "    unit: Joules", "p.yaml:14: points[0].unit: 'Joules' is not a unit; use one of"),
        ("    unit: Wh", "    unit: kg", "p.yaml:14: points[0].unit: electric_energy_import is reported in kWh, which"),
        ("quantity: electric_energy_import", "quantity: electric_energy_imprt", "nearest is 'electric_energy_import'."),
        ("    at: 100", "    at: 99", "p.yaml:17: points[0].at: registers 99 to 100 are not in block 'all'."),
        ("    at: 100", "    at: 70000", "p.yaml:17: points[0].at: '70000' is not an address; use 0 to 65535"),
        ("at: 104, type: float32", "at: 105, type: float32", "points[1].at: registers 105 to 106 are not in block"),
        ("    block: all\n", "", "p.yaml:12: points[0]: a register needs its 'block' and 'type'."),
        ("    at: 100\n", "    path: /a\n    at: 100\n", "p.yaml:12: points[0]: a point needs exactly one of"),
        ("id: power", "id: import", "points[0].id: 'import' is used twice."),
        ("    class: counter", "    class: counter\n    settlement: true", "points[0].settlement: only counters of a"),
        ("    class: counter", "    klass: counter", "points[0]."),
        ("link: {transport: modbus-tcp}", "link: {transport: mqtt}", "link.transport: an mqtt profile needs"),
        ("    type: uint32", "    type: uint32\n    status: {at: 200, good: [1]}", "points[0].status: the status"),
        ("function: 3", "function: 6", "blocks[0].function"),
        ("class: gauge", "class: counter", "points[1].class: active_power does not count up."),
        ("schema: 1\n", "schema: 1\nschema: 1\n", "p.yaml:2: 'schema' is written twice; keep one."),
    ],
)  # fmt: skip
def test_a_wrong_profile_is_one_sentence_with_file_line_and_field(old: str, new: str, sentence: str) -> None:
    assert old in GOOD
    with pytest.raises(BadInput) as caught:
        parse(GOOD.replace(old, new, 1), "p.yaml")
    message = str(caught.value)
    assert sentence in message
    assert message.startswith("p.yaml:")
    assert "\n" not in message


def test_an_unknown_profile_names_the_nearest() -> None:
    with pytest.raises(BadInput, match=r"^There is no profile '.*'; the nearest is 'sunspec\.inverter'\.$"):
        load("sunspec.invertor")


def test_a_profile_may_be_a_file_of_ones_own(tmp_path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD, encoding="utf-8")
    assert load(str(file)).id == "maker.meter"


@pytest.mark.parametrize("name", ["../secret", "", "a/b", "nope.yaml"])
def test_a_strange_name_is_no_profile(name: str) -> None:
    with pytest.raises(BadInput):
        load(name)


def test_a_file_is_named_after_its_profile() -> None:
    assert [load(name).id for name in published()] == published()
