"""How the platform was started: the commands that a person gives it differ."""

from enum import StrEnum


class Deployment(StrEnum):
    NATIVE = "native"
    COMPOSE = "compose"

    def start(self, service: str) -> str:
        """The command that starts a service which has stopped."""
        return f"docker compose up -d {service}" if self is Deployment.COMPOSE else f"./candlestream start {service}"

    def ingestion(self, arguments: str) -> str:
        """A command of ingestion, such as `dead-letters list`."""
        compose = f"docker compose run --rm ingestion python -m ingestion {arguments}"
        return compose if self is Deployment.COMPOSE else f"./candlestream {arguments}"

    def logs(self, service: str) -> str:
        """The command that shows what a service has said."""
        return f"docker compose logs {service}" if self is Deployment.COMPOSE else f"./candlestream logs {service}"
