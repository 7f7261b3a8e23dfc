"""A real mosquitto on a free loopback port."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path

HOST = "127.0.0.1"
_START_SECONDS = 10
_STOP_SECONDS = 10
_LOWEST_PORT, _PORTS = 20_000, 12_000


def find_mosquitto() -> str | None:
    """Path of the broker's program; an ordinary user's PATH often lacks the folder Debian puts it in."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")


def free_port() -> int:
    """Return a TCP port nobody uses at this moment.

    It lies below those the system gives to outgoing connections, so that a server can be gone for a while and find its
    port free when it returns.
    """
    while True:
        port = _LOWEST_PORT + secrets.randbelow(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port


class Broker:
    """A mosquitto that can be stopped, killed and started again on the same port with the same stored messages.

    Parameters
    ----------
    folder
        Where its configuration, its log and its stored messages live.
    config
        Lines of mosquitto.conf beside the listener; the default lets everybody in and keeps everything.
    """

    def __init__(self, folder: Path, config: str | None = None) -> None:
        self.folder = folder
        self.host = HOST
        self.port = free_port()
        self.log = folder / "mosquitto.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._config = config or (
            "allow_anonymous true\n"
            "persistence true\n"
            f"persistence_location {folder}/\n"
            "autosave_interval 1\n"
            "autosave_on_changes true\n"
            "max_queued_messages 1000000\n"
            "max_queued_bytes 0\n"
        )

    @property
    def url(self) -> str:
        """Address as WIJKENERGIE_MQTT_URL takes it."""
        return f"mqtt://{self.host}:{self.port}"

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start, and return when it accepts connections."""
        assert self._process is None
        program = find_mosquitto()
        assert program is not None
        account = pwd.getpwuid(os.getuid()).pw_name  # as root it would become `mosquitto`, who cannot enter our folder
        path = self.folder / "mosquitto.conf"
        path.write_text(f"user {account}\nlistener {self.port} {self.host}\n{self._config}", encoding="utf-8")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([program, "-c", path], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"mosquitto does not start:\n{self.log.read_text(encoding='utf-8')}")
            time.sleep(0.01)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0

    def stop(self) -> None:
        """Stop as an administrator would; stored messages stay."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """Stop as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None
