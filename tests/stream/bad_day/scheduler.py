"""What Airflow's scheduler does for a bad day: runs the commands of the DAGs by the clock, one of each at a time.

`python -m tests.stream.bad_day.scheduler POLL_S LEDGER_S`. Killed with its process group, it takes a running task with it, as the
death of a scheduler with a local executor does.
"""

import subprocess
import sys
import time

from dags.commands import ledger_command, poll_command
from tests.embedded import REPO

DEADLINE_S = 40


def main() -> None:
    poll_s, ledger_s = map(float, sys.argv[1:])
    due = {"poll": 0.0, "ledger": time.monotonic() + ledger_s}
    every = {"poll": (poll_s, poll_command(DEADLINE_S)), "ledger": (ledger_s, ledger_command(DEADLINE_S))}
    while True:
        for name, (period_s, command) in every.items():
            if time.monotonic() >= due[name]:
                due[name] = time.monotonic() + period_s
                subprocess.run(command, cwd=REPO, check=False)
        time.sleep(0.2)


if __name__ == "__main__":
    main()
