"""The simulated building in this process: a process of its own needs seconds to load what reckons the sun."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from core.time import utc_now
from simulators.serve import Options, Ready, run


@contextmanager
def simulated(broker_url: str, seed: int = 1, every: int = 5) -> Iterator[Ready]:
    """Run the building until the block ends; it must stop when asked, and what fails in it fails here."""
    started: Future[tuple[Ready, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def live() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        options = Options(seed, broker_url, every=every)
        await run(options, stop, lambda ready: started.set_result((ready, loop, stop)), utc_now)

    with ThreadPoolExecutor(1) as thread:
        ended = thread.submit(asyncio.run, live())
        ended.add_done_callback(lambda end: None if started.done() else started.set_exception(_reason(end)))
        ready, loop, stop = started.result(60)
        try:
            yield ready
        finally:
            loop.call_soon_threadsafe(stop.set)
            ended.result(15)


def _reason(end: Future[None]) -> BaseException:
    return end.exception() or AssertionError("the building ended before it began")
