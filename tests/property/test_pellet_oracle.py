"""The pellet account against another algorithm: every kilogram is a sack with a price of its own."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.pellets import account
from tests.support.month_oracle import half_up
from tests.support.pellethouse import END, JANUARY, START, Tree, correction, count, delivery, town

OPENING = {"at": START, "kg": "10", "eur": "3.00"}
Move = tuple[bool, int, int]
"""Whether it is bought, kilograms, cents."""


class Silo:
    """Sacks in the order they are burnt in, and cents that hang on no sack: those of pellets that were thrown away."""

    def __init__(self) -> None:
        self.sacks = [Fraction(30)] * 10
        self.loose = Fraction(0)

    @property
    def worth(self) -> Fraction:
        return sum(self.sacks, self.loose)

    def correct(self, kg: int, cents: int) -> None:
        """Take the oldest sacks or add new ones; where the cents are not theirs, all that is left changes alike."""
        wanted = self.worth + cents
        if kg > 0 and cents >= 0:
            self.sacks += [Fraction(cents, kg)] * kg
            return
        if kg > 0:
            self.sacks += [Fraction(0)] * kg
        elif kg < 0:
            self.sacks, self.loose = self.sacks[-kg:], Fraction(0)
        worth = self.worth
        if worth:
            self.sacks, self.loose = [sack * wanted / worth for sack in self.sacks], self.loose * wanted / worth
        elif self.sacks:
            self.sacks = [wanted / len(self.sacks)] * len(self.sacks)
        else:
            self.loose = wanted

    def cost_of(self, kg: int) -> Fraction:
        """Cost of the oldest sacks, with what hangs on none as soon as anything is burnt."""
        return sum(self.sacks[:kg], self.loose) if kg else Fraction(0)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(-12, 8), st.integers(-200, 400)), max_size=6),
    st.integers(0, 40),
)
def test_under_fifo_every_kilogram_is_burnt_at_the_price_it_has(moves: list[Move], left: int) -> None:
    """10 kg for 3.00 EUR, deliveries and corrections an hour apart, and a count of what is left at January's end."""
    silo = Silo()
    bought: list[Tree] = []
    corrected: list[Tree] = []
    for hour, (buys, kg, cents) in enumerate(moves):
        at, eur = f"2026-01-10T{hour:02d}:00:00Z", f"{Decimal(cents) / 100:.2f}"
        if len(silo.sacks) + kg < 0 or silo.worth + cents < 0 or not (kg or cents):
            continue
        if buys and kg > 0 and cents >= 0:
            bought.append(delivery(at, str(kg), eur, f"P-{hour}"))
            silo.sacks += [Fraction(cents, kg)] * kg
        else:
            corrected.append(correction(at, str(kg), eur))
            silo.correct(kg, cents)
    left = min(left, len(silo.sacks))
    burnt = len(silo.sacks) - left
    documents = {"deliveries": bought, "corrections": corrected, "counts": [count(END, str(left))]}
    fuel = account(town(valuation="fifo", opening=OPENING, **documents), JANUARY, lambda start, end: None)
    assert fuel is not None
    cents = half_up(silo.cost_of(burnt))
    assert (fuel.burnt_kg, fuel.burnt_cents) == (burnt, cents)
    assert (fuel.closing_kg, fuel.closing_cents) == (left, silo.worth - cents)
