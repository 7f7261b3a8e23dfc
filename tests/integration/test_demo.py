"""The demo from the first start to the last process gone, with mosquitto and without."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wijkenergie.demo import broker
from wijkenergie.demo.broker import free_port

pytestmark = pytest.mark.long

DEMO = [sys.executable, "-P", "-m", "wijkenergie", "demo"]


def processes_in(folder: Path) -> list[str]:
    """Command lines of processes that name a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(folder) in command:
                found.append(command)
    return found


def test_a_minute_and_a_month_agree_with_the_truth(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    data = tmp_path / "demo"
    said = subprocess.run(
        [*DEMO, "--once", "--port", str(free_port()), "--data", str(data)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=400,
    )  # fmt: skip
    assert said.returncode == 0, said.stdout + said.stderr
    assert "everything agrees with the simulators' truth" in said.stdout
    assert re.search(r"\d{4}-\d\d cents +│ +\d{3} +│ +\d{3} +│ ok", said.stdout), said.stdout
    assert processes_in(data) == []


def test_it_shows_mails_starts_again_and_leaves_nothing_behind(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    data, out = tmp_path / "demo", tmp_path / "out"
    for again in (False, True):
        with out.open("wb") as console:
            child = subprocess.Popen(
                [*DEMO, "--port", str(free_port()), "--data", str(data)], stdout=console, stderr=subprocess.STDOUT
            )
        wanted = ["ready http://"] if again else ["ready http://", "mail to vrijwilliger", "mail to a01"]
        end = time.monotonic() + 300
        while not all(text in out.read_text(encoding="utf-8") for text in wanted):
            assert child.poll() is None, out.read_text(encoding="utf-8")
            assert time.monotonic() < end, out.read_text(encoding="utf-8")
            time.sleep(0.5)
        assert out.read_text(encoding="utf-8").count("sign in as") == 3
        os.kill(child.pid, signal.SIGINT)
        assert child.wait(30) == 0
        assert processes_in(data) == []


def test_without_mosquitto_amqtt_is_chosen_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker.shutil, "which", lambda *_args, **_named: None)
    chosen = broker.choose(tmp_path)
    assert "amqtt" in chosen.name
    assert "3.1.1" in chosen.name
    assert Path(chosen.command[0]).exists()
