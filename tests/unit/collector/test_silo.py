"""Kilograms from a distance, against solids whose volume is known otherwise."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from collector.refusal import NoValue
from collector.silo import stock_kg
from core.community import Silo, SiloSection

tenths = st.integers(1, 50_000).map(lambda number: Decimal(number).scaleb(-1))
areas = st.integers(1, 2_000).map(lambda number: Decimal(number).scaleb(-2))
densities = st.integers(500, 750).map(Decimal)


def silo(sensor: Decimal, density: Decimal, *sections: tuple[Decimal, Decimal, Decimal]) -> Silo:
    parts = tuple(SiloSection(height_mm=height, bottom_m2=low, top_m2=high) for height, low, high in sections)
    return Silo(sensor_mm=sensor, sections=parts, kg_per_m3=density)


def to_gram(kilograms: Fraction) -> Fraction:
    return Fraction(round(kilograms * 1000), 1000)


@given(tenths, tenths, areas, densities)
def test_a_box_holds_base_times_height(height, empty, base, density):
    box = silo(height, density, (height, base, base))
    distance = min(empty, height)
    filled = (Fraction(height) - Fraction(distance)) / 1000
    assert Fraction(stock_kg(distance, box)) == to_gram(filled * Fraction(base) * Fraction(density))


@given(tenths, st.fractions(0, 1, max_denominator=1000), st.integers(1, 400), st.integers(1, 400), densities)
def test_a_wedge_holds_half_of_the_box_around_what_is_filled(height, share, width_cm, length_cm, density):
    """A floor that slopes to an edge: the filled part is a triangular prism similar to the whole."""
    distance = Decimal(int(Fraction(height) * share * 10)).scaleb(-1)
    top = Decimal(width_cm * length_cm).scaleb(-4)
    filled = (Fraction(height) - Fraction(distance)) / 1000
    width = Fraction(width_cm, 100) * filled / (Fraction(height) / 1000)
    volume = filled * width * Fraction(length_cm, 100) / 2
    wedge = silo(height, density, (height, Decimal(0), top))
    assert Fraction(stock_kg(distance, wedge)) == to_gram(volume * Fraction(density))


@given(tenths, tenths, areas, areas, densities, st.fractions(0, 1, max_denominator=1000))
def test_a_section_may_be_cut_in_two_at_any_height(height, sensor_above, low, high, density, share):
    """What is full below the cut and what is above it add up to the uncut section."""
    cut = max(Decimal("0.1"), Decimal(int(Fraction(height) * share * 10)).scaleb(-1))
    assume(cut < height)
    middle = Fraction(low) + (Fraction(high) - Fraction(low)) * Fraction(cut) / Fraction(height)
    assume((middle * 10**6).denominator == 1)
    between = Decimal(middle.numerator) / Decimal(middle.denominator)
    sensor = height + sensor_above
    whole = silo(sensor, density, (height, low, high))
    pieces = silo(sensor, density, (cut, low, between), (height - cut, between, high))
    assert stock_kg(sensor_above, whole) == stock_kg(sensor_above, pieces)


@given(tenths, tenths, areas, areas)
def test_more_air_never_means_more_pellets(height, distance, low, high):
    shape = silo(height, Decimal(650), (height, low, high))
    near, far = sorted((min(distance, height), height / 2))
    assert stock_kg(near, shape) >= stock_kg(far, shape)


FUNNEL = silo(
    Decimal(3000), Decimal(650), (Decimal(1000), Decimal(2), Decimal(6)), (Decimal(2000), Decimal(6), Decimal(6))
)


def test_a_room_with_sloped_floors_is_a_funnel_and_a_box() -> None:
    """Full to 2.5 m: funnel (2 + 6) / 2 = 4 m3, box 6 * 1.5 = 9 m3."""
    assert stock_kg(Decimal(500), FUNNEL) == Decimal("8450.000")
    assert stock_kg(Decimal(3000), FUNNEL) == 0
    assert stock_kg(Decimal(0), FUNNEL) == Decimal("10400.000")


def test_what_cannot_be_in_the_silo_is_refused() -> None:
    with pytest.raises(NoValue, match="3001 mm is deeper than the silo, whose floor is at 3000 mm"):
        stock_kg(Decimal(3001), FUNNEL)
    with pytest.raises(NoValue, match="-1 mm is above the top"):
        stock_kg(Decimal(-1), FUNNEL)
    high = FUNNEL.model_copy(update={"sensor_mm": Decimal(3500)})
    assert stock_kg(Decimal(500), high) == Decimal("10400.000")
    with pytest.raises(NoValue, match=r"499\.9 mm is above the top of the silo; is something in front of the sensor"):
        stock_kg(Decimal("499.9"), high)


def test_half_a_gram_is_rounded_once_and_to_even() -> None:
    """1 mm over 1 m2 at 0.5 and 1.5 kg/m3 is half a gram and one and a half."""
    grams = [
        stock_kg(Decimal(0), silo(Decimal(1), density, (Decimal(1), Decimal(1), Decimal(1))))
        for density in (Decimal("0.5"), Decimal("1.5"), Decimal("2.5"))
    ]
    assert grams == [Decimal("0.000"), Decimal("0.002"), Decimal("0.002")]


def test_no_silo_is_too_large_to_be_worked_out() -> None:
    huge = Decimal(10**15 - 1)
    assert Fraction(stock_kg(Decimal(0), silo(huge, huge, (huge, huge, huge)))) == Fraction((10**15 - 1) ** 3, 1000)
    assert stock_kg(Decimal("1e-99"), FUNNEL) == Decimal("10400.000")
