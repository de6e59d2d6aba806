"""The account of a platform: what `status --json` promises, and the same for a person."""

from pathlib import Path
from typing import Any

from stack import state
from stack.home import Home
from stack.parts import airflow
from stack.passwords import AIRFLOW_USER, READER
from stack.platform import Platform
from stack.ports import HOST
from stack.report.words import task_words
from stack.supervision import control, leftovers
from stack.supervision.services import services_of

DISK_PARTS = ("data", "jars", "logs", "airflow", "spark", "cache")


def account(home: Home) -> dict[str, Any]:
    """`source`, `ready`, `services` by name and `disk`. Works whether or not anything runs."""
    kept = state.load(home)
    body: dict[str, Any] = {"source": kept.source if kept else None, "ready": False, "home": str(home.path)}
    processes: dict[str, Any] = {}
    unwatched: dict[str, int] = {}
    try:
        answer = control.call(home, "status", timeout_s=10)
        processes = answer["processes"]
        body["supervisor"] = {"state": "ok", "pid": answer["pid"]}
    except control.NoSupervisor:
        body["supervisor"] = {"state": "stopped", "pid": None, "left_behind": len(leftovers.of_home(home))}
        unwatched = leftovers.unwatched(home)
    names = services_of(kept.source) if kept else []
    places = addresses(Platform(home, kept)) if kept and kept.ports else {}
    body["services"] = {name: service(name, processes, unwatched) | places.get(name, {}) for name in names}
    body["ready"] = bool(names) and all(entry["is_well"] for entry in body["services"].values())
    is_up = body["services"].get("postgres", {}).get("is_well", False)
    body["tasks"] = task_words(Platform(home, kept)) if kept and is_up else {}
    body["disk"] = disk(home)
    return body


def service(name: str, processes: dict[str, Any], unwatched: dict[str, int]) -> dict[str, Any]:
    """The processes of a service as one: the worst of them speaks for it. `unwatched` are those that outlived their supervisor."""
    mine = [process for process in processes.values() if process["service"] == name]
    if not mine:
        pid = next((pid for process, pid in unwatched.items() if process.partition("-")[0] == name), None)
        state = "stopped" if pid is None else "unwatched"
        return {"state": state, "is_well": False, "pid": pid, "restarts": 0, "detail": "", "last_exit": ""}
    worst = min(mine, key=lambda process: process["is_well"])
    return {
        "state": worst["state"],
        "is_well": worst["is_well"],
        "pid": mine[0]["pid"],
        "restarts": sum(process["restarts"] for process in mine),
        "detail": worst["detail"],
        "last_exit": next((process["last_exit"] for process in mine if process["last_exit"]), ""),
        "log": worst["log"],
    }


def addresses(platform: Platform) -> dict[str, dict[str, Any]]:
    """Where each service is for its users."""
    ports = platform.ports
    return {
        "postgres": {"url": platform.database_url(READER), "password_file": str(platform.home.pgpass)},
        "kafka": {"bootstrap": f"{HOST}:{ports['kafka']}"},
        "simulator": {"proxy": platform.url("simulator")},
        "ingestion": {"metrics_url": platform.url("ingestion_metrics", "/metrics")},
        "spark": {"ui_url": platform.url("spark_ui"), "metrics_url": platform.url("spark_metrics", "/metrics")},
        "airflow": {
            "url": platform.url("airflow"),
            "user": airflow.USER,
            "password_file": str(platform.home.secrets / AIRFLOW_USER),
        },
        "dashboard": {"url": platform.url("dashboard")},
    }


def disk(home: Home) -> dict[str, int]:
    """Bytes below the home by part, and what is free beside it."""
    sizes = {f"{part}_bytes": size(home.path / part) for part in DISK_PARTS}
    return {"used_bytes": sum(sizes.values()), "free_bytes": home.free_bytes(), **sizes}


def size(folder: Path) -> int:
    """What the files of a tree take. Files come and go while it is read."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += 0 if path.is_symlink() else path.stat().st_blocks * 512
        except OSError:
            continue
    return total
