"""The broker as it is deployed: its own configuration, accepted and obeyed by a real mosquitto.

Only paths and ports are moved to the test's folder; every other line is the one of deploy/broker/mosquitto.conf.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.support.broker import find_mosquitto, free_port

BROKER = Path(__file__).parents[2] / "deploy" / "broker"
USERS = {name: f"secret-{name}" for name in ("wijkenergie", "wmbusmeters", "A01", "A02", "el-common", "grid", "silo")}
ACCOUNT = pwd.getpwuid(os.getuid()).pw_name


@dataclass
class Deployed:
    """A broker started by the script the container starts it with."""

    home: Path
    port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        text = (BROKER / "mosquitto.conf").read_text(encoding="utf-8")
        text = text.replace("/mosquitto/config/acl", str(BROKER / "acl")).replace("/mosquitto/", f"{self.home}/")
        text = re.sub("(?m)^listener 1883$", f"listener {self.port} 127.0.0.1", text)
        text = re.sub("(?m)^listener 8883$", f"listener {self.tls_port} 127.0.0.1", text)
        conf = self.home / "mosquitto.conf"
        conf.write_text(f"user {ACCOUNT}\n{text}", encoding="utf-8")
        env = os.environ | {
            "PATH": f"{os.environ['PATH']}:/usr/sbin",
            "BROKER_HOME": str(self.home),
            "BROKER_CONF": str(conf),
            "BROKER_ACCOUNT": ACCOUNT,
            "BROKER_USERS": " ".join(f"{name}:{password}" for name, password in USERS.items()),
        }
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(["/bin/sh", BROKER / "start"], env=env, stdout=log, stderr=log)
        until(lambda: answers(self.port) and answers(self.tls_port), (self.home / "log").read_text)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait(10)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    for program in ("mosquitto_passwd", "openssl"):
        if find_mosquitto() is None or shutil.which(program) is None:
            pytest.skip(f"mosquitto or {program} is not installed (apt-get install mosquitto openssl)")
    home = tmp_path_factory.mktemp("mosquitto")
    (home / "data").mkdir()
    subprocess.run([BROKER / "certificates", home / "certificates", "localhost"], check=True, capture_output=True)
    broker = Deployed(home)
    broker.start()
    yield broker
    broker.end()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(done: Callable[[], Any], said: Callable[[], str] = str, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, said()
        time.sleep(0.01)


class Device:
    """A client that keeps what the broker answered."""

    def __init__(self, name: str | None, password: str | None = None, *, session: str = "", ca: Path | None = None):
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=session, protocol=mqtt.MQTTv5)
        if name is not None:
            self.client.username_pw_set(name, USERS[name] if password is None else password)
        if ca is not None:
            self.client.tls_set_context(ssl.create_default_context(cafile=str(ca)))
        self.connected: list[str] = []
        self.received: list[tuple[str, bytes]] = []
        self._reasons: dict[int, str] = {}
        self._lock = threading.Lock()
        self.client.on_connect = lambda _c, _u, _f, reason, _p: self.connected.append(str(reason))
        self.client.on_message = lambda _c, _u, message: self.received.append((message.topic, bytes(message.payload)))
        self.client.on_publish = lambda _c, _u, mid, reason, _p: self._answer(mid, str(reason))
        self.client.on_subscribe = lambda _c, _u, mid, reasons, _p: self._answer(mid, str(reasons[0]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def connect(self, port: int, host: str = "localhost", *, keep: bool = False) -> str:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's own
        if keep:
            properties.SessionExpiryInterval = 3600
        self.client.connect(host, port, clean_start=not keep, properties=properties)
        self.client.loop_start()
        until(lambda: self.connected)
        return self.connected[-1]

    def publish(self, topic: str, payload: bytes = b"1") -> str:
        return self._reason(self.client.publish(topic, payload, qos=1).mid)

    def subscribe(self, topic: str) -> str:
        mid = self.client.subscribe(topic, qos=1)[1]
        assert mid is not None
        return self._reason(mid)

    def _answer(self, mid: int, reason: str) -> None:
        with self._lock:
            self._reasons[mid] = reason

    def _reason(self, mid: int) -> str:
        until(lambda: mid in self._reasons)
        return self._reasons[mid]


def test_nobody_comes_in_without_a_name_or_with_a_wrong_password(deployed: Deployed) -> None:
    for device in (Device(None), Device("A01", "secret-A02"), Device("A01", "")):
        with device:
            assert device.connect(deployed.port) == "Not authorized"


@pytest.mark.parametrize(
    ("name", "topic", "allowed"),
    [
        ("el-common", "wijkenergie/de-ster/el-common", True),
        ("el-common", "wijkenergie/de-ster/el-A01", False),
        ("el-common", "wijkenergie/de-ster/status", False),
        ("el-common", "wijkenergie/de-ster/status/el-common", False),
        ("A01", "flats/A01/dsmr/json", True),
        ("A01", "flats/A02/dsmr/json", False),
        ("A01", "flats/dsmr/json", False),
        ("A01", "wmbusmeters/heat-A01", False),
        ("grid", "building/grid/dsmr/json", True),
        ("grid", "flats/A01/dsmr/json", False),
        ("silo", "silo/sensor/pellets", True),
        ("silo", "wijkenergie/de-ster/pv", False),
        ("wmbusmeters", "wmbusmeters/heat-A02", True),
        ("wmbusmeters", "flats/A02/dsmr/json", False),
        ("wijkenergie", "wijkenergie/de-ster/status", True),
        ("wijkenergie", "wijkenergie/de-ster/status/east", True),
        ("wijkenergie", "wijkenergie/de-ster/alerts/refill", True),
        ("wijkenergie", "wijkenergie/de-ster/el-A01", False),
        ("wijkenergie", "flats/A01/dsmr/json", False),
    ],
)
def test_a_name_can_write_its_own_topics_only(deployed: Deployed, name: str, topic: str, allowed: bool) -> None:
    with Device("wijkenergie") as service, Device(name) as device:
        assert service.connect(deployed.port) == device.connect(deployed.port) == "Success"
        assert service.subscribe("#") == "Granted QoS 1"
        assert (device.publish(topic, b"tried") == "Not authorized") is not allowed
        service.publish("wijkenergie/de-ster/alerts/end")
        until(lambda: any(topic.endswith("alerts/end") for topic, _ in service.received))
        assert ((topic, b"tried") in service.received) is allowed


def test_a_device_reads_nothing_not_even_its_neighbours(deployed: Deployed) -> None:
    with Device("A02") as nosy, Device("A01") as device, Device("wijkenergie") as service:
        for one in (nosy, device, service):
            assert one.connect(deployed.port) == "Success"
        nosy.subscribe("flats/A01/#")
        nosy.subscribe("#")
        service.subscribe("#")
        device.publish("flats/A01/dsmr/json")
        nosy.publish("flats/A02/dsmr/json")
        until(lambda: len(service.received) == 2)
        # The broker hands a message to its subscribers in one go; what came back to A02's own ping is all it gets.
        nosy.publish("flats/A02/dsmr/json")
        until(lambda: len(service.received) == 3)
        assert nosy.received == []


def test_devices_come_in_encrypted_and_can_check_whom_they_talk_to(deployed: Deployed) -> None:
    ca = deployed.home / "certificates" / "ca.crt"
    with Device("A01", ca=ca) as device:
        assert device.connect(deployed.tls_port) == "Success"
        assert device.publish("flats/A01/dsmr/json") != "Not authorized"
    context = ssl.create_default_context(cafile=str(ca))
    with (
        socket.create_connection(("127.0.0.1", deployed.tls_port)) as plain,
        pytest.raises(ssl.SSLCertVerificationError, match=r"other\.example"),
    ):
        context.wrap_socket(plain, server_hostname="other.example")


def test_passwords_are_kept_hashed_and_closed(deployed: Deployed) -> None:
    kept = deployed.home / "run" / "passwords"
    text = kept.read_text(encoding="utf-8")
    assert [line.split(":")[0] for line in text.splitlines()] == list(USERS)
    assert "secret" not in text
    for path in (kept, deployed.home / "run" / "server.key", deployed.home / "certificates" / "ca.key"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_certificates_stay_until_the_name_changes(tmp_path: Path, deployed: Deployed) -> None:
    def made(name: str) -> tuple[bytes, bytes]:
        subprocess.run([BROKER / "certificates", tmp_path, name], check=True, capture_output=True)
        return (tmp_path / "ca.crt").read_bytes(), (tmp_path / "server.crt").read_bytes()

    first = made("broker.example")
    assert made("broker.example") == first
    ca, server = made("other.example")
    assert ca == first[0], "devices would have to be told anew"
    assert server != first[1]


def test_what_waits_for_the_service_survives_a_power_cut_but_for_the_last_hundred(deployed: Deployed) -> None:
    with Device("wijkenergie", session="collector") as service:
        assert service.connect(deployed.port, keep=True) == "Success"
        service.subscribe("flats/#")
    with Device("A01") as device:
        device.connect(deployed.port)
        # More than mosquitto's own limit of a thousand waiting messages.
        sent = [device.client.publish("flats/A01/dsmr/json", str(number), qos=1) for number in range(1500)]
        sent[-1].wait_for_publish(10)
        deployed.end(signal.SIGKILL)
    deployed.start()
    with Device("wijkenergie", session="collector") as service:
        assert service.connect(deployed.port, keep=True) == "Success"
        until(lambda: len(service.received) >= 1400)
        numbers = [int(payload) for _, payload in service.received]
        assert numbers == list(range(len(numbers)))
