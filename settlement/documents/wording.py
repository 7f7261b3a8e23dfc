"""Figures, days and names of things in the reader's language, for all documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from babel.dates import format_date
from babel.numbers import format_currency, format_decimal

from core.time import Month
from core.words import LANGUAGES, translations

_LOCALES = {"nl": "nl_NL", "en": "en_GB"}
_DAY = timedelta(days=1)
NOTHING = "\N{EN DASH}"
"""Stands where a figure does not exist."""


class Wording:
    """Says things in one language; numbers come as the statement's decimal strings.

    Parameters
    ----------
    language
        One of ``core.words.LANGUAGES``; any other is served in Dutch.
    """

    def __init__(self, language: str) -> None:
        self.language = language if language in LANGUAGES else LANGUAGES[0]
        self.locale = _LOCALES[self.language]
        self.region = self.locale.partition("_")[2]
        self._catalogue = translations(self.language, "documents")

    def say(self, text: str, **values: str) -> str:
        """Return a text in the reader's language, with its ``%(name)s`` filled in."""
        translated = self._catalogue.gettext(text)
        return translated % values if values else translated

    def euro(self, amount: str) -> str:
        """Return an amount of money; a credit carries a minus."""
        return format_currency(Decimal(amount), "EUR", locale=self.locale)

    def owed(self, amount: str) -> str:
        """Return an amount as residents read it: no minus, a credit is money back."""
        if Decimal(amount) < 0:
            return self.say("%(amount)s back", amount=self.euro(amount.removeprefix("-")))
        return self.euro(amount)

    def price(self, amount: str | None, unit: str | None) -> str:
        """Return a price with all its digits, per what is counted; days are priced by the month."""
        if amount is None:
            return ""
        price = format_currency(
            Decimal(amount), "EUR", format=self._currency_pattern(), currency_digits=False, locale=self.locale
        )
        return self.say("%(price)s per month", price=price) if unit == "days" else price

    def rounded(self, amount: str | None, unit: str = "kWh") -> str:
        """Return a quantity with one decimal, for sentences."""
        return NOTHING if amount is None else f"{format_decimal(Decimal(amount), '#,##0.0', self.locale)}\u00a0{unit}"

    def exact(self, amount: str | None, unit: str | None = "kWh", *, decimals: int | None = None) -> str:
        """Return a quantity with all its digits, for tables; ``decimals`` when a column wants the same everywhere."""
        if amount is None:
            return ""
        places = self.decimals([amount]) if decimals is None else decimals
        number = format_decimal(Decimal(amount), "#,##0" + ("." + "0" * places if places else ""), self.locale)
        return f"{number}\u00a0{self.unit(unit)}" if unit else number

    @staticmethod
    def decimals(amounts: Sequence[str]) -> int:
        """Return how many decimals show every digit of all amounts; one at the least where any has decimals."""
        parts = [amount.partition(".")[2] for amount in amounts]
        return max((max(len(part.rstrip("0")), 1) if part else 0 for part in parts), default=0)

    def percent(self, amount: str | None) -> str:
        """Return a percentage with the digits it needs."""
        return NOTHING if amount is None else f"{format_decimal(Decimal(amount), '#,##0.##', self.locale)}\u00a0%"

    def day(self, text: str) -> str:
        """Return a day like 3 November 2026."""
        return format_date(date.fromisoformat(text), "d MMMM y", locale=self.locale)

    def last_day(self, until: str) -> str:
        """Return the last day that is included, where ``until`` is the first that is not."""
        return self.day(str(date.fromisoformat(until) - _DAY))

    def month(self, text: str) -> str:
        """Return a month like November 2026."""
        return format_date(Month.parse(text).first_day, "MMMM y", locale=self.locale)

    def status(self, statement: dict[str, Any]) -> str:
        """Return how final the document is, and which version when it is not the first."""
        text: str = {
            "provisional": self.say("Provisional: an amount can still change a little."),
            "final": self.say("Final."),
        }.get(statement["status"], statement["status"])
        if statement["revision"] == 1:
            return text
        version = self.say("Version %(number)s.", number=str(statement["revision"]))
        return f"{text} {version}"

    def line(self, code: str) -> str:
        """Return the name of a statement line."""
        return {
            "solar": self.say("Sun from the roof"),
            "feed_in": self.say("Sun that was sold"),
            "heat_measured": self.say("Heat, measured part"),
            "heat_fixed": self.say("Heat, fixed part"),
            "hot_water_measured": self.say("Hot water, measured part"),
            "hot_water_fixed": self.say("Hot water, fixed part"),
            "common": self.say("Shared areas"),
            "fixed": self.say("Fixed amount"),
            "netting": self.say("Sun that was set off against the grid"),
            "work": self.say("Work for the building"),
        }.get(code, code)

    def named(self, line: Mapping[str, str | None]) -> str:
        """Return the name of a line of a statement: with its window, and work by who it is for."""
        code, window = line["code"] or "", line.get("window")
        if code == "work":
            credit = Decimal(line["amount_eur"] or 0) < 0
            return self.say("Thanks for your work") if credit else self.say("What everybody pays for work")
        return f"{self.line(code)} ({window})" if window else self.line(code)

    def branch(self, name: str, amount: int | None) -> str:
        """Return the name of a branch of the balance; of a rest by which way it goes, so that it needs no minus."""
        over = amount is not None and amount < 0
        counted = self.say("Counted too much")
        return {
            "fuel": self.say("Heat in the pellets"),
            "fuel_rest": counted if over else self.say("Lost in the boiler"),
            "boiler_heat": self.say("Heat from the boiler"),
            "boiler_heat_rest": counted if over else self.say("Heat lost on the way"),
            "flats_heat": self.say("Heat measured in the homes"),
            "hot_water": self.say("Heat in the hot water"),
            "electricity": self.say("Electricity from sun and grid"),
            "electricity_rest": counted if over else self.say("Not explained"),
            "flats": self.say("Used in the homes"),
            "common": self.say("Used in the shared areas"),
            "grid_export": self.say("Sent to the grid"),
            "sun": self.say("Sun from the roof"),
            "sun_flats": self.say("Sun used in the homes"),
            "sun_common": self.say("Sun used in the shared areas"),
            "surplus": self.say("Sun that was sold"),
        }.get(name, name)

    def unit(self, unit: str) -> str:
        """Return a unit; those of two languages are translated."""
        return {"days": self.say("days"), "units": self.say("units"), "m²·days": self.say("m²·days")}.get(unit, unit)

    def key(self, name: str) -> str:
        """Return the name of a sharing key."""
        return {
            "proportional": self.say("by use"),
            "equal": self.say("equal parts"),
            "fixed": self.say("fixed parts"),
            "optimal": self.say("fixed parts, the rest passed on"),
            "hybrid": self.say("fixed parts, the rest by use"),
            "priority": self.say("in a fixed order"),
        }.get(name, name)

    def estimated_from(self, method: str) -> str:
        """Return what an estimate for a failed meter of heat or hot water was made from."""
        return {
            "same_flat_last_year": self.say("from what this home used in the same month last year"),
            "same_flat_last_month": self.say("from what this home used in the month before"),
            "alike_flats": self.say("from homes of about the same size"),
            "building": self.say("from the average of all homes"),
        }.get(method, method)

    def _currency_pattern(self) -> str:
        return "¤\u00a0#,##0.00####" if self.language == "nl" else "¤#,##0.00####"
