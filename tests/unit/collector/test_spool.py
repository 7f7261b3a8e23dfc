"""The spool: what it confirmed it gives back, in order, whatever happened to the files in between."""

from __future__ import annotations

import fcntl
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest
import structlog

from collector.delivery import DeadLetter, Delivery, Health, Measurement
from collector.envelope import pack
from collector.spool import Spool
from core.errors import Unavailable
from core.wire import Reading

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
BOUND = 10_000_000


def delivery(number: int, size: int = 0) -> Delivery:
    return Delivery(NOW + timedelta(seconds=number), f"m{number}", (Reading("x" * size, NOW, Decimal(number)),))


def some(*numbers: int) -> list[Delivery]:
    return [delivery(number) for number in numbers]


def sources(deliveries: list[Delivery]) -> list[str]:
    return [found.source for found in deliveries]


def drained(spool: Spool, most: int = 7) -> list[str]:
    """Take over everything, as the drainer does."""
    found = []
    while chunk := spool.oldest(most):
        if not chunk.deliveries:
            return found
        found += sources(chunk.deliveries)
        spool.taken_over(chunk)
    raise AssertionError


def fill(spool: Spool) -> None:
    """Append until that fails."""
    for number in count():
        spool.append([delivery(number, 200)])


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if "-" in path.name)


@contextmanager
def opened(folder: Path, bound: int = BOUND) -> Iterator[Spool]:
    with closing(Spool(folder, bound)) as spool:
        yield spool


def filled(folder: Path, *batches: list[Delivery]) -> Path:
    """Leave one file with some batches behind; returns it."""
    with opened(folder) as spool:
        for batch in batches:
            spool.append(batch)
    (path,) = files(folder)
    return path


def test_every_digit_byte_and_instant_comes_back(tmp_path):
    whole = Delivery(
        NOW,
        "flats/A01",
        tuple(Reading("el", NOW, Decimal(text)) for text in ("1.2300", "-0", "1E+5", "9" * 18 + "." + "9" * 12)),
        (Measurement("roof", "W", NOW, "active_power", Decimal("0.10"), None),),
        (DeadLetter("topic", bytes(range(256)), "not JSON"),),
        (Health("roof", heard=True, error=None), Health("roof", heard=False, error="é\0")),
    )
    filled(tmp_path, [whole])
    with opened(tmp_path) as spool:
        (back,) = spool.oldest(10).deliveries
    assert back == whole
    assert [str(reading.value) for reading in back.readings] == [str(reading.value) for reading in whole.readings]


def test_half_a_character_from_a_device_is_no_obstacle(tmp_path):
    odd = Delivery(NOW, "t", health=(Health("d", heard=True, error="\ud800 odd"),), readings=delivery(1).readings)
    with opened(tmp_path) as spool:
        spool.append([odd])
        (back,) = spool.oldest(10).deliveries
    assert back.health[0].error == "? odd"
    assert back.readings == odd.readings


def test_what_is_taken_over_is_gone_and_what_is_not_stays_over_a_restart(tmp_path):
    with opened(tmp_path) as spool:
        spool.append(some(0, 1, 2))
        spool.append(some(3, 4))
        assert spool.waiting == 5
        chunk = spool.oldest(2)
        assert sources(chunk.deliveries) == ["m0", "m1"]
        assert sources(spool.oldest(2).deliveries) == ["m0", "m1"]
        spool.taken_over(chunk)
        spool.taken_over(chunk)
        assert spool.waiting == 3
    with opened(tmp_path) as spool:
        assert spool.waiting == 3
        spool.append(some(5))
        assert drained(spool) == ["m2", "m3", "m4", "m5"]
        assert (spool.waiting, spool.size, files(tmp_path)) == (0, 0, [])
        spool.append(some(6))
        assert drained(spool) == ["m6"]


def test_a_process_killed_in_the_middle_of_it_loses_nothing_it_was_told_is_kept(tmp_path):
    program = (
        "import os, sys; from pathlib import Path; from collector.spool import Spool;"
        "from tests.unit.collector.test_spool import some;"
        "spool = Spool(Path(sys.argv[1]), 10**7);"
        "[spool.append(some(number)) for number in range(20)]; os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", program, tmp_path], cwd=Path(__file__).parents[3], check=False)
    assert killed.returncode == -9
    with opened(tmp_path) as spool:
        assert drained(spool) == [f"m{number}" for number in range(20)]


