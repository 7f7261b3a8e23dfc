"""The change of a total, split: one thing at a time moves from what it was to what it is, in a fixed order.

Every step works the household's lines out anew from the building's figures, exactly; a part is what one step changes,
so the parts telescope to the whole change whatever the order. Which order, and why, is in
docs/decisions/0014-why-different.md. What the rounding of lines to cents leaves (less than a cent a line) goes to the
largest part, if any is a cent; then all parts become whole cents by largest remainder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, Literal, get_args

from core.money import spread
from settlement.why import season
from settlement.why.facts import Facts
from settlement.why.samerule import Divided

Part = Literal[
    "days", "weather", "own_use", "others_use", "moment", "key", "losses", "price", "costs", "corrections", "other",
    "rounding",
]  # fmt: skip
"""What a change is due to, as it is worked out; `moment` and `rounding` are left only where nothing else changed."""
PARTS: Final[tuple[Part, ...]] = get_args(Part)

ENOUGH_HOMES: Final = 10
"""So many other homes must be comparable before what is typical among them is used: of fewer, one could be guessed."""


@dataclass(frozen=True)
class Change:
    """Why a total is different, in cents: ``parts`` sum to ``after - before`` exactly, those of 0 are left out.

    ``weather_by`` says how the weather was told: by what is typical of the other homes' heat, or by the degree-day
    table, which knows the season only.
    """

    before: int
    after: int
    parts: Mapping[Part, int]
    weather_by: Literal["homes", "season"]


@dataclass(frozen=True)
class _State:
    """What a total is worked out from while it moves from one month to the other; see `Facts` for the words.

    ``meeting`` is the household's sun over what it would be by use alone, ``sun used / used by all``; ``left`` the part
    of the sun that nobody used; ``credit`` the household's part of that. ``kg_per_heat`` is pellets for one measured
    kWh, ``kg_beside`` pellets where heat was not measured; ``by_meter`` then is the part of the measured cost.
    """

    facts: Facts
    meeting: Fraction
    left: Fraction
    credit: Fraction
    kg_per_heat: Fraction
    kg_beside: Fraction
    by_meter: Fraction | None

    def having(self, **changes: object) -> _State:
        """Change some of the facts."""
        return replace(self, facts=replace(self.facts, **changes))  # type: ignore[arg-type]  # names of Facts, below

    def total(self) -> Fraction:
        """Work the total out, without rounding [cents]."""
        now = self.facts
        whole_use = now.used + now.used_by_others
        given = now.sun * self.meeting * now.used / whole_use if whole_use else Fraction(0)
        solar = given * now.solar_price - now.sun * self.left * self.credit * now.feed_in_price
        heat = now.heat + now.heat_of_others
        kg = self.kg_per_heat * heat + self.kg_beside
        cost = kg * now.fuel_price + now.heat_invoices
        metered = self.by_meter if self.by_meter is not None else now.heat / heat if heat else now.by_area
        warmth = cost * (now.measured_part * metered + (1 - now.measured_part) * now.by_area)
        common = (now.common_sun * now.common_price + now.common_invoices) * now.by_common_area
        electric = solar + common + now.lived * now.fixed_price
        return electric * now.electricity_vat + warmth * now.heat_vat + sum(now.other.values())


def change(before: Facts, after: Facts, same_rule: Divided | None = None) -> Change:
    """Say why a household's total differs from that of an earlier month.

    Parameters
    ----------
    before, after
        The two months of one household.
    same_rule
        The later month's sun as the sharing rules of the earlier one would have divided it (`settlement.why.samerule`),
        where they changed in between. Without it, all that changed about when and how the sun was divided counts as
        the key.
    """
    start, end = _states(before, after)
    exact: dict[Part, Fraction] = dict.fromkeys(PARTS, Fraction(0))
    typical = _typical(before, after)
    state = start
    for part, moved in _steps(start, end, typical or season.ratio(before.month, after.month), same_rule):
        exact[part] += moved.total() - state.total()
        state = moved
    _divide_moment(exact, start, end)
    whole = after.total - before.total
    rounding = whole - sum(exact.values())
    largest = max(PARTS, key=lambda part: abs(exact[part]))
    exact[largest if abs(exact[largest]) >= 1 else "rounding"] += rounding
    cents = spread(exact, whole, lambda part: bytes([PARTS.index(part)]))
    return Change(
        before.total,
        after.total,
        {part: value for part, value in cents.items() if value},
        "homes" if typical else "season",
    )


def _steps(start: _State, end: _State, warmth: Fraction, same_rule: Divided | None) -> Iterator[tuple[Part, _State]]:
    """Yield the state after each step, the first of which leaves ``start`` and the last of which reaches ``end``."""
    old, new = start.facts, end.facts
    stay = new.lived / old.lived
    state = replace(
        start.having(
            lived=new.lived,
            used=old.used * stay,
            used_by_others=old.used_by_others + old.used * (1 - stay),
            heat=old.heat * stay,
            heat_of_others=old.heat_of_others + old.heat * (1 - stay),
            by_area=old.by_area * stay,
            by_common_area=old.by_common_area * stay,
        ),
        credit=start.credit * stay,
    )
    yield "days", state
    state = replace(
        state.having(sun=new.sun, heat=state.facts.heat * warmth, heat_of_others=state.facts.heat_of_others * warmth),
        kg_beside=state.kg_beside * warmth,
    )
    yield "weather", state
    state = state.having(used=new.used, heat=new.heat)
    yield "own_use", state
    same_heat_rule = old.heat_rule == new.heat_rule
    state = replace(
        state.having(
            used_by_others=new.used_by_others,
            heat_of_others=new.heat_of_others,
            common_sun=_common_sun(state, end, same_rule),
            by_common_area=new.by_common_area,
            by_area=new.by_area if same_heat_rule else state.facts.by_area,
        ),
        by_meter=end.by_meter if same_heat_rule else state.by_meter,
    )
    yield "others_use", state
    state = _met(state, end, same_rule)
    yield "moment", state
    state = replace(
        state.having(measured_part=new.measured_part, by_area=new.by_area, common_sun=new.common_sun),
        meeting=end.meeting,
        left=end.left,
        credit=end.credit,
        by_meter=end.by_meter,
    )
    yield "key", state
    yield from _prices(state, end)


def _common_sun(state: _State, end: _State, same_rule: Divided | None) -> Fraction:
    """Return the common area's sun by the rule of the earlier month; as it was, where nobody can tell."""
    old, new = state.facts, end.facts
    if old.sharing_rule == new.sharing_rule:
        return new.common_sun
    return old.common_sun if same_rule is None else same_rule.common_sun


