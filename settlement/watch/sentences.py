"""What findings say, in plain English: one sentence of what is seen and one of what to do, all in this one place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

SENTENCES: Final[dict[str, str]] = {
    "register-dipped": (
        "Meter {subject} fell from {before} to {after} {unit} at {since} and came back; the fall does not count."
    ),
    "register-zero": (
        "Meter {subject} said 0 instead of {before} {unit} at {since} and came back; the zero does not count."
    ),
    "register-spiked": (
        "Meter {subject} said {after} {unit} at {since}, after {before} {unit}, and came back; the jump does not count."
    ),
    "register-rolled-over": (
        "Meter {subject} passed its last digit at {until} and started again from zero, as it should."
    ),
    "register-reset": (
        "Meter {subject} fell from {before} to {after} {unit} at {until} and counts on from there: it was reset, or it"
        " counts the day and not everything. If it was replaced, write that down as a replacement."
    ),
    "register-fell": (
        "Meter {subject} fell from {before} to {after} {unit} at {until} and counts on from there. If it was replaced,"
        " write that down as a replacement."
    ),
    "register-strayed": (
        "Meter {subject} said {after} instead of {before} {unit} at {since}, and went on from its old value only after"
        " {until}. What it said meanwhile does not count, and the hours in between are estimated."
    ),
    "register-jumped": (
        "Meter {subject} jumped from {before} to {after} {unit} between {since} and {until}, more than its connection"
        " can carry. Look at the meter; if it can carry that, give it a 'max_kw'."
    ),
    "unit-slipped": (
        "Meter {subject} changed by about a thousand: {before} {unit} became {after} {unit} at {since}. Check whether"
        " its device speaks in another unit now, Wh for kWh or the other way round."
    ),
    "meter-replaced": (
        "Meter {subject} was {before} and then {after} {unit} at {until}, and its serial number changed: it was"
        " replaced. Write the last value of the old and the first of the new meter down as a replacement."
    ),
    "register-frozen": (
        "Meter {subject} has said {before} {unit} ever since {since}, though it is read. Check whether it hangs, or"
        " whether nothing is used there."
    ),
    "register-crawls": (
        "Meter {subject} counted {after} {unit} in the day before {until}, and {before} {unit} a day in the week before"
        " that, while others went on. Check whether its device speaks in another unit now, kWh for Wh."
    ),
    "clock-wrong": (
        "The clock of device {subject} has been wrong since {since}: it said {said}. What it sends is not taken until"
        " its clock is right."
    ),
    "serial-changed": (
        "Device {subject} has had serial number {after} since {since}, and {before} before: the meter was swapped."
        " Write the last value of the old and the first of the new meter down as a replacement."
    ),
    "serial-duplicate": (
        "Devices {subject} and {other} both give serial number {serial}: one of them is read twice. Look at their"
        " links."
    ),
}
"""By code; blanks are the subject, the finding's two instants and its facts."""


def sentence(
    code: str, subject: str, since: datetime, until: datetime, facts: Mapping[str, str], zone: ZoneInfo
) -> str:
    """Say what was found, in local time and in the meter's own unit.

    Parameters
    ----------
    subject
        Id of the meter or the device.
    facts
        The other blanks of the sentence.
    """
    times = {"since": local(since, zone), "until": local(until, zone)}
    return SENTENCES[code].format(subject=subject, **times, **facts)


def local(instant: datetime, zone: ZoneInfo) -> str:
    """Print an instant as the clock on the wall says it, ``3 May 2026 14:05``."""
    there = instant.astimezone(zone)
    return f"{there.day} {there:%B %Y %H:%M}"
