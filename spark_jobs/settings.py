"""The stream's configuration, by environment."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="CANDLESTREAM_", env_file=".env", extra="ignore")

    home: Path = Path(".candlestream")
    source: str
    kafka_bootstrap: str = "127.0.0.1:9092"
    topic_prefix: str = ""
    database_url: str
    metrics_port: int | None = None
    log_level: str = "INFO"

    # How much one batch may take of each topic, records. Live records are never behind more than one batch of history.
    max_events: int = 400_000
    max_history: int = 10_000
    # With fewer records a second than this a batch is followed by a rest, so that a quiet market costs little.
    quiet_records_per_s: float = 200.0
    quiet_cycle_s: float = 0.8
