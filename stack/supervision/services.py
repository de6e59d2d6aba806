"""Every process of the platform, from top to bottom: what the supervisor can start."""

import shutil
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

from stack.home import REPO
from stack.parts import airflow, spark
from stack.parts.orphans import give_up_schedulers
from stack.parts.postgres import running_pid, server_environment
from stack.passwords import ADMIN_ROLE, READER
from stack.platform import PYTHON, Platform
from stack.ports import HOST
from stack.supervision.heartbeat import airflow_probe, http_probe, listening_probe, status_probe
from stack.supervision.process import HOME_MARK, WELL, Health, ProcessSpec, no_life

# In the order in which `down` stops them; what stands on one line stops at the same time.
STOP_ORDER = (
    ("dashboard", "airflow-api", "airflow-scheduler", "airflow-dags", "ingestion", "spark"),
    ("kafka", "simulator"),
    ("postgres",),
)


def services_of(source: str) -> list[str]:
    """The services that a platform with this source has."""
    simulated = ["simulator"] if source == "simulator" else []
    return ["postgres", "kafka", *simulated, "ingestion", "spark", "airflow", "dashboard"]


def answering(answers: Callable[[], bool], detail: str) -> Callable[[], Health]:
    return lambda: WELL if answers() else Health(False, "starting", detail)


def first(*probes: Callable[[], Health]) -> Callable[[], Health]:
    """Well when all are; else what the first one that is not says."""

    def probe() -> Health:
        return next((health for health in (one() for one in probes) if not health.is_well), WELL)

    return probe


def all_processes(platform: Platform) -> dict[str, ProcessSpec]:
    """The processes by name."""
    specs = [postgres(platform), kafka(platform), ingestion(platform), stream(platform), dashboard(platform)]
    specs += airflow_processes(platform)
    if platform.state.source == "simulator":
        specs.append(simulator(platform))
    return {spec.name: spec for spec in specs}


def log_of(platform: Platform, name: str) -> Path:
    return platform.home.logs / f"{name}.log"


def database_probe(platform: Platform) -> Callable[[], Health]:
    server, pgpass = platform.postgres(), platform.home.pgpass
    return answering(lambda: server.answers(ADMIN_ROLE, pgpass), f"port {server.port} takes no connections")


def postgres(platform: Platform) -> ProcessSpec:
    server = platform.postgres()
    return ProcessSpec(
        name="postgres",
        service="postgres",
        command=server.command(),
        environment=server_environment() | {HOME_MARK: str(platform.home.path)},
        log=log_of(platform, "postgres"),
        probe=database_probe(platform),
        cwd=Path("/"),
        prepare=server.clear_stale_pid,
        stop_signal=signal.SIGINT,
        stop_limit_s=30.0,
    )


def kafka(platform: Platform) -> ProcessSpec:
    node = platform.kafka()

    def prepare() -> None:
        node.write_properties()

    return ProcessSpec(
        name="kafka",
        service="kafka",
        command=node.command(),
        environment=platform.environment(),
        log=log_of(platform, "kafka"),
        probe=answering(node.answers, f"{node.bootstrap} gives no metadata"),
        cwd=platform.home.run,
        prepare=prepare,
        stop_limit_s=20.0,
    )


def simulator(platform: Platform) -> ProcessSpec:
    port, state = platform.ports["simulator"], platform.state
    options = {"--port": port, "--home": platform.home.path, "--seed": state.seed, "--hours": state.hours}
    arguments = [str(part) for option in options.items() for part in option]
    return ProcessSpec(
        name="simulator",
        service="simulator",
        command=[str(PYTHON), "-m", "simulator", "serve", *arguments],
        environment=platform.environment() | metrics(platform, "simulator_metrics"),
        log=log_of(platform, "simulator"),
        probe=listening_probe(port, platform.ca_file),
        cwd=REPO,
    )


