"""Which device or meter an MQTT message belongs to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from collector.delivery import DeadLetter, Delivery
from collector.intake import Intake, native_delivery
from collector.links import MqttLink, parse_link
from collector.raw import Message
from core.community import Community
from core.wire import native_meter, native_topic, status_topic


class Router:
    """Routes by topic.

    Parameters
    ----------
    community
        Whose native topics count; its meters.
    intakes
        Devices with an MQTT link.
    native
        Whether this router also takes the native topics.
    """

    def __init__(self, community: Community, intakes: Iterable[Intake], *, native: bool) -> None:
        self._slug = community.community
        self._meters = {meter.id: meter for meter in community.meters}
        self._native = native
        self._status = status_topic(self._slug)
        topics = {native_topic(self._slug, meter): meter for meter in self._meters} if native else {}
        self._meter_topics = {topic: meter for topic, meter in topics.items() if topic != self._status}
        self._by_topic: defaultdict[str, list[Intake]] = defaultdict(list)
        for intake in intakes:
            link = parse_link(intake.device.link)
            rule = intake.profile.messages
            if not isinstance(link, MqttLink):
                continue
            for suffix in intake.profile.topics:
                self._by_topic[link.topic(suffix)].append(intake)
            if rule is not None and rule.availability is not None:
                self._by_topic[link.topic(rule.availability.topic)].append(intake)

    @property
    def filters(self) -> tuple[str, ...]:
        """Topic filters to subscribe to."""
        return (*([native_topic(self._slug, "+")] if self._native else []), *sorted(self._by_topic))

    def knows(self, topic: str) -> bool:
        """Whether messages of a topic belong here; a session the broker kept may still follow topics of the past."""
        return topic in self._by_topic or (self._native and topic.startswith(native_topic(self._slug, "")))

    def route(self, message: Message, now: datetime) -> Delivery:
        """Return what a message brings; empty for our own status."""
        meter = self._meter_topics.get(message.topic)
        if meter is not None and message.topic not in self._by_topic:
            return native_delivery(meter, message, self._meters, now)  # nearly all, where much is said
        found = [intake.from_message(message, now) for intake in self._by_topic.get(message.topic, ())]
        meter = native_meter(message.topic, self._slug)
        if self._native and meter is not None:
            found.append(native_delivery(meter, message, self._meters, now))
        if not found and message.topic != self._status:
            letter = DeadLetter(message.topic, message.payload, "no device of the community has this topic")
            return Delivery(now, message.topic, dead_letters=(letter,))
        return Delivery(
            now,
            message.topic,
            tuple(reading for one in found for reading in one.readings),
            tuple(measurement for one in found for measurement in one.measurements),
            tuple(letter for one in found for letter in one.dead_letters),
            tuple(note for one in found for note in one.health),
        )
