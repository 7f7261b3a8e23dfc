"""Credits for work: what residents owe each other for filling and cleaning, a transfer that sums to exactly zero.

A household earns ``eur`` for each task done and ``eur_per_bag`` for each bag carried in, at most so much a month; all
flats pay it together, equally or by floor area, by days, empty ones through the owner. Own labour has no invoice and
is no cost of heat, so nothing of it enters a pool: what is credited is charged, without VAT.

Conservation: credits are whole cents; they are charged with the shared rounding rule over their exact total. Hence the
lines of both charges sum to zero, cent by cent. Source: contract section 3, `docs/decisions/0011-work-credits.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from core.community import Community, Work, WorkCredit
from core.time import Month, local_day
from settlement import heat
from settlement.charges import Charge, per_part
from settlement.model import Finding, Spell
from settlement.tariffs import cents

_NO_VAT = Decimal(0)


@dataclass(frozen=True)
class WorkMonth:
    """A month's work: by which rule it is credited, what each household did and earned [cents]."""

    rule: WorkCredit
    done: tuple[tuple[Spell, Work], ...]
    earned: dict[Spell, int]
    findings: tuple[Finding, ...]


def of_month(community: Community, month: Month, spells: Sequence[Spell]) -> WorkMonth | None:
    """Reckon what every household earned by its work; None in a month without a rule.

    Work of a household that did not live in the building that day earns nothing and is told as a finding.
    """
    rules = [rule for rule in community.work_credits if rule.start <= month.first_day]
    if not rules:
        return None
    rule = max(rules, key=lambda rule: rule.start)
    done, findings = [], []
    for work in sorted(community.work, key=lambda work: (work.at, work.household, work.task)):
        day = local_day(work.at, community.zone)
        if Month.of(day) != month:
            continue
        home = next(
            (spell for spell in spells if spell.party == work.household and spell.start <= day < spell.until), None
        )
        if home is None:
            text = (
                f"Work of {work.household} on {day} ({work.task}) earns nothing: nobody of that name lived here then."
            )
            findings.append(Finding("work-not-credited", text))
        else:
            done.append((home, work))
    most = rule.at_most_eur_per_month
    earned: dict[Spell, int] = {}
    for spell, work in done:
        exact = cents(rule.eur.get(work.task, Decimal(0))) + work.bags * cents(rule.eur_per_bag)
        earned[spell] = earned.get(spell, 0) + int(exact)
    if most is not None:
        earned = {spell: min(amount, int(cents(most))) for spell, amount in earned.items()}
    return WorkMonth(rule, tuple(done), earned, tuple(findings))


def charges(community: Community, spells: Sequence[Spell], month: WorkMonth) -> tuple[Charge, ...]:
    """Credit work to those who did it, and charge it to all flats; none where nothing was earned."""
    whole = sum(month.earned.values())
    if not whole:
        return ()
    by = heat.areas_by_days(community, spells)
    if month.rule.paid_by == "equal":
        by = {spell: Fraction(spell.days) for spell in spells}
    credit = {spell: Fraction(amount) for spell, amount in month.earned.items()}
    return (
        Charge("work", credit, Fraction(-1), _NO_VAT),
        Charge("work", by, per_part(whole, by), _NO_VAT),
    )
