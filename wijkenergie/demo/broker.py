"""The demo's MQTT broker: mosquitto where it is installed, else amqtt, a broker in Python (MQTT 3.1.1 only)."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from core.errors import Unavailable


@dataclass(frozen=True)
class Broker:
    """Which broker runs, how to start it, and where it listens."""

    name: str
    command: list[str]
    port: int

    @property
    def url(self) -> str:
        """Its address."""
        return f"mqtt://127.0.0.1:{self.port}"


def choose(folder: Path) -> Broker:
    """Write the configuration of the broker that is there; listens on loopback only, on a free port."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    path = os.environ.get("PATH", os.defpath) + os.pathsep + "/usr/sbin" + os.pathsep + "/usr/local/sbin"
    mosquitto = shutil.which("mosquitto", path=path)
    if mosquitto:
        config = folder / "mosquitto.conf"
        config.write_text(
            f"listener {port} 127.0.0.1\n"
            "allow_anonymous true\n"
            "persistence false\n"
            "max_queued_messages 100000\n"
            "max_inflight_messages 1000\n"
            # As root mosquitto would change to an account that cannot read this folder.
            f"{'user root' if os.geteuid() == 0 else ''}\n",
            encoding="utf-8",
        )
        return Broker("mosquitto", [mosquitto, "-c", str(config)], port)
    config = folder / "amqtt.yaml"
    config.write_text(
        "listeners:\n"
        "  default:\n"
        "    type: tcp\n"
        f"    bind: 127.0.0.1:{port}\n"
        "plugins:\n"
        "  amqtt.plugins.authentication.AnonymousAuthPlugin:\n"
        "    allow_anonymous: true\n",
        encoding="utf-8",
    )
    amqtt = Path(sys.executable).with_name("amqtt")
    if not amqtt.exists():
        raise Unavailable("There is no MQTT broker: install mosquitto, or amqtt into this Python.")
    return Broker("amqtt (MQTT 3.1.1 only; mosquitto is not installed)", [str(amqtt), "-c", str(config)], port)


def free_port() -> int:
    """Return a port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