def ingestion(platform: Platform) -> ProcessSpec:
    return ProcessSpec(
        name="ingestion",
        service="ingestion",
        command=[str(PYTHON), "-m", "ingestion", "live"],
        environment=platform.environment() | metrics(platform, "ingestion_metrics"),
        log=log_of(platform, "ingestion"),
        probe=status_probe(platform.reader_dsn, "ingestion"),
        cwd=REPO,
    )


def stream(platform: Platform) -> ProcessSpec:
    """The Spark stream, exactly as a person types it. Its scratch space is its own: a killed one leaves the next one nothing."""
    scratch = platform.home.spark / "stream"
    own = {"SPARK_LOCAL_DIRS": str(scratch)}
    return ProcessSpec(
        name="spark",
        service="spark",
        command=[str(PYTHON.parent / "spark-submit"), str(spark.JOB.relative_to(REPO))],
        environment=platform.environment() | metrics(platform, "spark_metrics") | own,
        log=log_of(platform, "spark"),
        probe=status_probe(platform.reader_dsn, "spark"),
        cwd=REPO,
        prepare=partial(shutil.rmtree, scratch, ignore_errors=True),
        stop_limit_s=15.0,
    )


def dashboard(platform: Platform) -> ProcessSpec:
    # All other options stand in .streamlit/config.toml, which Streamlit finds in the folder it starts in.
    flags = ["--server.address", HOST, "--server.port", str(platform.ports["dashboard"])]
    variables = {"CANDLESTREAM_DATABASE_URL": platform.database_url(READER), "CANDLESTREAM_DEPLOYMENT": "native"}
    return ProcessSpec(
        name="dashboard",
        service="dashboard",
        command=[str(PYTHON), "-m", "streamlit", "run", "dashboard/app.py", *flags],
        environment=platform.environment() | variables,
        log=log_of(platform, "dashboard"),
        probe=http_probe(platform.url("dashboard", "/_stcore/health")),
        cwd=REPO,
        stop_limit_s=5.0,
    )


def airflow_processes(platform: Platform) -> list[ProcessSpec]:
    health = platform.url("airflow", airflow.HEALTH_PATH)
    # A part of Airflow ends when its database does, and would end again at each start before that is back.
    database = database_probe(platform)
    data_dir = platform.postgres().data_dir

    def server_life() -> str:
        return str(running_pid(data_dir) or "")

    api = http_probe(health)
    parts = (
        ("airflow-api", ["api-server"], api, database),
        # Task logs are read from the disk. Airflow's server of them would listen on every interface, at one port for all homes.
        # Its first tasks would fail while the server that tells them what to do only starts.
        (
            "airflow-scheduler",
            ["scheduler", "--skip-serve-logs"],
            airflow_probe(health, "scheduler"),
            first(database, api),
        ),
        ("airflow-dags", ["dag-processor"], airflow_probe(health, "dag_processor"), database),
    )
    return [
        ProcessSpec(
            name=name,
            service="airflow",
            command=[str(PYTHON.parent / "airflow"), *arguments],
            environment=platform.environment(),
            log=log_of(platform, name),
            probe=probe,
            waits_for=waits_for,
            # A scheduler that has lost its database ends, too, but first waits for its tasks: for minutes.
            bound_to=server_life if name == "airflow-scheduler" else no_life,
            prepare=make_ready(platform, name),
            cwd=REPO,
            # Schedules and backfills must not slow the live path, nor a start.
            niceness=airflow.NICENESS,
            hung_after_s=airflow.HUNG_AFTER_S,
            still_after_s=airflow.STILL_AFTER_S if name == "airflow-scheduler" else None,
            stop_limit_s=8.0,
        )
        for name, arguments, probe, waits_for in parts
    ]


def make_ready(platform: Platform, name: str) -> Callable[[], None]:
    return partial(give_up_schedulers, platform) if name == "airflow-scheduler" else lambda: None


def metrics(platform: Platform, port: str) -> dict[str, str]:
    return {"CANDLESTREAM_METRICS_PORT": str(platform.ports[port])}
