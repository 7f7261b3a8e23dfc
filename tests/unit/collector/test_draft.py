"""A draft profile from a discovery message: what it says is taken over, everything else is said and not guessed."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.catalogue import parse
from collector.decode import decode
from collector.draft import draft
from collector.profile import Profile
from collector.raw import Message, Raw, dump
from core.errors import BadInput

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
SHORT = {
    "name": "Washer Energy Total",
    "stat_t": "tele/washer/SENSOR",
    "avty_t": "tele/washer/LWT",
    "pl_avail": "Online",
    "pl_not_avail": "Offline",
    "uniq_id": "A1_energy_total",
    "dev": {"ids": ["A1"], "name": "Washer", "mf": "Tasmota", "mdl": "Plug"},
    "unit_of_meas": "kWh",
    "dev_cla": "energy",
    "stat_cla": "total_increasing",
    "val_tpl": "{{ value_json.ENERGY.Total }}",
}
POWER = SHORT | {
    "name": "Washer Power",
    "unit_of_meas": "W",
    "dev_cla": "power",
    "stat_cla": "measurement",
    "val_tpl": "{{value_json['ENERGY'][\"Power\"][0] | float | round(1)}}",
}


def announced(*bodies: dict[str, Any], topic: str = "homeassistant/sensor/A1/{}/config") -> Raw:
    return Raw(
        messages=tuple(
            Message(topic.format(index), json.dumps(body).encode(), AT, retained=True)
            for index, body in enumerate(bodies)
        )
    )


def drafted(*bodies: dict[str, Any], **more: Any) -> tuple[Profile, list[str]]:
    lines = draft(announced(*bodies, **more))
    return parse("\n".join(lines), "draft.yaml"), [line for line in lines if line.lstrip().startswith("#")]


def test_a_draft_reads_the_messages_of_the_device() -> None:
    profile, notes = drafted(SHORT, POWER)
    assert (profile.id, profile.maturity) == ("draft.washer", "community")
    assert profile.provenance[0].source == "discovery message of Washer"
    assert len(profile.caveats.en) == len(profile.caveats.nl) == 1
    message = Message("tele/washer/SENSOR", b'{"ENERGY": {"Total": 1290.396, "Power": [8.15, 0]}}', AT)
    values = {value.point: value.value for value in decode(Raw(AT, messages=(message,)), profile).values}
    assert values == {"washer-energy-total": Decimal("1290.396"), "washer-power": Decimal("8.15")}
    assert profile.point("washer-energy-total").may_reset
    rule = profile.messages
    assert rule is not None
    assert rule.availability is not None
    assert (rule.topic, rule.availability.topic) == ("SENSOR", "LWT")
    assert (rule.availability.online, rule.availability.offline) == (("Online",), ("Offline",))
    assert notes[0].endswith('link: "mqtt:tele/washer"')
    assert "  # Check: is this import, export, sun (pv_energy) or heat (thermal_energy)?" in notes


def test_full_keys_a_base_topic_and_a_message_for_a_whole_device_mean_the_same() -> None:
    full = {
        "~": "tele/washer",
        "device": {"name": "Washer"},
        "components": {
            "one": {
                "platform": "sensor",
                "name": "Washer Energy Total",
                "state_topic": "~/SENSOR",
                "unit_of_measurement": "kWh",
                "device_class": "energy",
                "state_class": "total_increasing",
                "value_template": "{{ value_json.ENERGY.Total }}",
            }
        },
        "availability": [{"topic": "~/LWT", "payload_available": "Online", "payload_not_available": "Offline"}],
    }
    profile, _ = drafted(full, topic="homeassistant/device/A1{}/config")
    assert profile == drafted(SHORT)[0]


def test_a_device_that_is_one_topic_keeps_its_availability_behind_it() -> None:
    plug = SHORT | {
        "stat_t": "zigbee2mqtt/boiler room/pump",
        "avty": [
            {"t": "zigbee2mqtt/bridge/state", "val_tpl": "{{ value_json.state }}"},
            {"t": "zigbee2mqtt/boiler room/pump/availability", "val_tpl": "{{ value_json.state }}"},
        ],
        "val_tpl": "{{ value_json.energy }}",
    }
    profile, notes = drafted({key: value for key, value in plug.items() if not key.startswith("pl_")})
    rule = profile.messages
    assert rule is not None
    assert rule.availability is not None
    assert (rule.topic, rule.availability.topic, rule.availability.path) == ("", "availability", "/state")
    assert 'link: "mqtt:zigbee2mqtt/boiler room/pump"' in notes[0]


def test_one_value_a_topic_makes_topics_of_their_own() -> None:
    bodies = [
        SHORT
        | {
            "name": name,
            "stat_t": f"solar/1141/0/{name}",
            "val_tpl": "{{ value }}",
            "avty_t": "solar/1141/status/reachable",
        }
        for name in ("yieldtotal", "yieldday")
    ]
    profile, _ = drafted(*bodies)
    assert profile.topics == ("0/yieldtotal", "0/yieldday")
    assert all(point.scalar for point in profile.points)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"val_tpl": "{{ value_json.a * 1000 }}"}, "does more than point into the message"),
        ({"val_tpl": "{{ value_json.a | default(0) }}"}, "does more than point into the message"),
        ({"val_tpl": "{% if value_json.a %}1{% endif %}"}, "does more than point into the message"),
        ({"val_tpl": "{{ states('sensor.x') }}"}, "does more than point into the message"),
        ({"val_tpl": "{{ value_json." + " " * 100_000 + "}}"}, "does more than point into the message"),
        ({"dev_cla": "temperature", "unit_of_meas": "°C"}, "no quantity is known for the device class 'temperature'"),
        ({"unit_of_meas": "gallons"}, "the unit 'gallons' does not turn into that of electric_energy_import"),
        ({"stat_cla": "measurement"}, "it does not say that it counts up"),
        ({"stat_t": "tele/+/SENSOR"}, "it does not say on which topic it is published"),
        ({"stat_t": 5}, "it does not say on which topic it is published"),
        ({"val_tpl": None}, "other values of its topic are fields of a document"),
    ],
)
def test_what_cannot_be_taken_over_is_said(change: dict[str, Any], why: str) -> None:
    profile, notes = drafted(POWER, SHORT | change)
    assert [point.id for point in profile.points] == ["washer-power"]
    (note,) = [line for line in notes if line.startswith("# Left out:")]
    assert note.startswith("# Left out: Washer Energy Total: ")
    assert why in note


def test_a_switch_is_no_sensor() -> None:
    with pytest.raises(BadInput, match=r"Nothing of 'Washer' can be read by a profile: .*a switch is no sensor"):
        draft(announced(SHORT, topic="homeassistant/switch/A1/{}/config"))


def test_names_that_come_twice_get_numbers() -> None:
    profile, _ = drafted(SHORT, SHORT, SHORT | {"name": "Wásher energy total!"})
    assert [point.id for point in profile.points] == [
        "washer-energy-total",
        "washer-energy-total-2",
        "w-sher-energy-total",
    ]


def test_of_several_devices_one_must_be_chosen() -> None:
    raw = announced(SHORT, SHORT | {"dev": {"name": "Dryer"}, "stat_t": "tele/dryer/SENSOR"})
    with pytest.raises(BadInput, match="several devices; choose one with --device: Dryer, Washer"):
        draft(raw)
    assert 'link: "mqtt:tele/dryer' in draft(raw, "Dryer")[0]
    with pytest.raises(BadInput, match="announces no device 'Kettle'"):
        draft(raw, "Kettle")


def test_a_file_without_announcements_is_refused() -> None:
    with pytest.raises(BadInput, match="There is no discovery message in the file"):
        draft(Raw(messages=(Message("tele/washer/SENSOR", b"{}", AT), Message("h/sensor/x/config", b"", AT))))
    with pytest.raises(BadInput, match="have no beginning in common"):
        draft(announced(SHORT, SHORT | {"stat_t": "other/SENSOR"}))


foreign = st.text(max_size=30) | st.sampled_from(["a\nb: c", '"', "\ud800", "{}", "# x", "}}", "x" * 500, "", "'"])


@given(
    st.dictionaries(st.sampled_from([*SHORT, "avty", "obj_id", "~"]), foreign | st.none() | st.integers(), max_size=4),
    foreign,
)
def test_whatever_is_announced_the_draft_is_a_profile_or_one_sentence(changes, name):
    raw = announced(SHORT | changes, POWER | {"dev": {"name": name}, "name": name})
    try:
        lines = draft(raw, None if "dev" in changes else name)
    except BadInput as error:
        sentence = f"{error}"
    else:
        assert parse("\n".join(lines), "draft.yaml").points
        sentence = ""
    assert "\n" not in sentence


def test_the_command_prints_a_profile_that_show_accepts(tmp_path: Path) -> None:
    recording = tmp_path / "discovery.json"
    recording.write_text(json.dumps(dump(announced(SHORT, POWER))), encoding="utf-8")
    command = [sys.executable, "-m", "wijkenergie", "device"]
    run = subprocess.run([*command, "draft", recording], capture_output=True, text=True, check=True)
    profile = tmp_path / "washer.yaml"
    profile.write_text(run.stdout, encoding="utf-8")
    shown = subprocess.run([*command, "show", profile], capture_output=True, text=True, check=True)
    assert "electric_energy_import [kWh] from /ENERGY/Total" in shown.stdout
