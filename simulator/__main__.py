"""The command line: `python -m simulator serve --port P --home DIR`, `python -m simulator faults on|off|list|load …`."""

import asyncio
import logging
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer
from pydantic import ValidationError

from simulator.faults.command import app as faults
from simulator.faults.scenario import BadScenario
from simulator.serve import serve as serve_until_stopped
from simulator.settings import Settings

BAD_CONFIGURATION = 2

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
app.add_typer(faults, name="faults")


@app.callback()
def command() -> None:
    """The simulated exchange."""


@app.command()
def serve(
    port: Annotated[int | None, typer.Option(help="Port of the HTTPS proxy on 127.0.0.1.")] = None,
    home: Annotated[Path | None, typer.Option(help="Folder for the certificates.")] = None,
    seed: Annotated[int | None, typer.Option(help="Prices follow from it.")] = None,
    hours: Annotated[str | None, typer.Option(help="24/7, or XNYS for each exchange's own sessions.")] = None,
    ticks_per_second: Annotated[float | None, typer.Option(help="Updates a second of a busy symbol.")] = None,
    requests_per_minute: Annotated[int | None, typer.Option(help="Of one client; more are answered with 429.")] = None,
    scenario: Annotated[Path | None, typer.Option(help="A file of faults (docs/simulator.md).")] = None,
    starts_at: Annotated[
        str | None, typer.Option(help="What the exchange's clock shows first: ISO, with offset.")
    ] = None,
    speed: Annotated[float | None, typer.Option(help="How much faster than the machine's its clock goes.")] = None,
    timeline: Annotated[
        str | None, typer.Option(help="Windows of its days instead: SPEED MACHINE>EXCHANGE … (docs/simulator.md).")
    ] = None,
    metrics_port: Annotated[int | None, typer.Option(help="Port of the Prometheus endpoint.")] = None,
) -> None:
    """Serves until SIGTERM."""
    given = {name: value for name, value in locals().items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        print(f"bad configuration: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}", file=sys.stderr)
        raise typer.Exit(BAD_CONFIGURATION) from error
    configure_logging(settings.log_level)
    try:
        asyncio.run(serve_until_stopped(settings))
    except (OSError, BadScenario) as error:
        print(f"cannot serve: {error}", file=sys.stderr)
        raise typer.Exit(BAD_CONFIGURATION) from error


def configure_logging(level: str) -> None:
    """JSON lines on stderr."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    structlog.contextvars.bind_contextvars(service="simulator")


if __name__ == "__main__":
    app()
