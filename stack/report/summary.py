"""What a person is told at the end of `up` and by `status`."""

from typing import Any
from urllib.parse import quote

from rich.console import Console

from stack.home import Home
from stack.state import State

FEEDS = {"yahoo": "Yahoo Finance", "simulator": "the simulated exchange (no real prices)"}


def tell_ready(console: Console, home: Home, kept: State, body: dict[str, Any]) -> None:
    """The last lines of `up`: where everything is."""
    services = body["services"]
    lines = [
        ("dashboard", services["dashboard"]["url"]),
        (
            "Airflow",
            f"{services['airflow']['url']}  user {services['airflow']['user']}, ./candlestream password airflow",
        ),
        ("Spark UI", services["spark"]["ui_url"]),
        ("psql", f"psql '{services['postgres']['url']}?passfile={quote(str(home.pgpass))}'"),
        ("Kafka", services["kafka"]["bootstrap"]),
        ("fed by", f"{FEEDS[kept.source]}: {kept.source_reason}"),
        ("passwords", f"{home.secrets} (./candlestream password NAME)"),
        ("shell", 'eval "$(./candlestream env)"'),
    ]
    for name, value in lines:
        console.print(f"  {name:<10} {value}", highlight=False, markup=False, soft_wrap=True)


def tell_status(console: Console, body: dict[str, Any]) -> None:
    """`status` for a person."""
    if body["source"] is None:
        console.print(
            f"nothing was started in {body['home']} yet: run `candlestream up`", markup=False, highlight=False
        )
        return
    for name, entry in body["services"].items():
        where = entry.get("url") or entry.get("bootstrap") or entry.get("ui_url") or entry.get("proxy") or ""
        style = "green" if entry["is_well"] else "red"
        state = f"[{style}]{entry['state']:<10}[/{style}]"
        restarts = f"restarted {entry['restarts']} times" if entry["restarts"] else ""
        console.print(f"{name:<10} {state} {entry['pid'] or '':<8} {where}  {restarts}".rstrip(), highlight=False)
        for words in (entry["detail"], f"last ended: {entry['last_exit']}" if entry["last_exit"] else ""):
            if words:
                console.print(f"{'':<10} {words}", highlight=False, markup=False)
    for name, task in body["tasks"].items():
        # Services say what they do; so do the tasks that Airflow starts.
        told = f"{name:<10} {task['state']:<10} {task['detail']} (said {ago(task['age_s'])} ago)"
        console.print(told, highlight=False, markup=False)
    left = body["supervisor"].get("left_behind")
    if left:
        told = f"the supervisor is gone and {left} processes are left: `candlestream up` starts anew, `down` ends them"
        console.print(told, highlight=False, markup=False)
    disk = body["disk"]
    ready = "ready" if body["ready"] else "not ready"
    space = f"{disk['used_bytes'] / 2**30:.1f} GB used, {disk['free_bytes'] / 2**30:.0f} GB free"
    console.print(f"{ready}, fed by {FEEDS[body['source']]}; {space}", highlight=False, markup=False)


def ago(age_s: float) -> str:
    """An age in the unit that a person would say it in."""
    if age_s < 120:
        return f"{age_s:.0f} s"
    return f"{age_s / 60:.0f} min" if age_s < 7200 else f"{age_s / 3600:.0f} h"
