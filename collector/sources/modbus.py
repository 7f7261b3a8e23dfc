"""Modbus: polls devices, one connection per host and port, all of them in one thread of their own.

Polls are aligned to the clock: a device read every 10 s is read at :00, :10, :20, so that a value stands right behind
every quarter-hour. A device that does not answer is left alone, longer each time; others do not wait for it.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from collector import metrics
from collector.delivery import Delivery
from collector.intake import Intake
from collector.links import ModbusLink, parse_link
from collector.plan import Conversation, model_map, requests
from collector.profile import Profile
from collector.raw import Raw, Registers
from collector.sources.endpoint import Endpoint, NoAnswer

_log = structlog.get_logger("collector.modbus")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_QUARTER: Final = timedelta(minutes=15)
_LONGEST_BREAK: Final = timedelta(minutes=5)
_LONGEST_NAP: Final = 5.0  # [s] so that a step of the clock is noticed
_STOP_SECONDS: Final = 2.0


def next_poll(now: datetime, every: timedelta) -> datetime:
    """Return the next multiple of ``every``, or the next quarter-hour if that is earlier."""
    since = now - _EPOCH
    return _EPOCH + min((since // every + 1) * every, (since // _QUARTER + 1) * _QUARTER)


async def converse(endpoint: Endpoint, unit: int, conversation: Conversation) -> tuple[Registers, ...]:
    """Put a conversation's requests to a device.

    Raises
    ------
    NoAnswer
        If the device does not answer.
    """
    try:
        request = next(conversation)
        while True:
            request = conversation.send(await endpoint.read(unit, request))
    except StopIteration as end:
        found: tuple[Registers, ...] = end.value
        return found


def endpoint_for(host: str, port: int, profile: Profile) -> Endpoint:
    """Return an endpoint with the manners a profile asks for."""
    link = profile.link
    return Endpoint(host, port, link.timeout, link.connect_delay, link.request_gap)


@dataclass
class _Polled:
    """A device on its way through time."""

    intake: Intake
    unit: int
    due: datetime
    failures: int = 0
    map_known: Sequence[Registers] = ()
    connection: int = 0
    error: str | None = None

    def pause(self) -> timedelta:
        """How long to leave it alone after so many failures."""
        return min(timedelta(seconds=1 << min(self.failures, 10)), _LONGEST_BREAK)


class ModbusSource:
    """All Modbus devices of a community.

    Parameters
    ----------
    intakes
        Devices; those with another link are left aside.
    offer
        Takes a delivery or says that it cannot.
    clock
        Tells the time.
    """

    def __init__(
        self, intakes: Iterable[Intake], offer: Callable[[Delivery], bool], clock: Callable[[], datetime]
    ) -> None:
        self._offer, self._clock = offer, clock
        self._groups: defaultdict[tuple[str, int], list[_Polled]] = defaultdict(list)
        for intake in intakes:
            link = parse_link(intake.device.link)
            if isinstance(link, ModbusLink):
                self._groups[link.host, link.port].append(_Polled(intake, link.unit, clock()))
        self._thread = threading.Thread(target=self._run, name="modbus", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._ready = threading.Event()

    def start(self) -> None:
        """Start polling, where there is anything to poll."""
        if self._groups:
            self._thread.start()
            self._ready.wait()

    def stop(self) -> None:
        """Stop polling and close all connections."""
        if self._loop is not None and self._main is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._main.cancel)
            self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(self._poll_all())
        except asyncio.CancelledError:
            _log.info("polling stopped")

    async def _poll_all(self) -> None:
        self._loop, self._main = asyncio.get_running_loop(), asyncio.current_task()
        self._ready.set()
        async with asyncio.TaskGroup() as tasks:
            for (host, port), devices in self._groups.items():
                tasks.create_task(self._poll_endpoint(host, port, devices))

    async def _poll_endpoint(self, host: str, port: int, devices: list[_Polled]) -> None:
        async with endpoint_for(host, port, devices[0].intake.profile) as endpoint:
            latest = self._clock()
            while True:
                now = self._clock()
                if now < latest:  # set back: do not wait until it has caught up
                    for polled in devices:
                        polled.due = min(polled.due, next_poll(now, polled.intake.device.every))
                latest = now
                device = min(devices, key=lambda polled: polled.due)
                wait = (device.due - now).total_seconds()
                if wait > 0:
                    await asyncio.sleep(min(wait, _LONGEST_NAP))
                    continue
                self._offer(await self._poll(endpoint, device))

    async def _poll(self, endpoint: Endpoint, device: _Polled) -> Delivery:
        intake = device.intake
        if device.connection != endpoint.connections:
            device.map_known = ()
        try:
            registers = await converse(endpoint, device.unit, requests(intake.profile, device.map_known))
            now = self._clock()
            delivery = intake.from_poll(Raw(now, registers), now)
        except NoAnswer as error:
            return self._failed(endpoint, device, str(error))
        except Exception as error:  # noqa: BLE001 - one odd device must not end the polling of all
            _log.exception("a poll could not be worked out", device=intake.device.id)
            endpoint.close()
            return self._failed(endpoint, device, f"fault in the collector: {error!r}")
        device.due = next_poll(now, intake.device.every)
        device.connection = endpoint.connections
        device.map_known = () if intake.misses_model(delivery) else model_map(registers)
        if device.failures:
            _log.info("device is back", device=intake.device.id)
        device.failures = 0
        metrics.POLLS.labels("answered").inc()
        if not intake.profile.link.keep_open:
            endpoint.close()
        trouble = delivery.health[0].error
        if trouble != device.error:
            device.error = trouble
            _log.info("device says", device=intake.device.id, trouble=trouble or "nothing wrong")
        return delivery

    def _failed(self, endpoint: Endpoint, device: _Polled, reason: str) -> Delivery:
        now = self._clock()
        device.failures += 1
        device.map_known = ()
        device.connection = endpoint.connections
        device.due = now + device.pause()
        metrics.POLLS.labels("silent").inc()
        if device.failures == 1:
            _log.warning("device does not answer", device=device.intake.device.id, reason=reason)
        return device.intake.silent(reason, now)
