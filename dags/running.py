"""Runs a command for a task: what it says goes to the task's log line by line, its last line is the task's result."""

import json
import logging
import subprocess
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from dags.failures import failure

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent
# Enough to find the last error in.
KEPT_LINES = 200
STOP_TIMEOUT_S = 10


def run(command: Sequence[str]) -> dict[str, object]:
    """The summary that the command printed as its last line. Raises `CommandFailed` by its exit code.

    When the task is timed out or cleared, the command is ended with it.
    """
    log.info("running: %s", " ".join(command))
    lines: deque[str] = deque(maxlen=KEPT_LINES)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
    try:
        for line in process.stdout or ():
            log.info("%s", line.rstrip())
            lines.append(line)
        exit_code = process.wait()
    finally:
        end(process)
    summary = summary_in(lines)
    if exit_code != 0:
        raise failure(command[3], exit_code, list(lines), summary)
    return summary


def summary_in(lines: Sequence[str]) -> dict[str, object]:
    """The JSON object in the last line, empty where there is none."""
    try:
        summary = json.loads(lines[-1]) if lines else {}
    except ValueError:
        return {}
    return summary if isinstance(summary, dict) and "command" in summary else {}


def end(process: subprocess.Popen[str]) -> None:
    """Ends a process that still runs: asks, then kills."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
