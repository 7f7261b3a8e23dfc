"""The sources that ask: every polled device of a community, one task per line, all in one thread.

A device that does not answer is left alone, longer each time. Devices on other lines do not notice; those on the same
line wait for its timeout, at most once in 2 s, 4 s, 8 s ... 5 minutes. A line that cannot be connected to is tried once
for all its devices, with the same growing pauses.
"""

from __future__ import annotations

import asyncio
import resource
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import structlog

from collector import metrics
from collector.delivery import Delivery
from collector.intake import Intake
from collector.links import MqttLink, PolledLink, parse_link
from collector.refusal import NoAnswer, NoConnection
from collector.sources.clockwork import next_poll, pause, phases
from collector.sources.line import Line, Reader
from collector.sources.lines import open_line
from core.errors import BadInput

_log = structlog.get_logger("collector.polling")

_LONGEST_NAP: Final = 5.0  # [s] so that a step of the clock is noticed
_STOP_SECONDS: Final = 2.0
_OTHER_FILES: Final = 256
"""Open files of everything else in the process, with room to spare."""


@dataclass
class _Polled:
    """A device on its way through time."""

    intake: Intake
    reader: Reader
    phase: timedelta
    due: datetime
    asked: datetime | None = None
    failures: int = 0
    error: str | None = None

    def next_due(self, now: datetime) -> datetime:
        """When to ask after an answer; a meter with a budget of reads is never asked sooner than it allows."""
        return next_poll(max(now, self.allowed(now)), self.intake.device.every, self.phase)

    def allowed(self, now: datetime) -> datetime:
        """First moment at which the meter may be asked again."""
        budget = self.intake.profile.link.min_interval
        return now if budget is None or self.asked is None else self.asked + budget


class _Group:
    """The devices of one line."""

    def __init__(self, line: Line, devices: list[_Polled]) -> None:
        self.line, self.devices = line, devices
        self._failures = 0
        self._away_until: datetime | None = None
        self._reason = ""

    def refuse_while_away(self, now: datetime) -> None:
        """Raise what the last attempt to connect raised, until it is time for another."""
        if self._away_until is not None and now < self._away_until:
            raise NoConnection(self._reason)

    def away(self, reason: str, now: datetime) -> datetime:
        """Note that there is no connection; return when to try again."""
        if self._away_until is None or now >= self._away_until:
            self._failures += 1
            self._away_until, self._reason = now + pause(self._failures), reason
        return self._away_until

    def reached(self) -> None:
        """Note that the line stands."""
        self._failures, self._away_until = 0, None


