"""One frozen `Settings`, from the environment (prefix `ROSTERBOOK_`), validated at start."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from stream.errors import SettingsError
from stream.fence import MARGIN_S

FENCED_S = MARGIN_S + 1.0
"""Of the session time-out, what may not go to a call: the margin, and the age of a heartbeat with some to spare."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Settings(BaseSettings):
    """What a process is told. Each field is an environment variable: `ROSTERBOOK_` and its name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix="ROSTERBOOK_", env_ignore_empty=True, frozen=True, extra="ignore", allow_inf_nan=False
    )

    data: Path = Field(Path(".rosterbook"), description="State folder")
    kafka: str | None = Field(None, description="Bootstrap servers; absent: the embedded broker of the data folder")
    kafka_port: int = Field(0, ge=0, le=65535, description="Port of the embedded broker; 0 = a free one")
    gateway_host: str = Field("127.0.0.1", description="Address the gateway binds to")
    gateway_port: int = Field(8080, ge=0, le=65535, description="Port of the gateway; 0 = a free one")
    gateway_cert: Path | None = Field(
        None,
        description="Certificate chain of the gateway in PEM, for https without a proxy; read again when it changes",
    )
    gateway_key: Path | None = Field(None, description="Key of that certificate in PEM, not encrypted")
    metrics_host: str = Field("127.0.0.1", description="Address the worker's health and metrics bind to")
    metrics_port: int = Field(
        8082, ge=0, le=65535, description="Port of the worker's health and metrics; 0 = a free one"
    )
    partitions: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="Partitions of every topic, fixed once topics exist; default 4 embedded, 12 in a cluster",
    )
    replication: int | None = Field(
        None, ge=1, description="Replicas of every topic; default 1 embedded, 3 in a cluster"
    )
    public_url: str | None = Field(
        None, description="Address under which BambooHR reaches the gateway, for webhooks that Rosterbook registers"
    )
    webhook_key_age: int = Field(
        365, ge=0, description="Days after which the key of a webhook that Rosterbook registered is replaced; 0 = never"
    )
    webhook_max_age: int = Field(6 * 3600, ge=0, description="Seconds a webhook may be old; 0 = any age")
    settle_time: float = Field(60.0, ge=0, description="Seconds before a write with a lost answer is looked up")
    clock_tolerance: float = Field(60.0, ge=5, description="Seconds by which clocks may differ before it is said")
    session_timeout: float = Field(8.0, ge=6, description="Seconds after which a silent worker loses its partitions")
    call_deadline: float = Field(5.0, gt=0, description="Seconds one API call may take")
    watchdog_block: float = Field(
        20.0, ge=1, description="Seconds for which a worker's loop may stand still before the worker is ended"
    )
    watchdog_stall: float = Field(
        180.0, ge=10, description="Seconds for which work may wait in a worker without progress before it is ended"
    )
    vault_keys: str | None = Field(None, description="Vault key file's text; instead of a file", repr=False)
    vault_key_file: Path | None = Field(None, description="Vault key file; default: vault.json in the data folder")
    bamboohr_url: str | None = Field(None, description="Loopback stand-in for https://{subdomain}.bamboohr.com")
    zoho_accounts_url: str | None = Field(None, description="Loopback stand-in for Zoho's accounts hosts")
    zoho_api_url: str | None = Field(None, description="Loopback stand-in for https://www.zohoapis.com")
    log_format: Literal["json", "console"] = Field("json", description="json lines, or coloured text for a terminal")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged")

    @field_validator("bamboohr_url", "zoho_accounts_url", "zoho_api_url")
    @classmethod
    def _loopback_only(cls, url: str | None) -> str | None:
        """Credentials go to the vendors or to this machine, nowhere else."""
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname not in LOOPBACK or parts.username is not None:
            raise PydanticCustomError(
                "loopback", "must be an http address of this machine ({hosts})", {"hosts": ", ".join(LOOPBACK)}
            )
        return url.rstrip("/")

    @field_validator("public_url")
    @classmethod
    def _reachable(cls, url: str | None) -> str | None:
        """BambooHR calls https addresses only; a stand-in on this machine may call it without."""
        if url is None:
            return None
        parts = urlsplit(url)
        secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        if not secure or not parts.hostname or parts.username is not None or parts.query or parts.fragment:
            raise PydanticCustomError("public", "must be an https address such as https://books.example.com")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _a_certificate_has_its_key(self) -> Self:
        if (self.gateway_cert is None) != (self.gateway_key is None):
            raise PydanticCustomError(
                "certificate", "ROSTERBOOK_GATEWAY_CERT and ROSTERBOOK_GATEWAY_KEY must be set both or neither"
            )
        return self

    @model_validator(mode="after")
    def _a_call_fits_between_heartbeats(self) -> Self:
        """A call starts only while it ends, at its deadline, before the partitions can be another worker's."""
        if self.session_timeout - self.call_deadline < FENCED_S:
            raise PydanticCustomError(
                "deadline",
                "ROSTERBOOK_CALL_DEADLINE must be at least {seconds} seconds less than ROSTERBOOK_SESSION_TIMEOUT",
                {"seconds": f"{FENCED_S:g}"},
            )
        return self

    @property
    def new_partitions(self) -> int:
        """Of each topic that is made where none is yet. A worker asks for each of its partitions in each fetch, which
        costs one that has all of them a tenth of its time at 12; more are for more workers.
        """
        return self.partitions or (4 if self.kafka is None else 12)

    @property
    def replicas(self) -> int:
        return self.replication or (1 if self.kafka is None else 3)

    @property
    def min_insync(self) -> int:
        return max(1, self.replicas - 1)


def load_settings() -> Settings:
    """Read the environment. Raises SettingsError naming every variable that is wrong, without its value."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"ROSTERBOOK_{str(e['loc'][0]).upper()}: {e['msg']}" if e["loc"] else e["msg"]
            for e in error.errors(include_input=False, include_url=False)
        )
        raise SettingsError(f"Settings are wrong: {wrong}.") from None
