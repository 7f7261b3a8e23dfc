"""What devices say over MQTT: dsmr-reader for smart meters, wmbusmeters for heat meters, a bare number, native JSON.

Values are the display's at the message's own whole second, digit for digit. Dutch smart meters speak from the
customer's side: ``delivered`` is what came to the customer, which is import; ``returned`` is export.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from core.time import rfc3339
from core.wire import native_topic
from simulators.building import COMMUNITY
from simulators.display import parts_at
from simulators.faults import Fault
from simulators.meters import METERS, Meter
from simulators.world import world_at

Say = Callable[[datetime, Iterable[Fault]], str | None]
"""The payload of an instant; None while the device is silent."""


@dataclass(frozen=True)
class Topic:
    """One device's topic.

    Attributes
    ----------
    name
        The MQTT topic.
    say
        What it says at an instant.
    carries_time
        Whether the payload names its own time, so that it may be said later without harm.
    """

    name: str
    say: Say
    carries_time: bool = True


def topics(seed: int) -> Iterator[Topic]:
    """Yield the topic of every MQTT device of the building."""
    yield Topic("building/grid/dsmr/json", _smart_meter(seed, METERS["grid-in"], METERS["grid-out"]))
    for meter in METERS.values():
        if meter.kind == "p1":
            yield Topic(f"flats/{meter.flat}/dsmr/json", _smart_meter(seed, meter, None))
        elif meter.kind == "heat":
            yield Topic(f"wmbusmeters/{meter.id}", _heat_meter(seed, meter))
        elif meter.kind == "native":
            yield Topic(native_topic(COMMUNITY, meter.id), _native(seed, meter))
        elif meter.kind == "silo":
            yield Topic("silo/sensor/pellets", _level(seed, meter), carries_time=False)


def _smart_meter(seed: int, imports: Meter, exports: Meter | None) -> Say:
    def say(instant: datetime, faults: Iterable[Fault]) -> str | None:
        faults = tuple(faults)
        delivered = parts_at(seed, imports, instant, faults)
        returned = parts_at(seed, exports, instant, faults) if exports else [0, 0]
        if delivered is None or returned is None:
            return None
        taken = Decimal(_watts(seed, imports, instant)).scaleb(-3)
        given = Decimal(_watts(seed, exports, instant) if exports else 0).scaleb(-3)
        return json.dumps(
            {
                "id": int(instant.timestamp()) % 10**9,
                "timestamp": rfc3339(instant),
                "electricity_delivered_1": imports.text(delivered[0]),
                "electricity_returned_1": imports.text(returned[0]),
                "electricity_delivered_2": imports.text(delivered[1]),
                "electricity_returned_2": imports.text(returned[1]),
                "electricity_currently_delivered": format(taken, "f"),
                "electricity_currently_returned": format(given, "f"),
                "phase_voltage_l1": 231,
                "extra_device_timestamp": None,
                "extra_device_delivered": None,
            }
        )

    return say


def _heat_meter(seed: int, meter: Meter) -> Say:
    number = f"{67_400_000 + 17 * list(METERS).index(meter.id):08d}"

    def say(instant: datetime, faults: Iterable[Fault]) -> str | None:
        parts = parts_at(seed, meter, instant, faults)
        if parts is None:
            return None
        energy = Decimal(meter.text(parts[0]))
        watts = _watts(seed, meter, instant)
        return json.dumps(
            {
                "_": "telegram",
                "media": "heat",
                "meter": "kamheat",
                "name": meter.id,
                "id": number,
                "status": "OK",
                "total_energy_consumption_kwh": int(energy) if meter.decimals == 0 else float(energy),
                "total_volume_m3": round(float(energy) * 0.047, 2),
                "power_kw": round(watts / 1000, 1),
                "t1_temperature_c": 68.4 if watts > 50 else 41.2,
                "t2_temperature_c": 47.9 if watts > 50 else 38.0,
                "timestamp": rfc3339(instant),
            }
        )

    return say


def _native(seed: int, meter: Meter) -> Say:
    def say(instant: datetime, faults: Iterable[Fault]) -> str | None:
        parts = parts_at(seed, meter, instant, faults)
        return None if parts is None else json.dumps({"time": rfc3339(instant), "value": meter.text(parts[0])})

    return say


def _level(seed: int, meter: Meter) -> Say:
    def say(instant: datetime, faults: Iterable[Fault]) -> str | None:
        parts = parts_at(seed, meter, instant, faults)
        return None if parts is None else meter.text(parts[0])

    return say


def _watts(seed: int, meter: Meter, instant: datetime) -> int:
    """Return the mean power of the quarter-hour the instant lies in [W]."""
    world = world_at(seed, instant)
    return int(world.energy_of(meter)[world.index(instant)]) * 4 // 1000
