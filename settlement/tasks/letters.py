"""What messages say, in the reader's language: short sentences, one link, no more about anybody than is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from gettext import NullTranslations

from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal

from core.community import Task
from core.time import Month
from core.words import LANGUAGES, translations


@dataclass(frozen=True)
class Letter:
    """A subject of one line and a body of plain text."""

    subject: str
    body: str


def task(community_name: str, work: Task, days: float, link: str, language: str) -> Letter:
    """Ask for help with a task.

    Parameters
    ----------
    days
        How long it can wait at the least; 0 when it should be done now.
    """
    words = _words(language)
    subject, what = {
        "refill": (words.gettext("The boiler needs pellets"), _refill(words, days)),
        "ash": (
            words.gettext("The ash drawer is nearly full"),
            words.gettext("The ash drawer of the boiler is nearly full. Would you empty it?"),
        ),
    }.get(work.id, (work.title or work.id, words.gettext("There is work to do: %s.") % (work.title or work.id)))
    paragraphs = [
        what,
        words.gettext("Tell us here that you will do it:") + "\n" + link,
        words.gettext("The others then see that it is arranged."),
    ]
    if work.id == "refill":
        paragraphs.append(words.gettext("Bags are heavy. Let fresh air into the store, and do not go in alone."))
    return _letter(words, community_name, subject, paragraphs)


def statement_ready(community_name: str, month: Month, link: str, language: str) -> Letter:
    """Tell a resident that a month's statement is ready; the amounts stay behind the sign-in."""
    words = _words(language)
    name = format_date(month.first_day, "MMMM y", locale=_locale(language))
    paragraphs = [
        words.gettext("Your statement for %s is ready.") % name,
        words.gettext("Look at it here:") + "\n" + link,
        words.gettext("It is provisional: an amount can still change a little."),
    ]
    return _letter(words, community_name, words.gettext("Your statement for %s is ready") % name, paragraphs)


def level(community_name: str, level_kg: Decimal, stock_kg: Decimal, language: str) -> Letter:
    """Ask a technician to look at the level sensor."""
    words = _words(language)
    paragraphs = [
        words.gettext("The sensor in the silo says %(level)s kg. By our books there are %(stock)s kg of pellets.")
        % {"level": _kg(level_kg, language), "stock": _kg(stock_kg, language)},
        words.gettext("Would you look at the sensor, or count the pellets?"),
    ]
    return _letter(words, community_name, words.gettext("The level sensor and the books do not agree"), paragraphs)


def devices_silent(
    community_name: str, devices: Sequence[tuple[str, datetime | None]], link: str, language: str
) -> Letter:
    """Ask an operator to look after devices; each with its local time of last being heard, None for never."""
    words = _words(language)
    lines = [
        words.gettext("%(device)s, last heard on %(moment)s")
        % {"device": device, "moment": format_datetime(heard, "d MMMM HH:mm", locale=_locale(language))}
        if heard is not None
        else words.gettext("%(device)s, never heard") % {"device": device}
        for device, heard in devices
    ]
    paragraphs = [
        words.ngettext(
            "We no longer hear %d device that the settlement needs.",
            "We no longer hear %d devices that the settlement needs.",
            len(devices),
        )
        % (len(devices),)
        + "\n"
        + "\n".join(lines),
        words.gettext("Does it have power, and is its cable or network all right? All devices are here:") + "\n" + link,
        words.gettext("Counters go on counting: what was used meanwhile is not lost, only its hours are."),
    ]
    return _letter(words, community_name, words.gettext("Devices have fallen silent"), paragraphs)


def devices_back(community_name: str, devices: Sequence[str], link: str, language: str) -> Letter:
    """Tell an operator that devices are heard again."""
    words = _words(language)
    paragraphs = [
        words.gettext("These devices are heard again: %s.") % ", ".join(devices),
        words.gettext("All devices are here:") + "\n" + link,
    ]
    return _letter(words, community_name, words.gettext("Devices are heard again"), paragraphs)


def collector_silent(community_name: str, last: datetime | None, link: str, language: str) -> Letter:
    """Tell an operator that nothing at all is heard; ``last`` is the local time of the last word, None for never."""
    words = _words(language)
    if last is None:
        heard = words.gettext("No device has ever been heard.")
    else:
        moment = format_datetime(last, "d MMMM HH:mm", locale=_locale(language))
        heard = words.gettext("No device has been heard since %s.") % moment
    paragraphs = [
        heard + " " + words.gettext("So the collector itself, the broker or the network seems to be down."),
        words.gettext("Would you look at the service that collects readings?") + "\n" + link,
    ]
    return _letter(words, community_name, words.gettext("No readings come in any more"), paragraphs)


def collector_back(community_name: str, link: str, language: str) -> Letter:
    """Tell an operator that readings come in again."""
    words = _words(language)
    paragraphs = [
        words.gettext("Readings come in again."),
        words.gettext("A device that stays silent is reported by itself. All devices are here:") + "\n" + link,
    ]
    return _letter(words, community_name, words.gettext("Readings come in again"), paragraphs)


def _refill(words: NullTranslations, days: float) -> str:
    whole = int(days)
    if whole < 1:
        text = words.gettext("The pellets at the boiler may run out within a day.")
    else:
        text = words.ngettext(
            "The pellets at the boiler last at least %d more day.",
            "The pellets at the boiler last at least %d more days.",
            whole,
        ) % (whole,)
    return text + " " + words.gettext("Would you carry some bags?")


def _letter(words: NullTranslations, community_name: str, subject: str, paragraphs: list[str]) -> Letter:
    text = [words.gettext("Hello,"), *paragraphs, words.gettext("Kind regards,") + "\n" + community_name]
    return Letter(subject, "\n\n".join(text) + "\n")


def _words(language: str) -> NullTranslations:
    return translations(_locale(language), "messages")


def _locale(language: str) -> str:
    return language if language in LANGUAGES else LANGUAGES[0]


def _kg(value: Decimal, language: str) -> str:
    return format_decimal(round(value), locale=_locale(language))
