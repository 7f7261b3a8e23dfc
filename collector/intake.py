"""From what a device said to what is stored: readings of meters, measurements, dead letters, health."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from collector import metrics
from collector.catalogue import load
from collector.decode import Decoded, Refused, Value, decode
from collector.delivery import DeadLetter, Delivery, Health, Measurement
from collector.feeds import feeds_of, meter_value
from collector.payload import at_pointer, document_of, scalar_text, text_of
from collector.profile import Availability, Profile
from collector.quantities import reported
from collector.raw import Message, Raw
from collector.refusal import UNREADABLE, NoValue
from collector.samples import dedupe_key, is_on
from core.community import Community, Device, Meter
from core.wire import TEXTS, Reading, native_readings

GAUGE_EVERY: Final = timedelta(seconds=60)
"""A measurement is kept this often at most; a change of state always."""
AHEAD: Final = timedelta(minutes=15)
"""A clock that is further in the future than this is wrong."""
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_KEYS_KEPT: Final = 1000
_QUARTER: Final = timedelta(minutes=15)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def time_fault(time: datetime, now: datetime) -> str | None:
    """Say what is wrong with the time of a reading, or None."""
    if time > now + AHEAD:
        return "the device's clock is in the future"
    if time < _EARLIEST:
        return "the device's clock is before the year 2000"
    return None


class Intake:
    """One device: knows its profile, what it feeds, and what was kept last.

    Raises
    ------
    BadInput
        If profile or feeds of the device are wrong.
    """

    def __init__(self, device: Device, community: Community) -> None:
        self.device = device
        self.profile: Profile = load(device.profile)
        self._feeds: dict[str, Meter] = feeds_of(device, self.profile, community)
        self._kept: dict[str, tuple[datetime, str | None]] = {}
        self._slots: dict[str, tuple[int, int]] = {}
        self._keys: dict[tuple[str, ...], None] = {}
        self._offline = False

    def from_message(self, message: Message, now: datetime) -> Delivery:
        """Decode a message; what cannot be read becomes a dead letter, what came before is nothing new.

        While its gateway says that the device is away, values without a time of their own are old ones sent again.
        """
        rule = self.profile.messages
        if rule is not None and rule.availability is not None and is_on(message.topic, rule.availability.topic):
            return self._presence(rule.availability, message, now)
        if self._offline and self.profile.timeless:
            metrics.REFUSALS.labels("stale").inc()
            return Delivery(now, self.device.id)
        if self._repeated(message):
            return Delivery(now, self.device.id)
        decoded = decode(Raw(now, messages=(message,), silo=self.device.silo), self.profile)
        delivery, faults = self._delivery(decoded, now, thin=self.profile.timeless)
        if not faults:
            return delivery
        letter = DeadLetter(message.topic, message.payload, f"{self.device.id}: {'; '.join(faults)}")
        return Delivery(now, self.device.id, delivery.readings, delivery.measurements, (letter,), delivery.health)

    def from_poll(self, raw: Raw, now: datetime, resting: Collection[str] = frozenset()) -> Delivery:
        """Decode a poll; points of blocks that were not asked for this time are neither values nor faults."""
        decoded = decode(raw, self.profile)
        if resting:
            asked = tuple(item for item in decoded.refused if not self._rests(item.point, resting))
            decoded = decoded._replace(refused=asked)
        return self._delivery(decoded, now, thin=False)[0]  # polls are as far apart as they are meant to be

    def _presence(self, rule: Availability, message: Message, now: datetime) -> Delivery:
        """Note what a device's gateway says about its being there; also an old word is the latest."""
        try:
            text = text_of(message.payload).strip()
            said = text if rule.path is None else scalar_text(at_pointer(document_of(text), rule.path))
        except NoValue:
            return Delivery(now, self.device.id)
        if said in (*rule.online, *rule.offline):
            self._offline = said in rule.offline
        if said not in rule.offline:
            return Delivery(now, self.device.id)
        return self.silent("it has told the broker that it is offline", now)

    def _repeated(self, message: Message) -> bool:
        """Whether a message with the same key came before; keeps the newest keys only.

        What the broker sends again after a broken connection is taken again, because the first may not be stored yet.
        """
        key = None if message.duplicate else dedupe_key(message, self.profile)
        if key is None:
            return False
        if key in self._keys:
            metrics.REFUSALS.labels("repeated").inc()
            return True
        self._keys[key] = None
        if len(self._keys) > _KEYS_KEPT:
            del self._keys[next(iter(self._keys))]
        return False

    def silent(self, reason: str, now: datetime) -> Delivery:
        """Note that the device did not answer."""
        return Delivery(now, self.device.id, health=(Health(self.device.id, heard=False, error=reason),))

    def misses_model(self, delivery: Delivery) -> bool:
        """Whether a poll brought nothing for a meter, so that the device's register map must be looked up again."""
        return bool(self._feeds) and not delivery.readings

    def _delivery(self, decoded: Decoded, now: datetime, *, thin: bool) -> tuple[Delivery, list[str]]:
        readings: list[Reading] = []
        measurements: list[Measurement] = []
        clock: datetime | None = None
        faults = [refusal.reason for refusal in self._spoiling(decoded)]
        told = [item for item in decoded.refused if item.code != "unchanged"]
        for refusal in told:
            metrics.REFUSALS.labels(refusal.code).inc()
        for value in decoded.values:
            wrong = time_fault(value.time, now)
            if wrong is not None:
                metrics.REFUSALS.labels("time").inc()
                faults.append(wrong)
                clock = value.time
            elif value.point in self._feeds and value.value is not None:
                if not thin or self._due(value):
                    meter = self._feeds[value.point]
                    readings.append(Reading(meter.id, value.time, meter_value(value.value, value.unit, meter)))
            elif self._worth_keeping(value):
                measurements.append(self._measurement(value))
        faults = list(dict.fromkeys(faults))
        troubles = faults or [item.reason for item in told if item.point in self._feeds]
        heard = bool(decoded.values) or not told
        note = Health(self.device.id, heard=heard, error="; ".join(dict.fromkeys(troubles)) or None, clock=clock)
        # What the broker kept or repeats says nothing about the device, neither good nor bad.
        stale = not decoded.values and bool(told) and all(item.code == "stale" for item in told)
        health = () if stale else (note,)
        return Delivery(now, self.device.id, tuple(readings), tuple(measurements), health=health), faults

    def _rests(self, name: str, resting: Collection[str]) -> bool:
        point = self.profile.point(name)
        return point.block in resting or any(self._rests(part, resting) for part in (*point.sum, *point.difference))

    def _spoiling(self, decoded: Decoded) -> list[Refused]:
        """Return the refusals that make a message a dead letter: they hit a meter, or leave nothing at all."""
        unreadable = [refusal for refusal in decoded.refused if refusal.code in UNREADABLE]
        hit = [refusal for refusal in unreadable if refusal.point in self._feeds]
        return hit if hit or decoded.values else unreadable

    def _due(self, value: Value) -> bool:
        """Whether a value without a time of its own is the first of its period or quarter-hour."""
        since = value.time - _EPOCH
        slot = (since // self.device.every, since // _QUARTER)
        if self._slots.get(value.point) == slot:
            return False
        self._slots[value.point] = slot
        return True

    def _worth_keeping(self, value: Value) -> bool:
        last = self._kept.get(value.point)
        same_state = last is not None and last[1] == value.text
        if same_state and value.quantity in TEXTS:
            return False  # a serial number is kept when it is first seen, and when it is another one
        if last is not None and same_state and timedelta(0) <= value.time - last[0] < GAUGE_EVERY:
            return False
        self._kept[value.point] = (value.time, value.text)
        return True

    def _measurement(self, value: Value) -> Measurement:
        amount = None if value.value is None else reported(value.value, value.unit)
        return Measurement(self.device.id, value.point, value.time, value.quantity, amount, value.text)


def native_delivery(meter: str, message: Message, meters: Mapping[str, Meter], now: datetime) -> Delivery:
    """Read a message on a native topic; one wrong entry makes the whole message a dead letter."""
    reason = None
    readings: tuple[Reading, ...] = ()
    if meter not in meters:
        reason = f"unknown meter '{meter}'; add it to the community file"
    else:
        try:
            readings = tuple(native_readings(meter, message.payload))
        except ValueError as error:
            reason = str(error)
        else:
            latest = now + AHEAD
            wrong = next((one.time for one in readings if not _EARLIEST <= one.time <= latest), None)
            reason = None if wrong is None else time_fault(wrong, now)
    if reason is None:
        return Delivery(now, message.topic, readings)
    metrics.REFUSALS.labels("unreadable").inc()
    return Delivery(now, message.topic, dead_letters=(DeadLetter(message.topic, message.payload, reason),))
