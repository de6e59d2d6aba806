"""Airflow's configuration: all of it by environment, nothing in a file that could go stale."""

import json
from pathlib import Path

from stack.files import write_atomic
from stack.home import REPO, Home
from stack.passwords import AIRFLOW, AIRFLOW_USER, FERNET_KEY, secret
from stack.ports import HOST

USER = "admin"
DATABASE = "airflow"
NICENESS = 10
# It gives way to everything else: on a busy machine it is slow for long before it hangs.
HUNG_AFTER_S = 300.0
# Its scheduler's main thread comes round every second, or waits for a processor to. Airflow calls it unhealthy a minute and a half
# after its last heartbeat; that is known by then.
STILL_AFTER_S = 20.0
HEALTH_PATH = "/api/v2/monitor/health"


def passwords_file(home: Home) -> Path:
    """SimpleAuthManager's own file, made from the secret that a person is shown."""
    return home.airflow / "simple_auth_manager_passwords.json"


def write_passwords(home: Home) -> None:
    write_atomic(passwords_file(home), json.dumps({USER: secret(home, AIRFLOW_USER)}) + "\n", 0o600)


def environment(home: Home, ports: dict[str, int]) -> dict[str, str]:
    """For the api-server, the scheduler, the dag-processor and the `airflow` command in a person's shell."""
    database = f"{AIRFLOW}@{HOST}:{ports['postgres']}/{DATABASE}"
    url = f"http://{HOST}:{ports['airflow']}"
    settings = {
        "CORE__DAGS_FOLDER": REPO / "dags",
        "CORE__LOAD_EXAMPLES": False,
        "CORE__EXECUTOR": "LocalExecutor",
        # Four tasks at a time (the poller, one that asks for history, the ledger, one that looks after things), and no more idle
        # workers than that: 32 are the default.
        "CORE__PARALLELISM": 4,
        "CORE__MAX_ACTIVE_TASKS_PER_DAG": 2,
        # A task that could not even begin (the machine was busy) is tried again soon, not after the five minutes of the default.
        "CORE__DEFAULT_TASK_RETRY_DELAY": 30,
        "WORKERS__EXECUTION_API_TIMEOUT": 30,
        # A task outlives two minutes without the API server (as it is started again); every heartbeat is a request to it.
        "WORKERS__MIN_HEARTBEAT_INTERVAL": 10,
        "WORKERS__MAX_FAILED_HEARTBEATS": 12,
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 150,
        # What ran when the scheduler died is run again when that is certain. Half a busy minute is no death: a scheduler that took
        # itself for dead would run its own tasks again.
        "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": 90,
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 60,
        "CORE__FERNET_KEY": secret(home, FERNET_KEY),
        "CORE__DEFAULT_TIMEZONE": "utc",
        "CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": passwords_file(home),
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        # Passwords of URLs without one are in PGPASSFILE.
        "DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
        "DATABASE__SQL_ALCHEMY_CONN_ASYNC": f"postgresql+asyncpg://{database}",
        "DATABASE__SQL_ALCHEMY_POOL_SIZE": 2,
        "DATABASE__SQL_ALCHEMY_MAX_OVERFLOW": 6,
        "API__HOST": HOST,
        "API__PORT": ports["airflow"],
        "API__BASE_URL": url,
        "API__WORKERS": 1,
        "API__SECRET_KEY": secret(home, "airflow_secret_key"),
        "API_AUTH__JWT_SECRET": secret(home, "airflow_jwt_secret"),
        "SCHEDULER__CATCHUP_BY_DEFAULT": False,
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": 1,
        "SCHEDULER__ENABLE_HEALTH_CHECK": False,
        "DAG_PROCESSOR__REFRESH_INTERVAL": 60,
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": 60,
        "DAG_PROCESSOR__PARSING_PROCESSES": 1,
        "LOGGING__BASE_LOG_FOLDER": home.airflow / "logs",
        "LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": home.airflow / "logs" / "dag_processor",
        "LOGGING__LOGGING_LEVEL": "INFO",
        "USAGE_DATA_COLLECTION__ENABLED": False,
    }
    return {"AIRFLOW_HOME": str(home.airflow)} | {f"AIRFLOW__{name}": str(value) for name, value in settings.items()}
