"""The demo's processes: started in order, watched, and stopped in the opposite order, none left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import Unavailable

_STOP_SECONDS = 10.0


@dataclass
class Processes:
    """Child processes in the order they were started, each with a log of its own in ``folder``."""

    folder: Path
    children: list[tuple[str, subprocess.Popen[bytes]]] = field(default_factory=list)

    def start(self, name: str, command: list[str], environment: dict[str, str] | None = None) -> None:
        """Start a process in a group of its own, so that Ctrl-C reaches only this program, which then stops it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("wb") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        self.children.append((name, child))

    def log(self, name: str) -> Path:
        """Return where a process's output goes."""
        return self.folder / f"{name}.log"

    def check(self) -> None:
        """See that all still run.

        Raises
        ------
        Unavailable
            If one has ended; the message carries its last words.
        """
        for name, child in self.children:
            if child.poll() is not None:
                lines = self.log(name).read_text(encoding="utf-8", errors="replace").strip().splitlines()
                last = lines[-1] if lines else "it said nothing"
                raise Unavailable(f"The demo's {name} ended ({last}). Its log is {self.log(name)}.")

    def wait(self, what: str, done: Callable[[], bool], seconds: float) -> None:
        """Wait until something is so.

        Raises
        ------
        Unavailable
            If it takes longer than ``seconds``, or a process ends meanwhile.
        """
        end = time.monotonic() + seconds
        while not done():
            self.check()
            if time.monotonic() > end:
                raise Unavailable(f"The demo waited {seconds:.0f} s for {what} in vain; its logs are in {self.folder}.")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop all: politely, those that use others together and before what they use, then by force."""
        for last in (self.children[1:], self.children[:1]):  # the first is the broker, which the others use
            for _, child in last:
                if child.poll() is None:
                    child.send_signal(signal.SIGTERM)
            for _, child in reversed(last):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(_STOP_SECONDS)
                # The group may hold grandchildren of a process that died badly.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        self.children.clear()


@contextlib.contextmanager
def processes(folder: Path) -> Iterator[Processes]:
    """Give a group of processes that is stopped at the end, whatever happens."""
    group = Processes(folder)
    try:
        yield group
    finally:
        group.stop()


def listens(port: int) -> bool:
    """Whether something accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