def test_a_tail_torn_at_any_byte_is_cut_off_and_said(tmp_path):
    path = filled(tmp_path / "model", some(0, 1), some(2))
    whole = path.read_bytes()
    last = len(pack(some(2), b"mark"))
    for cut in range(1, last):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / path.name).write_bytes(whole[:-cut])
        with structlog.testing.capture_logs() as said, opened(folder) as spool:
            spool.append(some(3))
            assert drained(spool) == ["m0", "m1", "m3"]
        torn = [line["bytes"] for line in said if line["event"].startswith("the end of the spool was torn")]
        assert torn == [last - cut]


@pytest.mark.parametrize("junk", [b"\0" * 4096, b"\xff" * 7, os.urandom(500)], ids=["zeros", "ones", "random"])
def test_a_tail_of_junk_is_cut_off(tmp_path, junk):
    path = filled(tmp_path, some(0, 1))
    path.write_bytes(path.read_bytes() + junk)
    with opened(tmp_path) as spool:
        assert drained(spool) == ["m0", "m1"]
    assert not (tmp_path / "damaged").exists()


def test_a_flipped_bit_anywhere_costs_one_record_and_its_file_is_kept(tmp_path):
    path = filled(tmp_path / "model", some(0), some(1), some(2))
    whole = path.read_bytes()
    one = len(pack(some(1), b"mark"))
    for at in range(one, 2 * one):
        folder = tmp_path / str(at)
        folder.mkdir()
        damaged = bytearray(whole)
        damaged[at] ^= 0x10
        (folder / path.name).write_bytes(damaged)
        with structlog.testing.capture_logs() as said, opened(folder) as spool:
            assert spool.waiting == 2
            assert drained(spool) == ["m0", "m2"]
            assert (spool.waiting, spool.size) == (0, 0)
        assert any(line.get("at") == one and line["bytes"] == one for line in said)
        assert (folder / "damaged" / path.name).read_bytes() == bytes(damaged)


def test_a_damaged_first_record_does_not_hide_those_behind_it(tmp_path):
    path = filled(tmp_path, some(0, 1, 2))
    path.write_bytes(b"\0" * 20 + path.read_bytes()[20:])
    with opened(tmp_path) as spool:
        assert drained(spool, most=1) == ["m1", "m2"]


def test_a_payload_that_looks_like_a_record_is_never_taken_for_one(tmp_path):
    """The mark is drawn for each file, so whoever sends a payload cannot know it."""
    forged = pack(some(666), b"mark")
    with opened(tmp_path) as spool:
        spool.append([Delivery(NOW, "evil", dead_letters=(DeadLetter("evil", forged, "odd"),))])
        spool.append(some(1))
    (path,) = files(tmp_path)
    data = bytearray(path.read_bytes())
    data[14] ^= 1  # the outer record is damaged, so the reader looks for the next one
    path.write_bytes(data)
    with opened(tmp_path) as spool:
        assert drained(spool) == ["m1"]


def test_a_whole_record_of_another_program_is_passed_over_and_kept(tmp_path):
    path = filled(tmp_path, some(0), some(1))
    mark = bytes.fromhex(path.name.partition("-")[2])
    alien = Delivery(NOW, 5)  # as another version might write it
    path.write_bytes(pack([alien], mark) + path.read_bytes())
    with opened(tmp_path) as spool:
        assert drained(spool) == ["m0", "m1"]
        assert spool.waiting == 0
    assert (tmp_path / "damaged" / path.name).exists()


@pytest.mark.parametrize("content", [b"", b"torn", os.urandom(20)], ids=["empty", "short", "random"])
def test_a_lost_position_only_means_that_some_is_given_out_again(tmp_path, content):
    filled(tmp_path, some(0, 1, 2))
    with opened(tmp_path) as spool:
        spool.taken_over(spool.oldest(2))
    (tmp_path / "position").write_bytes(content)
    with opened(tmp_path) as spool:
        assert drained(spool) == ["m0", "m1", "m2"]


def test_a_new_file_never_takes_the_place_of_one_that_was_taken_over(tmp_path):
    with opened(tmp_path) as spool:
        spool.append(some(0, 1))
        spool.taken_over(spool.oldest(2))
    with opened(tmp_path) as spool:
        spool.append(some(2, 3))
        assert drained(spool) == ["m2", "m3"]