def _say(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Tell in a line what a library could not make sense of; the request behind it has no answer and is told itself."""
    _log.warning("something odd on a connection", what=context["message"], reason=repr(context.get("exception")))


def _allow_files(wanted: int) -> None:
    """Every line is an open file, and a process usually starts with 1024 of them allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY not in (soft, hard):
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class PollSource:
    """All devices of a community that must be asked.

    Parameters
    ----------
    intakes
        Devices; those that speak by themselves are left aside.
    offer
        Takes a delivery or says that it cannot.
    clock
        Tells the time.
    secrets
        Folder with the devices' passwords.
    """

    def __init__(
        self,
        intakes: Iterable[Intake],
        offer: Callable[[Delivery], bool],
        clock: Callable[[], datetime],
        secrets: Path,
    ) -> None:
        self._offer, self._clock = offer, clock
        asked: list[tuple[Intake, PolledLink]] = []
        for intake in intakes:
            link = parse_link(intake.device.link)
            if not isinstance(link, MqttLink):
                asked.append((intake, link))
        shares = phases([intake.device.every for intake, _ in asked])
        lines: defaultdict[object, list[tuple[Intake, PolledLink, timedelta]]] = defaultdict(list)
        for (intake, link), share in zip(asked, shares, strict=True):
            lines[link.port].append((intake, link, share))
        self._groups = [self._group(members, secrets) for members in lines.values()]
        self._thread = threading.Thread(target=self._run, name="polling", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._ready = threading.Event()

    @property
    def budgets(self) -> bool:
        """Whether a meter among them allows only so many reads."""
        return any(device.intake.profile.link.min_interval for group in self._groups for device in group.devices)

    def asked_before(self, last: Mapping[str, datetime]) -> None:
        """Tell when devices were asked last, before this process began; call before `start`."""
        for group in self._groups:
            for device in group.devices:
                device.asked = last.get(device.intake.device.id)
                device.due = max(device.due, device.allowed(device.due))

    def start(self) -> None:
        """Start polling, where there is anything to poll."""
        if self._groups:
            _allow_files(len(self._groups) + _OTHER_FILES)
            self._thread.start()
            self._ready.wait()

    def stop(self) -> None:
        """Stop polling and close all connections."""
        if self._loop is not None and self._main is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._main.cancel)
            self._thread.join(_STOP_SECONDS)

    def _group(self, members: list[tuple[Intake, PolledLink, timedelta]], secrets: Path) -> _Group:
        line, readers = open_line([(link, intake.profile) for intake, link, _ in members], secrets, self._clock)
        now = self._clock()
        devices = [
            _Polled(intake, reader, share, now + share)
            for (intake, _, share), reader in zip(members, readers, strict=True)
        ]
        return _Group(line, devices)

    def _run(self) -> None:
        try:
            asyncio.run(self._poll_all())
        except asyncio.CancelledError:
            _log.info("polling stopped")

    async def _poll_all(self) -> None:
        self._loop, self._main = asyncio.get_running_loop(), asyncio.current_task()
        self._loop.set_exception_handler(_say)
        self._ready.set()
        async with asyncio.TaskGroup() as tasks:
            for group in self._groups:
                tasks.create_task(self._serve(group))

    async def _serve(self, group: _Group) -> None:
        latest = self._clock()
        try:
            while True:
                now = self._clock()
                if now < latest:
                    self._set_back(group, latest - now, now)
                latest = now
                device = min(group.devices, key=lambda polled: polled.due)
                wait = (device.due - now).total_seconds()
                if wait <= 0:
                    metrics.POLL_LATE.observe(-wait)
                    self._hand_over(await self._poll(group, device))
                    continue
                await asyncio.sleep(min(wait, _LONGEST_NAP))
        finally:
            await group.line.close()

    def _hand_over(self, delivery: Delivery) -> None:
        try:
            self._offer(delivery)
        except Exception:  # noqa: BLE001 - one delivery may be lost, counted; the polling of all others must go on
            metrics.DROPPED.inc(max(len(delivery.readings), 1))
            _log.exception("a poll could not be handed over", device=delivery.source)

    def _set_back(self, group: _Group, step: timedelta, now: datetime) -> None:
        """When the clock was set back, during a nap or a poll, do not wait until it has caught up."""
        _log.warning("the clock was set back", seconds=step.total_seconds())
        for device in group.devices:
            device.due = min(device.due, device.next_due(now))

    async def _poll(self, group: _Group, device: _Polled) -> Delivery:
        intake, due = device.intake, device.due
        begun = self._clock()
        try:
            group.refuse_while_away(begun)
            answer = await device.reader.read()
            now = self._clock()
            delivery = intake.from_poll(answer.raw, now, answer.resting)
        except NoConnection as error:
            now = self._clock()
            device.due = max(group.away(str(error), now), device.allowed(now))
            return self._failed(device, str(error), now)
        except (NoAnswer, BadInput) as error:
            return self._silent(group, device, begun, str(error).rstrip("."))
        except Exception as error:  # noqa: BLE001 - one odd device must not end the polling of all
            _log.exception("a poll could not be worked out", device=intake.device.id)
            await group.line.close()
            return self._silent(group, device, begun, f"fault in the collector: {error!r}")
        group.reached()
        device.asked = begun
        device.due = device.next_due(now)
        if device.due > next_poll(due, intake.device.every, device.phase) and intake.profile.link.min_interval is None:
            metrics.POLLS_MISSED.inc()
        self._answered(device, delivery)
        return delivery

    def _answered(self, device: _Polled, delivery: Delivery) -> None:
        if device.intake.misses_model(delivery):
            device.reader.forget()
        if device.failures:
            _log.info("device is back", device=device.intake.device.id)
        device.failures = 0
        metrics.POLLS.labels("answered").inc()
        trouble = delivery.health[0].error
        if trouble != device.error:
            device.error = trouble
            _log.info("device says", device=device.intake.device.id, trouble=trouble or "nothing wrong")

    def _silent(self, group: _Group, device: _Polled, begun: datetime, reason: str) -> Delivery:
        """Note that a device was asked and did not answer; the line itself stands."""
        group.reached()
        now = self._clock()
        device.asked = begun
        device.due = max(now + pause(device.failures + 1), device.allowed(now))
        return self._failed(device, reason, now)

    def _failed(self, device: _Polled, reason: str, now: datetime) -> Delivery:
        device.failures += 1
        device.reader.forget()
        metrics.POLLS.labels("silent").inc()
        if device.failures == 1:
            _log.warning("device does not answer", device=device.intake.device.id, reason=reason)
        return device.intake.silent(reason, now)