def _met(state: _State, end: _State, same_rule: Divided | None) -> _State:
    """Let when the sun shone and when people used move, by the rule of the earlier month."""
    if state.facts.sharing_rule == end.facts.sharing_rule:
        return replace(state, meeting=end.meeting, left=end.left, credit=end.credit)
    if same_rule is None:
        return state
    meeting, left, credit = (one[0] for one in _ratios(same_rule, end.facts))
    return replace(state, meeting=meeting, left=left, credit=credit)


def _prices(state: _State, end: _State) -> Iterator[tuple[Part, _State]]:
    """Yield the states of the steps after who used what: what is lost, what it costs, and all else."""
    old, new = state.facts, end.facts
    state = replace(state, kg_per_heat=end.kg_per_heat, kg_beside=end.kg_beside)
    yield "corrections" if old.corrects_stock or new.corrects_stock else "losses", state
    state = state.having(
        solar_price=new.solar_price,
        feed_in_price=new.feed_in_price,
        fuel_price=new.fuel_price,
        common_price=new.common_price,
        fixed_price=new.fixed_price,
        electricity_vat=new.electricity_vat,
        heat_vat=new.heat_vat,
    )
    yield "price", state
    state = state.having(heat_invoices=new.heat_invoices, common_invoices=new.common_invoices)
    yield "costs", state
    for code in {**old.other, **new.other}:
        state = state.having(other={**state.facts.other, code: new.other.get(code, 0)})
        yield "corrections" if code.startswith("correction") else "other", state


def _states(before: Facts, after: Facts) -> tuple[_State, _State]:
    """Return both months as states; what one of them cannot tell is the other's, so that it does not change."""
    meeting, left, credit = _ratios(before, after)
    measured = before.by_meter is None and after.by_meter is None
    states = []
    for index, facts in enumerate((before, after)):
        heat = facts.heat + facts.heat_of_others
        metered = facts.by_meter if facts.by_meter is not None else _over(facts.heat, heat)
        states.append(
            _State(
                facts,
                meeting[index],
                left[index],
                credit[index],
                facts.fuel_kg / heat if measured and heat else Fraction(0),
                Fraction(0) if measured and heat else facts.fuel_kg,
                None if measured else metered,
            )
        )
    return states[0], states[1]


def _ratios(one: Facts | Divided, other: Facts) -> tuple[tuple[Fraction, Fraction], ...]:
    """Return the three figures that say how the sun was divided, each of both months."""
    return (
        _either(_meeting(one), _meeting(other)),
        _either(_over(one.surplus, one.sun), _over(other.surplus, other.sun)),
        _either(_over(one.credited, one.surplus), _over(other.credited, other.surplus)),
    )


def _meeting(facts: Facts | Divided) -> Fraction | None:
    by_use = facts.sun * facts.used
    return facts.given * (facts.used + facts.used_by_others) / by_use if by_use else None


def _over(part: Fraction, whole: Fraction) -> Fraction | None:
    return part / whole if whole else None


def _either(one: Fraction | None, other: Fraction | None) -> tuple[Fraction, Fraction]:
    known = next((value for value in (one, other) if value is not None), Fraction(0))
    return known, known if other is None else other


def _typical(before: Facts, after: Facts) -> Fraction | None:
    """Return how heat changed in the middle one of the other homes; None where too few can be compared."""
    ratios = sorted(
        after.heat_by_home[home] / heat
        for home, heat in before.heat_by_home.items()
        if heat and after.heat_by_home.get(home)
    )
    if len(ratios) < ENOUGH_HOMES:
        return None
    middle = len(ratios) // 2
    return ratios[middle] if len(ratios) % 2 else (ratios[middle - 1] + ratios[middle]) / 2


def _divide_moment(exact: dict[Part, Fraction], start: _State, end: _State) -> None:
    """Give what is due to when the sun shone and when people used to those that changed, by how many kWh they did."""
    old, new = start.facts, end.facts
    stay = old.used * new.lived / old.lived
    moved: dict[Part, Fraction] = {
        "days": abs(stay - old.used),
        "weather": abs(new.sun - old.sun),
        "own_use": abs(new.used - stay),
        "others_use": abs(new.used_by_others - old.used_by_others - old.used + stay),
    }
    whole = sum(moved.values(), Fraction(0))
    if whole:
        for part, kwh in moved.items():
            exact[part] += exact["moment"] * kwh / whole
        exact["moment"] = Fraction(0)
