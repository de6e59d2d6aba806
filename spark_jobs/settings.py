"""The stream's configuration, by environment."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from market.choice_file import DEFAULT_FILE, read
from market.choices import Choices
from market.log_level import LogLevel
from market.topics import prefix_for


class Settings(BaseSettings):
    """Every field is an environment variable with the prefix CANDLESTREAM_."""

    model_config = SettingsConfigDict(env_prefix="CANDLESTREAM_", extra="ignore")

    home: Path = Path(".candlestream")
    source: str
    kafka_bootstrap: str = "127.0.0.1:9092"
    topic_prefix: str = ""
    database_url: str
    metrics_port: int | None = None
    log_level: LogLevel = LogLevel.INFO

    # How much one batch may take of each topic, records. Live records are never behind more than one batch of history.
    max_events: int = 400_000
    max_history: int = 10_000
    # A batch of at least so many records is fetched and decoded by the executors, a smaller one by the driver itself.
    executors_from: int = 40_000
    # With fewer records a second than this a batch is followed by a rest, so that a quiet market costs little.
    quiet_records_per_s: float = 200.0
    quiet_cycle_s: float = 0.8

    # Prices that a record holds side by side may differ by this factor; beyond it the record is a dead letter, `price_jump`.
    max_jump: float = Field(default=10.0, gt=1.0)

    # Indicators beside the kernel's own (docs/indicators.md).
    indicators: Path = DEFAULT_FILE

    @property
    def kafka(self) -> dict[str, str]:
        """How a client of librdkafka finds the broker."""
        return {"bootstrap.servers": self.kafka_bootstrap}

    @cached_property
    def chosen(self) -> Choices:
        """What the file of indicators asks for. Raises `BadChoice`."""
        return read(self.indicators)

    @model_validator(mode="after")
    def _prefix_of_the_source(self) -> Self:
        if "topic_prefix" not in self.model_fields_set:
            self.topic_prefix = prefix_for(self.source)
        return self


def problems(error: ValidationError) -> str:
    """What is wrong with the environment, in one sentence."""
    missing = [variable(e) for e in error.errors() if e["type"] == "missing"]
    wrong = [f"{variable(e)}: {e['msg']}" for e in error.errors() if e["type"] != "missing"]
    told = [f'set {", ".join(missing)} (eval "$(./candlestream env)" does)'] if missing else []
    return "; ".join(told + wrong)


def variable(error: Mapping[str, Any]) -> str:
    return f"CANDLESTREAM_{error['loc'][0]}".upper()
