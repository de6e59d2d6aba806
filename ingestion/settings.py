"""Configuration from the environment, and the one thing that must happen to the environment before yfinance is imported."""

from collections.abc import MutableMapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ingestion.errors import BadConfiguration
from ingestion.live.jumps import MAX_JUMP
from market.log_level import LogLevel
from market.timeline import Timeline
from market.topics import prefix_for


class Settings(BaseSettings):
    """Every field is an environment variable with the prefix CANDLESTREAM_ (docs/architecture.md lists them)."""

    model_config = SettingsConfigDict(env_prefix="CANDLESTREAM_", env_ignore_empty=True)

    home: Path = Path(".candlestream")
    source: str = Field(default="yahoo", pattern=r"^[a-z][a-z0-9_]*$")
    # The file in ingestion/providers that is asked.
    provider: str = Field(default="yahoo", pattern=r"^[a-z][a-z0-9_]*$")
    kafka_bootstrap: str = "127.0.0.1:9092"
    topic_prefix: str | None = None
    database_url: str
    symbols: Annotated[list[str], NoDecode] = ["AAPL", "MSFT", "AMZN", "GOOGL", "NVDA"]
    metrics_port: int | None = None
    log_level: LogLevel = LogLevel.INFO
    # The simulated exchange's proxy and certificate authority; the user's own proxy is in HTTPS_PROXY and needs neither.
    feed_proxy: str | None = None
    feed_ca: Path | None = None
    # Its clock, where it plays windows of its days; never the real provider's.
    simulator_timeline: str | None = None
    # One budget for all processes of a home, kept in a file there.
    requests_per_minute: int = Field(default=60, ge=1)
    # A feed that sends nothing for so long while an exchange is open is taken for dead.
    silence_timeout_s: float = Field(default=30.0, gt=0)
    # Ticks that wait for the broker; when it is full, the feed is read no further.
    producer_queue_mb: int = Field(default=64, ge=1)

    # A price that differs from the symbol's last one by more than this factor is a dead letter, until the next tick confirms it.
    max_jump: float = Field(default=MAX_JUMP, gt=1.0)

    @field_validator("symbols", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return list(dict.fromkeys(symbol.strip().upper() for symbol in value.split(",") if symbol.strip()))

    @field_validator("simulator_timeline")
    @classmethod
    def _is_timeline(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None:
            Timeline.parse(value)
            if info.data.get("source") == "yahoo":
                raise ValueError("real data has the machine's time")
        return value

    @property
    def timeline(self) -> Timeline | None:
        return None if self.simulator_timeline is None else Timeline.parse(self.simulator_timeline)

    @property
    def kafka_prefix(self) -> str:
        return prefix_for(self.source) if self.topic_prefix is None else self.topic_prefix


def load() -> Settings:
    """The settings, or `BadConfiguration` with one sentence that names the variables."""
    try:
        return Settings()  # type: ignore[call-arg]  # the environment has it
    except ValidationError as error:
        faults = [
            f"CANDLESTREAM_{'_'.join(str(part) for part in fault['loc']).upper()}: {fault['msg']}"
            for fault in error.errors()
        ]
        raise BadConfiguration("; ".join(faults)) from error


def apply_feed_environment(settings: Settings, environ: MutableMapping[str, str]) -> None:
    """Points yfinance, curl and OpenSSL of this process at the feed's proxy and certificate authority.

    With the simulated exchange the platform's two variables win over whatever proxy the machine has. Without it the user's
    own variables hold, and a company's certificate authority that is named for one library is named for all three.
    """
    if settings.feed_proxy:
        for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy", "socks_proxy", "wss_proxy"):
            environ.pop(name, None)
        environ["HTTPS_PROXY"] = environ["https_proxy"] = settings.feed_proxy
    bundles = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
    if settings.feed_ca:
        environ.update(dict.fromkeys(bundles, str(settings.feed_ca)))
        return
    named = next((environ[name] for name in bundles if environ.get(name)), None)
    if named:
        for name in bundles:
            environ.setdefault(name, named)
