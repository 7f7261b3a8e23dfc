"""What ``wijkenergie device`` does: list, show, decode, draft, read and record."""

from __future__ import annotations

import asyncio
import json
import queue
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as mqtt

from collector.catalogue import load, published
from collector.decode import decode
from collector.draft import draft
from collector.evidence import Building
from collector.feeds import speaks
from collector.links import MqttLink, PolledLink, parse_link
from collector.probe import Check, check
from collector.profile import Point, Profile
from collector.raw import Message, Raw, dump
from collector.raw import load as load_raw
from collector.refusal import NoAnswer
from collector.secret import folder_in
from collector.sources.broker import KEEP_ALIVE_SECONDS, Broker
from collector.sources.lines import open_line
from core.errors import BadInput, Unavailable
from core.settings import load_settings
from core.time import utc_now
from core.wire import QUANTITY_UNITS

_ATTEMPTS: Final = 3  # the first answer of a device that was idle can be slow
_PATIENT: Final = 4  # times the first pause
_PATIENCE_SECONDS: Final = 90.0  # a smart meter speaks every second, many sensors once a minute


def list_profiles() -> list[str]:
    """Return one line per profile: id, kind, maturity, and what it is for."""
    lines = []
    for name in published():
        profile = load(name)
        devices = f"{profile.match.vendor}: {', '.join(profile.match.models)}"
        lines.append(f"{name:24} {profile.kind:18} {profile.maturity:15} {devices}")
    return lines


def show(name: str) -> list[str]:
    """Return a profile in words.

    Raises
    ------
    BadInput
        If there is no such profile.
    """
    profile = load(name)
    link = profile.link
    lines = [
        f"{profile.id}, revision {profile.revision} ({profile.maturity})",
        f"for      {profile.match.vendor}: {', '.join(profile.match.models)}",
        f"speaks   {link.transport}{', one connection at a time' if link.exclusive else ''}",
    ]
    lines += [f"source   {origin.source}" for origin in profile.provenance]
    lines += [f"note     {note}" for note in profile.caveats.en]
    lines += [_point_line(profile, point) for point in profile.points if not point.internal]
    return lines


def decode_file(name: str, path: Path) -> list[dict[str, Any]]:
    """Decode a recording; one entry per value and per refusal, as ``device decode`` prints them.

    Raises
    ------
    BadInput
        If profile or file are wrong.
    """
    return _decoded(load_raw(path), load(name))


def draft_file(path: Path, device: str | None = None) -> list[str]:
    """Return a draft profile from the discovery messages of a recording, line by line.

    Raises
    ------
    BadInput
        If the file is wrong, or announces nothing a profile can use; see `collector.draft.draft`.
    """
    return draft(load_raw(path), device)


def read_once(name: str, link: str) -> list[dict[str, Any]]:
    """Read a real device once; entries as of `decode_file`.

    Raises
    ------
    BadInput
        If profile or link are wrong, or do not fit.
    Unavailable
        If the device does not answer.
    """
    profile = load(name)
    return _decoded(fetch(profile, link, utc_now), profile)


def first_contact(name: str, link: str) -> tuple[Raw, list[dict[str, Any]]]:
    """Read a real device once; return what it sent too, for `look_again`. Errors as of `read_once`."""
    profile = load(name)
    raw = fetch(profile, link, utc_now)
    return raw, _decoded(raw, profile)


def look_again(
    name: str, link: str, first: Raw, building: Building, pause: float, tell: Callable[[str], None]
) -> Check:
    """Judge a profile by a first look and, where a device can be asked, a second one some time later.

    Parameters
    ----------
    name, link
        As of `read_once`.
    first
        What `first_contact` returned.
    building
        What is known about the place.
    pause
        Time between the looks [s]. A no that rests on a counter alone is looked at once more after four times as
        long, because some counters move in jumps.
    tell
        Takes a sentence before each wait.
    """
    profile = load(name)
    looks = [first]
    found = check(profile, looks, building)
    # The next message may be an hour away, and a meter on a battery does not like to be asked twice.
    if pause <= 0 or not profile.link.transport.startswith(("modbus", "http")):
        return found
    for seconds in (pause, _PATIENT * pause):
        tell(f"Reading again in {seconds:.0f} seconds, to see how the counters move.")
        time.sleep(seconds)
        try:
            looks.append(fetch(profile, link, utc_now))
        except Unavailable:
            break  # told by the number of looks
        found = check(profile, looks, building)
        if not found.only_the_rise_is_against:
            break
    return found


