"""What ``wijkenergie device`` does: list, show, decode, read and record."""

from __future__ import annotations

import asyncio
import json
import queue
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as mqtt

from collector.decode import decode
from collector.links import ModbusLink, MqttLink, parse_link
from collector.plan import requests
from collector.profile import Point, Profile, load, published
from collector.raw import Message, Raw, dump
from collector.raw import load as load_raw
from collector.sources.broker import KEEP_ALIVE_SECONDS, Broker
from collector.sources.endpoint import NoAnswer
from collector.sources.modbus import converse, endpoint_for
from core.errors import BadInput, Unavailable
from core.settings import load_settings
from core.time import utc_now
from core.wire import QUANTITY_UNITS

_ATTEMPTS: Final = 3  # the first answer of a device that was idle can be slow
_PATIENCE_SECONDS: Final = 90.0  # a smart meter speaks every second, many sensors once a minute


def list_profiles() -> list[str]:
    """Return one line per profile: id, kind, maturity, and what it is for."""
    lines = []
    for name in published():
        profile = load(name)
        devices = f"{profile.match.vendor}: {', '.join(profile.match.models)}"
        lines.append(f"{name:22} {profile.kind:18} {profile.maturity:15} {devices}")
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
    transport = profile.link.transport
    if isinstance(place, ModbusLink) and transport == "modbus-tcp":
        return asyncio.run(_poll(profile, place, clock))
    if isinstance(place, MqttLink) and transport == "mqtt":
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
    if transport == "http-json":
        raise BadInput(f"'{profile.id}' speaks http-json: recorded data can be decoded, the device cannot be read.")
    raise BadInput(f"'{profile.id}' speaks {transport}; '{link}' is a link of another kind.")


async def _poll(profile: Profile, link: ModbusLink, clock: Callable[[], datetime]) -> Raw:
    reason = ""
    async with endpoint_for(link.host, link.port, profile) as endpoint:
        for _ in range(_ATTEMPTS):
            try:
                registers = await converse(endpoint, link.unit, requests(profile))
            except NoAnswer as error:
                reason = str(error)
            else:
                return Raw(clock(), registers)
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
    if point.path is not None:
        return point.path
    return " + ".join(point.sum) or " - ".join(point.difference) or "the whole payload"
