"""The spool against a model: whatever is confirmed comes out at least once, in order, and nothing else does."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from collector.delivery import Delivery
from collector.envelope import pack
from collector.spool import Spool
from core.errors import Unavailable
from core.wire import Reading

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BOUND = 20_000  # files of 312 bytes: a few deliveries each


def delivery(number: int, size: int) -> Delivery:
    return Delivery(NOW, str(number), (Reading("x" * size, NOW, Decimal(number)),))


class SpoolMachine(RuleBasedStateMachine):
    """The model is how many deliveries were confirmed, and how many of them the database has taken over."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp())
        self.folder = self.home / "0"
        self.spool = Spool(self.folder, BOUND)
        self.sizes: list[int] = []  # of what was confirmed; the place in the list is the number
        self.taken = 0
        self.lives = 0

    @initialize()
    def begin(self) -> None:
        self.append([10, 20])

    @rule(sizes=st.lists(st.integers(0, 300), min_size=1, max_size=6))
    def append(self, sizes: list[int]) -> None:
        first = len(self.sizes)
        batch = [delivery(first + place, size) for place, size in enumerate(sizes)]
        fits = self.spool.size + len(pack(batch, b"mark")) <= BOUND
        try:
            self.spool.append(batch)
        except Unavailable:
            assert not fits
        else:
            assert fits
            self.sizes += sizes

    @rule(most=st.integers(1, 9), commit=st.booleans())
    def drain(self, most: int, commit: bool) -> None:
        chunk = self.spool.oldest(most)
        expected = [delivery(number, self.sizes[number]) for number in range(self.taken, len(self.sizes))]
        assert chunk.deliveries == expected[: len(chunk.deliveries)]
        assert bool(chunk.deliveries) == bool(expected)
        if commit:
            self.spool.taken_over(chunk)
            self.taken += len(chunk.deliveries)

    @rule(
        sizes=st.lists(st.integers(0, 300), max_size=4),
        cut=st.integers(0, 1000),
        junk=st.binary(max_size=30),
        position_lost=st.booleans(),
    )
    def crash(self, sizes: list[int], cut: int, junk: bytes, position_lost: bool) -> None:
        """Go on from a copy of the files, with a batch at the end that was being written and not confirmed."""
        self.lives += 1
        copy = self.home / str(self.lives)
        shutil.copytree(self.folder, copy)
        batch = [delivery(len(self.sizes) + place, size) for place, size in enumerate(sizes)]
        newest = self.spool._files[-1] if self.spool._active is not None else None
        if newest is not None:
            torn = pack(batch, newest.mark)
            torn = torn[: min(cut, len(torn))]
            path = copy / newest.path.name
            path.write_bytes(path.read_bytes()[: newest.size] + torn + junk)
            # Records of the batch that got there whole were real and may be given out, though nobody was promised it.
            while sizes and len(pack(batch[: len(sizes)], newest.mark)) > len(torn):
                sizes = sizes[:-1]
            self.sizes += sizes
        if position_lost:
            (copy / "position").unlink()
        self.spool.close()
        self.folder = copy
        self.spool = Spool(copy, BOUND)
        # A start may repeat what was taken over, up to the beginning of the oldest file, and never leaves anything out.
        again = len(self.sizes) - self.spool.waiting
        assert again <= self.taken
        assert position_lost or again == self.taken
        self.taken = again

    @invariant()
    def counts_what_waits(self) -> None:
        assert self.spool.waiting == len(self.sizes) - self.taken
        assert self.spool.size == sum(path.stat().st_size for path in self.folder.glob("*-*"))

    def teardown(self) -> None:
        got: list[Delivery] = []
        while (chunk := self.spool.oldest(5)).deliveries:
            got += chunk.deliveries
            self.spool.taken_over(chunk)
        assert got == [delivery(number, self.sizes[number]) for number in range(self.taken, len(self.sizes))]
        assert not list(self.folder.glob("*-*"))
        self.spool.close()
        shutil.rmtree(self.home)


def test_the_spool_follows_the_model() -> None:
    run_state_machine_as_test(SpoolMachine, settings=settings(max_examples=60, stateful_step_count=30, deadline=None))
