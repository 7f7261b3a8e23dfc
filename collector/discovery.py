"""Home Assistant's MQTT discovery: what a device says about its own sensors, as facts a draft profile can be made of.

Source: Home Assistant, documentation of MQTT discovery: topics ``<prefix>/<component>/[<node>/]<object>/config``, keys
in full or abbreviated, ``~`` for a base topic, one message for a sensor or for a whole device.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from collector.payload import document_of, printable, scalar_text, text_of
from collector.raw import Message, Raw
from collector.refusal import NoValue

_CONFIG: Final = re.compile(r"[^/]+/(?P<component>[a-z_]+)/.+/config")
_FULL: Final = {
    "stat_t": "state_topic", "unit_of_meas": "unit_of_measurement", "dev_cla": "device_class",
    "stat_cla": "state_class", "val_tpl": "value_template", "uniq_id": "unique_id", "obj_id": "object_id",
    "avty": "availability", "avty_t": "availability_topic", "avty_tpl": "availability_template",
    "pl_avail": "payload_available", "pl_not_avail": "payload_not_available", "dev": "device",
    "cmps": "components", "p": "platform", "t": "topic", "ids": "identifiers", "mf": "manufacturer", "mdl": "model",
}  # fmt: skip
_LONGEST_TEMPLATE: Final = 200
_STEP: Final = re.compile(r"\.(\w+)|\['([^']*)'\]|\[\"([^\"]*)\"\]|\[(\d{1,4})\]")
_TEMPLATE: Final = re.compile(
    r"\{\{\s*value(?P<json>_json)?(?P<steps>[^|{}]*?)\s*(\|\s*(float|round)\s*(\(\s*\d*\s*\))?\s*)*\}\}"
)
"""A way into the message; of the filters those that only say that it is a number."""


@dataclass(frozen=True)
class Availability:
    """Where and with which words a device says whether it is there."""

    topic: str
    path: str | None
    online: str
    offline: str


@dataclass(frozen=True)
class Sensor:
    """One sensor as it was announced; ``path`` leads into a JSON message, None means the whole payload.

    ``trouble`` says why it cannot be read by a profile.
    """

    device: str
    name: str
    topic: str
    path: str | None
    unit: str
    device_class: str
    state_class: str
    availability: tuple[Availability, ...]
    trouble: str | None = None


def sensors(raw: Raw) -> Iterator[Sensor]:
    """Yield every sensor that the messages of a recording announce; other messages say nothing here."""
    for message in raw.messages:
        match = _CONFIG.fullmatch(message.topic)
        if match is not None and message.payload.strip():
            yield from _announced(message, match["component"])


def _announced(message: Message, component: str) -> Iterator[Sensor]:
    try:
        tree = _spelt_out(document_of(text_of(message.payload)))
    except NoValue:
        return
    if not isinstance(tree, dict):
        return
    if component != "device":
        yield _sensor(tree, component)
        return
    parts = tree.get("components")
    for part in parts.values() if isinstance(parts, dict) else ():
        if isinstance(part, dict):
            yield _sensor({**tree, **_spelt_out(part)}, _text(part, "p") or _text(part, "platform"))


def _sensor(tree: dict[str, Any], component: str) -> Sensor:
    base = _text(tree, "~")
    device = tree.get("device")
    known = _spelt_out(device) if isinstance(device, dict) else {}
    maker = f"{_text(known, 'manufacturer')} {_text(known, 'model')}".strip()
    path, trouble = _place(_text(tree, "value_template"))
    topic = _topic(_text(tree, "state_topic"), base)
    if component != "sensor":
        trouble = f"a {component or 'thing of no kind'} is no sensor"
    elif not _usable(topic):
        trouble = "it does not say on which topic it is published"
    return Sensor(
        _text(known, "name") or maker or "unnamed",
        _text(tree, "name") or _text(tree, "object_id") or _text(tree, "unique_id") or "value",
        topic,
        path,
        _text(tree, "unit_of_measurement"),
        _text(tree, "device_class"),
        _text(tree, "state_class"),
        tuple(_availability(tree, base)),
        trouble,
    )


def _availability(tree: dict[str, Any], base: str) -> Iterator[Availability]:
    several = tree.get("availability")
    single = {**tree, "topic": tree.get("availability_topic"), "value_template": tree.get("availability_template")}
    for item in several if isinstance(several, list) else [single]:
        found = _spelt_out(item) if isinstance(item, dict) else {}
        topic = _topic(_text(found, "topic"), base)
        path, trouble = _place(_text(found, "value_template"))
        online, offline = found.get("payload_available", "online"), found.get("payload_not_available", "offline")
        if _usable(topic) and trouble is None and isinstance(online, str) and isinstance(offline, str):
            yield Availability(topic, path, online, offline)


def _place(template: str) -> tuple[str | None, str | None]:
    """Turn a template into a path (None for the whole payload), or say that it is more than a path."""
    if not template:
        return None, None
    match = _TEMPLATE.fullmatch(template) if len(template) <= _LONGEST_TEMPLATE else None
    steps = match["steps"] if match is not None else ""
    names = [next(part for part in step if part) for step in _STEP.findall(steps) if any(step)]
    rest = _STEP.sub("", steps)
    if match is None or rest or bool(match["json"]) != bool(names) or not all(map(str.isprintable, names)):
        return None, f"its template {printable(template)} does more than point into the message"
    return "".join(f"/{name.replace('~', '~0').replace('/', '~1')}" for name in names) or None, None


def _spelt_out(tree: Any) -> Any:
    return {_FULL.get(key, key): value for key, value in tree.items()} if isinstance(tree, dict) else tree


def _topic(topic: str, base: str) -> str:
    if topic.startswith("~"):
        return base + topic[1:]
    return topic[:-1] + base if topic.endswith("~") else topic


def _usable(topic: str) -> bool:
    return bool(topic) and topic.isprintable() and not any(sign in topic for sign in "+#")


def _text(tree: dict[str, Any], name: str) -> str:
    try:
        return scalar_text(tree.get(name), accept=("text",))
    except NoValue:
        return ""