def test_files_are_removed_as_they_are_emptied_so_that_room_comes_back_in_steps(tmp_path):
    with opened(tmp_path, 64_000) as spool:
        with pytest.raises(Unavailable, match=r"^The spool in .* is full: it may hold 0 MB\. .* WIJKENERGIE_SPOOL_MB"):
            fill(spool)
        kept = spool.waiting
        assert 60_000 < spool.size <= 64_000
        assert spool.size == sum(path.stat().st_size for path in files(tmp_path))
        before = spool.size
        while spool.size == before:
            spool.taken_over(spool.oldest(1))
        spool.append([delivery(kept, 200)])
        left = spool.waiting
        assert drained(spool) == [f"m{number}" for number in range(kept + 1 - left, kept + 1)]


def test_a_delivery_too_big_for_the_spool_is_refused_and_smaller_ones_are_not(tmp_path):
    with opened(tmp_path, 1000) as spool:
        with pytest.raises(Unavailable, match="is full"):
            spool.append([delivery(0, 2000)])
        spool.append(some(1))
        assert drained(spool) == ["m1"]


def test_two_collectors_never_share_a_spool(tmp_path):
    with opened(tmp_path):
        with pytest.raises(Unavailable, match=r"^Another collector uses the spool in .*WIJKENERGIE_DATA_DIR\.$"):
            Spool(tmp_path, BOUND)
        with (tmp_path / "lock").open() as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with opened(tmp_path):
        pass


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable, match=r"^The spool in .* cannot be used: Not a directory\. .*WIJKENERGIE_DATA_DIR"):
        Spool(tmp_path / "file" / "spool", BOUND)


def test_nobody_else_can_read_what_waits(tmp_path):
    path = filled(tmp_path / "spool", some(0))
    assert (tmp_path / "spool").stat().st_mode & 0o77 == 0
    assert path.stat().st_mode & 0o77 == 0


@contextmanager
def tiny_disk(folder: Path) -> Iterator[Path]:
    """Give a file system of 64 kB."""
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=False, capture_output=True)
    if made.returncode != 0:
        pytest.skip("only root may mount a tiny disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_full_disk_refuses_whole_batches_and_is_used_again_as_soon_as_there_is_room(tmp_path):
    with tiny_disk(tmp_path / "disk") as disk, opened(disk / "spool") as spool:
        spool.append(some(0))
        filler = disk / "filler"
        with pytest.raises(OSError, match="No space left"):
            filler.write_bytes(bytes(65536))
        for _ in range(3):
            with pytest.raises(Unavailable, match=r"cannot be written: No space left on device\.$"):
                spool.append([delivery(number, 100) for number in range(1, 50)])
        assert (spool.waiting, sources(spool.oldest(10).deliveries)) == (1, ["m0"])
        filler.unlink()
        spool.append([delivery(number, 100) for number in range(1, 50)])
        assert drained(spool) == [f"m{number}" for number in range(50)]


def test_what_a_full_disk_refused_is_not_there_after_a_restart(tmp_path):
    with tiny_disk(tmp_path / "disk") as disk:
        with opened(disk / "spool") as spool:
            spool.append(some(0))
            with pytest.raises(Unavailable, match="No space left"):
                spool.append([delivery(number, 3000) for number in range(1, 50)])
        with structlog.testing.capture_logs() as said, opened(disk / "spool") as spool:
            assert drained(spool) == ["m0"]
        assert not any("torn" in line["event"] for line in said)


def test_a_file_that_may_not_grow_counts_as_a_full_disk(tmp_path):
    """The limit on a file's size is the one that any user may set; it tears a write in two like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with opened(tmp_path) as spool:
        spool.append(some(0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
        try:
            with pytest.raises(Unavailable, match="cannot be written"):
                spool.append([delivery(number, 100) for number in range(1, 50)])
            spool.append(some(50))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        spool.append(some(51))
        assert drained(spool) == ["m0", "m50", "m51"]


def test_a_disk_that_fails_to_confirm_is_not_believed(tmp_path, monkeypatch):
    with opened(tmp_path) as spool:
        spool.append(some(0))
        with monkeypatch.context() as patch:

            def fail(_: int) -> None:
                raise OSError(5, "Input/output error")

            patch.setattr(os, "fsync", fail)
            with pytest.raises(Unavailable, match="Input/output error"):
                spool.append(some(1))
        spool.append(some(2))
        assert drained(spool) == ["m0", "m2"]
    with opened(tmp_path) as spool:
        assert drained(spool) == []
