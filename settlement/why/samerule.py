"""A month's sun as the sharing rules of an earlier month would have divided it, for one household.

So that what a new key changed can be told from what changed about when the sun shone and when people used: the same
sun and the same use, interval by interval, divided twice. Only electricity is looked at; no amount is settled anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from core.community import Community, Sharing
from core.time import Month
from core.units import MILLIONTHS
from settlement import pools, sun, tariffs, windows
from settlement.model import Series, Spell
from settlement.readings import boundaries
from settlement.sun import COMMON
from settlement.why.facts import Facts

_TO_THE_MILLIWATT_HOUR: Final = ("sun", "surplus", "used", "used_by_others", "given", "common_sun")


@dataclass(frozen=True)
class Divided:
    """How a month's sun was divided, seen from one household [kWh]; the words are those of `Facts`."""

    sun: Fraction
    surplus: Fraction
    used: Fraction
    used_by_others: Fraction
    given: Fraction
    credited: Fraction
    common_sun: Fraction


def by_rules_of(community: Community, earlier: Month, month: Month) -> Community:
    """Let the sharing rules of an earlier month hold in a month: those of its first day from the first, and so on.

    A rule that began on a day which the month has not does not come to it.
    """
    rules: list[Sharing] = []
    held = None
    for stretch in tariffs.stretches(community, earlier):
        if stretch.sharing is not held and stretch.start.day <= month.days:
            begins = month.first_day.replace(day=stretch.start.day)
            rules.append(stretch.sharing.model_copy(update={"start": begins}))
        held = stretch.sharing
    return community.model_copy(update={"sharing": tuple(rules)})


def divided(community: Community, month: Month, series: Mapping[str, Series], household: str) -> Divided | None:
    """Divide a month's sun by the rules of a community, and add up what a household had of it.

    Parameters
    ----------
    series
        Intervals of the month, of every meter of electricity and of the sun.
    household
        Whose; None is returned where it does not live in exactly one flat then.
    """
    spells = tariffs.spells(community, month)
    own = [spell for spell in spells if spell.party == household]
    if len(own) != 1:
        return None
    bounds = boundaries(community, month)
    size = len(bounds) - 1
    stretches = tariffs.stretches(community, month)
    used, quality = sun.consumption(community, series, size)
    found = sun.share(community, stretches, bounds, sun.generation(community, series, size), used, quality)
    span = found.between(community, own[0].start, own[0].until)
    consumed = used[own[0].flat].total(span.start, span.stop)
    owner = Spell(community.owner, "", month.first_day, month.end_day)
    slots = windows.slots(community, stretches, found)
    charges = pools.of_sun(community, month, stretches, slots, spells, found, owner)
    credited = sum((one.basis[own[0]] for one in charges if one.code == "feed_in"), Fraction(0))
    return Divided(
        sun=_kwh(found.sun.total()),
        surplus=_kwh(found.surplus.total()),
        used=_kwh(consumed),
        used_by_others=_kwh(sum(column.total() for column in used.values()) - consumed),
        given=_kwh(found.shared[own[0].flat].total(span.start, span.stop)),
        credited=credited,
        common_sun=_kwh(found.shared[COMMON].total() if COMMON in found.shared else 0),
    )


def redivided(
    community: Community, earlier: Month, after: Facts, series: Mapping[str, Series], household: str
) -> Divided | None:
    """Divide a household's month by the sharing rules of an earlier one.

    Parameters
    ----------
    after
        The household's month as its statement has it.
    series
        Its intervals as they are known today.

    Returns
    -------
    Divided or None
        None where the intervals, divided by the month's own rules, do not come to the statement: more was read since,
        or less is kept. What the old rules would have given then cannot be said.
    """
    check = divided(community, after.month, series, household)
    if check is None or any(getattr(check, name) != getattr(after, name) for name in _TO_THE_MILLIWATT_HOUR):
        return None
    return divided(by_rules_of(community, earlier, after.month), after.month, series, household)


def _kwh(energy: int) -> Fraction:
    return Fraction(energy, MILLIONTHS)
