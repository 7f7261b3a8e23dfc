"""``wijkenergie demo``: a whole building on one machine, real servers throughout, nothing left behind."""

from __future__ import annotations

import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from core.db.server import embedded
from core.errors import CheckFailed, Unavailable
from core.time import utc_now
from simulators.building import COMMUNITY
from wijkenergie.demo import broker
from wijkenergie.demo.mailbox import mailbox
from wijkenergie.demo.processes import Processes, listens, processes
from wijkenergie.wiring import absolute

if TYPE_CHECKING:
    from simulators.serve import Ready
    from wijkenergie.demo.building import Prepared

_LIVE_SECONDS = 60
_PYTHON = [sys.executable, "-P", "-m"]  # -P: nothing in the folder one happens to be in is imported


def run(data: Path, port: int, seed: int, *, once: bool) -> None:
    """Run the demo until Ctrl-C, or with ``once`` until the comparison is made.

    Raises
    ------
    CheckFailed
        With ``once``: something differs from the truth.
    Unavailable
        A port is in use, or a part of the demo does not start.
    """
    # SIGINT too: a shell that starts this in the background has it ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    data = absolute(data)
    if listens(port):
        raise Unavailable(f"Port {port} is in use by another program; stop it, or choose another with --port.")
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"The folder {data} cannot be used ({error.strerror}); choose another with --data.") from None
    began = time.monotonic()
    with embedded(data) as server, processes(data / "log") as children, mailbox(_say) as mail:
        file, base_url = _start(data, port, seed, server.url, mail, children)
        from wijkenergie.demo.building import links  # noqa: PLC0415 - see _start

        for role, link in links(server.url, base_url, utc_now()):
            _say(f"sign in as {role}: {link}")
        _say(f"started in {time.monotonic() - began:.0f} s; logs are in {children.folder}")
        _say(f"ready {base_url}")
        if once:
            _compare(server.url, file, seed, children)
            return
        _say("Stop with Ctrl-C.")
        try:
            while True:
                time.sleep(1)
                children.check()
        except KeyboardInterrupt:
            _say("Stopping.")


def _start(data: Path, port: int, seed: int, url: str, mail: str, children: Processes) -> tuple[Prepared, str]:
    """Start every part in order and wait until the pages answer."""
    chosen = broker.choose(data / "broker")
    _say(f"broker: {chosen.name}")
    children.start("broker", chosen.command)
    children.wait("the broker", lambda: listens(chosen.port), 20)
    simulate = [*_PYTHON, "simulators.serve", "--seed", str(seed), "--mqtt", chosen.url]
    children.start("building", [*simulate, "--outbox", str(data / "outbox")])
    from wijkenergie.demo import building  # noqa: PLC0415 - takes seconds, which the simulated building takes too

    place = _place(children)
    prepared = building.prepare(url, data, seed, place, utc_now())
    if prepared.imported:
        _say(f"history: {prepared.imported} readings in {prepared.import_seconds:.1f} s")
    base_url = f"http://127.0.0.1:{port}"
    environment = {
        "WIJKENERGIE_DATABASE_URL": url,
        "WIJKENERGIE_MQTT_URL": chosen.url,
        **dict.fromkeys(("WIJKENERGIE_MQTT_CA", "WIJKENERGIE_MQTT_CERT", "WIJKENERGIE_MQTT_KEY"), ""),
        "WIJKENERGIE_COMMUNITY": str(data / "community.yaml"),
        "WIJKENERGIE_BASE_URL": base_url,
        "WIJKENERGIE_NOTIFY_URLS": mail,
        "WIJKENERGIE_DATA_DIR": str(data),
        "WIJKENERGIE_LISTEN": f"127.0.0.1:{port}",
    }
    command = [*_PYTHON, "wijkenergie"]
    for name in ("collect", "serve"):
        metrics = {"WIJKENERGIE_METRICS_LISTEN": f"127.0.0.1:{broker.free_port()}"}
        children.start(name, [*command, name], environment | metrics)
    building.show_present(url, utc_now())
    children.start("work", [*command, "work", "--any-hour"], environment)
    children.wait("the pages", lambda: _answers(f"{base_url}/readyz"), 60)
    return prepared, base_url


def _place(children: Processes) -> Ready:
    """Wait until the simulated building says where it is."""
    from simulators.serve import Ready  # noqa: PLC0415 - see _start

    log = children.log("building")

    def said() -> list[str]:
        return [line for line in log.read_text(encoding="utf-8").splitlines(keepends=True) if line.startswith("ready ")]

    children.wait("the simulated building", lambda: any(line.endswith("\n") for line in said()), 60)
    return Ready.parse(said()[0])


def _compare(url: str, prepared: Prepared, seed: int, children: Processes) -> None:
    from wijkenergie.demo import building, once  # noqa: PLC0415 - see _start

    _say(f"collecting live for {_LIVE_SECONDS} s")
    since = utc_now()
    for _ in range(_LIVE_SECONDS):
        time.sleep(1)
        children.check()
    until = utc_now()
    time.sleep(3)  # what was read at the end of the minute is on its way to the database
    community = prepared.file.community
    rows = list(once.live(url, community, seed, since, until))
    rows += once.month(url, COMMUNITY, seed, building.last_month(until), until)
    if not once.show(rows):
        raise CheckFailed("Not everything agrees with the simulators' truth; see the table.")
    _say("everything agrees with the simulators' truth")


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)  # noqa: PLR2004 - OK
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(text, flush=True)
