"""Why a total is different, in plain words: the four largest parts and the rest, for the page and the document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from settlement.documents.wording import Wording

MOST_PARTS: Final = 4
"""So many parts are named; what is left is told as one."""


@dataclass(frozen=True)
class Told:
    """A comparison in words: a question, a sentence, and rows of what and how much; no rows without a comparison."""

    question: str
    sentence: str
    rows: tuple[tuple[str, str], ...] = ()
    note: str = ""


def told(why: Mapping[str, Any], words: Wording) -> list[Told]:
    """Say what `settlement.why.answer` found; what cannot be compared is said for last month only.

    Returns
    -------
    list of Told
        Empty for a month that is not over yet.
    """
    found = []
    for comparison in why["comparisons"]:
        if comparison["comparable"]:
            found.append(_comparison(comparison, words))
        elif comparison["kind"] == "last_month" and comparison["reason"] != "running":
            found.append(Told(_question(comparison["kind"], words), _reason(comparison, words)))
    return found


def _comparison(comparison: Mapping[str, Any], words: Wording) -> Told:
    difference, month = comparison["difference_eur"], words.month(comparison["with"])
    amount = words.euro(difference.removeprefix("-"))
    if Decimal(difference) > 0:
        sentence = words.say("Your costs are %(amount)s higher than in %(month)s.", amount=amount, month=month)
    elif Decimal(difference) < 0:
        sentence = words.say("Your costs are %(amount)s lower than in %(month)s.", amount=amount, month=month)
    else:
        sentence = words.say("Your costs are the same as in %(month)s.", month=month)
    parts = sorted(comparison["parts"], key=lambda part: -abs(Decimal(part["amount_eur"])))
    by_season = comparison["weather_by"] == "season"
    rows = [(_part(part["code"], words, by_season=by_season), _more(part["amount_eur"], words)) for part in parts]
    if len(rows) > MOST_PARTS:
        rest = sum((Decimal(part["amount_eur"]) for part in parts[MOST_PARTS:]), Decimal(0))
        rows[MOST_PARTS:] = [(words.say("Everything else together"), _more(str(rest), words))]
    notes = []
    if not comparison["complete"]:
        notes.append(words.say("Readings are missing in one of the two months. So this can still change."))
    if by_season and any(part["code"] == "weather" for part in parts[:MOST_PARTS]):
        notes.append(words.say("For the season we use a fixed table. It does not know how cold it really was."))
    return Told(_question(comparison["kind"], words), sentence, tuple(rows), " ".join(notes))


def _question(kind: str, words: Wording) -> str:
    if kind == "last_year":
        return words.say("And compared with last year?")
    return words.say("Why is it different from last month?")


def _reason(comparison: Mapping[str, Any], words: Wording) -> str:
    month = words.month(comparison["with"])
    if comparison["reason"] == "not_here":
        return words.say("You did not live here in %(month)s. So we cannot compare.", month=month)
    return words.say("We have no statement of %(month)s. So we cannot compare.", month=month)


def _more(amount: str, words: Wording) -> str:
    euro = words.euro(amount.removeprefix("-"))
    if Decimal(amount) < 0:
        return words.say("%(amount)s less", amount=euro)
    return words.say("%(amount)s more", amount=euro)


def _part(code: str, words: Wording, *, by_season: bool) -> str:
    return {
        "days": words.say("The days you lived here"),
        "weather": words.say("The season and the sun") if by_season else words.say("The weather and the season"),
        "own_use": words.say("What you used yourself"),
        "others_use": words.say("What the neighbours used"),
        "moment": words.say("The hours of sun and of use"),
        "key": words.say("New rules for dividing"),
        "losses": words.say("Heat that is lost on the way"),
        "price": words.say("Other prices"),
        "costs": words.say("Bills for the building"),
        "corrections": words.say("Corrections"),
        "rounding": words.say("Rounding to cents"),
    }.get(code, words.say("Other things"))
