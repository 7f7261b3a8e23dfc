"""The simulated building as a process: two Modbus TCP devices and a gateway that speaks MQTT.

Run as ``python -m simulators.serve --seed 1 --mqtt mqtt://127.0.0.1:1883``. Prints one line when everything
listens and speaks (see `Ready`), then runs until it is interrupted or terminated.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from core.errors import BadInput, WijkError
from core.time import utc_now
from simulators import inverter, kwb
from simulators.faults import KINDS, plan
from simulators.gateway import Gateway
from simulators.modbus import close, port_of, serve_device

_YEAR = timedelta(days=366)


@dataclass(frozen=True)
class Ready:
    """Where the building can be reached; printed as one line ``ready seed=1 inverter=... boiler=... mqtt=...``."""

    seed: int
    host: str
    inverter_port: int
    boiler_port: int
    mqtt: str

    def line(self) -> str:
        """Print."""
        inverter_at, boiler_at = f"{self.host}:{self.inverter_port}", f"{self.host}:{self.boiler_port}"
        return f"ready seed={self.seed} inverter={inverter_at} boiler={boiler_at} mqtt={self.mqtt}"

    @classmethod
    def parse(cls, line: str) -> Ready:
        """Read the line back.

        Raises
        ------
        BadInput
            If it is another line.
        """
        words = line.split()
        fields = dict(word.split("=", 1) for word in words[1:] if "=" in word)
        try:
            host, inverter_port = fields["inverter"].rsplit(":", 1)
            boiler_port = fields["boiler"].rsplit(":", 1)[1]
            return cls(int(fields["seed"]), host, int(inverter_port), int(boiler_port), fields["mqtt"])
        except (KeyError, ValueError):
            raise BadInput(f"The simulated building did not say where it is: '{line.strip()}'.") from None


@dataclass(frozen=True)
class Options:
    """What to simulate and where; ports 0 pick free ones."""

    seed: int
    mqtt: str
    host: str = "127.0.0.1"
    inverter_port: int = 0
    boiler_port: int = 0
    every: int = 5
    outbox: Path | None = None
    faults: tuple[str, ...] = ()


async def run(
    options: Options, stop: asyncio.Event, ready: Callable[[Ready], None], now: Callable[[], datetime]
) -> None:
    """Run the building until ``stop`` is set.

    Parameters
    ----------
    options
        What and where.
    stop
        Ends the building.
    ready
        Called once, when everything listens and the broker has answered.
    now
        The clock; registers and messages are the truth of what it says.

    Raises
    ------
    BadInput
        If the options are not possible.
    Unavailable
        If a port is taken or the broker does not answer.
    """
    seed, host = options.seed, options.host
    faults = plan(seed, options.faults, now() + _YEAR)
    # The world is made before anyone is told to look: its first second would look like a device that is asleep.
    inverter.image(seed, now(), faults)
    kwb.image(seed, now(), faults)
    gateway = Gateway(seed, options.mqtt, options.every, now, faults, options.outbox)

    servers = [
        await serve_device(
            host, options.inverter_port, inverter.BLOCKS, inverter.FUNCTION,
            lambda: inverter.image(seed, now(), faults), "inverter",
        )
    ]  # fmt: skip
    try:
        servers.append(
            await serve_device(
                host,
                options.boiler_port,
                kwb.BLOCKS,
                kwb.FUNCTION,
                lambda: kwb.image(seed, now(), faults),
                "boiler",
            )
        )
        await asyncio.to_thread(gateway.start)
        try:
            ready(Ready(seed, host, port_of(servers[0]), port_of(servers[1]), f"{gateway.host}:{gateway.port}"))
            await stop.wait()
        finally:
            await asyncio.to_thread(gateway.stop)
    finally:
        for server in servers:
            await close(server)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit code."""
    options, stop_with_input = _options(arguments)
    try:
        asyncio.run(_until_stopped(options, stop_with_input=stop_with_input))
    except WijkError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command line speaks by printing
        return error.exit_code
    return 0


async def _until_stopped(options: Options, *, stop_with_input: bool) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if stop_with_input:
        threading.Thread(target=_wait_for_end_of_input, args=(loop, stop), daemon=True).start()
    await run(options, stop, lambda place: print(place.line(), flush=True), utc_now)  # noqa: T201 - the ready line


def _wait_for_end_of_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while sys.stdin.buffer.read(1024):
        pass
    if not loop.is_closed():
        loop.call_soon_threadsafe(stop.set)


def _options(arguments: Sequence[str] | None) -> tuple[Options, bool]:
    parser = argparse.ArgumentParser(prog="python -m simulators.serve", description="A building in a box.")
    parser.add_argument("--seed", type=int, default=1, help="which building")
    parser.add_argument("--mqtt", required=True, help="the broker, mqtt://[user:password@]host[:port]")
    parser.add_argument("--host", default="127.0.0.1", help="address the Modbus devices listen on")
    parser.add_argument("--modbus-port-inverter", type=int, default=0, help="0 picks a free port")
    parser.add_argument("--modbus-port-boiler", type=int, default=0, help="0 picks a free port")
    parser.add_argument("--every", type=int, default=5, help="seconds between a device's messages, a divisor of 900")
    parser.add_argument("--outbox", type=Path, help="file that remembers what the broker acknowledged")
    parser.add_argument("--faults", default="", help=f"what goes wrong, of {', '.join(KINDS)}; comma separated")
    parser.add_argument("--stop-with-input", action="store_true", help="also stop when standard input ends")
    given = parser.parse_args(arguments)
    options = Options(
        seed=given.seed,
        mqtt=given.mqtt,
        host=given.host,
        inverter_port=given.modbus_port_inverter,
        boiler_port=given.modbus_port_boiler,
        every=given.every,
        outbox=given.outbox,
        faults=tuple(kind for kind in given.faults.split(",") if kind),
    )
    return options, given.stop_with_input


if __name__ == "__main__":
    sys.exit(main())
