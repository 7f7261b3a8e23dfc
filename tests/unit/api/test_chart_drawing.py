"""Bar charts: true to their numbers, readable without colour, eyes or a mouse."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from fractions import Fraction
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from api.pages.charts import Bar, Chart, scale, svg
from api.pages.words import Words

WORDS = Words("nl", ZoneInfo("Europe/Amsterdam"))
KWH = 1_000_000


def drawn(*bars: Bar) -> ET.Element:
    return ET.fromstring(str(svg(Chart("day", "Vandaag <per uur>", "Elke balk is één uur.", bars), WORDS)))


def boxes(root: ET.Element, kind: str) -> list[ET.Element]:
    return [element for element in root.iter("rect") if element.get("class") == kind]


def test_a_chart_has_a_title_and_a_description_that_its_label_names() -> None:
    root = drawn(Bar("0", "00:00", KWH, KWH))
    ids = {element.get("id"): element.text for element in root.iter() if element.get("id")}
    named = (root.get("aria-labelledby") or "").split()
    assert [ids[name] for name in named] == ["Vandaag <per uur>", "Elke balk is één uur."]
    assert root.get("role") == "img"


def test_the_heights_of_a_bar_are_in_the_ratio_of_its_numbers() -> None:
    root = drawn(Bar("", "a", 3 * KWH, KWH), Bar("", "b", 6 * KWH, 0))
    first, second = (float(box.get("height") or 0) for box in boxes(root, "sun"))
    assert abs(second - 2 * first) < 0.05
    (grid,) = boxes(root, "grid")
    assert abs(float(grid.get("height") or 0) - first / 3) < 1  # its outline takes half a unit on either side


def test_nothing_known_draws_nothing_and_zero_draws_nothing() -> None:
    root = drawn(Bar("0", "a", None, None), Bar("", "b", 0, 0), Bar("", "c", KWH, 0))
    assert len(boxes(root, "sun")) == 1
    assert not boxes(root, "grid")


def test_an_estimate_is_hatched_and_a_measurement_is_not() -> None:
    root = drawn(Bar("", "a", KWH, KWH, estimated=True), Bar("", "b", KWH, KWH))
    (hatched,) = boxes(root, "estimated")
    assert hatched.get("fill") == "url(#day-hatch)"


def test_every_bar_tells_its_numbers_to_the_pointer() -> None:
    root = drawn(Bar("", "14:00\N{EN DASH}15:00", KWH // 2, KWH))
    assert "14:00\N{EN DASH}15:00: dak 0,5\N{NO-BREAK SPACE}kWh, net 1,0\N{NO-BREAK SPACE}kWh" in [
        e.text for e in root.iter()
    ]


def test_nothing_in_a_chart_needs_an_inline_style() -> None:
    text = str(svg(Chart("day", "t", "d", [Bar("0", "a", KWH, KWH, estimated=True)]), WORDS))
    assert "style" not in text


def test_an_empty_chart_still_has_an_axis() -> None:
    assert [element.get("class") for element in drawn().iter("path")].count("axis") == 1


@given(st.integers(0, 10**12))
def test_the_axis_always_reaches_the_highest_bar_with_at_most_four_lines(most: int) -> None:
    step, count = scale(most)
    assert 1 <= count <= 4
    assert step * count * KWH >= most
    assert str(step.limit_denominator(10**6).numerator).rstrip("0") in ("1", "2", "5") or step == Fraction(1, 50)
