"""What the environment says, read once and passed down; an unknown ``WIJKENERGIE_*`` name is an error."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import BadInput

PREFIX = "WIJKENERGIE_"
_FOR_TESTS = {"WIJKENERGIE_TEST_DATABASE_URL"}


class Settings(BaseSettings):
    """The service's settings; one field per environment variable, named by the prefix and the field.

    ``database_url`` None means the embedded PostgreSQL under ``data_dir``.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    database_url: SecretStr | None = None
    mqtt_url: SecretStr = SecretStr("mqtt://127.0.0.1:1883")
    mqtt_ca: Path | None = None
    mqtt_cert: Path | None = None
    mqtt_key: Path | None = None
    community: Path | None = None
    base_url: str = "http://127.0.0.1:8000"
    secret_key: SecretStr | None = None
    notify_urls: SecretStr = SecretStr("")
    data_dir: Path = Path(".wijkenergie")
    spool_mb: int = Field(default=1024, ge=1)
    log: Literal["json", "console"] = "console"
    listen: str = "127.0.0.1:8000"
    metrics_listen: str = "127.0.0.1:9464"

    @field_validator("mqtt_url")
    @classmethod
    def _mqtt(cls, value: SecretStr) -> SecretStr:
        if urlsplit(value.get_secret_value()).scheme not in ("mqtt", "mqtts"):
            raise ValueError("this must start with mqtt:// or mqtts://")
        return value

    @field_validator("base_url")
    @classmethod
    def _base(cls, value: str) -> str:
        if urlsplit(value).scheme not in ("http", "https"):
            raise ValueError("this must start with http:// or https://")
        return value.rstrip("/")

    @property
    def notify(self) -> tuple[str, ...]:
        """Apprise addresses, separated by blanks or commas in the environment; secrets."""
        return tuple(self.notify_urls.get_secret_value().replace(",", " ").split())


def load_settings() -> Settings:
    """Read the environment.

    Raises
    ------
    BadInput
        If a ``WIJKENERGIE_*`` variable is unknown or has an impossible value; the message names it, never its value.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields} | _FOR_TESTS
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, sorted(known), 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known - _FOR_TESTS))}."
            raise BadInput(f"The environment variable {name} is unknown; {hint}")
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + str(first["loc"][0]).upper()
        reason = str(first["msg"]).removeprefix("Value error, ")
        raise BadInput(f"The environment variable {name} is wrong: {reason}.") from None
