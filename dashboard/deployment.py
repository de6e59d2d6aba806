"""How the platform was started: the commands that a person gives it differ."""

from enum import StrEnum


class Deployment(StrEnum):
    NATIVE = "native"
    COMPOSE = "compose"

    def start(self, service: str) -> str:
        """The command that starts a service which has stopped."""
        return f"docker compose up -d {service}" if self is Deployment.COMPOSE else f"./candlestream start {service}"

    def logs(self, service: str) -> str:
        """The command that shows what a service has said."""
        return f"docker compose logs {service}" if self is Deployment.COMPOSE else f"./candlestream logs {service}"