def record(name: str, link: str, out: Path) -> None:
    """Save raw data of a real device as a fixture, with what it decodes to today.

    Raises
    ------
    BadInput, Unavailable
        As of `read_once`; also if the file cannot be written.
    """
    profile = load(name)
    raw = fetch(profile, link, utc_now)
    lines = _decoded(raw, profile)
    expect = {
        "readings": [line for line in lines if "refused" not in line],
        "refusals": [line for line in lines if "refused" in line],
    }
    tree = {"about": f"recorded with {profile.id} revision {profile.revision}", **dump(raw), "expect": expect}
    try:
        out.write_text(json.dumps(tree, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{out}: the file cannot be written: {error.strerror}.") from None


def fetch(profile: Profile, link: str, clock: Callable[[], datetime]) -> Raw:
    """Get raw data from a real device: one poll, or the next message on its topic.

    Raises
    ------
    BadInput, Unavailable
        As of `read_once`.
    """
    place = parse_link(link)
    if not speaks(profile, place):
        raise BadInput(f"'{profile.id}' speaks {profile.link.transport}; '{link}' is a link of another kind.")
    if not isinstance(place, MqttLink):
        return asyncio.run(_poll(profile, place, clock))
    topic = place.topic(profile.messages.topic if profile.messages else "")
    broker = Broker.of(load_settings())
    with _listening(broker, topic) as messages:
        try:
            received = messages.get(timeout=_PATIENCE_SECONDS)
        except queue.Empty:
            raise Unavailable(
                f"Nothing came on {topic} within {_PATIENCE_SECONDS:.0f} seconds; is the device on?"
            ) from None
    now = clock()
    return Raw(now, messages=(Message(topic, bytes(received.payload), now, received.retain, received.dup),))


async def _poll(profile: Profile, link: PolledLink, clock: Callable[[], datetime]) -> Raw:
    line, (reader,) = open_line([(link, profile)], folder_in(load_settings().data_dir), clock)
    # A meter that counts its reads is asked once: it would be asked in vain again.
    attempts = _ATTEMPTS if profile.link.min_interval is None else 1
    reason = ""
    try:
        for _ in range(attempts):
            try:
                return (await reader.read()).raw
            except NoAnswer as error:
                reason = str(error)
    finally:
        await line.close()
    raise Unavailable(f"The device could not be read: {reason}. Check the link, and that nothing else reads it.")


@contextmanager
def _listening(broker: Broker, topic: str) -> Iterator[queue.Queue[mqtt.MQTTMessage]]:
    messages: queue.Queue[mqtt.MQTTMessage] = queue.Queue()
    client = broker.client(f"wijkenergie-read-{uuid.uuid4().hex[:8]}", broker.version())

    def on_connect(connected: mqtt.Client, *_: Any) -> None:
        connected.subscribe(topic, qos=1)

    def on_message(_client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        messages.put(message)

    client.on_connect, client.on_message = on_connect, on_message
    client.connect(broker.host, broker.port, KEEP_ALIVE_SECONDS)
    client.loop_start()
    try:
        yield messages
    finally:
        client.disconnect()
        client.loop_stop()


def _decoded(raw: Raw, profile: Profile) -> list[dict[str, Any]]:
    found = decode(raw, profile)
    return [value.line() for value in found.values] + [refusal.line() for refusal in found.refused]


def _point_line(profile: Profile, point: Point) -> str:
    unit = QUANTITY_UNITS[point.quantity]
    return f"point    {point.id:12} {point.quantity}{f' [{unit}]' if unit else ''} from {_origin(profile, point)}"


def _origin(profile: Profile, point: Point) -> str:
    if point.sunspec:
        return f"SunSpec {' or '.join(point.sunspec)}"
    if point.at is not None:
        return f"register {point.at} (function {profile.block(point.block).function}, {point.type})"
    if point.silo is not None:
        return f"{point.silo} and the shape of the silo"
    if point.select is not None:
        return f"{' or '.join(point.select.cases.values())}, as {point.select.by} says"
    if point.parts:
        minus = "minus " if point.negate is not None else ""
        return minus + (" or " if point.first_valid else " - " if point.difference else " + ").join(point.parts)
    record = None if point.mbus is None else point.mbus.record
    place = point.path or point.obis or record or (point.tlv and f"field {point.tlv}") or "the whole payload"
    return place if point.topic is None else f"{place} on {point.topic}"
