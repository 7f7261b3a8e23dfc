"""The spool: deliveries that wait on disk while the database does not take them.

A folder of numbered files that are only ever written at the end:

    lock                      held by the one collector that uses the folder
    position                  how far the oldest file has been taken over by the database
    0000000012-9f3a01c4       records (`collector.envelope`); the second part of the name is the mark they begin with
    damaged/                  files in which something could not be read, kept for a person

`Spool.append` returns after the disk has confirmed, and only what is confirmed is ever given out again. A file is
removed once all of it has been taken over. A start never writes on in an old file: it cuts off what a crash left
half-written and begins a new one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import struct
import threading
import zlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, NamedTuple

import structlog

from collector import metrics
from collector.delivery import Delivery
from collector.envelope import MARK_BYTES, open_content, pack, unpack
from core.errors import Unavailable

_log = structlog.get_logger("collector.spool")

_FILES: Final = 64
"""A full spool has about this many files, so that room comes back in steps of a 64th."""
_CHUNK_BYTES: Final = 1_000_000
_NAME: Final = re.compile(rf"(\d{{10}})-([0-9a-f]{{{2 * MARK_BYTES}}})")
_POSITION: Final = struct.Struct(">QQI")


class Position(NamedTuple):
    """A place in the spool: the number of a file and a byte in it."""

    file: int
    byte: int


class Chunk(NamedTuple):
    """The oldest deliveries, and the stretch of the spool they lie on."""

    start: Position
    end: Position
    deliveries: list[Delivery]
    records: int
    """Whole records on it; more than deliveries where one is of another program."""


@dataclass
class _File:
    number: int
    path: Path
    mark: bytes
    size: int = 0
    """Bytes the disk has confirmed."""
    damaged: bool = False


class Spool:
    """A bounded queue on disk; one thread may append while another takes over.

    Parameters
    ----------
    folder
        Made when missing; nobody else can read it.
    bound
        Bytes of files at most.

    Raises
    ------
    Unavailable
        If the folder cannot be used, or another collector uses it.
    """

    def __init__(self, folder: Path, bound: int) -> None:
        self.folder, self.bound = folder, bound
        self._guard = threading.Lock()
        self._files: deque[_File] = deque()
        self._active: int | None = None  # file descriptor of the newest file, while it may be written
        self._closed = False
        self._cache: tuple[int, bytes] = (0, b"")  # number and content of the file read last
        self.size = 0
        """Bytes of all files."""
        self.waiting = 0
        """Deliveries that wait."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for place in (folder.parent, folder.parent.parent):
                _sync_folder(place)  # or a power cut could take the new folder itself
            self._lock = self._take(folder / "lock")
            self._place = os.open(folder / "position", os.O_RDWR | os.O_CREAT, 0o600)
            self._position = self._read_position()
            self._recover()
        except OSError as error:
            raise Unavailable(
                f"The spool in {folder} cannot be used: {error.strerror}. "
                "Give the folder to this user, or choose another with WIJKENERGIE_DATA_DIR."
            ) from error
        metrics.SPOOL_BOUND.set(bound)
        self._tell()
        self._next = max([self._position.file, *(file.number for file in self._files)]) + 1

    def append(self, deliveries: Sequence[Delivery]) -> None:
        """Keep deliveries; when this returns they survive a crash and a power cut.

        Raises
        ------
        Unavailable
            If the bound is reached or the disk does not take them. Then none of them is kept, and trying again is safe.
        """
        with self._guard:
            if self._closed:
                raise Unavailable(f"The spool in {self.folder} is closed.")
            file = self._newest()
            data = pack(deliveries, file.mark)
            if self.size + len(data) > self.bound:
                raise Unavailable(
                    f"The spool in {self.folder} is full: it may hold {self.bound / 1e6:.0f} MB. Bring the database "
                    "back, or give it more with WIJKENERGIE_SPOOL_MB."
                )
            try:
                descriptor = self._opened(file)
                _write_all(descriptor, data)
                os.fsync(descriptor)
            except OSError as error:
                self._undo(file)
                raise Unavailable(f"The spool in {self.folder} cannot be written: {error.strerror}.") from error
            file.size += len(data)
            self.size += len(data)
            self.waiting += len(deliveries)
            self._tell()

    def oldest(self, most: int) -> Chunk:
        """Return up to ``most`` of the oldest deliveries, about 1 MB at most; they stay until `taken_over`."""
        while True:
            with self._guard:
                start = self._start()
                if not self._files:
                    return Chunk(start, start, [], 0)
                file = self._files[0]
                size = file.size
            chunk = self._read(file, start, size, most)
            if chunk.deliveries or chunk.end == start:
                return chunk
            self.taken_over(chunk)

    def taken_over(self, chunk: Chunk) -> None:
        """Forget deliveries that the database has; a chunk that was forgotten before changes nothing."""
        with self._guard:
            if self._closed or chunk.start != self._start() or chunk.end == chunk.start:
                return
            self._position = chunk.end
            self.waiting -= chunk.records
            try:
                os.pwrite(self._place, _position_bytes(chunk.end), 0)
            except OSError as error:
                _log.warning("a restart would store some readings a second time", reason=error.strerror)
            if chunk.end.byte >= self._files[0].size:
                self._remove(self._files[0])
            self._tell()

    def close(self) -> None:
        """Let go of the folder; what waits stays in it."""
        with self._guard:
            self._closed = True
            self._seal()
            os.close(self._place)
            self._lock.close()

    @staticmethod
    def _take(path: Path) -> IO[str]:
        lock = path.open("a", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise Unavailable(
                f"Another collector uses the spool in {path.parent}. Stop it, or give this one a data folder of its "
                "own with WIJKENERGIE_DATA_DIR."
            ) from None
        return lock

    def _read_position(self) -> Position:
        data = os.pread(self._place, _POSITION.size, 0)
        if len(data) == _POSITION.size:
            file, byte, checksum = _POSITION.unpack(data)
            if zlib.crc32(data[:-4]) == checksum:
                return Position(file, byte)
        return Position(0, 0)

    def _tell(self) -> None:
        metrics.SPOOL_WAITING.set(self.waiting)
        metrics.SPOOL_BYTES.set(self.size)

    def _start(self) -> Position:
        """Return where the oldest delivery begins."""
        if not self._files or self._files[0].number == self._position.file:
            return self._position
        return Position(self._files[0].number, 0)

    def _recover(self) -> None:
        """Take stock of what an earlier collector left."""
        found = [(match, path) for path in self.folder.iterdir() if (match := _NAME.fullmatch(path.name))]
        for match, path in sorted(found, key=lambda item: item[0][0]):
            self._files.append(_File(int(match[1]), path, bytes.fromhex(match[2]), path.stat().st_size))
        if self._files:
            self._cut_tail(self._files[-1])
        for file in list(self._files):
            self.size += file.size
            if file.size == 0 or (file.number, file.size) <= self._position:
                self._remove(file)
                continue
            pieces = list(unpack(file.path.read_bytes(), file.mark))
            start = self._position.byte if file.number == self._position.file else 0
            if start not in {piece.start for piece in pieces}:
                start = 0
                self._position = Position(file.number, start)
            file.damaged = any(piece.content is None for piece in pieces)
            self.waiting += sum(piece.content is not None and piece.start >= start for piece in pieces)
        if self.waiting:
            _log.info("readings wait in the spool", folder=str(self.folder), deliveries=self.waiting)

    def _cut_tail(self, file: _File) -> None:
        """Cut off what a crash left at the end of the newest file; it was never acknowledged."""
        pieces = list(unpack(file.path.read_bytes(), file.mark))
        if not pieces or pieces[-1].content is not None:
            return
        last = pieces[-1]
        _log.warning("the end of the spool was torn and is cut off", file=file.path.name, bytes=last.end - last.start)
        with file.path.open("r+b") as handle:
            handle.truncate(last.start)
            os.fsync(handle.fileno())
        file.size = last.start

    def _read(self, file: _File, start: Position, size: int, most: int) -> Chunk:
        number, data = self._cache
        if number != file.number or len(data) < size:
            data = file.path.read_bytes()
            if len(data) < size:
                raise OSError(f"{file.path} was cut short by somebody else; restart to go on with what is left")
            self._cache = file.number, data
        deliveries: list[Delivery] = []
        end, records = start.byte, 0
        for piece in unpack(data[:size], file.mark, start.byte):
            if len(deliveries) == most or (deliveries and piece.end - start.byte > _CHUNK_BYTES):
                break
            end = piece.end
            records += piece.content is not None
            try:
                if piece.content is None:
                    raise ValueError("damaged")
                deliveries.append(open_content(piece.content))
            except ValueError as error:
                file.damaged = True
                metrics.SPOOL_DAMAGED.inc()
                _log.error(
                    "a part of the spool cannot be read; its file will be kept",
                    file=file.path.name,
                    at=piece.start,
                    bytes=piece.end - piece.start,
                    reason=str(error),
                )
        return Chunk(start, Position(file.number, end), deliveries, records)

    def _newest(self) -> _File:
        """Return the file to append to; a new one is known at once and made when it is first written."""
        if self._active is not None and self._files and self._files[-1].size < self.bound // _FILES:
            return self._files[-1]
        self._seal()
        mark = secrets.token_bytes(MARK_BYTES)
        return _File(self._next, self.folder / f"{self._next:010}-{mark.hex()}", mark)

    def _opened(self, file: _File) -> int:
        if self._active is None:
            self._active = os.open(file.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._next += 1
            self._files.append(file)
            _sync_folder(self.folder)
        return self._active

    def _undo(self, file: _File) -> None:
        """Take back what a failed append left in the file, and write on in a new one: this one is not to be trusted."""
        self._seal()
        with contextlib.suppress(OSError):  # then it is found damaged, or told twice, after the next start
            if file.size:
                os.truncate(file.path, file.size)
            else:
                file.path.unlink()
        if not file.size and file in self._files:
            self._files.remove(file)

    def _seal(self) -> None:
        if self._active is not None:
            os.close(self._active)
            self._active = None

    def _remove(self, file: _File) -> None:
        if file is self._files[-1]:
            self._seal()
        self._files.remove(file)
        self.size -= file.size
        if file.damaged:
            aside = self.folder / "damaged"
            aside.mkdir(mode=0o700, exist_ok=True)
            file.path.replace(aside / file.path.name)
            _log.error("a damaged file of the spool is kept for you", file=str(aside / file.path.name))
        else:
            file.path.unlink()


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _position_bytes(position: Position) -> bytes:
    data = _POSITION.pack(*position, 0)[:-4]
    return data + struct.pack(">I", zlib.crc32(data))
