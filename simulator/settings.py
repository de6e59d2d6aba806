"""The options of the simulated exchange, from the environment; the command line goes first."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """`CANDLESTREAM_SIMULATOR_*`, and what all processes share (`CANDLESTREAM_HOME`, `_METRICS_PORT`, `_LOG_LEVEL`)."""

    model_config = SettingsConfigDict(env_prefix="CANDLESTREAM_", populate_by_name=True, extra="ignore")

    home: Path = Path(".candlestream")
    # A container answers the others of its network; on a machine of its own it answers nobody else.
    host: str = Field("127.0.0.1", validation_alias="CANDLESTREAM_SIMULATOR_HOST")
    port: int = Field(8443, ge=1, le=65_535, validation_alias="CANDLESTREAM_SIMULATOR_PORT")
    seed: int = Field(20_260_102, validation_alias="CANDLESTREAM_SIMULATOR_SEED")
    hours: Literal["24/7", "XNYS"] = Field("24/7", validation_alias="CANDLESTREAM_SIMULATOR_HOURS")
    ticks_per_second: float = Field(2.0, gt=0, le=50, validation_alias="CANDLESTREAM_SIMULATOR_TICKS_PER_SECOND")
    metrics_port: int | None = Field(None, ge=1, le=65_535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
