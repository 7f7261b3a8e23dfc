"""Words, numbers and times as a reader of one language expects them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from babel.numbers import format_currency, format_decimal

from core.community import Community
from core.time import Month, from_microseconds, local_day
from core.units import MILLIONTHS
from core.words import translations
from settlement.documents.corrected import Corrected, corrected
from settlement.documents.why import Told, told
from settlement.documents.wording import Wording
from settlement.gates import Refusal

_LOCALES: Final = {"nl": "nl_NL", "en": "en_GB"}


def N_(text: str) -> str:  # noqa: N802 - the name catalogues look for
    """Mark a text for the catalogues where it is translated elsewhere."""
    return text


EXPLAINED: Final = {
    "solar": N_("This is the sun from the roof that you used yourself, times its price."),
    "feed_in": N_("Nobody used this sun at that moment. It was sold to the grid."),
    "netting": N_("For this sun the building gets the price of the grid."),
    "heat_measured": N_("This is your part of the heating costs. Your heat meter decides how much."),
    "heat_fixed": N_("Everyone pays a part of the heating costs. Your floor area decides how much."),
    "hot_water_measured": N_("This is your part of the cost of hot water. Your hot water meter decides how much."),
    "hot_water_fixed": N_("Everyone pays a part of the cost of hot water."),
    "common": N_("This is for the hallway, the lift and other things we share."),
    "fixed": N_("You pay this for every day that you lived here."),
    "work": N_("This is for people who help, for instance with the boiler."),
}
"""How each line comes about, in plain words."""


FINDINGS: Final = {
    "work-not-credited": N_("Work is written down for somebody who did not live here then."),
    "no-readings": N_("No numbers this month: %(meters)s."),
    "missing-intervals": N_("Numbers are missing for a while: %(meters)s."),
    "estimated-intervals": N_("Numbers are partly estimated: %(meters)s."),
    "register-dipped": N_("Fell back for a moment, which does not count: %(meters)s."),
    "register-rolled-over": N_("Started again from zero, as it should: %(meters)s."),
    "register-strayed": N_("Showed something else for a while, which does not count: %(meters)s."),
    "register-frozen": N_("Was read but stood still: %(meters)s. Please look at it."),
    "register-jumped": N_("Counted more than it can: %(meters)s. Was it replaced?"),
    "heat-without-electricity": N_("Heat was used but no electricity: %(meters)s."),
    "submeters-above-main": N_("The meters in the building counted more than came in. One of them is wrong."),
    "electricity-unexplained": N_("No meter saw where a part of the electricity went."),
    "export-differs": N_("The main meter does not fit the sun that was left over."),
    "heat-estimated": N_("Failed, so the heat is estimated: %(meters)s."),
    "heat-not-estimated": N_("Failed, and nothing is known to estimate the heat from: %(meters)s."),
    "heat-by-fixed-measure": N_("Too many heat meters failed. All heat is divided like the fixed part."),
    "hot-water-estimated": N_("Failed, so the hot water is estimated: %(meters)s."),
    "hot-water-not-estimated": N_("Failed, and nothing is known to estimate the hot water from: %(meters)s."),
    "hot-water-by-fixed-measure": N_("Too many hot water meters failed. All hot water is divided like the fixed part."),
    "hot-water-part-unknown": N_("The boiler's heat is not known. So no cost was put on hot water."),
    "hot-water-above-supply": N_("The hot water took more heat than there was. One of the meters is wrong."),
    "pellets-corrected": N_("Somebody corrected the pellet stock."),
    "pellets-level-differs": N_("The silo does not hold what the books say. Please count the stock."),
    "pellets-heat-unknown": N_("Not all heat was counted, so the pellets left are fewer than estimated: %(meters)s."),
    "pellets-estimated": N_("The pellets left are estimated. Please count the stock."),
    "heat-lost-negative": N_("The homes used more heat than the boiler made. One of the heat meters is wrong."),
    "heat-recording-low": N_("Much heat is lost on the way, or meters were not read."),
    "heat-loss-unusual": N_("More heat is lost on the way than in the months before."),
    "efficiency-implausible": N_("The boiler's numbers cannot be right. Check the counts and the deliveries."),
}
"""What a remark of the settlement means, in plain words; others are shown as they are."""


GATES: Final = {
    "over": N_("The month is not over yet. It can become final from %(day)s on."),
    "order": N_("First make %(month)s final."),
    "wait": N_("Numbers and bills may still come in. It can become final from %(day)s on."),
    "missing": N_(
        "Meter %(meter)s: %(value)s percent of the numbers is missing. At most %(limit)s percent may be."
        " It is about %(from)s until %(until)s."
    ),
    "estimated": N_(
        "Meter %(meter)s: %(value)s percent of the numbers is estimated. At most %(limit)s percent may be."
        " It is about %(from)s until %(until)s."
    ),
    "electricity": N_("Of the electricity %(value)s percent is not explained. At most %(limit)s percent may be."),
    "heat": N_("The homes used %(value)s percent more heat than the boiler made. One of the heat meters is wrong."),
    "unbalanced": N_("A main meter was not read. So nobody knows whether all electricity was counted."),
    "heat-bill": N_("There is no bill for the heating this month."),
    "common-bill": N_("There is no bill for the common areas this month."),
    "pellets": N_("The pellets left are estimated. Please count the stock."),
}
"""What keeps a month from becoming final, in plain words; findings are told as they are elsewhere."""


class Words:
    """One language and one time zone: translates, and prints numbers, money and times.

    No number is ever negative: what goes the other way is said in words.
    """

    def __init__(self, language: str, zone: ZoneInfo) -> None:
        self.language = language if language in _LOCALES else "nl"
        self._locale = _LOCALES[self.language]
        self._zone = zone
        catalogue = translations(self.language, "pages")
        self._document = Wording(self.language)
        self.gettext = catalogue.ugettext
        self.ngettext = catalogue.ungettext

    def kwh(self, energy: int | str | None, decimals: int = 1) -> str:
        """Print milliwatt-hours, or a text of kWh, in kWh; an en dash for what is missing."""
        if energy is None:
            return "\N{EN DASH}"
        value = Decimal(energy) / MILLIONTHS if isinstance(energy, int) else Decimal(energy)
        return f"{self.number(value, decimals)}\N{NO-BREAK SPACE}kWh"

    def heat(self, energy: int | None, unit: str) -> str:
        """Print heat in kWh, or in the units of the allocators on the radiators."""
        if unit == "kWh" or energy is None:
            return self.kwh(energy)
        return f"{self.number(Decimal(energy) / MILLIONTHS, 1)}\N{NO-BREAK SPACE}{self.gettext('units')}"

    def number(self, value: Decimal | int | str, decimals: int = 0) -> str:
        """Print a number, rounded half-up."""
        rounded = Decimal(value).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
        return format_decimal(rounded, "#,##0" + ("." + "0" * decimals if decimals else ""), self._locale)

    def quantity(self, value: str, unit: str | None) -> str:
        """Print a statement line's quantity with its unit, one decimal where it has any."""
        number = Decimal(value)
        whole = number == number.to_integral_value() and unit != "kWh"
        printed = self.number(abs(number), 0 if whole else 1)
        names = {"days": self.gettext("days"), "units": self.gettext("units"), "m²·days": self.gettext("m2 per day")}
        return f"{printed}\N{NO-BREAK SPACE}{names.get(unit or '', unit or '')}".rstrip()

    def price(self, value: str) -> str:
        """Print a price with the digits it has, two at least."""
        pattern = "¤\N{NO-BREAK SPACE}0.00####" if self.language == "nl" else "¤0.00####"
        return format_currency(Decimal(value), "EUR", pattern, self._locale, currency_digits=False)

    def euro(self, value: str | Decimal) -> str:
        """Print the size of an amount."""
        return format_currency(abs(Decimal(value)), "EUR", locale=self._locale)

    def cents(self, value: int) -> str:
        """Print an amount given in cents."""
        return self.euro(Decimal(value) / 100)

    def amount(self, value: str | Decimal) -> str:
        """Print an amount of a statement: what the reader gets is called so."""
        if Decimal(value) < 0:
            return self.gettext("%(amount)s back") % {"amount": self.euro(value)}
        return self.euro(value)

    def balance(self, value: str | Decimal) -> str:
        """Say in one sentence who pays whom how much."""
        if Decimal(value) > 0:
            return self.gettext("You pay %(amount)s.") % {"amount": self.euro(value)}
        if Decimal(value) < 0:
            return self.gettext("You get %(amount)s back.") % {"amount": self.euro(value)}
        return self.gettext("You do not have to pay anything.")

    def month(self, text: str) -> str:
        """Print a month, ``November 2026``; at the start of a sentence or alone."""
        printed = format_date(Month.parse(text).first_day, "LLLL y", self._locale)
        return printed[:1].upper() + printed[1:]

    def day(self, day: date, pattern: str = "d MMMM") -> str:
        """Print a day, ``3 November``."""
        return format_date(day, pattern, self._locale)

    def clock(self, instant: datetime) -> str:
        """Print the local time of day."""
        return format_time(instant, "HH:mm", tzinfo=self._zone, locale=self._locale)

    def moment(self, instant: datetime, now: datetime) -> str:
        """Print an instant as people say it: the time for today, with the day before that."""
        values = {"time": self.clock(instant), "day": self.day(local_day(instant, self._zone))}
        if local_day(instant, self._zone) == local_day(now, self._zone):
            return self.gettext("at %(time)s") % values
        return self.gettext("on %(day)s at %(time)s") % values

    def line(self, line: Mapping[str, str | None]) -> str:
        """Name a statement line as the document does."""
        return self._document.named(line)

    def branch(self, name: str, amount: int | None) -> str:
        """Name a branch of the building's balance as the document does."""
        return self._document.branch(name, amount)

    def findings(self, found: Sequence[Mapping[str, str | None]]) -> list[str]:
        """Say every kind of remark once, in plain words, with the meters it is about."""
        meters: dict[str, list[str]] = {}
        for one in found:
            text = FINDINGS.get(one["code"] or "")
            named = meters.setdefault(self.gettext(text) if text else (one["text"] or ""), [])
            if one["meter"] and one["meter"] not in named:
                named.append(one["meter"])
        return [text % {"meters": ", ".join(named)} if "%(meters)s" in text else text for text, named in meters.items()]

    def gate(self, refusal: Refusal) -> str:
        """Say in plain words what keeps a month from becoming final."""
        facts = refusal.facts
        if refusal.kind == "findings":
            finding = {"code": refusal.code, "meter": refusal.meter, "text": facts["text"]}
            return self.findings([finding])[0]
        kind = f"{facts['pool']}-bill" if refusal.kind == "invoices" else refusal.kind
        said = {name: self.number(facts[name], 1) for name in ("value", "limit") if name in facts}
        if "day" in facts:
            said["day"] = self.day(date.fromisoformat(facts["day"]))
        if "month" in facts:
            said["month"] = format_date(Month.parse(facts["month"]).first_day, "LLLL y", self._locale)
        for name, instant in (("from", refusal.start), ("until", refusal.until)):
            if instant is not None:
                moment = from_microseconds(instant)
                said[name] = f"{self.day(local_day(moment, self._zone))} {self.clock(moment)}"
        return self.gettext(GATES[kind]) % (said | {"meter": refusal.meter or ""})

    def how(self, line: Mapping[str, str | None]) -> str:
        """Say what a line's amount is made of: a quantity, and a price where there is one."""
        quantity, price = line["quantity"], line["price_eur"]
        if quantity is None:
            return ""
        printed = self.quantity(quantity, line["unit"])
        if price is None:
            return printed
        if line["code"] == "fixed":
            whole = self.gettext("%(price)s for a whole month") % {"price": self.price(price)}
            return f"{printed}, {whole}"
        return f"{printed} \N{MULTIPLICATION SIGN} {self.price(price)}"

    def changes(self, why: Mapping[str, Any] | None) -> list[Told]:
        """Say why a total is different as the document does."""
        return told(why, self._document) if why else []

    def corrected(self, part: Mapping[str, Any]) -> Corrected:
        """Say a household's part of a correction as the document does."""
        return corrected(part, self._document)

    def explained(self, code: str) -> str:
        """Explain a statement line."""
        return self.gettext(EXPLAINED[code]) if code in EXPLAINED else ""


def kind_of_task(words: Words, community: Community, kind: str) -> str:
    """Name a kind of work: the community's own title, or ours for the kinds we know."""
    title = next((task.title for task in community.tasks if task.id == kind), None)
    known: dict[str, Any] = {"refill": words.gettext("Fill the pellets"), "ash": words.gettext("Empty the ash drawer")}
    return title or known.get(kind) or kind
