"""The deployment with Docker, as far as it can be proved without an engine."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from hatchling.build import build_wheel
from ruamel.yaml import YAML

from core.db.migrate import migrate
from core.db.server import bin_dir
from core.settings import load_settings
from tests.support.postgres import clone, drop, with_database

ROOT = Path(__file__).parents[2]
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = YAML(typ="safe").load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def example_settings() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_services_of_the_house_are_all_there() -> None:
    assert {"db", "broker", "collect", "work", "serve", "grafana"} <= set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_to_a_full_version(name: str) -> None:
    image = SERVICES[name]["image"]
    assert re.fullmatch(r"[\w/-]+:\d+\.\d+\.\d+(-pg18)?", image), image


def test_the_database_has_the_major_version_of_the_embedded_one_so_that_dumps_move_both_ways() -> None:
    told = subprocess.run([bin_dir() / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    major = re.search(r"\d+", told)
    assert major is not None
    assert SERVICES["db"]["image"].endswith(f"-pg{major[0]}")
    assert f"/{major[0]}/" in SERVICES["db"]["environment"]["PGDATA"]


def test_every_variable_of_compose_is_in_the_example_and_no_other() -> None:
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", COMPOSE_TEXT))
    assert used == set(example_settings())


def test_the_example_holds_no_secret_and_compose_refuses_an_empty_one() -> None:
    for name, value in example_settings().items():
        if re.search("PASSWORD|SECRET|KEY|DEVICES|NOTIFY", name):
            assert value == "", name
        if "PASSWORD" in name:
            assert set(re.findall(rf"\$\{{{name}(:\?)?\}}", COMPOSE_TEXT)) == {":?"}, name


@pytest.mark.parametrize("name", [name for name in OURS if OURS[name]["environment"]])
def test_the_code_knows_every_setting_compose_gives_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = example_settings() | {"APPLICATION_DB_PASSWORD": "a1", "BROKER_SERVICE_PASSWORD": "b2"}
    for variable, value in OURS[name]["environment"].items():
        filled = re.sub(r"\$\{(\w+)[^}]*\}", lambda match: values[match[1]], value)
        monkeypatch.setenv(variable, filled)
    settings = load_settings()
    assert settings.database_url is not None
    assert "a1" in settings.database_url.get_secret_value()


def test_nothing_but_the_encrypted_broker_is_reachable_from_other_machines() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    everywhere = {name for name, ports in published.items() if not all(p.startswith("127.0.0.1:") for p in ports)}
    assert everywhere == {"broker"}
    assert published["broker"] == ["8883:8883"]


def test_what_runs_on_has_a_health_check_and_what_runs_once_has_none() -> None:
    for name, service in SERVICES.items():
        runs_on = service["restart"] != "no"
        assert runs_on == ("healthcheck" in service), name
        for other, condition in (service.get("depends_on") or {}).items():
            once = SERVICES[other]["restart"] == "no"
            wanted = "service_completed_successfully" if once else "service_healthy"
            assert condition["condition"] == wanted, f"{name} waits for {other}"


@pytest.mark.parametrize("name", SERVICES)
def test_mounted_files_exist_and_volumes_are_declared(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        source = mount.split(":")[0]
        if source.startswith("./"):
            assert (ROOT / source).exists(), source
            assert mount.endswith(":ro"), mount
        elif not source.startswith("${"):
            assert source in COMPOSE["volumes"], source


@pytest.mark.parametrize("name", OURS)
def test_commands_are_those_of_the_command_line(name: str) -> None:
    command: list[str] = OURS[name]["command"]
    words = " ".join(command)
    called = re.findall(r"wijkenergie (\w+)", words)
    if called:
        told = subprocess.run(
            [sys.executable, "-m", "wijkenergie", "--help"], capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout
        assert all(re.search(rf"\b{one}\b", told) for one in called), called
    else:
        assert (ROOT / command[0]).stat().st_mode & 0o111, command


def test_the_image_is_built_by_the_steps_of_the_readme() -> None:
    assert re.search(r"^FROM python:3\.11\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    installing = re.findall(r"^RUN (pip install .*)$", DOCKERFILE, re.MULTILINE)
    assert len(installing) == 2
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for step in installing:
        assert step in readme, step


def test_the_image_is_not_built_from_secrets_or_history() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "*", "everything is left out"
    wanted = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert not wanted & {".git", ".env", "tests"}
    assert all((ROOT / path).exists() for path in wanted)


def test_an_installed_wheel_holds_every_file_the_packages_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with zipfile.ZipFile(tmp_path / build_wheel(str(tmp_path))) as wheel:
        packed = set(wheel.namelist())
    packages = ["core", "collector", "settlement", "api", "dashboards", "simulators", "wijkenergie"]
    tracked = subprocess.run(["git", "ls-files", *packages], capture_output=True, text=True, check=True, cwd=ROOT)
    present = {name for name in tracked.stdout.splitlines() if (ROOT / name).exists()}
    assert present - packed == set()


# ---- the scripts that prepare the database


@pytest.fixture
def application_url(server_url: str) -> Iterator[str]:
    """A database whose owner is no superuser, as deploy/database/application.sql makes it."""
    name, password = f"wijkenergie_app_{secrets.token_hex(4)}", secrets.token_urlsafe(16)
    script = (ROOT / "deploy" / "database" / "application.sql").read_text(encoding="utf-8")
    assert script.count("wijkenergie") == 3
    run_psql(server_url, script.replace("wijkenergie", name), APPLICATION_DB_PASSWORD=password)
    try:
        parts = urlsplit(with_database(server_url, name))
        yield urlunsplit(parts._replace(netloc=f"{name}:{password}@{parts.netloc.rpartition('@')[2]}"))
    finally:
        drop(server_url, name)
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {name}".encode())
            connection.execute(f"DROP ROLE {name}".encode())


def run_psql(url: str, script: str, **environment: str) -> None:
    command: list[str | Path] = [
        bin_dir() / "psql",
        "--no-psqlrc",
        "--set=ON_ERROR_STOP=1",
        "--quiet",
        f"--dbname={url}",
    ]
    done = subprocess.run(
        command, input=script, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_application_needs_no_superuser_and_grafana_sees_views_added_later(
    server_url: str, application_url: str
) -> None:
    migrate(application_url)
    database = with_database(server_url, urlsplit(application_url).path.strip("/"))
    password = secrets.token_urlsafe(16)
    name = f"grafana_ro_{secrets.token_hex(4)}"
    scripts = (ROOT / "dashboards" / "role.sql", ROOT / "deploy" / "database" / "grafana-login.sql")
    text = "".join(script.read_text(encoding="utf-8") for script in scripts)
    run_psql(database, text.replace("grafana_ro", name), GRAFANA_DB_PASSWORD=password)
    try:
        with psycopg.connect(application_url, autocommit=True) as application:
            row = application.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
            assert row == (False,)
            application.execute("CREATE VIEW grafana.later AS SELECT 1 AS one")
            application.execute("CREATE TEMP TABLE incoming (x int)")
            application.execute("SELECT pg_advisory_lock(1)")
            application.execute("SELECT pg_notify('x', 'y')")
        parts = urlsplit(database)
        grafana = urlunsplit(parts._replace(netloc=f"{name}:{password}@{parts.netloc.rpartition('@')[2]}"))
        with psycopg.connect(grafana) as viewer:
            assert viewer.execute("SELECT one FROM later").fetchone() == (1,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                viewer.execute("SELECT value FROM public.reading")
    finally:
        with psycopg.connect(database, autocommit=True) as owner:
            owner.execute(f"DROP OWNED BY {name}; DROP ROLE {name}".encode())


def test_a_worker_is_healthy_while_its_heart_beats(server_url: str, template_name: str) -> None:
    def healthy(url: str) -> bool:
        done = subprocess.run(
            [sys.executable, ROOT / "deploy" / "healthy.py", "worker"],
            env=os.environ | {"WIJKENERGIE_DATABASE_URL": url},
            capture_output=True,
            check=False,
        )
        return done.returncode == 0

    with clone(server_url, template_name) as url:
        assert not healthy(url), "no worker"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
            assert healthy(url)
            connection.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '2 minutes'")
            assert not healthy(url)
